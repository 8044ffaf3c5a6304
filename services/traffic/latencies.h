// Times that were measured, in buckets a twentieth wide. Any thread.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/clock.h"
#include "metrics/instruments.h"

namespace trunkline::traffic {

class Latencies {
 public:
  void add(Clock::duration took) { histogram_.observe(std::chrono::duration<double>(took).count()); }

  std::uint64_t count() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t one : histogram_.counts()) sum += one;
    return sum;
  }
  // What this part of all, from 0 to 1, does not exceed: the upper end of its bucket. Nothing measured: zero.
  Clock::duration quantile(double part) const;

 private:
  metrics::Histogram histogram_{metrics::exponential_bounds(10e-6, 1.05, 320)};  // 10 us to a minute
};

}  // namespace trunkline::traffic
