#include "services/scrape/fleet.h"

#include <gtest/gtest.h>

#include <utility>

namespace trunkline::scrape {
namespace fleet_test {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint origin{seconds(1000)};
const std::shared_ptr<const Job> job = std::make_shared<Job>();

std::vector<TargetPtr> targets(std::initializer_list<std::string_view> names, const Labels& labels = {}) {
  std::vector<TargetPtr> made;
  for (const std::string_view name : names) made.push_back(*make_target(job, name, labels));
  return made;
}

Answer good(TimePoint taken) {
  Answer answer;
  answer.report.outcome = Outcome::ok;
  answer.report.connected = true;
  answer.report.reused = true;
  answer.report.samples = 3;
  answer.samples = std::make_shared<SampleSet>();
  answer.taken = taken;
  return answer;
}

Answer bad(Outcome outcome) {
  Answer answer;
  answer.report.outcome = outcome;
  answer.report.reason = "it went wrong";
  return answer;
}

class FleetTest : public ::testing::Test {
 protected:
  Fleet fleet_{ScheduleSettings(), origin, origin};
};

TEST_F(FleetTest, shows_at_the_cut_off_what_has_answered) {
  fleet_.set_targets(targets({"b:1", "a:1", "c:1"}), origin);
  const Fleet::Step step = fleet_.advance(origin + seconds(11));
  EXPECT_FALSE(step.snapshot);
  ASSERT_EQ(step.asks.size(), 3U);
  for (const Fleet::Ask& ask : step.asks) {
    if (ask.target->instance == "a:1") fleet_.answered(ask.start.target, good(origin + seconds(12)));
    if (ask.target->instance == "b:1") fleet_.answered(ask.start.target, bad(Outcome::malformed));
  }
  const SnapshotPtr snapshot = fleet_.advance(origin + seconds(15)).snapshot;
  ASSERT_TRUE(snapshot);
  ASSERT_EQ(snapshot->targets.size(), 3U);
  EXPECT_EQ(snapshot->targets[0].target->instance, "a:1");
  EXPECT_EQ(snapshot->targets[0].state, TargetState::fresh);
  EXPECT_EQ(snapshot->targets[0].age, seconds(3));
  EXPECT_EQ(snapshot->targets[1].state, TargetState::missing);
  EXPECT_EQ(snapshot->targets[1].report.reason, "it went wrong");
  EXPECT_FALSE(snapshot->targets[1].samples);
  EXPECT_EQ(snapshot->targets[2].report.outcome, Outcome::no_answer_yet);
  EXPECT_EQ(snapshot->totals.fresh, 1U);
  EXPECT_EQ(snapshot->totals.missing, 2U);
  EXPECT_EQ(snapshot->totals.reused, 1U);
  EXPECT_EQ(snapshot->totals.samples, 3U);
}

TEST_F(FleetTest, one_question_is_for_all_jobs_that_name_the_target) {
  const auto named = [](std::string name) {
    auto made = std::make_shared<Job>();
    made->name = std::move(name);
    return std::shared_ptr<const Job>(made);
  };
  const TargetPtr first = *make_target(named("first"), "a:1");
  const TargetPtr second = *make_target(named("second"), "a:1");
  fleet_.set_targets({first, second, second}, origin);
  const Fleet::Step step = fleet_.advance(origin + seconds(11));
  ASSERT_EQ(step.asks.size(), 1U);
  fleet_.answered(step.asks[0].start.target, good(origin + seconds(12)));
  const SnapshotPtr both = fleet_.advance(origin + seconds(15)).snapshot;
  ASSERT_EQ(both->targets.size(), 2U);
  EXPECT_EQ(both->targets[0].target, first);
  EXPECT_EQ(both->targets[1].target, second);
  EXPECT_EQ(both->targets[1].state, TargetState::fresh);
  EXPECT_TRUE(both->targets[1].samples);
  EXPECT_EQ(both->totals.fresh, 1U) << "it is one target";
  EXPECT_EQ(both->totals.reused, 1U);

  EXPECT_TRUE(fleet_.set_targets({second}, origin + seconds(16)).removed.empty()) << "and stays while one names it";
  const SnapshotPtr left = fleet_.advance(origin + seconds(30)).snapshot;
  ASSERT_EQ(left->targets.size(), 1U);
  EXPECT_EQ(left->targets[0].target, second);
}

TEST_F(FleetTest, counts_a_late_answer_next_time_with_its_true_age) {
  fleet_.set_targets(targets({"a:1"}), origin);
  const TargetId id = fleet_.advance(origin + seconds(11)).asks.at(0).start.target;
  EXPECT_EQ(fleet_.advance(origin + seconds(15)).snapshot->targets[0].state, TargetState::missing);
  fleet_.answered(id, good(origin + seconds(16)));
  // This cycle's own question fails, so the late answer is what there is.
  ASSERT_EQ(fleet_.advance(origin + seconds(26)).asks.size(), 1U);
  fleet_.answered(id, bad(Outcome::refused));
  const SnapshotPtr snapshot = fleet_.advance(origin + seconds(30)).snapshot;
  EXPECT_EQ(snapshot->targets[0].state, TargetState::late);
  EXPECT_EQ(snapshot->targets[0].age, seconds(14));
  EXPECT_TRUE(snapshot->targets[0].samples);
  EXPECT_EQ(snapshot->targets[0].report.outcome, Outcome::refused);
  EXPECT_EQ(snapshot->totals.late, 1U);
  // It stands in once.
  EXPECT_EQ(fleet_.advance(origin + seconds(45)).snapshot->targets[0].state, TargetState::missing);
}

TEST_F(FleetTest, prefers_this_cycles_answer_to_a_late_one) {
  fleet_.set_targets(targets({"a:1"}), origin);
  const TargetId id = fleet_.advance(origin + seconds(11)).asks.at(0).start.target;
  fleet_.advance(origin + seconds(15));
  fleet_.answered(id, good(origin + seconds(16)));
  fleet_.advance(origin + seconds(26));
  fleet_.answered(id, good(origin + seconds(27)));
  const SnapshotPtr snapshot = fleet_.advance(origin + seconds(30)).snapshot;
  EXPECT_EQ(snapshot->targets[0].state, TargetState::fresh);
  EXPECT_EQ(snapshot->targets[0].age, seconds(3));
}

TEST_F(FleetTest, drops_a_late_failure) {
  fleet_.set_targets(targets({"a:1"}), origin);
  const TargetId id = fleet_.advance(origin + seconds(11)).asks.at(0).start.target;
  fleet_.advance(origin + seconds(15));
  fleet_.answered(id, bad(Outcome::timed_out));
  fleet_.advance(origin + seconds(26));
  EXPECT_EQ(fleet_.advance(origin + seconds(30)).snapshot->targets[0].report.outcome, Outcome::no_answer_yet);
}

TEST_F(FleetTest, tells_of_a_second_try_that_is_silent) {
  fleet_.set_targets(targets({"a:1"}), origin);
  const TargetId id = fleet_.advance(origin + seconds(11)).asks.at(0).start.target;
  fleet_.answered(id, bad(Outcome::unreachable));
  ASSERT_EQ(fleet_.advance(origin + milliseconds(13'500)).asks.size(), 1U);
  const SnapshotPtr snapshot = fleet_.advance(origin + seconds(15)).snapshot;
  EXPECT_EQ(snapshot->targets[0].report.outcome, Outcome::unreachable);
  EXPECT_TRUE(snapshot->targets[0].report.second_try);
  EXPECT_EQ(snapshot->totals.second_tries, 1U);
}

TEST_F(FleetTest, says_that_a_second_try_helped) {
  fleet_.set_targets(targets({"a:1"}), origin);
  const TargetId id = fleet_.advance(origin + seconds(11)).asks.at(0).start.target;
  fleet_.answered(id, bad(Outcome::unreachable));
  const Fleet::Step step = fleet_.advance(origin + milliseconds(13'500));
  ASSERT_EQ(step.asks.size(), 1U);
  EXPECT_TRUE(step.asks[0].start.second_try);
  fleet_.answered(id, good(origin + seconds(14)));
  const SnapshotPtr snapshot = fleet_.advance(origin + seconds(15)).snapshot;
  EXPECT_EQ(snapshot->targets[0].state, TargetState::fresh);
  EXPECT_TRUE(snapshot->targets[0].report.second_try);
  EXPECT_EQ(snapshot->totals.second_tries, 1U);
}

TEST_F(FleetTest, forgets_a_target_that_has_gone_and_its_answer) {
  fleet_.set_targets(targets({"a:1", "b:1"}), origin);
  const Fleet::Step step = fleet_.advance(origin + seconds(11));
  ASSERT_EQ(step.asks.size(), 2U);
  EXPECT_EQ(fleet_.set_targets(targets({"b:1"}), origin + seconds(12)).removed.size(), 1U);
  for (const Fleet::Ask& ask : step.asks) fleet_.answered(ask.start.target, good(origin + seconds(12)));
  EXPECT_EQ(fleet_.in_flight(), 0U);
  const SnapshotPtr snapshot = fleet_.advance(origin + seconds(15)).snapshot;
  ASSERT_EQ(snapshot->targets.size(), 1U);
  EXPECT_EQ(snapshot->targets[0].target->instance, "b:1");
  EXPECT_EQ(snapshot->targets[0].state, TargetState::fresh);
}

TEST_F(FleetTest, keeps_the_answer_of_a_target_that_gets_other_labels) {
  fleet_.set_targets(targets({"a:1"}), origin);
  const TargetId id = fleet_.advance(origin + seconds(11)).asks.at(0).start.target;
  fleet_.answered(id, good(origin + seconds(12)));
  EXPECT_EQ(fleet_.set_targets(targets({"a:1"}, {{"v", "2"}}), origin + seconds(13)).relabelled.size(), 1U);
  const SnapshotPtr snapshot = fleet_.advance(origin + seconds(15)).snapshot;
  EXPECT_EQ(snapshot->targets[0].state, TargetState::fresh);
  EXPECT_EQ(snapshot->targets[0].target->labels, (Labels{{"v", "2"}}));
}

}  // namespace fleet_test
}  // namespace trunkline::scrape
