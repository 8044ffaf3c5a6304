// The native rules: demand as an interval, then one stage after the other, each of which may only hold back.
#pragma once

#include <optional>

#include "services/autoscale/decision.h"
#include "services/autoscale/policy.h"
#include "services/autoscale/state.h"

namespace trunkline::autoscale {

void decide_natively(State& state, const Snapshot& snapshot, const NativePolicy& policy,
                     const std::optional<Pause>& pause, TimePoint now, Decision& decision);

}  // namespace trunkline::autoscale
