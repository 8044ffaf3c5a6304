// How long a server keeps an idle connection, learned from its hint and from watching it close them. Pure.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>

#include "base/clock.h"

namespace trunkline::pool {

class IdleLimit {
 public:
  // The server said "Keep-Alive: timeout=N".
  void hint(std::chrono::seconds timeout);
  // The server closed a connection that had been idle for `idle_for`.
  void observe(std::chrono::nanoseconds idle_for, TimePoint now);

  // For how long a connection may be idle and still be trusted: `configured`, lowered by what is known.
  std::chrono::nanoseconds effective(std::chrono::nanoseconds configured, TimePoint now) const;

  std::chrono::nanoseconds hinted() const { return hinted_; }  // zero: none
  std::chrono::nanoseconds learned(TimePoint now) const;       // zero: not known
  int samples(TimePoint now) const;

 private:
  // Several closes at one moment are a restart, not a limit: they count once.
  static constexpr auto burst = std::chrono::milliseconds(50);
  static constexpr auto memory = std::chrono::minutes(10);
  static constexpr int enough_samples = 3;

  struct Sample {
    std::chrono::nanoseconds idle_for{0};
    TimePoint at{};
  };
  std::array<Sample, 16> samples_{};  // a ring
  std::size_t count_ = 0;             // ever
  std::chrono::nanoseconds hinted_{0};
  std::chrono::nanoseconds learned_{0};
  TimePoint learned_at_{};
};

}  // namespace trunkline::pool
