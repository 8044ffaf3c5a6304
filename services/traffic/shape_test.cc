#include "services/traffic/shape.h"

#include <gtest/gtest.h>

namespace trunkline::traffic {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(TrafficShape, waves_begin_in_the_valley_and_come_again) {
  const Shape shape{.kind = ShapeKind::waves, .low = 20, .high = 140, .period = seconds(40)};
  EXPECT_DOUBLE_EQ(wanted_at(shape, seconds(0)), 20);
  EXPECT_NEAR(wanted_at(shape, seconds(10)), 80, 1e-6);
  EXPECT_NEAR(wanted_at(shape, seconds(20)), 140, 1e-6);
  EXPECT_NEAR(wanted_at(shape, seconds(30)), 80, 1e-6);
  EXPECT_NEAR(wanted_at(shape, seconds(40)), 20, 1e-6);
  EXPECT_NEAR(wanted_at(shape, seconds(60)), 140, 1e-6);
}

TEST(TrafficShape, waves_never_leave_their_bounds_and_never_jump) {
  const Shape shape{.kind = ShapeKind::waves, .low = 0, .high = 100, .period = seconds(10)};
  double before = wanted_at(shape, seconds(0));
  for (int i = 1; i < 300; ++i) {
    const double now = wanted_at(shape, milliseconds(100 * i));
    EXPECT_GE(now, 0);
    EXPECT_LE(now, 100);
    EXPECT_LT(std::abs(now - before), 4);
    before = now;
  }
}

TEST(TrafficShape, steady_stays_half_way) {
  const Shape shape{.kind = ShapeKind::steady, .low = 20, .high = 140, .period = seconds(40)};
  for (int i = 0; i < 100; ++i) EXPECT_DOUBLE_EQ(wanted_at(shape, seconds(i)), 80);
}

TEST(TrafficShape, a_spike_is_there_at_once_and_gone_at_once) {
  const Shape shape{.kind = ShapeKind::spike, .low = 10, .high = 100, .period = seconds(30)};
  EXPECT_DOUBLE_EQ(wanted_at(shape, seconds(9)), 10);
  EXPECT_DOUBLE_EQ(wanted_at(shape, milliseconds(10001)), 100);
  EXPECT_DOUBLE_EQ(wanted_at(shape, milliseconds(19999)), 100);
  EXPECT_DOUBLE_EQ(wanted_at(shape, milliseconds(20001)), 10);
  EXPECT_DOUBLE_EQ(wanted_at(shape, seconds(45)), 100);
}

TEST(TrafficShape, names_are_read_as_they_are_written) {
  for (const ShapeKind kind : {ShapeKind::waves, ShapeKind::steady, ShapeKind::spike}) {
    EXPECT_EQ(shape_kind_of(to_string(kind)), kind);
  }
  EXPECT_FALSE(shape_kind_of("wave"));
}

}  // namespace
}  // namespace trunkline::traffic
