#include "services/traffic/population.h"

#include <gtest/gtest.h>

namespace trunkline::traffic {
namespace {

using std::chrono::seconds;
constexpr TimePoint start{seconds(1000)};
using Backends = std::vector<std::string>;

TEST(TrafficPopulation, connects_to_the_least_loaded) {
  Population population(Placement::least_loaded, 100);
  population.steps(4, Backends{"a"}, start);
  const Steps steps = population.steps(10, Backends{"a", "b", "c"}, start);
  EXPECT_EQ(steps.opens.size(), 6U);
  EXPECT_EQ(population.on("a"), 4U);
  EXPECT_EQ(population.on("b"), 3U);
  EXPECT_EQ(population.on("c"), 3U);
}

TEST(TrafficPopulation, round_robin_looks_at_nothing) {
  Population population(Placement::round_robin, 100);
  population.steps(4, Backends{"a"}, start);
  population.steps(10, Backends{"a", "b"}, start);
  EXPECT_EQ(population.on("a"), 7U);
  EXPECT_EQ(population.on("b"), 3U);
}

TEST(TrafficPopulation, lets_the_oldest_of_the_busiest_go) {
  Population population(Placement::least_loaded, 100);
  population.steps(3, Backends{"a"}, start);
  population.steps(5, Backends{"a", "b"}, start);
  const Steps steps = population.steps(3, Backends{"a", "b"}, start);
  EXPECT_EQ(steps.closes.size(), 2U);
  EXPECT_EQ(steps.closes[0], 1U);
  EXPECT_EQ(population.size(), 3U);
  EXPECT_TRUE(steps.opens.empty());
}

TEST(TrafficPopulation, who_was_sent_away_comes_back_elsewhere) {
  Population population(Placement::least_loaded, 100);
  population.steps(2, Backends{"a", "b"}, start);
  population.refused(1, start);
  EXPECT_EQ(population.size(), 1U);
  const Steps steps = population.steps(2, Backends{"a", "b"}, start);
  ASSERT_EQ(steps.opens.size(), 1U);
  EXPECT_EQ(steps.opens[0].backend, "b");
  EXPECT_EQ(steps.opens[0].id, 3U);
}

TEST(TrafficPopulation, leaves_a_backend_that_failed_alone_for_a_moment) {
  Population population(Placement::least_loaded, 100);
  population.steps(1, Backends{"a"}, start);
  population.refused(1, start);
  EXPECT_EQ(population.size(), 0U);
  EXPECT_TRUE(population.steps(1, Backends{"a"}, start).opens.empty());
  EXPECT_EQ(population.steps(1, Backends{"a", "b"}, start).opens.at(0).backend, "b");
  EXPECT_EQ(population.steps(2, Backends{"a", "b"}, start + seconds(1)).opens.at(0).backend, "a");
}

TEST(TrafficPopulation, goes_in_small_steps_and_waits_while_there_is_no_backend) {
  Population population(Placement::least_loaded, 3);
  EXPECT_TRUE(population.steps(10, Backends{}, start).opens.empty());
  EXPECT_EQ(population.steps(10, Backends{"a"}, start).opens.size(), 3U);
  EXPECT_EQ(population.steps(10, Backends{"a"}, start).opens.size(), 3U);
  EXPECT_EQ(population.steps(0, Backends{"a"}, start).closes.size(), 3U);
  EXPECT_EQ(population.size(), 3U);
  population.closed(99);
  population.refused(99, start);
  EXPECT_EQ(population.size(), 3U);
}

}  // namespace
}  // namespace trunkline::traffic
