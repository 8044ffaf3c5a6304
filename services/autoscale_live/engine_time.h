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
  static EngineTime of_this_process() {
    return EngineTime(std::chrono::system_clock::now().time_since_epoch() - Clock::now().time_since_epoch());
  }
  explicit EngineTime(Clock::duration ahead) : ahead_(ahead) {}

  TimePoint of(TimePoint process) const { return process + ahead_; }
  std::optional<TimePoint> of(const std::optional<TimePoint>& process) const {
    return process ? std::optional(of(*process)) : std::nullopt;
  }
  TimePoint now() const { return of(Clock::now()); }

 private:
  Clock::duration ahead_;
};

}  // namespace trunkline::autoscale
