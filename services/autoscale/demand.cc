#include "services/autoscale/demand.h"

#include <algorithm>

#include "services/autoscale/advice.h"
#include "services/autoscale/estimate.h"

namespace trunkline::autoscale {
namespace {

const MetricFailure* failure_of(const Snapshot& snapshot, const std::string& metric) {
  const auto found = std::ranges::find(snapshot.failing, metric, &MetricFailure::metric);
  return found == snapshot.failing.end() ? nullptr : &*found;
}

struct Averages {
  double low = 0;
  double high = 0;
};

Averages average(const std::vector<DemandAt>& demand, TimePoint now, Duration window) {
  Averages sum;
  double count = 0;
  for (const DemandAt& was : demand) {
    // Without a window the newest alone counts.
    if (was.at <= now - window && &was != &demand.back()) continue;
    sum.low += was.low;
    sum.high += was.high;
    ++count;
  }
  return {sum.low / count, sum.high / count};
}

void remember(std::vector<DemandAt>& demand, const MetricRecord& record, TimePoint now, Duration window) {
  std::erase_if(demand, [&](const DemandAt& was) { return was.at <= now - window; });
  if (demand.size() >= most_history) demand.erase(demand.begin());
  demand.push_back({now, record.demand_low, record.demand_high});
}

void veto(const MetricPolicy& metric, const MetricRecord& record, Demand& demand) {
  const bool known = record.verdict == Verdict::vetoes;
  if (!known || !(record.best > metric.veto->above)) return;
  demand.veto_up = demand.veto_up || metric.veto->up;
  demand.veto_down = demand.veto_down || metric.veto->down;
  demand.veto_reason = metric.name + " forbids it";
}

// Two metrics of one name, such as two quantiles of a histogram, remember each for itself. The first has the plain
// name.
std::string memory_key(const NativePolicy& policy, const MetricPolicy& metric) {
  std::size_t before = 0;
  for (const MetricPolicy& other : policy.metrics) {
    if (&other == &metric) break;
    before += other.name == metric.name;
  }
  return before == 0 ? metric.name : metric.name + " #" + std::to_string(before + 1);
}

// Everything was heard, and all that was heard is nothing.
bool is_idle(const MetricPolicy& metric, const MetricRecord& record) {
  if (record.verdict == Verdict::too_few) return record.fresh == record.expected;
  const double most = metric.source == Source::external ? metric.activation : 0;
  return record.verdict == Verdict::proposes && record.fresh == record.expected && record.high <= most;
}

}  // namespace

Demand measure_demand(State& state, const NativePolicy& policy, const Snapshot& snapshot, const PodSet& pods,
                      TimePoint now, Decision& decision) {
  std::erase_if(state.metrics, [&](const auto& known) {
    const auto has_it = [&](const MetricPolicy& metric) { return memory_key(policy, metric) == known.first; };
    return known.first != policy.drain.rank_by && std::ranges::none_of(policy.metrics, has_it);
  });
  Demand demand;
  demand.seen_idle = true;
  const int current = snapshot.current;
  decision.metrics.reserve(policy.metrics.size());
  for (const MetricPolicy& metric : policy.metrics) {
    MetricRecord& record = decision.metrics.emplace_back();
    MetricState& memory = state.metrics[memory_key(policy, metric)];
    record.metric = metric.name;
    record.target_value = metric.target.value;
    const MetricFailure* failure = failure_of(snapshot, metric.name);
    if (metric.source == Source::pods) {
      estimate_pods(memory, metric, policy, pods, current, now, record);
    } else {
      estimate_external(memory, metric, policy, snapshot, pods, now, record);
    }
    if (failure && record.verdict == Verdict::no_data) {
      record.reason = failure->reason;
      demand.denied = demand.denied || failure->denied;
    }
    record.current_value = record.best;
    if (metric.veto) {
      record.verdict = record.verdict == Verdict::proposes ? Verdict::vetoes : Verdict::silent;
      veto(metric, record, demand);
      continue;
    }
    demand.seen_idle = demand.seen_idle && is_idle(metric, record);
    if (record.verdict != Verdict::proposes) {
      record.proposal = current;
      demand.partial = demand.partial || record.verdict == Verdict::no_data;
      if (demand.reason.empty()) demand.reason = metric.name + ": " + record.reason;
      continue;
    }
    advise(metric, snapshot, record, decision);

    remember(memory.demand, record, now, std::max(metric.average_over, policy.fast.window));
    demand.fast = std::max(demand.fast, average(memory.demand, now, policy.fast.window).low);
    const Averages stable = average(memory.demand, now, metric.average_over);
    record.demand_low = stable.low;
    record.demand_high = stable.high;
    propose(metric, policy.gaps.min_coverage, current, record);
    const bool wakes = metric.source == Source::external && record.best > metric.activation;
    demand.waiting = demand.waiting || wakes;
    // From zero only what waits counts.
    if (current == 0 && !wakes) continue;
    const bool leads = !demand.valid || record.proposal > demand.wanted;
    if (leads) demand.reason = metric.name + ": " + record.reason;
    if (leads) demand.wanted = record.proposal;
    demand.valid = true;
  }
  if (policy.metrics.empty()) demand.seen_idle = false;
  return demand;
}

}  // namespace trunkline::autoscale
