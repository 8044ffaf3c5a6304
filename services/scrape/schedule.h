// When each target is asked, and until when its answer counts. Pure: the clock is a parameter, nothing is sent here.
//
//   |-- starts, spread by hash ------------------|-- budget: answers come in --[second try]|cut-off
//   0                          interval - budget                                     interval
//
// A cycle ends at its cut-off, where the next one begins. Whoever has not answered by then does not delay the decision:
// it goes on until its own time is over, and what it answers counts next time.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <queue>
#include <unordered_map>
#include <vector>

#include <trunkline/result.hpp>

#include "base/clock.h"

namespace trunkline::scrape {

using Duration = Clock::duration;
using TargetId = std::uint64_t;

struct ScheduleSettings {
  Duration interval = std::chrono::seconds(15);
  // Of one request, the first or the second. It may end behind the cut-off; it then counts next time.
  Duration timeout = std::chrono::seconds(10);
  // Between the last start of a cycle and its cut-off. Less than the interval.
  Duration budget = std::chrono::seconds(4);
  // So long before the cut-off those are asked again who have failed so far. Zero: no second try. At most the budget.
  Duration second_try = std::chrono::milliseconds(1500);
  // If they are more than these, the trouble is not theirs: a second storm would not help.
  double second_try_share = 0.1;
  std::size_t second_try_least = 8;  // but so many are always asked again
  std::size_t concurrency = 256;     // requests under way; more wait for their turn
  std::uint64_t seed = 0;            // two collectors with different seeds ask at different moments
};

Result<void> check(const ScheduleSettings& settings);
// The usual proportions for another interval: times are the defaults where they fit into it.
ScheduleSettings settings_for(Duration interval);

// A target's place inside each cycle, in [0, interval - budget]. On a grid of a thousandth of the interval (at most 10
// ms): five thousand targets then wake the thread a thousand times a cycle, not five thousand.
Duration offset_of(std::uint64_t hash, const ScheduleSettings& settings);

// How a request ended, as far as a second try is concerned.
enum class Ending : unsigned char {
  answered,
  failed,    // may do better when asked again
  hopeless,  // would fail the same way
};

struct Start {
  TargetId target = 0;
  bool second_try = false;
  TimePoint answer_by{};  // an answer until then counts in this cycle
  TimePoint give_up{};    // the request ends here
};

struct CutOff {
  std::uint64_t cycle = 0;
  TimePoint at{};  // when it was due
};

struct Orders {
  std::optional<CutOff> cut_off;  // first this,
  std::vector<TargetId> warm;     // their turns come soon: a connection may be opened for them
  std::vector<Start> starts;      // then these
};

class Schedule {
 public:
  // Cycles end at origin + n * interval, so offsets stay over a restart if the origin is tied to the calendar.
  Schedule(const ScheduleSettings& settings, TimePoint origin, TimePoint now);

  // Asked in this cycle still, if there is time before the cut-off.
  void add(TargetId target, std::uint64_t hash, TimePoint now);
  // So long before each turn of this target it is told in Orders::warm, from the next cycle on. Zero: never.
  void set_ahead(TargetId target, Duration ahead);
  void remove(TargetId target);  // a request of it that is under way still takes its place until ended()
  void ended(TargetId target, Ending ending);

  Orders due(TimePoint now);
  // When due() has something to say next, if nothing ends before.
  TimePoint next() const;
  // Somebody waits for a place: due() has something to say as soon as a request ends.
  bool waits_for_place() const { return !ready_.empty(); }

  std::uint64_t cycle() const { return cycle_; }
  TimePoint cut_off_at() const { return begins_ + settings_.interval; }
  std::size_t in_flight() const { return in_flight_; }

 private:
  enum class State : unsigned char { waiting, ready, in_flight, answered, failed, hopeless };
  struct Turn {
    std::uint64_t hash = 0;
    Duration ahead{0};
    State state = State::waiting;
    std::uint64_t asked_in = 0;  // the cycle of its last request
    bool owed = false;           // its turn came while it was still being asked
    bool again = false;          // this cycle's second try
    bool removed = false;
  };
  struct Due {
    TimePoint at{};
    TargetId target = 0;
    bool ahead = false;  // not its turn yet
    bool operator>(const Due& other) const { return at > other.at || (at == other.at && target > other.target); }
  };

  void begin_cycle(std::uint64_t cycle);
  bool is_waiting(TargetId target) const;
  void call(TargetId target);
  void order_second_tries();

  const ScheduleSettings settings_;
  const TimePoint origin_;
  std::uint64_t cycle_ = 0;
  TimePoint begins_{};
  bool second_tries_done_ = false;
  std::size_t in_flight_ = 0;
  std::unordered_map<TargetId, Turn> turns_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::deque<TargetId> ready_;  // due, but as many as may be are under way
};

}  // namespace trunkline::scrape
