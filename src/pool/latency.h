// How long the requests of a route have taken lately, from getting a connection to the end of the response: counts in
// buckets of an eighth of a doubling, so that a quantile is within a sixteenth. What is older than about a minute
// counts half, then a quarter, whether or not anything has come since; on a busy route sooner. Pure.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace trunkline::pool {

class Latency {
 public:
  // A shift, two additions and a store: it is done for every request.
  void add(std::chrono::nanoseconds took, TimePoint now) {
    if (const std::int64_t epoch = epoch_of(now); epoch > epoch_) age(epoch);
    std::uint16_t& count = counts_[bucket_of(took)];
    if (count > UINT16_MAX - whole) halve(1);
    count = static_cast<std::uint16_t>(count + whole);
  }

  // As they count at that time: a route that has fallen silent must not show its last minute for ever.
  std::uint64_t samples(TimePoint now) const;
  // The smallest time that this part of all did not exceed, or zero when there is nothing.
  std::chrono::nanoseconds quantile(double part, TimePoint now) const;

 private:
  static constexpr int steps = 3;  // 2^steps buckets a doubling
  static constexpr std::size_t buckets = 256;
  // What one counts for at first. A lone one is still there a minute later, and the next: whoever is asked every
  // fifteen seconds would otherwise have no times at all just after each halving.
  static constexpr std::uint16_t whole = 4;
  static constexpr std::int64_t most_halvings = 16;  // nothing is left

  // In units of 1.024 us, up to four hours: what takes longer counts as that.
  static std::size_t bucket_of(std::chrono::nanoseconds took) {
    const auto units = static_cast<std::uint64_t>(std::max<std::int64_t>(took.count(), 0)) >> 10;
    const int doublings = std::max(static_cast<int>(std::bit_width(units)) - steps - 1, 0);
    return std::min((static_cast<std::size_t>(doublings) << steps) + (units >> doublings), buckets - 1);
  }
  static std::int64_t epoch_of(TimePoint now) { return now.time_since_epoch().count() >> 36; }  // 69 s
  std::uint64_t weight(int shift) const;
  // How often all has halved by then since the last addition.
  int halvings(std::int64_t epoch) const {
    return static_cast<int>(std::clamp<std::int64_t>(epoch - epoch_, 0, most_halvings));
  }
  void age(std::int64_t epoch);
  void halve(int times);

  // In quarters. Small ones, for there are clients with thousands of routes: when one is full, all halve early.
  std::array<std::uint16_t, buckets> counts_{};
  std::int64_t epoch_ = 0;
};

}  // namespace trunkline::pool
