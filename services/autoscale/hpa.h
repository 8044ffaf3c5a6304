// compat hpa: decides as Kubernetes's HorizontalPodAutoscaler would, and words its conditions and events the same way.
#pragma once

#include <optional>

#include "services/autoscale/decision.h"
#include "services/autoscale/policy.h"
#include "services/autoscale/state.h"

namespace trunkline::autoscale {

void decide_as_hpa(HpaState& state, const Snapshot& snapshot, const HpaPolicy& policy,
                   const std::optional<Pause>& pause, TimePoint now, Decision& decision);

}  // namespace trunkline::autoscale
