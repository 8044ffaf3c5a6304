#include "policies.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace trunkline::cli {
namespace {

using namespace std::chrono_literals;

bool again_after(const RetryPolicy& policy, int status) {
  return std::find(policy.statuses.begin(), policy.statuses.end(), status) != policy.statuses.end();
}

TEST(Policies, are_none_unless_asked_for) {
  const auto policies = policies_from(FetchFlags());
  ASSERT_TRUE(policies);
  EXPECT_FALSE(policies->redirects);
  EXPECT_FALSE(policies->retries);
}

TEST(Policies, retry_so_often_after_the_first_time_as_curl) {
  FetchFlags flags;
  flags.retry = 30;
  flags.retry_delay = "250ms";
  flags.retry_max_time = "1m";
  const auto policies = policies_from(flags);
  ASSERT_TRUE(policies && policies->retries);
  const RetryPolicy& retries = *policies->retries;
  EXPECT_EQ(retries.attempts, 31);
  EXPECT_GE(retries.spare, 30) << "the budget permits what was asked for";
  EXPECT_EQ(retries.shortest_backoff, 250ms);
  EXPECT_EQ(retries.longest_backoff, 250ms);
  EXPECT_EQ(retries.give_up_after, 1min);
  for (const int status : {408, 429, 500, 502, 503, 504}) EXPECT_TRUE(again_after(retries, status)) << status;
  for (const int status : {200, 400, 404, 501}) EXPECT_FALSE(again_after(retries, status)) << status;
}

TEST(Policies, count_every_bad_status_as_an_error_only_where_it_is_one) {
  FetchFlags flags;
  flags.retry = 1;
  flags.retry_all_errors = true;
  EXPECT_FALSE(again_after(*policies_from(flags)->retries, 404));
  flags.fail = true;
  EXPECT_TRUE(again_after(*policies_from(flags)->retries, 404));
  EXPECT_TRUE(again_after(*policies_from(flags)->retries, 599));
  EXPECT_FALSE(again_after(*policies_from(flags)->retries, 302));
}

TEST(Policies, refuse_what_means_nothing) {
  FetchFlags flags;
  flags.retry_delay = "1s";
  EXPECT_FALSE(policies_from(flags)) << "without --retry";
  flags.retry = -1;
  EXPECT_FALSE(policies_from(flags));
  flags.retry = 1;
  flags.retry_delay = "soon";
  EXPECT_FALSE(policies_from(flags));
}

TEST(Policies, follow_redirects_by_the_flags) {
  FetchFlags flags;
  flags.follow = true;
  flags.max_redirects = 3;
  flags.secret_headers = {"X-Key"};
  const auto policies = policies_from(flags);
  ASSERT_TRUE(policies && policies->redirects);
  EXPECT_EQ(policies->redirects->most, 3);
  EXPECT_FALSE(policies->redirects->allow_downgrade);
  EXPECT_EQ(policies->redirects->secret_headers, flags.secret_headers);
}

}  // namespace
}  // namespace trunkline::cli
