// How long routes take to answer, as far as it is known: from the scrapes that went over them. A few hundred of the
// last durations of each route, so that quantiles are exact and the memory is fixed: a new route takes the place of
// that which has been silent for longest.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "services/scrape/snapshot.h"

namespace trunkline::console {

struct RouteLatency {
  std::string route;  // as in Stats: "https://host:port"
  Duration p50{0};
  Duration p99{0};
  std::size_t samples = 0;
};

class Latencies {
 public:
  // Each cycle of a collector counts once: `collector` is its place among the sources.
  void add(std::size_t collector, const scrape::Snapshot& snapshot);
  std::vector<RouteLatency> all() const;

 private:
  static constexpr std::size_t most_routes = 256;
  static constexpr std::size_t kept = 256;
  struct Ring {
    std::array<Duration, kept> durations{};
    std::size_t count = 0;  // ever added
    std::uint64_t last = 0;
  };

  std::map<std::size_t, std::uint64_t> last_cycles_;
  std::uint64_t adds_ = 0;
  std::map<std::string, Ring, std::less<>> routes_;
};

// The smallest value that at least this part of all is not above. Nothing of nothing is 0.
Duration quantile(std::vector<Duration> values, double part);

}  // namespace trunkline::console
