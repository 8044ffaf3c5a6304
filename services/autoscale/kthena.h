// compat kthena: decides as kthena's autoscaler does, with its peculiarities: one pod that cannot be read silences a
// metric, and the tolerance of a single target is taken around the target's value of one pod.
#pragma once

#include <map>
#include <string>

#include "services/autoscale/decision.h"
#include "services/autoscale/kthena_policy.h"
#include "services/autoscale/state.h"

namespace trunkline::autoscale {

void decide_as_kthena(std::map<std::string, KthenaState>& states, const Snapshot& snapshot, const KthenaPolicy& policy,
                      TimePoint now, Decision& decision);

}  // namespace trunkline::autoscale
