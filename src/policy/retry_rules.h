// When to send again, and how long to wait before: pure functions and a budget, the clocks parameters.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

#include <trunkline/policy.hpp>

#include "base/clock.h"

namespace trunkline {

// The pause before the attempt after `attempts`: anything from nothing to twice as much as last time ("full jitter"),
// so that clients which failed together do not come back together. `chance` is in [0, 1).
Duration backoff(const RetryPolicy& policy, int attempts, double chance);

// Of Retry-After: seconds, or a date. Nothing for what is neither. `now` is the wall clock's, in seconds.
std::optional<Duration> retry_after(std::string_view value, std::int64_t now);

// Nothing that the server may have done is done twice: see with_retries.
bool may_send_again(const RetryPolicy& policy, bool repeatable, const ResponseHead* head, const Error* error);

// A part of the requests, and a few beside: under a mutex of its owner's.
class RetryBudget {
 public:
  void on_request(const RetryPolicy& policy) { earned_ = std::min(most_earned, earned_ + policy.budget); }
  bool take(const RetryPolicy& policy, TimePoint now);

 private:
  static constexpr double most_earned = 100;  // a quiet hour does not pay for a storm
  double earned_ = 0;
  double spent_spare_ = 0;
  TimePoint last_{};
};

}  // namespace trunkline
