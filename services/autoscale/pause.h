// A pause stops one direction or both until it ends; what would have been decided stays in the record.
#pragma once

#include <optional>

#include "services/autoscale/decision.h"
#include "services/autoscale/policy.h"

namespace trunkline::autoscale {

void hold_if_paused(const std::optional<Pause>& pause, TimePoint now, Decision& decision);

}  // namespace trunkline::autoscale
