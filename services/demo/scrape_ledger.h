// Why scrapes dialled. In the first two cycles they must, as they must for a backend that is new, or one that has been
// silent: a request that was given up takes its connection along. Any other dial would be a bug of the pool.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include <trunkline/reason.hpp>

#include "services/scrape/snapshot.h"

namespace trunkline::demo {

struct ScrapeFigures {
  std::uint64_t cycles = 0;  // of all collectors together
  std::uint64_t scrapes = 0;
  std::uint64_t failed = 0;
  std::uint64_t reused = 0;
  std::uint64_t dials_first_cycles = 0;
  std::uint64_t dials_new_backends = 0;
  std::uint64_t dials_after_gaps = 0;
  std::uint64_t dials_steady = 0;  // wants to be 0
  std::array<std::uint64_t, dial_reason_count> steady_by_reason{};

  std::uint64_t dials() const { return dials_first_cycles + dials_new_backends + dials_after_gaps + dials_steady; }
};

// All collectors tell one ledger, one at a time: they share their connections, so a gap that one of them met may make
// another one dial.
class ScrapeLedger {
 public:
  // That target gives no answer until then. Told by whoever makes it so: the one who meets the gap may tell of it later
  // than the one who dials because of it, or, as the fleet's own collector, not here at all.
  void expect_gap(const std::string& url, TimePoint until);
  void add(int collector, const scrape::Snapshot& snapshot);
  const ScrapeFigures& figures() const { return figures_; }

 private:
  static constexpr std::uint64_t first_cycles = 2;
  static constexpr int gap_cycles = 3;  // so long it may be the gap that made somebody dial

  struct Seen {
    std::uint64_t cycles = 0;  // in which this collector knew the target
    std::uint64_t last = 0;    // the collector's own count at that time
  };

  ScrapeFigures figures_;
  std::map<int, std::uint64_t> cycles_;               // by collector
  std::map<std::pair<int, std::string>, Seen> seen_;  // by collector and URL
  std::map<std::string, TimePoint> trouble_;          // by URL: the last time that somebody got no answer
};

}  // namespace trunkline::demo
