// What a cycle has found, target by target. Made at the cut-off, shared by all subscribers, never changed.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "services/scrape/sample_set.h"
#include "services/scrape/target.h"
#include "services/scrape/target_report.h"

namespace trunkline::scrape {

enum class TargetState : unsigned char {
  fresh,    // answered in this cycle, in time
  late,     // this cycle's answer is missing, but that to an earlier question has come since: see `age`
  missing,  // nothing is known: not zero, nothing
};
std::string_view to_string(TargetState state);

struct TargetSnapshot {
  TargetPtr target;
  TargetState state = TargetState::missing;
  TimePoint taken{};                         // when the server answered; of fresh and late
  Duration age{0};                           // from then to the cut-off
  std::shared_ptr<const SampleSet> samples;  // null when missing
  TargetReport report;                       // of this cycle's question, also where a late answer stands in for it
};

// What the cycle cost and brought, each target once, however many jobs name it. dials + reused + retried <= targets:
// some were never reached.
struct CycleTotals {
  std::size_t fresh = 0;
  std::size_t late = 0;
  std::size_t missing = 0;
  std::size_t dials = 0;  // of its answers: on new connections
  std::size_t reused = 0;
  std::size_t retried = 0;
  std::size_t second_tries = 0;
  std::uint64_t bytes = 0;
  std::uint64_t samples = 0;
};

struct Snapshot {
  std::uint64_t cycle = 0;
  TimePoint cut_off{};
  Duration interval{0};
  std::vector<TargetSnapshot> targets;  // by URL; one that several jobs name stands here for each of them
  CycleTotals totals;
};
using SnapshotPtr = std::shared_ptr<const Snapshot>;

}  // namespace trunkline::scrape
