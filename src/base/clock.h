// Time as pools need it: it never goes back, and it goes on while the machine is suspended, so that a connection which
// slept through a night is as old as it is.
#pragma once

#include <chrono>
#include <ctime>

namespace trunkline {

struct Clock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<Clock>;
  static constexpr bool is_steady = true;

  static time_point now() {
    timespec ts{};
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return time_point(std::chrono::seconds(ts.tv_sec) + std::chrono::nanoseconds(ts.tv_nsec));
  }
};

using TimePoint = Clock::time_point;
inline constexpr TimePoint never = TimePoint::max();
// Added to the present time a limit must not overflow, and nobody waits for ten years on purpose.
inline constexpr Clock::duration ten_years = std::chrono::hours(24) * 3650;

}  // namespace trunkline
