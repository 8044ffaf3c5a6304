#include "services/autoscale/saved.h"

#include <gtest/gtest.h>

namespace trunkline::autoscale {
namespace saved_test {

using namespace std::chrono_literals;

const TimePoint noon{std::chrono::hours(12)};

Saved saved_at(std::int64_t wall, TimePoint monotonic) {
  Saved saved{.policy = "p", .wall_unix_seconds = wall, .monotonic = monotonic};
  saved.state.panic_until = monotonic + 30s;
  return saved;
}

TEST(Saved, times_move_to_the_clock_of_the_new_process) {
  const Result<State> state = restore(saved_at(1000, noon), "p", 1012, TimePoint{5s}, 1h);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->panic_until, TimePoint{23s}) << "thirty seconds, of which twelve have passed";
}

TEST(Saved, a_wall_clock_that_was_set_back_a_little_passes_no_time) {
  const Result<State> state = restore(saved_at(1000, noon), "p", 990, TimePoint{5s}, 1h);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->panic_until, TimePoint{35s});
}

TEST(Saved, what_cannot_be_trusted_is_refused_with_the_reason) {
  Saved other = saved_at(1000, noon);
  other.version = 2;
  EXPECT_NE(restore(other, "p", 1000, noon, 1h).error().message.find("version 2"), std::string::npos);
  EXPECT_NE(restore(saved_at(1000, noon), "q", 1000, noon, 1h).error().message.find("policy \"p\""), std::string::npos);
  EXPECT_NE(restore(saved_at(1000, noon), "p", 900, noon, 1h).error().message.find("future"), std::string::npos);
  EXPECT_NE(restore(saved_at(1000, noon), "p", 4601, noon, 1h).error().message.find("too old"), std::string::npos);
  EXPECT_TRUE(restore(saved_at(1000, noon), "p", 4600, noon, 1h));
}

}  // namespace saved_test
}  // namespace trunkline::autoscale
