#include "services/traffic/latencies.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace trunkline::traffic {

Clock::duration Latencies::quantile(double part) const {
  const std::vector<std::uint64_t> counts = histogram_.counts();
  const std::uint64_t all = std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
  if (all == 0) return Clock::duration::zero();
  const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(part * static_cast<double>(all))));
  std::size_t bucket = 0;
  for (std::uint64_t below = counts[0]; below < rank;) below += counts[++bucket];
  // Beyond the last bound nothing is known but that it is beyond.
  const double seconds = histogram_.bounds()[std::min(bucket, histogram_.bounds().size() - 1)];
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

}  // namespace trunkline::traffic
