#include "base/number_text.h"

#include <gtest/gtest.h>

namespace trunkline {
namespace {

TEST(NumberText, groups_digits_by_three_and_counts_nouns) {
  EXPECT_EQ(number(0), "0");
  EXPECT_EQ(number(999), "999");
  EXPECT_EQ(number(1150), "1,150");
  EXPECT_EQ(number(UINT64_MAX), "18,446,744,073,709,551,615");
  EXPECT_EQ(number(1, "connection"), "1 connection");
  EXPECT_EQ(number(28232, "port"), "28,232 ports");
}

}  // namespace
}  // namespace trunkline
