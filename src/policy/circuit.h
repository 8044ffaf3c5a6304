// Whether requests on one route are worth sending. Pure, the clock a parameter; its owner locks.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include <trunkline/policy.hpp>

#include "base/clock.h"

namespace trunkline {

class Circuit {
 public:
  enum class State : unsigned char { closed, open, half_open };
  enum class Outcome : unsigned char { success, failure, neither };

  // What a request was let through on: only a probe decides while the circuit is half open, and what began before it
  // last opened says nothing of today.
  struct Pass {
    std::uint64_t times_opened = 0;
    bool probe = false;
    // What its success ended: failures in a row, and the how manieth success it was.
    int in_a_row = 0;
    std::uint64_t success = 0;
  };

  // Nothing: it would fail. Otherwise an end() must follow.
  std::optional<Pass> begin(TimePoint now);
  void end(const BreakerPolicy& policy, Pass& pass, Outcome outcome, TimePoint now);
  // What was a success by its head has failed in its body: as if it had been a failure.
  void take_back(const BreakerPolicy& policy, const Pass& pass, TimePoint now);

  State state() const { return state_; }
  TimePoint opens_again() const { return until_; }  // for a probe
  std::uint64_t times_opened() const { return times_opened_; }

 private:
  struct Slice {
    std::int64_t number = -1;
    int requests = 0;
    int failures = 0;
  };
  static constexpr int slices = 10;

  Slice& slice_at(const BreakerPolicy& policy, TimePoint now);
  void open_if_due(const BreakerPolicy& policy, TimePoint now);
  bool too_many_failures(const BreakerPolicy& policy, TimePoint now) const;
  void open(TimePoint now);
  static std::int64_t slice_of(const BreakerPolicy& policy, TimePoint now);

  State state_ = State::closed;
  int in_a_row_ = 0;
  std::uint64_t successes_ = 0;
  std::array<Slice, slices> recent_{};
  TimePoint until_{};
  Duration open_for_{0};
  bool probing_ = false;
  int probes_passed_ = 0;
  std::uint64_t times_opened_ = 0;
};

}  // namespace trunkline
