// All targets with their schedule and their answers: decides whom to ask now and what counts at the cut-off. Pure: the
// clock is a parameter. The collector performs what it says.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "services/scrape/schedule.h"
#include "services/scrape/snapshot.h"
#include "services/scrape/target.h"

namespace trunkline::scrape {

struct Answer {
  TargetReport report;
  std::shared_ptr<const SampleSet> samples;  // when up
  TimePoint taken{};
};

class Fleet {
 public:
  struct Ask {
    TargetPtr target;
    Start start;
  };
  struct Step {
    SnapshotPtr snapshot;                              // of the cycle that has just ended, or null
    std::vector<std::pair<TargetId, TargetPtr>> warm;  // asked soon, and their jobs want a connection ahead of it
    std::vector<Ask> asks;
  };

  Fleet(const ScheduleSettings& settings, TimePoint origin, TimePoint now);

  // The targets from now on; what is known of those that stay is kept.
  TargetChanges set_targets(const std::vector<TargetPtr>& targets, TimePoint now);
  // False: it is too late for the cycle in which it was asked.
  bool answered(TargetId target, Answer answer);
  Step advance(TimePoint now);

  TimePoint next() const { return schedule_.next(); }
  bool waits_for_place() const { return schedule_.waits_for_place(); }
  std::size_t size() const { return members_.size(); }
  std::size_t in_flight() const { return schedule_.in_flight(); }
  std::uint64_t cycle() const { return schedule_.cycle(); }

 private:
  struct Member {
    TargetPtr target;
    std::vector<TargetPtr> of_other_jobs;  // the same, in the words of other jobs: what is heard is theirs too
    bool asked = false;                    // in this cycle
    std::uint64_t asked_in = 0;            // the cycle of its last question
    bool second_try = false;
    std::optional<Answer> answer;  // to this cycle's question
    std::optional<Answer> late;    // to an earlier one, come in this cycle, good
  };

  void share_among_jobs(const std::vector<TargetPtr>& targets);
  SnapshotPtr cut_off(const CutOff& cut_off);
  static TargetSnapshot seen(Member& member, TimePoint cut_off);

  const ScheduleSettings settings_;
  Schedule schedule_;
  TargetId next_id_ = 1;
  std::vector<TargetPtr> targets_;
  std::unordered_map<std::string, TargetId> ids_;  // by identity
  std::unordered_map<TargetId, Member> members_;
};

}  // namespace trunkline::scrape
