#include "services/autoscale_replay/simulation.h"

#include <gtest/gtest.h>

namespace trunkline::autoscale {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

Policy per_pod(double target = 20, int min = 1, int max = 40) {
  NativePolicy rules{.bounds = {.min = min, .max = max}};
  rules.metrics = {{.name = "streams", .target = {.value = target}}};
  return {.name = "native", .rules = rules};
}

// As Kubernetes would with the average over the pods that answered, as an external value.
Policy average_by_hpa() {
  HpaPolicy rules{.min = 1, .max = 60};
  rules.metrics = {{.type = HpaMetric::Type::external,
                    .name = "average_streams",
                    .target = HpaMetric::TargetType::value,
                    .value = 20}};
  return {.name = "hpa", .rules = rules};
}

Course run(const Policy& policy, const Scenario& scenario, int replicas) {
  auto metrics = metrics_of(policy);
  EXPECT_TRUE(metrics);
  Simulation simulation(policy, World(scenario, *metrics, replicas));
  for (Duration t{0}; t <= scenario.length; t += scenario.interval) simulation.step(TimePoint(t));
  return simulation.course();
}

TEST(World, begins_with_pods_that_have_served_for_long_however_long_a_start_takes) {
  const Scenario scenario{.shape = Shape::step, .startup = std::chrono::hours(2)};
  World world(scenario, {{.name = "streams"}}, 3);
  EXPECT_EQ(world.ready(TimePoint{}), 3);
  for (const Pod& pod : world.observe(TimePoint{}).seen.pods) EXPECT_EQ(pod.state, PodState::ready);
}

TEST(Simulation, follows_a_step_up_and_down) {
  const Scenario scenario{.shape = Shape::step, .low = 4, .high = 12};
  const Course course = run(per_pod(), scenario, 4);
  EXPECT_EQ(course.moments.front().desired, 4);
  const auto at = [&](Duration t) { return course.moments[static_cast<std::size_t>(t / scenario.interval)]; };
  EXPECT_EQ(at(minutes(20)).desired, 12);
  EXPECT_EQ(at(minutes(20)).capacity, 12);
  EXPECT_EQ(at(minutes(58)).desired, 4);
  const Score score = score_of(course);
  EXPECT_EQ(score.peak, 12);
  EXPECT_EQ(score.flaps, 0);
  EXPECT_GT(score.seconds_over_target, 0) << "pods need their time to start";
  EXPECT_LT(score.seconds_over_target, 120);
}

TEST(Simulation, holds_through_a_gap_where_an_average_of_what_answers_would_not_tell) {
  const Scenario scenario{.shape = Shape::gap, .low = 30, .high = 30};
  const Score score = score_of(run(per_pod(20, 1, 60), scenario, 30));
  EXPECT_EQ(score.changes, 0);
}

TEST(Simulation, keeps_still_during_a_rollout_at_steady_load) {
  const Scenario scenario{.shape = Shape::rollout, .low = 9.5, .high = 9.5};
  const Course course = run(per_pod(), scenario, 10);
  EXPECT_EQ(score_of(course).changes, 0);
  for (const Moment& moment : course.moments) EXPECT_GE(moment.capacity, 9);
}

TEST(Simulation, grows_under_a_leak_because_nothing_tells_it_from_load) {
  const Course course = run(per_pod(), {.shape = Shape::leak, .low = 4, .high = 12}, 4);
  EXPECT_GT(course.moments.back().desired, 5);
  EXPECT_EQ(course.moments.back().demand, 4);
}

TEST(Simulation, drives_every_engine_and_every_kind_of_metric) {
  const auto peak = [](const Policy& policy) {
    return score_of(run(policy, {.shape = Shape::step, .low = 4, .high = 12}, 4)).peak;
  };
  EXPECT_EQ(peak(average_by_hpa()), 12);
  HpaPolicy cpu{.min = 1, .max = 60};
  EXPECT_EQ(peak({.name = "cpu", .rules = cpu}), 12);
  KthenaPolicy kthena{.min = 1, .max = 60};
  kthena.metrics = {{.name = "waiting", .target = 10}};
  EXPECT_NEAR(peak({.name = "kthena", .rules = kthena}), 12, 1) << "it rounds a hair above 12 up";
  Policy rate = per_pod(50);
  std::get<NativePolicy>(rate.rules).metrics[0].reading = Reading::rate;
  EXPECT_NEAR(peak(rate), 12, 2) << "a rate looks back, and sees some load twice";
}

TEST(Simulation, refuses_to_guess_how_load_is_split) {
  KthenaPolicy kthena{.min = 1, .max = 60};
  kthena.targets = {{"a", 1, 0, 5}};
  EXPECT_FALSE(metrics_of({.name = "k", .rules = kthena}));
}

Tick recorded(double t, int current, double streams) {
  Tick tick{.at = TimePoint(seconds(static_cast<int>(t)))};
  tick.seen.current = current;
  tick.seen.pods = {{.name = "a", .samples = {{.metric = "streams", .value = streams}}}};
  return tick;
}

TEST(Simulation, starts_each_decision_from_the_recorded_replicas_unless_the_loop_is_closed) {
  for (const bool closed : {false, true}) {
    Simulation simulation(per_pod(), closed);
    EXPECT_EQ(simulation.step(recorded(0, 1, 60)).desired, 3);
    EXPECT_EQ(simulation.step(recorded(15, 1, 60)).current, closed ? 3 : 1);
  }
}

// Whoever tries a policy over what another one did: the rates count what happened, not what would have.
TEST(Simulation, counts_a_change_that_it_asked_for_only_if_it_was_made) {
  const auto hpa = [] {
    HpaPolicy rules{.min = 1, .max = 60, .behavior = HpaBehavior{}};
    rules.behavior->up.policies = {{HpaScalingPolicy::Type::pods, 4, seconds(60)}};
    rules.metrics = {{.type = HpaMetric::Type::external,
                      .name = "queue",
                      .target = HpaMetric::TargetType::average_value,
                      .value = 1}};
    return Policy{.name = "hpa", .rules = rules};
  };
  const auto tick = [](int t, int current) {
    Tick made{.at = TimePoint(seconds(t))};
    made.seen.current = current;
    made.seen.external = {{.metric = "queue", .value = 18}};
    return made;
  };
  Simulation ignored(hpa(), false);
  for (const int t : {0, 15, 30, 45}) EXPECT_EQ(ignored.step(tick(t, 3)).desired, 7) << t;
  Simulation obeyed(hpa(), false);
  EXPECT_EQ(obeyed.step(tick(0, 3)).desired, 7);
  EXPECT_EQ(obeyed.step(tick(15, 7)).desired, 7) << "its four of this minute are used up";
  EXPECT_EQ(obeyed.step(tick(75, 7)).desired, 11);

  Simulation sometimes(hpa(), false);
  EXPECT_EQ(sometimes.step(tick(0, 3)).desired, 7);
  EXPECT_EQ(sometimes.step(tick(15, 3)).desired, 7) << "it was not made";
  EXPECT_EQ(sometimes.step(tick(100, 7)).desired, 11) << "it was made";
  EXPECT_EQ(sometimes.step(tick(115, 7)).desired, 11) << "and counts once";

  Policy dry = hpa();
  dry.dry_run = true;
  Simulation watching(dry, false);
  for (const int t : {0, 15, 30}) {
    const Decision& decision = watching.step(tick(t, 3));
    EXPECT_EQ(decision.desired, 7) << t;
    EXPECT_TRUE(decision.events.empty()) << "nobody rescaled anything";
  }
  EXPECT_EQ(watching.step(tick(45, 7)).desired, 7) << "but somebody did now, and its rate knows";
  EXPECT_EQ(watching.step(tick(106, 7)).desired, 11);
}

TEST(Score, counts_time_changes_and_flaps) {
  Course course{.policy = "p"};
  const auto add = [&](int minute, double demand, double capacity, int current, int desired) {
    course.moments.push_back({.at = TimePoint(minutes(minute)),
                              .demand = demand,
                              .capacity = capacity,
                              .current = current,
                              .desired = desired});
  };
  add(0, 2, 3, 3, 3);
  add(1, 5, 3, 3, 6);
  add(2, 5, 5, 6, 4);   // a flap
  add(20, 5, 4, 4, 5);  // no flap any more
  add(21, 5, 5, 5, 5);
  const Score score = score_of(course);
  EXPECT_EQ(score.changes, 3);
  EXPECT_EQ(score.flaps, 1);
  EXPECT_EQ(score.largest_change, 3);
  EXPECT_EQ(score.peak, 6);
  EXPECT_DOUBLE_EQ(score.seconds_over_target, 120);
  EXPECT_DOUBLE_EQ(score.replica_minutes, 3 + 6 + 4 * 18 + 5 + 5);
  EXPECT_EQ(score_of({}).decisions, 0u);
}

}  // namespace
}  // namespace trunkline::autoscale
