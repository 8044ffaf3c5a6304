#include "services/autoscale/decider.h"

#include <utility>

namespace trunkline::autoscale {

void Decider::take_back_ignored(State& state, const Snapshot& seen) {
  if (order_) {
    const bool obeyed =
        order_->replicas > order_->before ? seen.current > order_->before : seen.current < order_->before;
    if (!obeyed) state = std::move(order_->otherwise);
  }
  order_.reset();
}

Decision Decider::decide(State& state, const Snapshot& seen, const Policy& policy, TimePoint now, bool may_be_ignored) {
  take_back_ignored(state, seen);
  may_be_ignored = may_be_ignored && !policy.dry_run;
  State otherwise;
  if (may_be_ignored) otherwise = state;
  Decision decision = autoscale::decide(state, seen, policy, now);
  if (may_be_ignored && decision.desired != decision.current) {
    Policy ignored = policy;
    ignored.dry_run = true;
    autoscale::decide(otherwise, seen, ignored, now);
    order_ = Order{decision.current, decision.desired, std::move(otherwise)};
  }
  return decision;
}

}  // namespace trunkline::autoscale
