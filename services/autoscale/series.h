// Counters and histograms over time: totals that are repaired where a pod began anew, and what they gained.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "services/autoscale/state.h"

namespace trunkline::autoscale {

// One series' history, made if it is not known. `histories` is ordered by pod and series.
SeriesHistory& history_of(std::vector<SeriesHistory>& histories, std::string_view pod, std::string_view series);

// Takes the sample in. A total that fell, other buckets, or a later `since` mean that counting began anew: what was
// counted before stays counted. A sample no newer than the last one changes nothing.
void take_in(SeriesHistory& history, const Sample& sample, TimePoint at, Duration window);

// What each total gained over the window that ends with its last point, and in how much time. Unset with one point
// only, unless the series says since when it counts.
struct Gain {
  std::vector<double> totals = {};
  Duration over{0};
};
std::optional<Gain> gain_of(const SeriesHistory& history, TimePoint now, Duration window);

}  // namespace trunkline::autoscale
