#include "pool/idle_limit.h"

#include <gtest/gtest.h>

namespace trunkline::pool {
namespace idle_limit_test {

using namespace std::chrono_literals;

constexpr TimePoint start{1h};

TEST(IdleLimit, is_what_is_configured_while_nothing_is_known) {
  const IdleLimit limit;
  EXPECT_EQ(limit.effective(55s, start), 55s);
  EXPECT_EQ(limit.learned(start), 0s);
  EXPECT_EQ(limit.samples(start), 0);
}

TEST(IdleLimit, stays_a_second_below_the_servers_hint) {
  IdleLimit limit;
  limit.hint(5s);
  EXPECT_EQ(limit.effective(55s, start), 4s);
  EXPECT_EQ(limit.effective(3s, start), 3s) << "never above what is configured";
}

TEST(IdleLimit, takes_half_of_a_hint_too_short_for_a_second_of_margin) {
  IdleLimit limit;
  limit.hint(1s);
  EXPECT_EQ(limit.effective(55s, start), 500ms);
  limit.hint(2s);
  EXPECT_EQ(limit.effective(55s, start), 1s);
}

TEST(IdleLimit, takes_a_hint_of_zero_or_less_for_none) {
  IdleLimit limit;
  limit.hint(0s);
  EXPECT_EQ(limit.effective(55s, start), 55s);
  limit.hint(-3s);
  EXPECT_EQ(limit.effective(55s, start), 55s);
}

TEST(IdleLimit, survives_an_absurd_hint) {
  IdleLimit limit;
  limit.hint(std::chrono::seconds::max());
  EXPECT_EQ(limit.effective(55s, start), 55s);
}

TEST(IdleLimit, learns_from_three_closes_at_about_the_same_age) {
  IdleLimit limit;
  limit.observe(1000ms, start);
  limit.observe(1010ms, start + 2s);
  EXPECT_EQ(limit.learned(start + 2s), 0s) << "two are not enough";
  limit.observe(1005ms, start + 4s);
  EXPECT_EQ(limit.learned(start + 4s), 1000ms);
  EXPECT_EQ(limit.effective(55s, start + 4s), 900ms);
  EXPECT_EQ(limit.samples(start + 4s), 3);
}

TEST(IdleLimit, ignores_one_early_close) {
  IdleLimit limit;
  limit.observe(100ms, start);  // a deploy
  for (int i = 1; i <= 3; ++i) limit.observe(5s, start + i * 6s);
  EXPECT_EQ(limit.learned(start + 18s), 5s);
}

TEST(IdleLimit, counts_a_restart_that_closes_many_at_once_as_one) {
  IdleLimit limit;
  for (int i = 0; i < 100; ++i) limit.observe(i * 10ms, start + i * 100us);
  EXPECT_EQ(limit.samples(start + 1s), 1);
  EXPECT_EQ(limit.effective(55s, start + 1s), 55s);
}

TEST(IdleLimit, ignores_closes_that_agree_on_nothing) {
  IdleLimit limit;
  std::chrono::nanoseconds age = 100ms;
  for (int i = 0; i < 12; ++i, age *= 2) limit.observe(age, start + i * 1s);
  EXPECT_EQ(limit.learned(start + 12s), 0s);
}

TEST(IdleLimit, forgets_after_ten_minutes) {
  IdleLimit limit;
  for (int i = 0; i < 3; ++i) limit.observe(1s, start + i * 2s);
  EXPECT_EQ(limit.effective(55s, start + 10min), 900ms);
  EXPECT_EQ(limit.effective(55s, start + 11min), 55s);
  EXPECT_EQ(limit.samples(start + 11min), 0);
}

TEST(IdleLimit, keeps_the_latest_sixteen) {
  IdleLimit limit;
  for (int i = 0; i < 5; ++i) limit.observe(1s, start + i * 1s);
  for (int i = 5; i < 25; ++i) limit.observe(20s, start + i * 1s);
  EXPECT_EQ(limit.learned(start + 25s), 20s) << "the server was reconfigured";
  EXPECT_EQ(limit.samples(start + 25s), 16);
}

TEST(IdleLimit, never_goes_below_twenty_milliseconds) {
  IdleLimit limit;
  for (int i = 0; i < 3; ++i) limit.observe(1ms, start + i * 1s);
  EXPECT_EQ(limit.effective(55s, start + 3s), 20ms);
}

TEST(IdleLimit, the_lowest_of_configured_hinted_and_learned_counts) {
  IdleLimit limit;
  limit.hint(10s);
  for (int i = 0; i < 3; ++i) limit.observe(2s, start + i * 3s);
  EXPECT_EQ(limit.effective(55s, start + 9s), 1800ms);
  EXPECT_EQ(limit.effective(1s, start + 9s), 1s);
  EXPECT_EQ(limit.effective(55s, start + 20min), 9s);
}

}  // namespace idle_limit_test
}  // namespace trunkline::pool
