#include "services/autoscale_live/split_target.h"

#include <gtest/gtest.h>

namespace trunkline::autoscale {
namespace {

using Counts = std::vector<TargetReplicas>;

Policy cheap_and_dear() {
  NativePolicy rules;
  rules.targets = {{"dear", 9, 1, 8}, {"cheap", 1, 1, 4}};
  rules.cost_expansion_percent = 100;
  return {.name = "web", .rules = rules};
}

TEST(SplitTarget, without_a_memory_the_total_is_split_as_the_policy_says) {
  EXPECT_EQ(first_split(cheap_and_dear(), 6, {}), (Counts{{"dear", 2}, {"cheap", 4}}));
  EXPECT_EQ(first_split(cheap_and_dear(), 2, {}), (Counts{{"dear", 1}, {"cheap", 1}})) << "their minima";
}

TEST(SplitTarget, what_is_there_stays_though_the_policy_would_split_it_otherwise) {
  EXPECT_EQ(first_split(cheap_and_dear(), 6, {{"dear", 5}, {"cheap", 1}}), (Counts{{"dear", 5}, {"cheap", 1}}));
}

TEST(SplitTarget, others_take_over_what_a_part_had_that_is_gone) {
  EXPECT_EQ(first_split(cheap_and_dear(), 6, {{"dear", 2}, {"spot", 4}}), (Counts{{"dear", 2}, {"cheap", 4}}))
      << "a part of another name has as many as the one before it";
  EXPECT_EQ(first_split(cheap_and_dear(), 6, {{"dear", 1}, {"cheap", 1}, {"spot", 4}}),
            (Counts{{"dear", 2}, {"cheap", 4}}))
      << "nothing is lost until the next decision";
  EXPECT_EQ(first_split(cheap_and_dear(), 99, {{"dear", 1}}), (Counts{{"dear", 8}, {"cheap", 4}}))
      << "within the bounds";
}

TEST(SplitTarget, a_part_that_is_new_waits_for_a_decision_where_nothing_is_missing) {
  EXPECT_EQ(first_split(cheap_and_dear(), 5, {{"dear", 5}}), (Counts{{"dear", 5}, {"cheap", 0}}));
}

TEST(SplitTarget, roles_that_are_not_known_begin_with_their_minima) {
  const Policy policy{.rules = KthenaPolicy{.roles = {{"prefill", 1, 9}, {"decode", 2, 9}}}};
  EXPECT_EQ(first_split(policy, 8, {{"prefill", 5}, {"old", 3}}), (Counts{{"prefill", 5}, {"decode", 2}}));
}

}  // namespace
}  // namespace trunkline::autoscale
