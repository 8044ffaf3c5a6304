#include "services/demo/scrape_ledger.h"

#include <algorithm>

namespace trunkline::demo {

void ScrapeLedger::expect_gap(const std::string& url, TimePoint until) {
  TimePoint& last = trouble_[url];
  last = std::max(last, until);
}

void ScrapeLedger::add(int collector, const scrape::Snapshot& snapshot) {
  const std::uint64_t cycle = ++cycles_[collector];
  ++figures_.cycles;
  for (const scrape::TargetSnapshot& one : snapshot.targets) {
    const scrape::TargetReport& report = one.report;
    Seen& seen = seen_[{collector, one.target->url}];
    if (seen.last + 1 != cycle) seen = {};  // it was gone: what has come is another one
    seen.last = cycle;
    ++seen.cycles;
    const auto trouble = trouble_.find(one.target->url);
    const bool after_gap =
        trouble != trouble_.end() && snapshot.cut_off - trouble->second <= snapshot.interval * gap_cycles;
    ++figures_.scrapes;
    if (report.up()) {
      if (report.connected && report.reused) ++figures_.reused;
    } else {
      ++figures_.failed;
      expect_gap(one.target->url, snapshot.cut_off);
    }
    if (!report.connected || report.reused) continue;
    if (cycle <= first_cycles) {
      ++figures_.dials_first_cycles;
    } else if (seen.cycles <= first_cycles) {
      ++figures_.dials_new_backends;
    } else if (after_gap || !report.up()) {
      ++figures_.dials_after_gaps;
    } else {
      ++figures_.dials_steady;
      ++figures_.steady_by_reason[static_cast<std::size_t>(report.dial_reason)];
    }
  }
  // Those that are gone need no memory.
  std::erase_if(seen_, [&](const auto& entry) { return entry.first.first == collector && entry.second.last != cycle; });
  std::erase_if(trouble_, [&](const auto& entry) {
    return snapshot.cut_off - entry.second > snapshot.interval * (gap_cycles + 1);
  });
}

}  // namespace trunkline::demo
