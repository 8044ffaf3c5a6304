// The policy of the show in a small world of its own: does it do what the show promises?
#include "services/demo/demo_policy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "services/autoscale/engine.h"
#include "services/traffic/shape.h"

namespace trunkline::demo {
namespace {

using autoscale::Action;
using autoscale::Decision;
using autoscale::PodState;
using std::chrono::seconds;

struct Course {
  std::vector<int> replicas;
  int reversals = 0;
  double most_missing = 0;  // WebSockets above what the replicas are for
};

// Every pod starts within one cycle, leaves within one, and clients spread evenly. `is_silent(second)`: the first pod
// does not answer.
template <class IsSilent>
Course course_of(const traffic::Shape& shape, int length, IsSilent is_silent) {
  const autoscale::Policy policy = demo_policy();
  autoscale::State state;
  Course course;
  int current = 1;
  Action last = Action::hold;
  const TimePoint start{seconds(1'700'000'000)};
  for (int second = 0; second < length; second += static_cast<int>(scrape_interval.count())) {
    const TimePoint now = start + seconds(second);
    const double open = std::round(traffic::wanted_at(shape, seconds(second)));
    autoscale::Snapshot seen{.current = current};
    for (int i = 0; i < current; ++i) {
      autoscale::Pod pod{.name = "demo-" + std::to_string(i), .started = start};
      if (i == 0 && is_silent(second)) {
        pod.state = PodState::missing;
      } else {
        pod.samples.push_back({.metric = "active_ws_connections", .value = open / current, .at = now});
      }
      seen.pods.push_back(pod);
    }
    const Decision decision = decide(state, seen, policy, now);
    if (decision.action != Action::hold) {
      course.reversals += last != Action::hold && decision.action != last ? 1 : 0;
      last = decision.action;
    }
    current = decision.desired;
    course.replicas.push_back(current);
    course.most_missing = std::max(course.most_missing, open - current * websockets_per_replica);
  }
  return course;
}

constexpr traffic::Shape waves{.kind = traffic::ShapeKind::waves, .low = 20, .high = 140, .period = seconds(40)};
constexpr auto never_silent = [](int) { return false; };

TEST(DemoPolicy, replicas_follow_the_waves_and_turn_only_where_they_do) {
  const Course course = course_of(waves, 160, never_silent);
  EXPECT_GE(*std::max_element(course.replicas.begin(), course.replicas.end()), 7);
  EXPECT_LE(*std::max_element(course.replicas.begin(), course.replicas.end()), 8);
  // After each valley there are few again.
  for (const std::size_t valley : {44U, 84U, 124U}) EXPECT_LE(course.replicas[valley / 2], 4) << valley;
  for (const std::size_t top : {22U, 62U, 102U, 142U}) EXPECT_GE(course.replicas[top / 2], 7) << top;
  EXPECT_LE(course.reversals, 7);  // four waves
  EXPECT_LE(course.most_missing, 2 * websockets_per_replica);
}

TEST(DemoPolicy, a_steady_crowd_moves_nothing) {
  const Course course =
      course_of({.kind = traffic::ShapeKind::steady, .low = 20, .high = 140, .period = seconds(40)}, 120, never_silent);
  EXPECT_EQ(course.reversals, 0);
  EXPECT_EQ(course.replicas.back(), 4);
}

TEST(DemoPolicy, a_spike_is_met_within_three_cycles) {
  const Course course =
      course_of({.kind = traffic::ShapeKind::spike, .low = 20, .high = 140, .period = seconds(60)}, 60, never_silent);
  EXPECT_GE(course.replicas[26 / 2], 7);
  EXPECT_EQ(course.reversals, 1);
  EXPECT_LE(course.replicas[58 / 2], 3);
}

TEST(DemoPolicy, a_gap_in_a_steady_crowd_moves_nothing) {
  const auto silent = [](int second) { return second >= 30 && second < 36; };
  const Course course =
      course_of({.kind = traffic::ShapeKind::steady, .low = 20, .high = 140, .period = seconds(40)}, 90, silent);
  for (std::size_t i = 10; i < course.replicas.size(); ++i) EXPECT_EQ(course.replicas[i], 4) << 2 * i << " s";
}

TEST(DemoPolicy, a_gap_at_any_time_turns_no_wave_round) {
  const int without = course_of(waves, 160, never_silent).reversals;
  for (int at = 10; at < 150; at += 2) {
    const Course course = course_of(waves, 160, [at](int second) { return second >= at && second < at + 5; });
    EXPECT_LE(course.reversals, without) << "a gap at " << at << " s";
  }
}

}  // namespace
}  // namespace trunkline::demo
