// Whether requests to one origin are worth sending. Pure, the clock a parameter; its owner locks.
#pragma once

#include <array>
#include <cstdint>

#include <trunkline/policy.hpp>

#include "base/clock.h"

namespace trunkline {

class Circuit {
 public:
  enum class State : unsigned char { closed, open, half_open };
  enum class Outcome : unsigned char { success, failure, neither };

  // False: it would fail. True: an end() must follow.
  bool begin(TimePoint now);
  void end(const BreakerPolicy& policy, Outcome outcome, TimePoint now);

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

  void count(const BreakerPolicy& policy, bool failed, TimePoint now);
  bool too_many_failures(const BreakerPolicy& policy, TimePoint now) const;
  void open(TimePoint now);
  static std::int64_t slice_of(const BreakerPolicy& policy, TimePoint now);

  State state_ = State::closed;
  int in_a_row_ = 0;
  std::array<Slice, slices> recent_{};
  TimePoint until_{};
  Duration open_for_{0};
  bool probing_ = false;
  int probes_passed_ = 0;
  std::uint64_t times_opened_ = 0;
};

}  // namespace trunkline
