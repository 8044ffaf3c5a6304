// Whether bytes move fast enough: at least so many in each window of time. A peer that sends or takes one byte now and
// then is as bad as one that is silent.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace trunkline::server {

class ProgressWatch {
 public:
  // `moved` counts up for ever, on a scale of the caller's.
  void start(std::uint64_t moved, TimePoint now, Clock::duration window, std::uint64_t least) {
    window_ = window;
    least_ = least;
    begin(moved, now);
  }
  void stop() { until_ = never; }
  bool running() const { return until_ != never; }
  TimePoint deadline() const { return until_; }

  // At the deadline. False: too little has moved.
  bool check(std::uint64_t moved, TimePoint now) {
    if (now < until_) return true;
    if (moved - moved_then_ < least_) return false;
    begin(moved, now);
    return true;
  }

 private:
  void begin(std::uint64_t moved, TimePoint now) {
    moved_then_ = moved;
    until_ = window_ > Clock::duration::zero() ? now + window_ : never;
  }

  Clock::duration window_{0};
  std::uint64_t least_ = 0;
  std::uint64_t moved_then_ = 0;
  TimePoint until_ = never;
};

}  // namespace trunkline::server
