// The whole engine: what was seen, what is wanted and what is remembered go in; a decision comes out. No clock, no I/O.
#pragma once

#include "services/autoscale/decision.h"
#include "services/autoscale/policy.h"
#include "services/autoscale/snapshot.h"
#include "services/autoscale/state.h"

namespace trunkline::autoscale {

// No value can be younger than pods are asked, so what is fresh and what is carried over is at least one interval old,
// and two, whatever the policy says; otherwise an interval of a minute would make silent pods of all. Carrying over
// stays off where it is.
Policy suited_to(Duration interval, Policy policy);

// `state` becomes what the next decision needs. It belongs to one target; a policy that is edited keeps it. A time
// before the last decision's is read as that decision's. The same arguments always give the same record.
Decision decide(State& state, const Snapshot& snapshot, const Policy& policy, TimePoint now);

}  // namespace trunkline::autoscale
