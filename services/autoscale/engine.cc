#include "services/autoscale/engine.h"

#include <algorithm>

#include "services/autoscale/hpa.h"
#include "services/autoscale/kthena.h"
#include "services/autoscale/native.h"
#include "services/autoscale/parts.h"
#include "services/autoscale/pause.h"

namespace trunkline::autoscale {

Policy suited_to(Duration interval, Policy policy) {
  auto* native = std::get_if<NativePolicy>(&policy.rules);
  if (!native) return policy;
  const auto whole = std::chrono::ceil<std::chrono::seconds>(interval);
  native->gaps.fresh = std::max(native->gaps.fresh, whole);
  if (native->gaps.carry.count() > 0) native->gaps.carry = std::max(native->gaps.carry, 2 * whole);
  return policy;
}

Decision decide(State& state, const Snapshot& snapshot, const Policy& policy, TimePoint now) {
  if (state.last_decision) now = std::max(now, *state.last_decision);
  state.last_decision = now;

  Decision decision;
  decision.policy = policy.name;
  decision.at = now;
  decision.dry_run = policy.dry_run;
  decision.current = decision.desired = snapshot.current;
  if (const auto* hpa = std::get_if<HpaPolicy>(&policy.rules)) {
    decide_as_hpa(state.hpa, snapshot, *hpa, policy.pause, now, decision);
  } else if (const auto* kthena = std::get_if<KthenaPolicy>(&policy.rules)) {
    decide_as_kthena(state.kthena, snapshot, *kthena, now, decision);
    if (decision.targets.empty()) {
      hold_if_paused(policy.pause, now, decision);
    } else {
      hold_targets_if_paused(policy.pause, snapshot.targets, now, decision);
      decision.victims = name_leaving(snapshot.targets, decision.targets, freeze(snapshot, {}, now));
    }
  } else {
    const Gaps& gaps = std::get<NativePolicy>(policy.rules).gaps;
    const bool is_slow =
        snapshot.interval > gaps.fresh || (gaps.carry.count() > 0 && 2 * snapshot.interval > gaps.carry);
    const Policy suited = is_slow ? suited_to(snapshot.interval, policy) : Policy();
    decide_natively(state, snapshot, std::get<NativePolicy>(is_slow ? suited.rules : policy.rules), policy.pause, now,
                    decision);
  }
  decision.action = decision.desired > decision.current   ? Action::up
                    : decision.desired < decision.current ? Action::down
                                                          : Action::hold;
  return decision;
}

}  // namespace trunkline::autoscale
