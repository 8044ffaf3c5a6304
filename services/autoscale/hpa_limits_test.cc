#include "services/autoscale/hpa_limits.h"

#include <gtest/gtest.h>

#include <vector>

namespace trunkline::autoscale {
namespace hpa_limits_test {

using namespace std::chrono_literals;
using Kind = HpaScalingPolicy::Type;

const TimePoint noon{std::chrono::hours(12)};

std::vector<HpaEvent> recent(const std::vector<int>& changes) {
  std::vector<HpaEvent> events;
  for (const int change : changes) events.push_back({noon - 5s, change});
  return events;
}

struct RateRow {
  const char* name;
  int current;
  int wanted;
  HpaRules up;
  HpaRules down;
  std::vector<int> ups;
  std::vector<int> downs;
  int expected;
  const char* reason;
};

TEST(HpaLimits, rates_as_the_table_has_them) {
  const std::vector<HpaScalingPolicy> two_or_half = {{Kind::pods, 2, 60s}, {Kind::percent, 50, 60s}};
  const std::vector<RateRow> rows = {
      {"defaults", 10, 500, {}, {}, {}, {}, 20, "ScaleUpLimit"},
      {"pods or percent, the larger",
       10,
       500,
       {.policies = {{Kind::pods, 100}, {Kind::percent, 100}}},
       {},
       {},
       {},
       110,
       "ScaleUpLimit"},
      {"percent 200", 10, 500, {.policies = {{Kind::percent, 200}}}, {}, {}, {}, 30, "ScaleUpLimit"},
      {"pods 150 after +1 +5 +9",
       100,
       500,
       {.policies = {{Kind::pods, 150, 120s}}},
       {},
       {1, 5, 9},
       {},
       235,
       "ScaleUpLimit"},
      {"percent 200 after +1 +5 +9",
       100,
       500,
       {.policies = {{Kind::percent, 200, 120s}}},
       {},
       {1, 5, 9},
       {},
       255,
       "ScaleUpLimit"},
      {"up after both ways", 6, 500, {.policies = {{Kind::percent, 300, 300s}}}, {}, {4}, {2}, 16, "ScaleUpLimit"},
      {"percent down after -2 -4 -6",
       100,
       5,
       {},
       {.policies = {{Kind::percent, 50, 120s}}},
       {},
       {2, 4, 6},
       56,
       "ScaleDownLimit"},
      {"percent down after both ways",
       10,
       1,
       {},
       {.policies = {{Kind::percent, 50, 180s}}},
       {2},
       {4},
       6,
       "ScaleDownLimit"},
      {"a limit that would grow on the way down holds",
       100,
       2,
       {},
       {.policies = {{Kind::percent, 10, 180s}}},
       {},
       {50},
       100,
       "ScaleDownLimit"},
      {"a limit that would shrink on the way up holds",
       100,
       500,
       {.policies = {{Kind::pods, 10, 180s}}},
       {},
       {50},
       {},
       100,
       "ScaleUpLimit"},
      {"up switched off", 10, 500, {.select = HpaSelect::disabled}, {}, {}, {}, 10, "ScaleUpLimit"},
      {"down switched off", 10, 1, {}, {.select = HpaSelect::disabled}, {}, {}, 10, "ScaleDownLimit"},
      {"the smaller of two, up",
       1,
       500,
       {.select = HpaSelect::min, .policies = two_or_half},
       {},
       {},
       {},
       2,
       "ScaleUpLimit"},
      {"the smaller of two, down",
       5,
       1,
       {},
       {.select = HpaSelect::min, .policies = two_or_half},
       {},
       {},
       3,
       "ScaleDownLimit"},
      {"half of seven up", 7, 500, {.policies = {{Kind::percent, 50}}}, {}, {}, {}, 11, "ScaleUpLimit"},
      {"half of seven down", 7, 1, {}, {.policies = {{Kind::percent, 50}}}, {}, {}, 3, "ScaleDownLimit"},
      {"everything in one period is the default down", 10, 1, {}, {}, {}, {}, 1, "DesiredWithinRange"},
      {"within", 10, 12, {}, {}, {}, {}, 12, "DesiredWithinRange"},
      {"the maximum", 990, 1500, {}, {}, {}, {}, 1000, "TooManyReplicas"},
      {"the minimum", 3, 0, {}, {}, {}, {}, 1, "TooFewReplicas"},
  };
  for (const RateRow& row : rows) {
    const HpaPolicy policy{.min = 1, .max = 1000, .behavior = HpaBehavior{row.up, row.down}};
    const HpaState state{.ups = recent(row.ups), .downs = recent(row.downs)};
    const HpaLimited limited = hpa_limit(state, policy, row.current, row.wanted, noon);
    EXPECT_EQ(limited.replicas, row.expected) << row.name;
    EXPECT_EQ(limited.reason, row.reason) << row.name;
  }
}

TEST(HpaLimits, events_outside_of_the_period_do_not_count) {
  const HpaPolicy policy{.max = 1000, .behavior = HpaBehavior{.up = {.policies = {{Kind::pods, 10, 60s}}}}};
  const HpaState state{.ups = {{noon - 60s, 5}, {noon - 59s, 3}}};
  EXPECT_EQ(hpa_limit(state, policy, 20, 500, noon).replicas, 27);
}

TEST(HpaLimits, without_a_behaviour_up_is_double_or_four_and_down_is_free) {
  struct Row {
    int current, wanted, min, max, expected;
    const char* reason;
  };
  for (const Row& row : std::vector<Row>{{2, 10, 1, 20, 4, "ScaleUpLimit"},
                                         {1, 10, 1, 20, 4, "ScaleUpLimit"},
                                         {10, 500, 1, 50, 20, "ScaleUpLimit"},
                                         {10, 50, 1, 15, 15, "TooManyReplicas"},
                                         {10, 1, 4, 15, 4, "TooFewReplicas"},
                                         {10, 0, 0, 15, 0, "DesiredWithinRange"},
                                         {10, 2, 1, 15, 2, "DesiredWithinRange"}}) {
    const HpaLimited limited = hpa_limit({}, {.min = row.min, .max = row.max}, row.current, row.wanted, noon);
    EXPECT_EQ(limited.replicas, row.expected) << row.current << " wants " << row.wanted;
    EXPECT_EQ(limited.reason, row.reason) << row.current << " wants " << row.wanted;
  }
}

struct StabiliseRow {
  const char* name;
  bool behavior;
  std::vector<ReplicasAt> recommendations;
  int current;
  int desired;
  int expected;
  const char* reason;
};

TEST(HpaLimits, stabilises_towards_the_present_within_what_the_windows_recommended) {
  const std::vector<StabiliseRow> rows = {
      {"nothing known", true, {}, 10, 5, 5, "ReadyForNewScale"},
      {"down held by the highest of the window",
       true,
       {{noon - 200s, 8}, {noon - 100s, 6}},
       10,
       5,
       8,
       "ScaleDownStabilized"},
      {"down held where it is", true, {{noon - 200s, 12}}, 10, 5, 10, "ScaleDownStabilized"},
      {"what is older does not hold", true, {{noon - 300s, 8}}, 10, 5, 5, "ReadyForNewScale"},
      {"up held by the lowest of the window", true, {{noon - 50s, 12}}, 10, 20, 12, "ScaleUpStabilized"},
      {"up held where it is", true, {{noon - 50s, 4}}, 10, 20, 10, "ScaleUpStabilized"},
      {"without a behaviour up is never held", false, {{noon - 50s, 4}}, 10, 20, 20, "ReadyForNewScale"},
      {"without a behaviour down is", false, {{noon - 50s, 9}}, 10, 4, 9, "ScaleDownStabilized"},
  };
  for (const StabiliseRow& row : rows) {
    HpaPolicy policy{.max = 1000};
    if (row.behavior) policy.behavior = HpaBehavior{.up = {.stabilization = 60s}};
    HpaState state{.recommendations = row.recommendations};
    const HpaLimited held = hpa_stabilise(state, policy, row.current, row.desired, noon);
    EXPECT_EQ(held.replicas, row.expected) << row.name;
    EXPECT_EQ(held.reason, row.reason) << row.name;
    EXPECT_EQ(state.recommendations.back(), (ReplicasAt{noon, row.desired})) << "what was wanted, not what was given";
  }
}

// As the original stores them: an event gives its place to a newer one of its own direction once it is older than that
// direction's longest period, although the other direction's rate would still count it.
TEST(HpaLimits, an_event_gives_its_place_when_it_is_older_than_its_own_directions_periods) {
  const HpaPolicy policy{.max = 100,
                         .behavior = HpaBehavior{.up = {.policies = {{Kind::pods, 4, 15s}}},
                                                 .down = {.policies = {{Kind::percent, 10, 60s}}}}};
  HpaState state;
  hpa_scaled(state, policy, 5, 8, noon);
  hpa_scaled(state, policy, 8, 8, noon + 10s);
  EXPECT_EQ(state.ups, (std::vector<HpaEvent>{{noon, 3}}));
  hpa_scaled(state, policy, 8, 9, noon + 15s);
  EXPECT_EQ(state.ups, (std::vector<HpaEvent>{{noon, 3}, {noon + 15s, 1}})) << "not older than 15 s";
  hpa_scaled(state, policy, 9, 11, noon + 20s);
  EXPECT_EQ(state.ups, (std::vector<HpaEvent>{{noon + 20s, 2}, {noon + 15s, 1}}));
  hpa_scaled(state, policy, 11, 9, noon + 30s);
  hpa_scaled(state, policy, 9, 8, noon + 90s);
  EXPECT_EQ(state.downs, (std::vector<HpaEvent>{{noon + 30s, 2}, {noon + 90s, 1}}));
  hpa_scaled(state, policy, 8, 7, noon + 91s);
  EXPECT_EQ(state.downs, (std::vector<HpaEvent>{{noon + 91s, 1}, {noon + 90s, 1}}));
  EXPECT_EQ(state.ups.size(), 2U);
}

TEST(HpaLimits, a_step_down_counts_from_the_steps_up_that_are_still_stored) {
  const HpaPolicy policy{.min = 1,
                         .max = 100,
                         .behavior = HpaBehavior{.up = {.policies = {{Kind::pods, 4, 15s}}},
                                                 .down = {.policies = {{Kind::percent, 10, 60s}}}}};
  HpaState state;
  hpa_scaled(state, policy, 5, 8, noon);
  hpa_scaled(state, policy, 8, 10, noon + 20s);
  EXPECT_EQ(hpa_limit(state, policy, 10, 1, noon + 30s).replicas, 7);
}

}  // namespace hpa_limits_test
}  // namespace trunkline::autoscale
