// The policy of the show: the one for WebSockets, with its times in seconds instead of minutes, so that something is
// seen at once. The replicas follow a wave of about 40 seconds up and down, and no gap moves them.
#pragma once

#include "services/autoscale/policy.h"

namespace trunkline::demo {

inline constexpr double websockets_per_replica = 20;
inline constexpr int most_replicas = 10;
inline constexpr std::chrono::seconds scrape_interval{2};

autoscale::Policy demo_policy();

}  // namespace trunkline::demo
