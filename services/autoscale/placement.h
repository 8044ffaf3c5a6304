// One total over several targets or roles, as kthena does it: pure functions of the total, so a split never wanders.
#pragma once

#include <utility>
#include <vector>

#include "services/autoscale/kthena_policy.h"
#include "services/autoscale/snapshot.h"

namespace trunkline::autoscale {

// Every target has its minimum; what is above goes where the next block costs least. A target's room is cut into
// blocks that grow by `expansion_percent` (200: 1, 2, 4, ...; 100: one block), each costing its length times the cost.
std::vector<TargetReplicas> split_by_cost(const std::vector<TargetCost>& targets, int expansion_percent, int total);

// Numerator and denominator brought into their bounds and the constraint's ratio; without one into the bounds alone.
// None of both is fine; of only one of them the other becomes at least one.
std::pair<int, int> repair_ratio(int numerator, int denominator, const KthenaRole& numerator_role,
                                 const KthenaRole& denominator_role, const RatioConstraint* constraint);

}  // namespace trunkline::autoscale
