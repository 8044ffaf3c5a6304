#include "services/console/history.h"

#include <gtest/gtest.h>

namespace trunkline::console {
namespace {

ConnectionPoint at(double t, float waiting = 0) {
  return {.t = t, .open = static_cast<float>(t), .waiting = waiting, .dials = t};
}

TEST(ConsoleHistory, keeps_seconds_for_five_minutes_and_then_tens_of_seconds) {
  History<ConnectionPoint> history;
  for (int t = 1; t <= 1800; ++t) history.add(at(t));
  const std::vector<ConnectionPoint> points = history.points();
  EXPECT_EQ(points.back().t, 1800);
  EXPECT_EQ(points[points.size() - 300].t, 1501);
  EXPECT_EQ(points.size(), 300U + 151U);
  for (std::size_t i = 1; i < points.size(); ++i) EXPECT_LT(points[i - 1].t, points[i].t);
}

TEST(ConsoleHistory, takes_a_fixed_amount_of_memory_for_ever) {
  History<ConnectionPoint> history;
  std::size_t most = 0;
  for (int t = 1; t <= 20'000; ++t) {
    history.add(at(t));
    if (t % 100 == 0) most = std::max(most, history.points().size());
  }
  EXPECT_LE(most, 300U + 182U);
  EXPECT_GE(history.points().front().t, 20'000 - 1810);
}

TEST(ConsoleHistory, takes_no_more_than_a_point_a_second) {
  History<ConnectionPoint> history;
  for (int i = 0; i < 100; ++i) history.add(at(10 + i * 0.05));
  EXPECT_EQ(history.points().size(), 5U);
  EXPECT_NEAR(history.points().back().t, 14.95, 1e-9);
}

TEST(ConsoleHistory, does_not_lose_a_queue_or_a_gap_when_it_thins) {
  History<ConnectionPoint> history({.recent_points = 10});
  for (int t = 1; t <= 100; ++t) history.add(at(t, t == 42 ? 7.0F : 0.0F));
  float longest = 0;
  for (const ConnectionPoint& point : history.points()) longest = std::max(longest, point.waiting);
  EXPECT_EQ(longest, 7);

  History<FleetPoint> fleet({.recent_points = 10});
  for (int t = 1; t <= 100; ++t) fleet.add({.t = static_cast<double>(t), .missing = t == 42 ? 3.0F : 0.0F});
  float missing = 0;
  for (const FleetPoint& point : fleet.points()) missing = std::max(missing, point.missing);
  EXPECT_EQ(missing, 3);
}

TEST(ConsoleHistory, waits_when_the_clock_is_set_back) {
  History<ConnectionPoint> history;
  history.add(at(100));
  history.add(at(50));
  history.add(at(101));
  ASSERT_EQ(history.points().size(), 2U);
  EXPECT_EQ(history.points().back().t, 101);
}

TEST(ConsoleHistory, is_columns_of_equal_length) {
  EXPECT_EQ(to_json(std::vector<ConnectionPoint>{at(1.5, 2), at(2.5)}),
            R"({"t":[1.5,2.5],"dials":[1.5,2.5],"granted":[0,0],"reused":[0,0],"open":[1.5,2.5],"in_use":[0,0],)"
            R"("idle":[0,0],"waiting":[2,0]})");
}

}  // namespace
}  // namespace trunkline::console
