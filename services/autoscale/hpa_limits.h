// What a HorizontalPodAutoscaler allows of what its metrics ask for: stabilisation, rates, bounds, in Kubernetes's
// order and with its rounding.
#pragma once

#include <string>

#include "services/autoscale/hpa_policy.h"
#include "services/autoscale/state.h"

namespace trunkline::autoscale {

struct HpaLimited {
  int replicas = 0;
  std::string reason = {};  // of the condition: "ScaleUpLimit", "DesiredWithinRange", ...
};

// The most and the least that the policies of one direction allow, counted from where their period began.
int hpa_up_limit(int current, const HpaRules& rules, const HpaState& state, TimePoint now);
int hpa_down_limit(int current, const HpaRules& rules, const HpaState& state, TimePoint now);

// Remembers `desired` and returns it, or what the windows hold it at.
HpaLimited hpa_stabilise(HpaState& state, const HpaPolicy& policy, int current, int desired, TimePoint now);

HpaLimited hpa_limit(const HpaState& state, const HpaPolicy& policy, int current, int desired, TimePoint now);

// Remembers a change that was made.
void hpa_scaled(HpaState& state, const HpaPolicy& policy, int from, int to, TimePoint now);

}  // namespace trunkline::autoscale
