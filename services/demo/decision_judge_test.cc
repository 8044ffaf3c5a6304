#include "services/demo/decision_judge.h"

#include <gtest/gtest.h>

namespace trunkline::demo {
namespace {

using autoscale::Action;
using autoscale::Decision;
using autoscale::InputState;
using std::chrono::seconds;

Decision step(int current, int desired, InputState first = InputState::fresh) {
  Decision decision{.current = current, .desired = desired};
  decision.action = desired > current ? Action::up : desired < current ? Action::down : Action::hold;
  decision.metrics = {
      {.metric = "m", .pods = {{.pod = "a", .state = first}, {.pod = "b", .state = InputState::fresh}}}};
  return decision;
}

TEST(DemoDecisionJudge, counts_steps_and_turns) {
  DecisionJudge judge(20);
  for (const auto& [from, to] : {std::pair(1, 1), {1, 2}, {2, 3}, {3, 2}, {2, 2}, {2, 1}, {1, 2}}) {
    judge.judge(step(from, to));
  }
  EXPECT_EQ(judge.figures().decisions, 7U);
  EXPECT_EQ(judge.figures().ups, 3U);
  EXPECT_EQ(judge.figures().downs, 2U);
  EXPECT_EQ(judge.figures().reversals, 2U);
  EXPECT_EQ(judge.figures().with_gap, 0U);
}

TEST(DemoDecisionJudge, blames_a_gap_for_a_step_down_that_cannot_carry_what_there_is) {
  DecisionJudge judge(20);
  judge.truth(60, TimePoint(seconds(100)));
  judge.judge(step(3, 2, InputState::missing));
  EXPECT_EQ(judge.figures().moved_by_gap, 1U);
  EXPECT_EQ(judge.figures().gaps_survived, 0U);
}

TEST(DemoDecisionJudge, blames_a_gap_for_a_step_up_that_nobody_needs) {
  DecisionJudge judge(20);
  judge.truth(60, TimePoint(seconds(100)));
  judge.judge(step(3, 4, InputState::carried));
  EXPECT_EQ(judge.figures().moved_by_gap, 1U);
}

TEST(DemoDecisionJudge, does_not_blame_a_gap_for_what_is_right) {
  DecisionJudge judge(20);
  judge.truth(60, TimePoint(seconds(100)));
  judge.truth(40, TimePoint(seconds(102)));
  judge.judge(step(3, 2, InputState::carried));
  judge.judge(step(2, 3, InputState::carried));  // just now there were 60 still
  judge.judge(step(3, 3, InputState::missing));
  EXPECT_EQ(judge.figures().moved_by_gap, 0U);
  EXPECT_EQ(judge.figures().gaps_survived, 3U);
  EXPECT_EQ(judge.figures().with_gap, 3U);
}

TEST(DemoDecisionJudge, what_was_true_long_ago_excuses_nothing) {
  DecisionJudge judge(20);
  judge.truth(10, TimePoint(seconds(100)));
  judge.truth(60, TimePoint(seconds(100)) + DecisionJudge::memory + seconds(1));
  judge.judge(step(3, 2, InputState::missing));
  EXPECT_EQ(judge.figures().moved_by_gap, 1U);
}

TEST(DemoDecisionJudge, pods_that_start_or_leave_are_no_gap) {
  DecisionJudge judge(20);
  judge.truth(60, TimePoint(seconds(100)));
  judge.judge(step(3, 2, InputState::starting));
  judge.judge(step(2, 1, InputState::draining));
  EXPECT_EQ(judge.figures().with_gap, 0U);
}

}  // namespace
}  // namespace trunkline::demo
