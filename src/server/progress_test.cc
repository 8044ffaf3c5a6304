#include "server/progress.h"

#include <gtest/gtest.h>

namespace trunkline::server {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint start{1000s};

TEST(ProgressWatch, is_content_while_enough_moves_in_each_window) {
  ProgressWatch watch;
  watch.start(500, start, 10s, 100);
  EXPECT_EQ(watch.deadline(), start + 10s);
  EXPECT_TRUE(watch.check(600, start + 10s));
  EXPECT_EQ(watch.deadline(), start + 20s);
  EXPECT_TRUE(watch.check(700, start + 20s));
}

TEST(ProgressWatch, counts_each_window_by_itself) {
  ProgressWatch watch;
  watch.start(0, start, 10s, 100);
  EXPECT_TRUE(watch.check(10'000, start + 10s));  // a burst earns no rest
  EXPECT_FALSE(watch.check(10'099, start + 20s));
}

TEST(ProgressWatch, says_nothing_before_its_time) {
  ProgressWatch watch;
  watch.start(0, start, 10s, 100);
  EXPECT_TRUE(watch.check(0, start + 9s));
  EXPECT_EQ(watch.deadline(), start + 10s);
}

TEST(ProgressWatch, does_not_run_without_a_limit_or_when_stopped) {
  ProgressWatch watch;
  EXPECT_FALSE(watch.running());
  watch.start(0, start, 0s, 100);
  EXPECT_FALSE(watch.running());
  watch.start(0, start, 10s, 100);
  watch.stop();
  EXPECT_TRUE(watch.check(0, start + 100s));
}

}  // namespace
}  // namespace trunkline::server
