#include "policy/bounded_map.h"

#include <gtest/gtest.h>

namespace trunkline {
namespace {

TEST(BoundedMap, forgets_the_name_asked_for_longest_ago) {
  BoundedMap<int> map(2);
  *map.get("a") = 1;
  *map.get("b") = 2;
  EXPECT_EQ(*map.get("a"), 1);
  *map.get("c") = 3;
  EXPECT_EQ(*map.get("a"), 1);
  EXPECT_EQ(*map.get("b"), 0) << "made anew";
  int count = 0;
  map.for_each([&](const std::string&, int&) { ++count; });
  EXPECT_EQ(count, 2);
}

TEST(BoundedMap, takes_nothing_from_whoever_holds_it) {
  BoundedMap<int> map(1);
  const auto held = map.get("a");
  *held = 7;
  map.get("b");
  EXPECT_EQ(*held, 7);
}

}  // namespace
}  // namespace trunkline
