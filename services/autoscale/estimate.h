// One metric's demand, as an interval: `low` is surely there, `high` may be. Up is decided on the first, down on the
// second, so what is not known can only make a change smaller.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "services/autoscale/decision.h"
#include "services/autoscale/policy.h"
#include "services/autoscale/readings.h"

namespace trunkline::autoscale {

// Fills the record: values, demand in replicas, coverage, every pod's part. Pods' metrics.
void estimate_pods(MetricState& state, const MetricPolicy& metric, const NativePolicy& policy, const PodSet& pods,
                   int current, TimePoint now, MetricRecord& record);

// The same for a value that belongs to no pod.
void estimate_external(MetricState& state, const MetricPolicy& metric, const NativePolicy& policy,
                       const Snapshot& snapshot, const PodSet& pods, TimePoint now, MetricRecord& record);

// How many replicas the record's demand asks for instead of `current`. Within tolerance: `current` itself.
int propose(const MetricPolicy& metric, double min_coverage, int current, MetricRecord& record);

}  // namespace trunkline::autoscale
