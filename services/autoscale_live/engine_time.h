// The engine's time, which counts from 1970, and the process's clock, which counts from the start of the machine. This
// is the one place where the one becomes the other.
#pragma once

#include <chrono>
#include <optional>

#include "base/clock.h"

namespace trunkline::autoscale {

// Fixed when it is made: a wall clock that is set later moves no window and ends no pause early. A memory that is saved
// means the same in the next process, but for what the clock was wrong by.
class EngineTime {
 public:
  static EngineTime of_this_process() { return EngineTime(wall_clock_ahead(), wall_clock_ahead); }
  // `wall_ahead` says how far the wall clock is ahead of the process's at the moment; null: as far as it was.
  explicit EngineTime(Clock::duration ahead, Clock::duration (*wall_ahead)() = nullptr)
      : ahead_(ahead), wall_ahead_(wall_ahead) {}

  TimePoint of(TimePoint process) const { return process + ahead_; }
  std::optional<TimePoint> of(const std::optional<TimePoint>& process) const {
    return process ? std::optional(of(*process)) : std::nullopt;
  }
  TimePoint now() const { return of(Clock::now()); }

  // What somebody has read off a wall clock: it was set together with ours, so what ours was set by since is no part of
  // the age. In whole seconds, so that a moment that is told twice stays the same one.
  TimePoint of_wall(TimePoint wall) const {
    if (wall_ahead_ == nullptr) return wall;
    return wall - std::chrono::round<std::chrono::seconds>(wall_ahead_() - ahead_);
  }

 private:
  static Clock::duration wall_clock_ahead() {
    return std::chrono::system_clock::now().time_since_epoch() - Clock::now().time_since_epoch();
  }

  Clock::duration ahead_;
  Clock::duration (*wall_ahead_)();
};

}  // namespace trunkline::autoscale
