// The whole engine: what was seen, what is wanted and what is remembered go in; a decision comes out. No clock, no I/O.
#pragma once

#include "services/autoscale/decision.h"
#include "services/autoscale/policy.h"
#include "services/autoscale/snapshot.h"
#include "services/autoscale/state.h"

namespace trunkline::autoscale {

// `state` becomes what the next decision needs. It belongs to one target; a policy that is edited keeps it. A time
// before the last decision's is read as that decision's. The same arguments always give the same record.
Decision decide(State& state, const Snapshot& snapshot, const Policy& policy, TimePoint now);

}  // namespace trunkline::autoscale
