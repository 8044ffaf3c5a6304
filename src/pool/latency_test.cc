#include "pool/latency.h"

#include <gtest/gtest.h>

namespace trunkline::pool {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint start{std::chrono::hours(1)};

TEST(PoolLatency, knows_nothing_of_nothing) {
  const Latency latency;
  EXPECT_EQ(latency.samples(), 0U);
  EXPECT_EQ(latency.quantile(0.5), 0ns);
}

TEST(PoolLatency, is_within_a_sixteenth_from_microseconds_to_four_hours) {
  for (std::chrono::nanoseconds took = 20us; took < std::chrono::hours(4); took += took / 7) {
    Latency latency;
    latency.add(took, start);
    const double error =
        std::chrono::duration<double>(latency.quantile(0.99) - took) / std::chrono::duration<double>(took);
    EXPECT_LE(std::abs(error), 1.0 / 16 + 0.03 * (took < 40us)) << took.count();
  }
}

TEST(PoolLatency, takes_what_no_clock_should_give) {
  Latency latency;
  latency.add(-5s, start);
  latency.add(std::chrono::nanoseconds::max(), start);
  EXPECT_EQ(latency.samples(), 2U);
  EXPECT_LT(latency.quantile(0.5), 2us);
  EXPECT_GT(latency.quantile(1), std::chrono::hours(4));
}

TEST(PoolLatency, orders_its_quantiles) {
  Latency latency;
  for (int i = 1; i <= 1000; ++i) latency.add(std::chrono::milliseconds(i), start);
  EXPECT_NEAR(std::chrono::duration<double>(latency.quantile(0.5)).count(), 0.5, 0.04);
  EXPECT_NEAR(std::chrono::duration<double>(latency.quantile(0.99)).count(), 0.99, 0.07);
}

TEST(PoolLatency, forgets_by_halves) {
  Latency latency;
  for (int i = 0; i < 64; ++i) latency.add(1ms, start);
  latency.add(1s, start + 69s);
  EXPECT_EQ(latency.samples(), 33U);
  latency.add(1s, start + 5min);
  EXPECT_LT(latency.samples(), 8U);
  latency.add(1s, start + std::chrono::hours(24));
  EXPECT_EQ(latency.samples(), 1U);
}

}  // namespace
}  // namespace trunkline::pool
