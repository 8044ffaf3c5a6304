#include "metrics/instruments.h"

#include <limits>
#include <thread>

#include <gtest/gtest.h>

namespace trunkline::metrics {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

using Counts = std::vector<std::uint64_t>;

TEST(Instruments, threads_that_count_together_lose_nothing) {
  Counter counter;
  Gauge gauge;
  Histogram histogram({1});
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 10'000; ++n) {
        counter.add();
        gauge.add(n % 2 == 0 ? 1 : -1);
        histogram.observe(n % 2 == 0 ? 0.5 : 2);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 40'000U);
  EXPECT_EQ(gauge.value(), 0);
  EXPECT_EQ(histogram.counts(), (Counts{20'000, 20'000}));
  EXPECT_EQ(histogram.sum(), 50'000);
}

TEST(Instruments, a_hold_is_up_for_as_long_as_it_lives_wherever_it_is_moved) {
  Gauge gauge;
  {
    GaugeHold hold(gauge);
    const GaugeHold moved(std::move(hold));
    EXPECT_EQ(gauge.value(), 1);
  }
  EXPECT_EQ(gauge.value(), 0);
}

TEST(Histogram, counts_a_value_at_its_bound_below_it) {
  Histogram histogram({1, 2.5});
  for (const double value : {0.0, 1.0, 1.5, 2.5, 2.6, infinity, -infinity}) histogram.observe(value);
  EXPECT_EQ(histogram.counts(), (Counts{3, 2, 2}));
}

TEST(Histogram, is_not_spoilt_by_nan) {
  Histogram histogram({1});
  histogram.observe(std::nan(""));
  histogram.observe(0.5);
  EXPECT_EQ(histogram.counts(), (Counts{1, 0}));
  EXPECT_EQ(histogram.sum(), 0.5);
}

TEST(Histogram, puts_its_bounds_in_order) {
  const Histogram histogram({5, 1, 5, infinity, std::nan("")});
  EXPECT_EQ(std::vector<double>(histogram.bounds().begin(), histogram.bounds().end()), (std::vector<double>{1, 5}));
}

TEST(Histogram, bounds_grow_by_a_factor_or_by_a_step) {
  EXPECT_EQ(exponential_bounds(0.5, 2, 4), (std::vector<double>{0.5, 1, 2, 4}));
  EXPECT_EQ(linear_bounds(1, 0.5, 3), (std::vector<double>{1, 1.5, 2}));
}

}  // namespace
}  // namespace trunkline::metrics
