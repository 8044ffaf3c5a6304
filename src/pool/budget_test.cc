#include "pool/budget.h"

#include <gtest/gtest.h>

#include "pool/route.h"

namespace trunkline::pool {
namespace {

std::shared_ptr<Route> some_route(Budget& budget, const char* name) { return std::make_shared<Route>(name, budget, 1); }

TEST(Budget, of_this_process_is_positive_and_bounded) {
  EXPECT_GE(Budget::limit_of_this_process(), 64);
  EXPECT_LE(Budget::limit_of_this_process(), 1 << 30);
}

TEST(Budget, gives_as_many_as_its_limit) {
  Budget budget(2);
  EXPECT_TRUE(budget.try_take());
  EXPECT_TRUE(budget.try_take());
  EXPECT_FALSE(budget.try_take());
  EXPECT_EQ(budget.give(), nullptr);
  EXPECT_TRUE(budget.try_take());
  EXPECT_EQ(budget.open(), 2);
}

TEST(Budget, serves_those_who_wait_in_turn) {
  Budget budget(1);
  const auto first = some_route(budget, "first");
  const auto second = some_route(budget, "second");
  ASSERT_TRUE(budget.try_take());
  budget.wait(first, TimePoint{});
  budget.wait(second, TimePoint{});
  EXPECT_EQ(budget.give(), first);
  EXPECT_TRUE(first->served());
  EXPECT_EQ(budget.open(), 1) << "the socket is first's";
  EXPECT_EQ(budget.give(), second);
  EXPECT_FALSE(budget.anyone_waits());
}

TEST(Budget, lets_nobody_overtake_those_who_wait) {
  Budget budget(1);
  const auto route = some_route(budget, "route");
  budget.wait(route, TimePoint{});
  EXPECT_FALSE(budget.try_take());
  EXPECT_EQ(budget.serve(), route);
}

TEST(Budget, passes_over_routes_that_are_gone) {
  Budget budget(1);
  const auto alive = some_route(budget, "alive");
  ASSERT_TRUE(budget.try_take());
  budget.wait(some_route(budget, "gone"), TimePoint{});
  budget.wait(alive, TimePoint{});
  EXPECT_EQ(budget.give(), alive);
  EXPECT_EQ(budget.open(), 1);
}

TEST(Budget, takes_back_what_a_route_that_ends_was_served) {
  Budget budget(1);
  auto route = some_route(budget, "route");
  budget.wait(route, TimePoint{});
  ASSERT_EQ(budget.serve(), route);
  EXPECT_EQ(budget.open(), 1);
  route.reset();
  EXPECT_EQ(budget.open(), 0);
}

TEST(Budget, serves_nobody_while_more_are_open_than_a_lowered_limit) {
  Budget budget(3);
  const auto route = some_route(budget, "route");
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(budget.try_take());
  budget.set_limit(1);
  budget.wait(route, TimePoint{});
  EXPECT_EQ(budget.give(), nullptr);
  EXPECT_EQ(budget.give(), nullptr);
  EXPECT_EQ(budget.give(), route);
  EXPECT_EQ(budget.open(), 1);
}

TEST(Budget, has_nothing_to_relieve_without_pools) {
  Budget budget(1);
  EXPECT_FALSE(budget.relieve(TimePoint{}));
}

}  // namespace
}  // namespace trunkline::pool
