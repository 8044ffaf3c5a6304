// How far, how fast and how soon the number of replicas may move: what was recommended and what was in force, and what
// follows.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "services/autoscale/policy.h"
#include "services/autoscale/state.h"

namespace trunkline::autoscale {

// Of all replicas: where there are several targets, the sums of theirs.
Bounds bounds_of_total(const NativePolicy& policy);

// Entries count while younger than `window`; with `holds` the one before them too, whose value was still in force.
void remember(std::vector<ReplicasAt>& history, int replicas, TimePoint now, Duration window, bool holds);
int lowest(const std::vector<ReplicasAt>& history, TimePoint now, Duration window, bool holds, int otherwise);
int highest(const std::vector<ReplicasAt>& history, TimePoint now, Duration window, bool holds, int otherwise);

// The most, or least, that a direction's policies allow of what was in force: over no stretch of a policy's period do
// replicas change by more than it says.
int up_limit(const Direction& up, const std::vector<ReplicasAt>& in_force, int current, TimePoint now);
int down_limit(const Direction& down, const std::vector<ReplicasAt>& in_force, int current, TimePoint now);

// In panic the policies give way to this.
int panic_limit(const Fast& fast, const std::vector<ReplicasAt>& in_force, int current, TimePoint now);

// What has been in force must be remembered for so long.
Duration longest_period(const NativePolicy& policy);

// The down window, doubled for each reversal beyond the budget.
std::chrono::seconds down_window(const NativePolicy& policy, const State& state, TimePoint now);

}  // namespace trunkline::autoscale
