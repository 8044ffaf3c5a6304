// Arithmetic that cannot surprise: what is no number, or too large for a count of replicas, never leaves here.
#pragma once

#include <cmath>
#include <limits>

namespace trunkline::autoscale {

inline constexpr int most_replicas = std::numeric_limits<int>::max();

// No number and less than nothing are 0; what is too large is the largest.
inline int saturate(double value) {
  if (!(value > 0)) return 0;
  return value >= static_cast<double>(most_replicas) ? most_replicas : static_cast<int>(value);
}
inline int ceil_replicas(double value) { return saturate(std::ceil(value)); }

// A sample that may be calculated with: loads and counts are never negative.
inline bool is_usable(double value) { return std::isfinite(value) && value >= 0; }

}  // namespace trunkline::autoscale
