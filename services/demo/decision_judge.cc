#include "services/demo/decision_judge.h"

#include <algorithm>
#include <cmath>

namespace trunkline::demo {
namespace {

using autoscale::Action;
using autoscale::InputState;

bool has_gap(const autoscale::Decision& decision) {
  for (const autoscale::MetricRecord& metric : decision.metrics) {
    for (const autoscale::PodInput& pod : metric.pods) {
      if (pod.state == InputState::carried || pod.state == InputState::missing) return true;
    }
  }
  return false;
}

}  // namespace

void DecisionJudge::truth(std::int64_t open, TimePoint now) {
  truth_.emplace_back(now, open);
  while (now - truth_.front().first > memory) truth_.pop_front();
}

// Down: there was a moment lately at which those that are left were enough. Up: one at which those that were there
// were not.
bool DecisionJudge::is_borne_out(const autoscale::Decision& decision) const {
  const auto by_count = [](const auto& a, const auto& b) { return a.second < b.second; };
  if (truth_.empty()) return true;
  const auto [least, most] = std::minmax_element(truth_.begin(), truth_.end(), by_count);
  const auto fits = [this](std::int64_t open, int replicas) {
    return static_cast<double>(open) <= per_replica_ * replicas;
  };
  return decision.action == Action::down ? fits(least->second, decision.desired)
                                         : !fits(most->second, decision.current);
}

void DecisionJudge::judge(const autoscale::Decision& decision) {
  ++figures_.decisions;
  const bool gap = has_gap(decision);
  if (gap) ++figures_.with_gap;
  if (decision.action == Action::hold) {
    if (gap) ++figures_.gaps_survived;
    return;
  }
  ++(decision.action == Action::up ? figures_.ups : figures_.downs);
  if (last_ != Action::hold && last_ != decision.action) ++figures_.reversals;
  last_ = decision.action;
  if (gap) ++(is_borne_out(decision) ? figures_.gaps_survived : figures_.moved_by_gap);
}

}  // namespace trunkline::demo
