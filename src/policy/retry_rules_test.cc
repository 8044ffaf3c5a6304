#include "policy/retry_rules.h"

#include <gtest/gtest.h>

namespace trunkline {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t noon = 784'111'777;  // Sun, 06 Nov 1994 08:49:37 GMT

TEST(Backoff, doubles_up_to_its_limit_and_is_anything_below) {
  const RetryPolicy policy;
  EXPECT_EQ(backoff(policy, 1, 0.0), 0ms);
  EXPECT_EQ(backoff(policy, 1, 0.5), 50ms);
  EXPECT_EQ(backoff(policy, 2, 0.5), 100ms);
  EXPECT_EQ(backoff(policy, 5, 0.5), 800ms);
  EXPECT_EQ(backoff(policy, 8, 0.5), 5s);
  EXPECT_EQ(backoff(policy, 1'000'000, 0.5), 5s);
}

TEST(Backoff, is_never_shorter_than_it_may_be_and_exact_where_there_is_no_room) {
  RetryPolicy policy;
  policy.shortest_backoff = 80ms;
  EXPECT_EQ(backoff(policy, 1, 0.0), 80ms);
  EXPECT_EQ(backoff(policy, 2, 0.5), 100ms);
  policy.backoff = policy.shortest_backoff = policy.longest_backoff = 2s;
  for (const int attempts : {1, 2, 9}) EXPECT_EQ(backoff(policy, attempts, 0.3), 2s) << attempts;
}

TEST(RetryAfter, is_seconds_or_a_date) {
  EXPECT_EQ(retry_after("0", noon), 0s);
  EXPECT_EQ(retry_after("120", noon), 120s);
  EXPECT_EQ(retry_after("Sun, 06 Nov 1994 08:49:40 GMT", noon), 3s);
  EXPECT_EQ(retry_after("Sun, 06 Nov 1994 08:49:00 GMT", noon), 0s) << "it has passed";
  EXPECT_EQ(retry_after("99999999999999999999", noon), Duration::max());
  for (const char* bad :
       {"", " 1", "1s", "-1", "+1", "1.5", "soon", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Nix 1994 08:49:37 GMT", "Sun, 46 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 28:49:37 GMT",
        "Sun, 06 Nov 1994 08x49:37 GMT"}) {
    EXPECT_EQ(retry_after(bad, noon), std::nullopt) << bad;
  }
}

Error error_of(ErrorCode code, MaybeProcessed processed) {
  Error error(code, Phase::first_byte, "no");
  error.maybe_processed = processed;
  return error;
}

TEST(MaySendAgain, an_error_only_when_it_can_do_no_harm) {
  const RetryPolicy policy;
  const auto may = [&](bool repeatable, ErrorCode code, MaybeProcessed processed) {
    const Error error = error_of(code, processed);
    return may_send_again(policy, repeatable, nullptr, &error);
  };
  EXPECT_TRUE(may(false, ErrorCode::connect_failed, MaybeProcessed::no));
  EXPECT_FALSE(may(false, ErrorCode::connection_reset, MaybeProcessed::unknown));
  EXPECT_FALSE(may(false, ErrorCode::connection_reset, MaybeProcessed::yes));
  EXPECT_TRUE(may(true, ErrorCode::connection_reset, MaybeProcessed::unknown));
  EXPECT_TRUE(may(true, ErrorCode::timeout_first_byte, MaybeProcessed::unknown));
  EXPECT_TRUE(may(true, ErrorCode::queue_full, MaybeProcessed::no));
  for (const ErrorCode final : {ErrorCode::invalid_request, ErrorCode::invalid_response, ErrorCode::cancelled,
                                ErrorCode::timeout_total, ErrorCode::circuit_open, ErrorCode::transport_closed}) {
    EXPECT_FALSE(may(true, final, MaybeProcessed::no)) << to_string(final);
  }
}

TEST(MaySendAgain, an_answer_only_when_the_request_is_repeatable_and_its_status_is_named) {
  const RetryPolicy policy;
  ResponseHead head;
  for (const int status : {429, 502, 503, 504}) {
    head.status = status;
    EXPECT_TRUE(may_send_again(policy, true, &head, nullptr)) << status;
    EXPECT_FALSE(may_send_again(policy, false, &head, nullptr)) << status;
  }
  for (const int status : {200, 404, 500, 501}) {
    head.status = status;
    EXPECT_FALSE(may_send_again(policy, true, &head, nullptr)) << status;
  }
}

TEST(RetryBudget, is_a_fifth_of_the_requests_and_ten_in_ten_seconds_beside) {
  const RetryPolicy policy;
  RetryBudget budget;
  TimePoint now{std::chrono::hours(1)};
  int taken = 0;
  for (int i = 0; i < 1000; ++i) {
    budget.on_request(policy);
    taken += budget.take(policy, now) ? 1 : 0;
  }
  EXPECT_NEAR(taken, 210, 1);
  now += 1s;
  EXPECT_TRUE(budget.take(policy, now)) << "one a second";
  EXPECT_FALSE(budget.take(policy, now));
}

TEST(RetryBudget, does_not_save_up_for_a_storm) {
  const RetryPolicy policy;
  RetryBudget budget;
  for (int i = 0; i < 1'000'000; ++i) budget.on_request(policy);
  int taken = 0;
  while (budget.take(policy, TimePoint(std::chrono::hours(1)))) ++taken;
  EXPECT_LE(taken, 111);
}

}  // namespace
}  // namespace trunkline
