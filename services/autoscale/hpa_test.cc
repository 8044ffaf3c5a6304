#include "services/autoscale/hpa.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "services/autoscale/engine.h"

namespace trunkline::autoscale {
namespace hpa_test {

using namespace std::chrono_literals;
using Type = HpaMetric::Type;
using Target = HpaMetric::TargetType;

const TimePoint noon{std::chrono::hours(12)};

HpaMetric cpu(double percent) { return {.type = Type::resource, .name = "cpu", .value = percent}; }

Snapshot with_cpu(int current, const std::vector<double>& milli) {
  Snapshot snapshot{.current = current};
  for (const double value : milli) {
    snapshot.pods.push_back({.name = "pod-" + std::to_string(snapshot.pods.size()),
                             .samples = {{.metric = "cpu", .value = value / 1000}},
                             .requests = {{.container = "app", .resource = "cpu", .amount = 1}}});
  }
  return snapshot;
}

Snapshot outside(int current, double milli, std::size_t pods = 3) {
  Snapshot snapshot = with_cpu(current, std::vector<double>(pods, 0));
  snapshot.external = {{.metric = "queue", .value = milli / 1000}};
  return snapshot;
}
HpaMetric queue(Type type, Target target, double milli) {
  return {.type = type, .name = "queue", .target = target, .value = milli / 1000};
}

// Nothing holds a step down unless a test says so.
HpaPolicy policy_of(int min, int max, std::vector<HpaMetric> metrics) {
  return {.min = min, .max = max, .metrics = std::move(metrics), .downscale_stabilization = 0s};
}

std::string condition(const Decision& decision, std::string_view type) {
  const auto found = std::ranges::find(decision.conditions, type, &Condition::type);
  if (found == decision.conditions.end()) return "";
  return std::string(to_string(found->status)) + " " + found->reason;
}
bool has_event(const Decision& decision, std::string_view reason) {
  return std::ranges::count(decision.events, reason, &Event::reason) > 0;
}

struct Scenario {
  const char* name;
  HpaPolicy policy;
  Snapshot snapshot;
  int expected;
  const char* able;
  const char* active;
  const char* limited;
  const char* event = "";
};

Snapshot one_unready() {
  Snapshot snapshot = with_cpu(3, {300, 500, 700});
  snapshot.pods[0].state = PodState::unready;
  return snapshot;
}
Snapshot hot() {
  Snapshot snapshot = with_cpu(3, {400, 500, 700});
  snapshot.pods[1].state = snapshot.pods[2].state = PodState::unready;
  return snapshot;
}
Snapshot silent(int current, std::vector<double> milli, std::size_t from) {
  Snapshot snapshot = with_cpu(current, milli);
  for (std::size_t i = from; i < snapshot.pods.size(); ++i) snapshot.pods[i].samples.clear();
  return snapshot;
}
Snapshot at_zero(double milli) {
  Snapshot snapshot = outside(0, milli, 0);
  snapshot.scaled_to_zero = true;
  return snapshot;
}
HpaPolicy seven_hundred_percent(int max) {
  HpaPolicy policy = policy_of(1, max, {cpu(10)});
  policy.behavior = HpaBehavior{.up = {.policies = {{HpaScalingPolicy::Type::percent, 700, 60s}}}};
  return policy;
}

TEST(Hpa, scenarios_end_with_the_replicas_conditions_and_events_of_the_original) {
  const char* const rescaled = "True SucceededRescale";
  const char* const ready = "True ReadyForNewScale";
  const char* const valid = "True ValidMetricFound";
  const char* const within = "False DesiredWithinRange";
  const auto mixed = [](double target) {
    return policy_of(1, 10, {cpu(target), queue(Type::external, Target::value, 1000)});
  };
  const std::vector<Scenario> scenarios = {
      {"scale up", policy_of(2, 6, {cpu(30)}), with_cpu(3, {300, 500, 700}), 5, rescaled, valid, within,
       "SuccessfulRescale"},
      {"scale up with one unready", policy_of(2, 6, {cpu(30)}), one_unready(), 4, rescaled, valid, within},
      {"hot pods that are not ready", policy_of(2, 6, {cpu(30)}), hot(), 3, ready, valid, within},
      {"object from zero", policy_of(0, 6, {queue(Type::object, Target::value, 15000)}), at_zero(20000), 2, rescaled,
       valid, within},
      {"from zero there is no tolerance", policy_of(0, 6, {queue(Type::object, Target::value, 1000)}), at_zero(1000), 1,
       rescaled, valid, within},
      {"object per pod", policy_of(2, 6, {queue(Type::object, Target::average_value, 10000)}), outside(3, 40000), 4,
       rescaled, valid, within},
      {"external", policy_of(2, 6, {queue(Type::external, Target::value, 6666)}), outside(3, 8600), 4, rescaled, valid,
       within},
      {"external per pod", policy_of(2, 6, {queue(Type::external, Target::average_value, 2222)}), outside(3, 8600), 4,
       rescaled, valid, within},
      {"scale down", policy_of(2, 6, {cpu(50)}), with_cpu(5, {100, 300, 500, 250, 250}), 3, rescaled, valid, within},
      {"to zero", policy_of(0, 6, {queue(Type::external, Target::value, 1000)}), outside(3, 0), 0, rescaled, valid,
       within},
      {"switched off", policy_of(2, 6, {cpu(30)}), with_cpu(0, {}), 0, "True SucceededGetScale",
       "False ScalingDisabled", ""},
      {"too few", policy_of(3, 5, {cpu(30)}), with_cpu(2, {}), 3, rescaled, "", ""},
      {"too many", policy_of(2, 5, {cpu(30)}), with_cpu(10, {}), 5, rescaled, "", ""},
      {"missing ones damp", policy_of(2, 6, {cpu(100)}), silent(4, {400, 95, 0, 0}, 2), 3, rescaled, valid, within},
      {"nothing known", policy_of(2, 6, {cpu(100)}), silent(4, {0, 0, 0, 0}, 0), 4, "True SucceededGetScale",
       "False FailedGetResourceMetric", "", "FailedGetResourceMetric"},
      {"at most double", policy_of(1, 100, {cpu(10)}), with_cpu(3, {1000, 2000, 3000}), 6, rescaled, valid,
       "True ScaleUpLimit"},
      {"a rate of 700 percent", seven_hundred_percent(100), with_cpu(3, {1000, 2000, 3000}), 24, rescaled, valid,
       "True ScaleUpLimit"},
      {"the maximum before the rate", seven_hundred_percent(20), with_cpu(3, {1000, 2000, 3000}), 20, rescaled, valid,
       "True TooManyReplicas"},
      {"the minimum", policy_of(4, 10, {cpu(50)}), with_cpu(5, {10, 10, 10, 10, 10}), 4, rescaled, valid,
       "True TooFewReplicas"},
      {"one of two invalid, down", mixed(50), with_cpu(5, {100, 300, 500, 250, 250}), 5, "True SucceededGetScale",
       "False FailedGetExternalMetric", "", "FailedComputeMetricsReplicas"},
      {"one of two invalid, up", mixed(40), with_cpu(3, {300, 500, 700}), 4, rescaled, valid, within,
       "FailedGetExternalMetric"},
  };
  for (const Scenario& scenario : scenarios) {
    State state;
    const Decision decision = decide(state, scenario.snapshot, {.rules = scenario.policy}, noon);
    EXPECT_EQ(decision.desired, scenario.expected) << scenario.name;
    EXPECT_EQ(condition(decision, "AbleToScale"), scenario.able) << scenario.name;
    EXPECT_EQ(condition(decision, "ScalingActive"), scenario.active) << scenario.name;
    EXPECT_EQ(condition(decision, "ScalingLimited"), scenario.limited) << scenario.name;
    EXPECT_TRUE(*scenario.event == '\0' || has_event(decision, scenario.event)) << scenario.name;
    const bool holds = decision.stages.size() == 1 && std::string_view(scenario.active).starts_with("False Failed");
    EXPECT_EQ(has_event(decision, "FailedComputeMetricsReplicas"), holds) << scenario.name;
  }
}

TEST(Hpa, what_there_was_at_the_start_holds_for_one_window) {
  HpaPolicy policy = policy_of(2, 6, {cpu(50)});
  policy.downscale_stabilization = 300s;
  const Snapshot low = with_cpu(5, {100, 300, 500, 250, 250});
  State state;
  const Decision first = decide(state, low, {.rules = policy}, noon);
  EXPECT_EQ(first.desired, 5);
  EXPECT_EQ(condition(first, "AbleToScale"), "True ScaleDownStabilized");
  EXPECT_EQ(decide(state, low, {.rules = policy}, noon + 300s).desired, 5);
  EXPECT_EQ(decide(state, low, {.rules = policy}, noon + 301s).desired, 3);
}

TEST(Hpa, pods_of_two_autoscalers_are_left_alone) {
  Snapshot snapshot = with_cpu(3, {900, 900, 900});
  snapshot.ambiguous = true;
  State state;
  const Decision decision = decide(state, snapshot, {.rules = policy_of(1, 10, {cpu(30)})}, noon);
  EXPECT_EQ(decision.desired, 3);
  EXPECT_EQ(condition(decision, "ScalingActive"), "False AmbiguousSelector");
  EXPECT_TRUE(has_event(decision, "FailedComputeMetricsReplicas"));
  // The bounds are seen to first: there the pods do not matter.
  snapshot.current = 12;
  EXPECT_EQ(decide(state, snapshot, {.rules = policy_of(1, 10, {cpu(30)})}, noon + 15s).desired, 10);
}

TEST(Hpa, what_it_did_counts_against_the_rate_of_what_it_does_next) {
  HpaPolicy policy = policy_of(1, 100, {cpu(10)});
  policy.behavior = HpaBehavior{.up = {.policies = {{HpaScalingPolicy::Type::pods, 4, 60s}}}};
  State state;
  EXPECT_EQ(decide(state, with_cpu(3, {900, 900, 900}), {.rules = policy}, noon).desired, 7);
  const Snapshot seven = with_cpu(7, std::vector<double>(7, 900));
  EXPECT_EQ(decide(state, seven, {.rules = policy}, noon + 59s).desired, 7);
  EXPECT_EQ(decide(state, seven, {.rules = policy}, noon + 60s).desired, 11);
}

TEST(Hpa, a_pause_holds_what_would_have_changed_and_records_no_change) {
  State state;
  const Policy policy{.rules = policy_of(1, 10, {cpu(30)}), .pause = Pause{}};
  const Decision decision = decide(state, with_cpu(3, {300, 500, 700}), policy, noon);
  EXPECT_EQ(decision.desired, 3);
  EXPECT_EQ(decision.stages.back().stage, "pause");
  EXPECT_FALSE(has_event(decision, "SuccessfulRescale"));
}

}  // namespace hpa_test
}  // namespace trunkline::autoscale
