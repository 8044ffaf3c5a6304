// What each pod of the frozen set says of one metric: fresh, carried over, or not known. No pod is ever taken for idle
// because it was not heard.
#pragma once

#include <vector>

#include "services/autoscale/decision.h"
#include "services/autoscale/pod_set.h"
#include "services/autoscale/quantile.h"
#include "services/autoscale/state.h"

namespace trunkline::autoscale {

struct PodReading {
  const Pod* pod = nullptr;
  InputState state = InputState::missing;
  double value = 0;  // when missing: the last one ever seen, or 0
  Duration age{0};
  const char* reason = "";
  bool surely_there = false;  // of one that leaves: it has said so itself since it was told to go

  bool is_known() const { return state == InputState::fresh || state == InputState::carried; }
  bool is_expected() const { return is_known() || state == InputState::missing; }
};

// In the order of the set. `state` takes the values in and forgets pods that are gone.
std::vector<PodReading> read_pods(MetricState& state, const MetricPolicy& metric, const Gaps& gaps,
                                  const PodRules& rules, const PodSet& pods, TimePoint now);

// For a quantile, after read_pods: the gains of all pods that are known, and how many pods those are.
struct MergedGains {
  MergedHistogram histogram = {};
  int pods = 0;
};
MergedGains merge_gains(const MetricState& state, const MetricPolicy& metric, const std::vector<PodReading>& readings,
                        TimePoint now);

}  // namespace trunkline::autoscale
