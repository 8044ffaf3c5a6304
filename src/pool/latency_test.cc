#include "pool/latency.h"

#include <gtest/gtest.h>

namespace trunkline::pool {
namespace latency_test {

using namespace std::chrono_literals;

constexpr TimePoint start{std::chrono::hours(1)};

TEST(PoolLatency, knows_nothing_of_nothing) {
  const Latency latency;
  EXPECT_EQ(latency.samples(start), 0U);
  EXPECT_EQ(latency.quantile(0.5, start), 0ns);
}

TEST(PoolLatency, is_within_a_sixteenth_from_microseconds_to_four_hours) {
  for (std::chrono::nanoseconds took = 20us; took < std::chrono::hours(4); took += took / 7) {
    Latency latency;
    latency.add(took, start);
    const double error =
        std::chrono::duration<double>(latency.quantile(0.99, start) - took) / std::chrono::duration<double>(took);
    EXPECT_LE(std::abs(error), 1.0 / 16 + 0.03 * (took < 40us)) << took.count();
  }
}

TEST(PoolLatency, takes_what_no_clock_should_give) {
  Latency latency;
  latency.add(-5s, start);
  latency.add(std::chrono::nanoseconds::max(), start);
  EXPECT_EQ(latency.samples(start), 2U);
  EXPECT_LT(latency.quantile(0.5, start), 2us);
  EXPECT_GT(latency.quantile(1, start), std::chrono::hours(4));
}

TEST(PoolLatency, orders_its_quantiles) {
  Latency latency;
  for (int i = 1; i <= 1000; ++i) latency.add(std::chrono::milliseconds(i), start);
  EXPECT_NEAR(std::chrono::duration<double>(latency.quantile(0.5, start)).count(), 0.5, 0.04);
  EXPECT_NEAR(std::chrono::duration<double>(latency.quantile(0.99, start)).count(), 0.99, 0.07);
}

TEST(PoolLatency, forgets_by_halves) {
  Latency latency;
  for (int i = 0; i < 64; ++i) latency.add(1ms, start);
  latency.add(1s, start + 69s);
  EXPECT_EQ(latency.samples(start + 69s), 33U);
  latency.add(1s, start + 5min);
  EXPECT_LT(latency.samples(start + 5min), 8U);
  latency.add(1s, start + std::chrono::hours(24));
  EXPECT_EQ(latency.samples(start + std::chrono::hours(24)), 1U);
}

TEST(PoolLatency, forgets_while_nothing_comes) {
  Latency latency;
  for (int i = 0; i < 64; ++i) latency.add(1s, start);
  for (int i = 0; i < 6; ++i) latency.add(1ms, start);
  EXPECT_EQ(latency.samples(start + 69s), 35U);
  EXPECT_GT(latency.quantile(0.5, start + 69s), 900ms);
  EXPECT_EQ(latency.samples(start + 5 * 69s), 2U) << "of the few short ones nothing is left";
  EXPECT_GT(latency.quantile(0.01, start + 5 * 69s), 900ms);
  EXPECT_EQ(latency.samples(start + 1h), 0U);
  EXPECT_EQ(latency.quantile(0.99, start + 1h), 0ns);
  EXPECT_EQ(latency.samples(start), 70U) << "who looks changes nothing";
}

TEST(PoolLatency, knows_a_lone_request_for_some_minutes) {
  Latency latency;
  latency.add(1s, start);
  EXPECT_EQ(latency.samples(start + 69s), 1U);
  EXPECT_GT(latency.quantile(0.5, start + 2 * 69s), 900ms);
  EXPECT_EQ(latency.samples(start + 3 * 69s), 0U);
}

TEST(PoolLatency, counts_whole_what_was_added_after_the_time_that_is_asked_for) {
  Latency latency;
  latency.add(1s, start);
  EXPECT_EQ(latency.samples(start - 1h), 1U);
}

TEST(PoolLatency, keeps_the_proportions_of_more_requests_than_a_bucket_can_count) {
  Latency latency;
  for (int i = 0; i < 1'000'000; ++i) latency.add(i % 4 == 0 ? 100ms : 1ms, start);
  EXPECT_NEAR(static_cast<double>(latency.quantile(0.70, start).count()), 1e6, 1e6 / 16);
  EXPECT_NEAR(static_cast<double>(latency.quantile(0.80, start).count()), 1e8, 1e8 / 16);
}

}  // namespace latency_test
}  // namespace trunkline::pool
