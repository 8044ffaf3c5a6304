// One allowance for every frame that makes no progress, whatever its type: floods differ in frames, not in kind.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"

namespace trunkline::http2 {

class TokenBucket {
 public:
  explicit TokenBucket(std::int64_t burst, std::int64_t per_second)
      : burst_(burst), per_second_(per_second), tokens_(burst) {}

  // False: there are not that many, and nothing is taken.
  bool take(std::int64_t count) {
    if (tokens_ < count) return false;
    tokens_ -= count;
    return true;
  }
  void earn(std::int64_t count) { tokens_ = std::min(burst_, tokens_ + count); }

  void refill(TimePoint now) {
    const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(now - refilled_);
    if (elapsed.count() < 100) return;
    refilled_ = now;
    earn(std::min<std::int64_t>(elapsed.count(), 3'600'000) * per_second_ / 1000);
  }

 private:
  const std::int64_t burst_;
  const std::int64_t per_second_;
  std::int64_t tokens_;
  TimePoint refilled_{};
};

}  // namespace trunkline::http2
