// What a fleet's target and the collector know, as the snapshot that the engine decides on. Pure.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "services/autoscale/policy.h"
#include "services/autoscale_live/engine_time.h"
#include "services/autoscale_live/scale_target.h"
#include "services/scrape/collector.h"

namespace trunkline::autoscale {

// The metrics that a policy reads of pods, by name, each once.
std::vector<std::string> metrics_of_pods(const Policy& policy);
// What must be kept of each scrape for them: their samples, and when a counter began.
scrape::Wants wants_of(const Policy& policy);

// What a pod is called that is a job's target: host and port, or its URL where that has another path than its job says,
// as those of pods behind one proxy have. Whoever else there is does not matter: a pod keeps its name.
std::string pod_name(const scrape::Target& target);

// `cycle` is what the collector found last, or null. `current` must be known: see replicas_of().
Snapshot observe(const TargetView& view, const scrape::Snapshot* cycle, const std::vector<std::string>& metrics,
                 std::vector<ExternalValue> external, const EngineTime& time);

// How many replicas were asked for: what the target says, or as many as its job has targets. Unset: not known.
std::optional<int> replicas_of(const TargetView& view, const scrape::Snapshot* cycle);

// The samples of these metrics in what one target said at `taken`.
std::vector<Sample> samples_of(const scrape::SampleSet& samples, const std::vector<std::string>& metrics,
                               TimePoint taken, const EngineTime& time);

}  // namespace trunkline::autoscale
