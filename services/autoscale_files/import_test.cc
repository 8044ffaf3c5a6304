#include "services/autoscale_files/import.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "services/autoscale_files/policy_file.h"

namespace trunkline::autoscale {
namespace {

using std::chrono::seconds;

Imported one(std::string_view text) {
  const auto imported = import_policies(text, "f.yaml");
  if (imported) return imported->front();
  ADD_FAILURE() << imported.error().message;
  return {};
}

const NativePolicy& rules_of(const Imported& imported) { return std::get<NativePolicy>(imported.policy.rules); }

bool has_note(const Imported& imported, std::string_view words) {
  for (const std::string& note : imported.notes) {
    if (note.find(words) != std::string::npos) return true;
  }
  return false;
}

TEST(Import, makes_a_native_policy_of_an_hpa) {
  const Imported hpa = one(R"(
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: ws}
spec:
  minReplicas: 12
  maxReplicas: 60
  metrics:
  - type: Pods
    pods: {metric: {name: sockets}, target: {type: AverageValue, averageValue: 22}}
  - type: Resource
    resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}
  - type: External
    external: {metric: {name: avg_sockets}, target: {type: Value, value: 20}}
  behavior:
    scaleUp:
      stabilizationWindowSeconds: 30
      tolerance: "0.05"
      policies: [{type: Percent, value: 50, periodSeconds: 15}]
    scaleDown: {selectPolicy: Min}
)");
  EXPECT_EQ(hpa.from, "HorizontalPodAutoscaler ws");
  EXPECT_EQ(hpa.policy.name, "ws");
  const NativePolicy& rules = rules_of(hpa);
  EXPECT_EQ(rules.bounds, (Bounds{.min = 12, .max = 60}));
  ASSERT_EQ(rules.metrics.size(), 3u);
  EXPECT_EQ(rules.metrics[0].target, (MetricTarget{.value = 22}));
  EXPECT_EQ(rules.metrics[0].tolerance.up, 0.05);
  EXPECT_EQ(rules.metrics[0].tolerance.down, 0.1);
  EXPECT_EQ(rules.metrics[1].target.value, 0.6);
  EXPECT_EQ(rules.metrics[2].source, Source::external);
  EXPECT_EQ(rules.metrics[2].target.kind, MetricTarget::Kind::total);
  EXPECT_EQ(rules.up.stabilise, seconds(30));
  EXPECT_EQ(rules.up.policies, (std::vector<RatePolicy>{{RatePolicy::Kind::percent, 50, seconds(15)}}));
  EXPECT_EQ(rules.down.stabilise, seconds(300));
  EXPECT_EQ(rules.down.select, Select::min);
  EXPECT_FALSE(rules.fast.enabled);
  EXPECT_TRUE(has_note(hpa, "multiply it by the request"));
  EXPECT_FALSE(has_note(hpa, "metric sockets")) << "what is mapped exactly needs no note";
  const auto again = read_policies(print_policy(hpa.policy), "printed");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->front(), hpa.policy);
}

TEST(Import, makes_a_native_policy_of_kthena_s) {
  const Imported kthena = one(R"(
kind: AutoscalingPolicy
metadata: {name: llm}
spec:
  tolerancePercent: 20
  metrics: [{name: waiting, targetValue: 10}, {name: requests_total, targetValue: 5}]
  behavior: {scaleDown: {instances: 2, percent: 50, period: 1m, selectPolicy: And, stabilizationWindow: 2m}}
  homogeneousTarget: {target: {targetRef: {name: x}}, minReplicas: 1, maxReplicas: 9}
)");
  const NativePolicy& rules = rules_of(kthena);
  EXPECT_EQ(rules.metrics[0].tolerance.up, 0.2);
  EXPECT_EQ(rules.metrics[1].reading, Reading::rate);
  EXPECT_TRUE(has_note(kthena, "lifetime value"));
  EXPECT_EQ(rules.down.select, Select::min);
  EXPECT_EQ(rules.down.stabilise, seconds(120));
  EXPECT_EQ(rules.down.policies.size(), 2u);
  EXPECT_FALSE(rules.fast.enabled) << "a panic policy that is left out is off";
}

