// A pause stops one direction or both until it ends; what would have been decided stays in the record.
#pragma once

#include <optional>
#include <vector>

#include "services/autoscale/decision.h"
#include "services/autoscale/policy.h"

namespace trunkline::autoscale {

void hold_if_paused(const std::optional<Pause>& pause, TimePoint now, Decision& decision);
// The same where the decision has several targets or roles, each of which has its own direction.
void hold_targets_if_paused(const std::optional<Pause>& pause, const std::vector<TargetReplicas>& present,
                            TimePoint now, Decision& decision);

}  // namespace trunkline::autoscale
