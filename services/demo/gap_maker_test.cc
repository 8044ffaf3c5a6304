#include "services/demo/gap_maker.h"

#include <gtest/gtest.h>

namespace trunkline::demo {
namespace {

using std::chrono::seconds;
constexpr TimePoint start{seconds(1000)};

TEST(DemoGapMaker, takes_each_backend_that_has_settled_in_its_turn) {
  GapMaker gaps(seconds(10), start);
  EXPECT_FALSE(gaps.due({"a", "b"}, start + seconds(1)));
  EXPECT_FALSE(gaps.due({"a", "b", "c"}, start + seconds(9)));
  EXPECT_EQ(gaps.due({"a", "b", "c"}, start + seconds(10)), "a");  // c is new
  EXPECT_FALSE(gaps.due({"a", "b", "c"}, start + seconds(19)));
  EXPECT_EQ(gaps.due({"a", "b", "c"}, start + seconds(20)), "b");
  EXPECT_EQ(gaps.due({"a", "b", "c"}, start + seconds(30)), "c");
}

TEST(DemoGapMaker, waits_for_one_that_has_settled) {
  GapMaker gaps(seconds(10), start);
  EXPECT_FALSE(gaps.due({"a"}, start + seconds(10)));
  EXPECT_EQ(gaps.due({"a"}, start + seconds(16)), "a");
  EXPECT_FALSE(gaps.due({"b"}, start + seconds(26)));  // a has gone
}

TEST(DemoGapMaker, makes_none_when_none_is_wanted) {
  GapMaker gaps(seconds(0), start);
  EXPECT_FALSE(gaps.due({"a"}, start));
  EXPECT_FALSE(gaps.due({"a"}, start + seconds(100)));
}

}  // namespace
}  // namespace trunkline::demo
