// Who leaves when a step goes down: those first whose leaving disturbs least.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "services/autoscale/decision.h"
#include "services/autoscale/pod_set.h"
#include "services/autoscale/policy.h"

namespace trunkline::autoscale {

// All pods that could leave, best victim first: those that do not serve, then the fewest live streams, then the
// youngest, then by name. `record` is that of the metric which counts streams; without it all have none. A pod that was
// not heard is taken to hold what it last did; one that never was, as many as the fullest. With `part` only the pods of
// that target or role.
std::vector<Victim> rank_victims(const PodSet& pods, const MetricRecord* record,
                                 std::optional<std::string_view> part = std::nullopt);

// The first `count` of a ranking, or fewer so that no more than `max_disrupted` streams are cut (below 0: no matter).
std::vector<Victim> choose_victims(const std::vector<Victim>& ranking, int count, double max_disrupted);

}  // namespace trunkline::autoscale
