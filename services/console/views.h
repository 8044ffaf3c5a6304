// The API's answers as JSON, made of what the sources gave. docs/API.md describes every field; a test compares the two.
// Lists are bounded and say what they left out. Times are seconds since 1970, durations seconds. Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "services/autoscale_live/fleet_view.h"
#include "services/console/latencies.h"
#include "services/console/sources.h"
#include "services/scrape/snapshot.h"

namespace trunkline::console {

inline constexpr std::size_t targets_limit = 1000;
inline constexpr std::size_t pods_limit = 1000;
inline constexpr std::size_t decisions_bytes_limit = 8 * 1024 * 1024;

using WallTime = std::chrono::system_clock::time_point;
double seconds_since_1970(WallTime time);
double seconds_since_1970(TimePoint time);  // of the autoscaler's clock, which counts from 1970

// What the time is on both clocks, at once.
struct Now {
  WallTime wall{};
  TimePoint steady{};
  static Now read() { return {std::chrono::system_clock::now(), Clock::now()}; }
};

std::string error_json(std::string_view sentence);
std::string status_json(const ProcessFacts& facts);
// Stats::to_json() with the time in front.
std::string transport_json(const Stats& stats, double t);
// `most` 0: the cycles alone.
std::string targets_json(const std::vector<scrape::SnapshotPtr>& snapshots, const Now& now, std::size_t most);
std::string latencies_json(const std::vector<RouteLatency>& latencies);
std::string advice_json(const Stats& stats, const std::vector<scrape::SnapshotPtr>& snapshots);
std::string fleet_json(const autoscale::FleetStatus& fleet);
std::string fleets_json(const std::vector<autoscale::FleetStatus>& fleets);
// As print_decision() has it, with "number" in front. `whole` false: without the single pods, for the stream.
std::string decision_json(const autoscale::DecisionEntry& entry, bool whole);
std::string decisions_json(const std::vector<autoscale::DecisionPtr>& entries, bool whole);

}  // namespace trunkline::console
