#include "services/traffic/latencies.h"

#include <gtest/gtest.h>

namespace trunkline::traffic {
namespace {

TEST(TrafficLatencies, tell_what_a_part_of_them_does_not_exceed) {
  Latencies latencies;
  EXPECT_EQ(latencies.quantile(0.5), Clock::duration::zero());
  for (int i = 1; i <= 100; ++i) latencies.add(std::chrono::milliseconds(i));
  const auto milliseconds = [&](double part) {
    return std::chrono::duration<double, std::milli>(latencies.quantile(part)).count();
  };
  EXPECT_EQ(latencies.count(), 100U);
  EXPECT_GE(milliseconds(0.5), 50);
  EXPECT_LE(milliseconds(0.5), 50 * 1.06);
  EXPECT_GE(milliseconds(0.99), 99);
  EXPECT_LE(milliseconds(0.99), 99 * 1.06);
  EXPECT_GE(milliseconds(0), 1);
  latencies.add(std::chrono::hours(1));
  EXPECT_GT(milliseconds(1), 50'000);
}

}  // namespace
}  // namespace trunkline::traffic
