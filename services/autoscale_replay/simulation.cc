#include "services/autoscale_replay/simulation.h"

#include <algorithm>
#include <cmath>

namespace trunkline::autoscale {
namespace {

constexpr Duration soon = std::chrono::minutes(10);

// What the metrics say is needed, in replicas: the native engine's estimate, or what the other engines proposed.
double demand_of(const Decision& decision) {
  double most = 0;
  for (const MetricRecord& metric : decision.metrics) {
    if (metric.verdict != Verdict::proposes) continue;
    const double estimate = (metric.demand_low + metric.demand_high) / 2;
    most = std::max(most, estimate > 0 ? estimate : static_cast<double>(metric.proposal));
  }
  return most;
}

}  // namespace

const Decision& Simulation::step(const Tick& tick) {
  seen_ = tick;
  if (closed_loop_ && replicas_) seen_.seen.current = *replicas_;
  decider_.take_back_ignored(state_, seen_.seen);
  if (seen_.history) seed(state_, *seen_.history);
  const bool may_be_ignored = !world_ && !closed_loop_;
  decision_ = decider_.decide(state_, seen_.seen, policy_, seen_.at, may_be_ignored);
  Moment moment{.at = seen_.at,
                .current = decision_.current,
                .desired = decision_.desired,
                .action = decision_.action,
                .panic = decision_.panic,
                .reason = decision_.reason};
  if (world_) {
    moment.demand = world_->demand(seen_.at);
    moment.capacity = world_->ready(seen_.at);
    world_->obey(decision_, seen_.at);
  } else {
    moment.demand = demand_of(decision_);
    moment.capacity = replicas_.value_or(decision_.current);
  }
  replicas_ = decision_.desired;
  course_.moments.push_back(std::move(moment));
  return decision_;
}

Score score_of(const Course& course) {
  Score score{.decisions = course.moments.size()};
  int last_direction = 0;
  TimePoint last_change{};
  for (std::size_t i = 0; i < course.moments.size(); ++i) {
    const Moment& moment = course.moments[i];
    const std::size_t from = i + 1 < course.moments.size() ? i : i - std::min<std::size_t>(i, 1);
    const std::size_t to = std::min(from + 1, course.moments.size() - 1);
    const double seconds = std::chrono::duration<double>(course.moments[to].at - course.moments[from].at).count();
    score.replica_minutes += moment.desired * seconds / 60;
    // A hair above is rounding, not overload.
    if (moment.demand > moment.capacity + 1e-9) score.seconds_over_target += seconds;
    score.peak = std::max(score.peak, moment.desired);
    const int before = i == 0 ? moment.current : course.moments[i - 1].desired;
    const int change = moment.desired - before;
    if (change == 0) continue;
    const int direction = change > 0 ? 1 : -1;
    ++score.changes;
    score.largest_change = std::max(score.largest_change, std::abs(change));
    if (last_direction == -direction && moment.at - last_change < soon) ++score.flaps;
    last_direction = direction;
    last_change = moment.at;
  }
  return score;
}

}  // namespace trunkline::autoscale
