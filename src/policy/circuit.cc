#include "policy/circuit.h"

#include <algorithm>
#include <utility>

namespace trunkline {

namespace {
constexpr int longest_open = 12;  // times open_for
}

std::optional<Circuit::Pass> Circuit::begin(TimePoint now) {
  if (state_ == State::closed) return Pass{.times_opened = times_opened_};
  if (state_ == State::open) {
    if (now < until_) return std::nullopt;
    state_ = State::half_open;
    probes_passed_ = 0;
    probing_ = false;
  }
  if (std::exchange(probing_, true)) return std::nullopt;
  return Pass{.times_opened = times_opened_, .probe = true};
}

void Circuit::end(const BreakerPolicy& policy, Pass& pass, Outcome outcome, TimePoint now) {
  if (pass.times_opened != times_opened_) return;
  if (state_ == State::half_open) {
    if (!pass.probe) return;
    probing_ = false;
    if (outcome == Outcome::failure) {
      open_for_ = std::min<Duration>(2 * open_for_, longest_open * policy.open_for);
      open(now);
    } else if (outcome == Outcome::success && ++probes_passed_ >= policy.probes) {
      state_ = State::closed;
      in_a_row_ = 0;
      recent_ = {};
      open_for_ = Duration::zero();
    }
    return;
  }
  if (outcome == Outcome::neither) return;
  Slice& slice = slice_at(policy, now);
  ++slice.requests;
  if (outcome == Outcome::success) {
    pass.in_a_row = std::exchange(in_a_row_, 0);
    pass.success = ++successes_;
    return;
  }
  ++slice.failures;
  ++in_a_row_;
  open_if_due(policy, now);
}

void Circuit::take_back(const BreakerPolicy& policy, const Pass& pass, TimePoint now) {
  if (pass.times_opened != times_opened_ || pass.probe || state_ != State::closed) return;
  ++slice_at(policy, now).failures;
  in_a_row_ += 1 + (pass.success == successes_ ? pass.in_a_row : 0);
  open_if_due(policy, now);
}

void Circuit::open_if_due(const BreakerPolicy& policy, TimePoint now) {
  if (in_a_row_ < policy.failures_in_a_row && !too_many_failures(policy, now)) return;
  open_for_ = policy.open_for;
  open(now);
}

void Circuit::open(TimePoint now) {
  state_ = State::open;
  until_ = now + open_for_;
  ++times_opened_;
}

std::int64_t Circuit::slice_of(const BreakerPolicy& policy, TimePoint now) {
  const auto length = std::max<Duration::rep>(1, policy.window.count() / slices);
  return now.time_since_epoch().count() / length;
}

Circuit::Slice& Circuit::slice_at(const BreakerPolicy& policy, TimePoint now) {
  const std::int64_t number = slice_of(policy, now);
  Slice& slice = recent_[static_cast<std::size_t>(number % slices)];
  if (slice.number != number) slice = {.number = number};
  return slice;
}

bool Circuit::too_many_failures(const BreakerPolicy& policy, TimePoint now) const {
  const std::int64_t number = slice_of(policy, now);
  int requests = 0;
  int failures = 0;
  for (const Slice& slice : recent_) {
    if (slice.number <= number - slices) continue;
    requests += slice.requests;
    failures += slice.failures;
  }
  return requests >= policy.least_requests && failures >= policy.failure_rate * requests;
}

}  // namespace trunkline