constexpr std::string_view scaled_object = R"(
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: q
  annotations: {autoscaling.keda.sh/paused-scale-in: "true"}
spec:
  scaleTargetRef: {name: worker}
  pollingInterval: 30
  cooldownPeriod: 120
  idleReplicaCount: 0
  minReplicaCount: 1
  maxReplicaCount: 20
  fallback: {failureThreshold: 3, replicas: 6, behavior: currentReplicasIfHigher}
  advanced:
    horizontalPodAutoscalerConfig:
      behavior: {scaleDown: {stabilizationWindowSeconds: 60}}
  triggers:
  - {type: prometheus, name: backlog, metadata: {query: sum(backlog), threshold: "5", activationThreshold: "2"}}
  - {type: cpu, metricType: Utilization, metadata: {value: "60"}}
  - {type: cron, metadata: {start: 0 8 * * *, end: 0 18 * * *, desiredReplicas: "10", timezone: UTC}}
)";

TEST(Import, keeps_what_wakes_each_kind_of_trigger) {
  const Imported keda = one(R"(
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: q}
spec:
  triggers:
  - {type: redis, name: jobs, metadata: {listName: jobs, listLength: "10", activationListLength: "50"}}
  - {type: redis-streams, name: lag, metadata: {stream: s, lagCount: "5", activationLagCount: "7"}}
  - {type: made-up, name: other, metadata: {value: "5", activationOfAnotherKind: "3"}}
)");
  const NativePolicy& rules = rules_of(keda);
  ASSERT_EQ(rules.metrics.size(), 3u);
  EXPECT_EQ(rules.metrics[0].activation, 50);
  EXPECT_EQ(rules.metrics[1].activation, 7);
  EXPECT_EQ(rules.metrics[2].activation, 0);
  EXPECT_TRUE(std::ranges::any_of(
      keda.notes, [](const std::string& note) { return note.find("activationOfAnotherKind") != std::string::npos; }));
}

TEST(Import, maps_what_maps_of_a_scaled_object_and_lists_the_rest_with_its_place) {
  const Imported keda = one(scaled_object);
  const NativePolicy& rules = rules_of(keda);
  EXPECT_EQ(rules.bounds, (Bounds{.min = 1, .max = 20}));
  EXPECT_EQ(rules.idle_before_zero, seconds(120));
  ASSERT_EQ(rules.metrics.size(), 2u);
  EXPECT_EQ(rules.metrics[0].name, "backlog");
  EXPECT_EQ(rules.metrics[0].source, Source::external);
  EXPECT_EQ(rules.metrics[0].target.value, 5);
  EXPECT_EQ(rules.metrics[0].activation, 2);
  EXPECT_EQ(rules.metrics[1].target.value, 0.6);
  EXPECT_EQ(rules.down.stabilise, seconds(60));
  EXPECT_EQ(rules.gaps.fallback.no_data, FallbackAction::replicas);
  EXPECT_EQ(rules.gaps.fallback.replicas, 6);
  EXPECT_FALSE(rules.gaps.fallback.may_lower);
  ASSERT_TRUE(keda.policy.pause);
  EXPECT_TRUE(keda.policy.pause->down);
  EXPECT_FALSE(keda.policy.pause->up);
  for (const std::string_view words : {"f.yaml:9:3: pollingInterval", "idleReplicaCount", "f.yaml:21:5: a cron trigger",
                                       "empty answer for 0", "failureThreshold"}) {
    EXPECT_TRUE(has_note(keda, words)) << words;
  }
}

TEST(Import, reads_several_documents_and_refuses_what_it_cannot_read) {
  std::string text(scaled_object);
  text += "---\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec: {maxReplicas: 3}\n";
  const auto both = import_policies(text, "f.yaml");
  ASSERT_TRUE(both) << both.error().message;
  EXPECT_EQ(both->size(), 2u);
  const auto wrong = import_policies("kind: ScaledObject\nspec: {maxReplicaCnt: 3, triggers: []}\n", "f.yaml");
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message.find("did you mean \"maxReplicaCount\"?"), std::string::npos)
      << wrong.error().message;
}

}  // namespace
}  // namespace trunkline::autoscale
