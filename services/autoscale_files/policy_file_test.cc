#include "services/autoscale_files/policy_file.h"

#include <gtest/gtest.h>

#include "services/autoscale_files/moment.h"

namespace trunkline::autoscale {
namespace policy_file_test {

using std::chrono::seconds;

std::string failure(std::string_view text) {
  const auto policies = read_policies(text, "p.yaml");
  return policies ? "no error" : policies.error().message;
}

Policy one(std::string_view text) {
  const auto policies = read_policies(text, "p.yaml");
  if (policies) return policies->front();
  ADD_FAILURE() << policies.error().message;
  return {};
}

void expect_round_trip(const Policy& policy) {
  const std::string printed = print_policy(policy);
  const auto again = read_policies(printed, "printed");
  ASSERT_TRUE(again) << again.error().message << "\n" << printed;
  EXPECT_EQ(again->front(), policy) << printed;
  EXPECT_EQ(print_policy(again->front()), printed);
}

constexpr std::string_view small_native = R"(
name: chat
bounds: {min: 2, max: 40}
metrics:
- name: active_streams
  target: {perPod: 20}
)";

TEST(NativePolicyFile, leaves_every_default_where_nothing_is_said) {
  Policy expected{.name = "chat"};
  NativePolicy rules;
  rules.bounds = {.min = 2, .max = 40};
  rules.metrics = {{.name = "active_streams", .target = {.value = 20}}};
  expected.rules = rules;
  EXPECT_EQ(one(small_native), expected);
  expect_round_trip(expected);
}

TEST(NativePolicyFile, reads_every_field) {
  const Policy policy = one(R"(
name: all
compat: native
dryRun: true
pause: {up: false, down: true, until: "2026-11-21T15:00:00+01:00", owner: release}
bounds: {activation: 2}
metrics:
- name: latency
  source: pods
  read: quantile
  window: 2m
  quantile: 0.99
  minObservations: 50
  series: max
  across: percentile
  percentile: 0.9
  target: {total: 250m}
  tolerance: {up: 0.2, down: 0.3, absolute: 1, hysteresis: 0.25}
  averageOver: 30s
  activation: 5
- name: streams
  read: rate
  target: {band: {low: 10, high: 1k}}
- name: waiting
  source: external
  target: {perPod: 1}
- name: errors
  veto: {up: true, down: false, above: 0.05}
gaps:
  fresh: 10s
  carry: 1m
  minCoverage: 0.8
  fallback: {noData: maxOfLast, denied: replicas, window: 5m, maxHold: 1h, replicas: 4, mayLower: true}
pods: {startupDeadline: 1m, replaceDead: 2, countTerminatingDemand: false, capSurge: false}
fast: {enabled: false, window: 3s, threshold: 1.5, hold: 2m, percent: 50, replicas: 3}
up: {stabilise: 30s, select: min, policies: [{pods: 5, period: 15s}, {percent: 50, period: 30s}]}
down: {stabilise: 10m, select: off, policies: []}
drain: {rankBy: streams, waitForVictims: true, deadline: 5m, maxDisrupted: 10}
flaps: {reversals: 2, window: 30m, longest: 2h}
idleBeforeZero: 1m
targets: [{name: a, cost: 10, min: 0, max: 4}, {name: b, cost: 2.5, min: 0, max: 5}]
costExpansionPercent: 100
)");
  const auto& rules = std::get<NativePolicy>(policy.rules);
  EXPECT_TRUE(policy.dry_run);
  EXPECT_EQ(policy.pause->until, *read_moment("2026-11-21T14:00:00Z"));
  ASSERT_EQ(rules.metrics.size(), 4u);
  EXPECT_EQ(rules.metrics[0].target.kind, MetricTarget::Kind::total);
  EXPECT_EQ(rules.metrics[0].target.value, 0.25);
  EXPECT_EQ(rules.metrics[1].target.kind, MetricTarget::Kind::band);
  EXPECT_EQ(rules.metrics[1].target.low, 10);
  EXPECT_EQ(rules.metrics[1].target.value, 1000);
  EXPECT_TRUE(rules.metrics[3].veto->up);
  EXPECT_EQ(rules.up.policies[1], (RatePolicy{RatePolicy::Kind::percent, 50, seconds(30)}));
  EXPECT_EQ(rules.down.select, Select::off);
  EXPECT_TRUE(rules.down.policies.empty());
  EXPECT_EQ(rules.gaps.fallback.max_hold, seconds(3600));
  EXPECT_EQ(rules.targets[1].cost, 2.5);
  expect_round_trip(policy);
}

TEST(NativePolicyFile, starts_from_a_preset_and_changes_what_is_said_besides) {
  const Policy policy =
      one("preset: {websocket: {metric: sockets, perPod: 22}}\nbounds: {min: 12, max: 60}\n"
          "down: {stabilise: 1h}\n");
  NativePolicy expected = websocket_preset("sockets", 22, {.min = 12, .max = 60});
  expected.down.stabilise = seconds(3600);
  EXPECT_EQ(std::get<NativePolicy>(policy.rules), expected);
  EXPECT_EQ(policy.name, "native");
}

TEST(NativePolicyFile, says_where_and_what_is_wrong) {
  const struct {
    std::string_view text;
    std::string_view message;
  } cases[] = {
      {"metrics:\n- name: m\n  target: {perPood: 2}\n",
       "p.yaml:3:12: metrics[0].target.perPood: there is no such field, did you mean \"perPod\"?"},
      {"metrics:\n- name: m\n  target: {perPod: 2, total: 3}\n",
       "p.yaml:3:11: metrics[0].target: needs exactly one of perPod, total and band"},
      {"metrics:\n- name: m\n  target: {perPod: 0}\n",
       "p.yaml:3:20: metrics[0].target.perPod: expected a number above 0, got \"0\""},
      {"bounds: {min: 5, max: 4}\nmetrics: [{name: m, target: {perPod: 1}}]\n",
       "p.yaml:1:15: bounds.min: must not be larger than max"},
      {"metrics: [{name: m, target: {perPod: 1}}]\ngaps: {carry: 30}\nup: {policies: [{pods: 1, percent: 3}]}\n",
       "p.yaml:3:17: up.policies[0]: needs either pods or percent"},
      {"bounds: {max: 4}\nmetrics: [{name: m, target: {perPod: 1}}]\ntargets: [{name: a, max: 3}]\n",
       "p.yaml:1:9: bounds: min and max are said of each target here; of the total there are none"},
      {"bounds: {max: 4}\n", "p.yaml:1:1: metrics: a policy needs at least one metric"},
      {"kind: ScaledObject\n",
       "p.yaml:1:7: kind: expected HorizontalPodAutoscaler, AutoscalingPolicy or "
       "AutoscalingPolicyBinding, or no kind at all for the native form; trunkline autoscale "
       "import reads ScaledObject"},
      {"", "p.yaml: holds no policy"},
      {"compat: hpa\nmetrics: [{name: m, target: {perPod: 1}}]\n",
       "p.yaml:1:9: compat: this document is of the form native"},
  };
  for (const auto& one : cases) EXPECT_NE(failure(one.text).find(one.message), std::string::npos) << failure(one.text);
}

constexpr std::string_view hpa = R"(
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: shop, uid: 1-2-3, managedFields: [{x: y}]}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 2
  maxReplicas: 50
  metrics:
  - type: Resource
    resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}
  - type: ContainerResource
    containerResource: {name: memory, container: app, target: {type: AverageValue, averageValue: 1Gi}}
  - type: Pods
    pods: {metric: {name: sockets}, target: {type: AverageValue, averageValue: 15k}}
  - type: Object
    object: {describedObject: {kind: Ingress, name: i}, metric: {name: hits}, target: {type: Value, value: "20"}}
  - type: External
    external: {metric: {name: queue, selector: {matchLabels: {a: b}}}, target: {type: AverageValue, averageValue: 250m}}
  behavior:
    scaleUp:
      stabilizationWindowSeconds: 30
      selectPolicy: Min
      tolerance: "0.05"
      policies: [{type: Pods, value: 5, periodSeconds: 15}, {type: Percent, value: 50, periodSeconds: 60}]
    scaleDown: {selectPolicy: Disabled}
status: {currentReplicas: 3}
)";

TEST(HpaManifest, is_read_as_it_is) {
  const Policy policy = one(hpa);
  const auto& rules = std::get<HpaPolicy>(policy.rules);
  EXPECT_EQ(policy.name, "web");
  EXPECT_EQ(compat_of(policy), "hpa");
  ASSERT_EQ(rules.metrics.size(), 5u);
  EXPECT_EQ(rules.metrics[0].value, 60);
  EXPECT_EQ(rules.metrics[1].container, "app");
  EXPECT_EQ(rules.metrics[1].value, 1073741824);
  EXPECT_EQ(rules.metrics[2].value, 15000);
  EXPECT_EQ(rules.metrics[3].target, HpaMetric::TargetType::value);
  EXPECT_EQ(rules.metrics[4].value, 0.25);
  EXPECT_EQ(rules.behavior->up.tolerance, 0.05);
  EXPECT_EQ(rules.behavior->up.stabilization, seconds(30));
  EXPECT_EQ(rules.behavior->up.policies.size(), 2u);
  EXPECT_EQ(rules.behavior->down.select, HpaSelect::disabled);
  EXPECT_TRUE(rules.behavior->down.policies.empty());
  EXPECT_FALSE(rules.behavior->down.stabilization);
  expect_round_trip(policy);
}

TEST(HpaManifest, has_kubernetes_defaults) {
  const Policy policy = one("kind: HorizontalPodAutoscaler\nspec: {maxReplicas: 3, metrics: []}\n");
  EXPECT_EQ(std::get<HpaPolicy>(policy.rules), (HpaPolicy{.max = 3}));
  expect_round_trip(policy);
}

TEST(HpaManifest, refuses_what_the_api_server_would) {
  const auto spec = [](std::string_view metric) {
    return failure("kind: HorizontalPodAutoscaler\nspec:\n  maxReplicas: 3\n  metrics:\n  - " + std::string(metric) +
                   "\n");
  };
  EXPECT_NE(spec("{type: Pods, pods: {metric: {name: m}, target: {type: Value, value: 1}}}").find("AverageValue"),
            std::string::npos);
  EXPECT_NE(spec("{type: Pods, resource: {name: cpu}}").find("needs the block pods"), std::string::npos);
  EXPECT_NE(spec("{type: Resource, resource: {name: cpu, target: {type: Utilization, value: 3}}}")
                .find("needs averageUtilization"),
            std::string::npos);
  EXPECT_NE(failure("kind: HorizontalPodAutoscaler\napiVersion: autoscaling/v1\nspec: {maxReplicas: 3}\n").find("2:13"),
            std::string::npos);
}

constexpr std::string_view kthena = R"(
kind: AutoscalingPolicy
metadata: {name: llm}
spec:
  tolerancePercent: 5
  metrics: [{name: waiting, targetValue: 10}, {name: rps, targetValue: "0.5"}]
  behavior:
    scaleUp: {panicPolicy: {period: 5s}}
---
kind: AutoscalingPolicyBinding
metadata: {name: b}
spec:
  policyRef: {name: llm}
  homogeneousTarget:
    target:
      targetRef: {kind: ModelServing, name: x}
      metricSources: {rps: {prometheus: {serverURL: "http://p", query: q}}, waiting: {pod: {port: 8000}}}
    minReplicas: 0
    maxReplicas: 7
)";

TEST(KthenaManifest, is_read_with_its_binding_and_both_sets_of_defaults) {
  const Policy policy = one(kthena);
  const auto& rules = std::get<KthenaPolicy>(policy.rules);
  EXPECT_EQ(rules.min, 0);
  EXPECT_EQ(rules.max, 7);
  EXPECT_FALSE(rules.metrics[0].external);
  EXPECT_TRUE(rules.metrics[1].external);
  // Left out: what the webhook writes.
  EXPECT_EQ(rules.down, (KthenaStable{.instances = 0, .period = seconds(60), .stabilization = seconds(300)}));
  EXPECT_EQ(rules.up, (KthenaStable{.instances = 4, .period = seconds(60)}));
  // Written in part: what the CRD says.
  EXPECT_EQ(rules.panic, (KthenaPanic{.period = seconds(5)}));
  expect_round_trip(policy);
}

TEST(KthenaManifest, reads_several_targets_and_roles) {
  const Policy hetero = one(R"(
kind: AutoscalingPolicy
metadata: {name: h}
spec:
  metrics: [{metricName: load, targetValue: 1}]
  heterogeneousTarget:
    params:
    - {target: {targetRef: {name: a}}, cost: 10, minReplicas: 1, maxReplicas: 5}
    - {target: {targetRef: {name: b}}, cost: 20, minReplicas: 2, maxReplicas: 4}
    costExpansionRatePercent: 100
)");
  const auto& rules = std::get<KthenaPolicy>(hetero.rules);
  EXPECT_EQ(rules.min, 3);
  EXPECT_EQ(rules.max, 9);
  EXPECT_EQ(rules.targets[1], (TargetCost{"b", 20, 2, 4}));
  expect_round_trip(hetero);

  const Policy roles = one(R"(
kind: AutoscalingPolicy
metadata: {name: pd}
spec:
  metrics: [{name: shared, targetValue: 2}]
  disaggregatedTarget:
    targetRef: {name: x}
    roles:
      prefill:
        minReplicas: 1
        maxReplicas: 8
        metrics: [{name: rps, targetValue: "0.5"}]
        metricSources: {rps: {prometheus: {}}}
      decode: {minReplicas: 1, maxReplicas: 16}
    ratioConstraint: {numeratorRole: prefill, denominatorRole: decode, minRatio: "0.25"}
)");
  const auto& split = std::get<KthenaPolicy>(roles.rules);
  ASSERT_EQ(split.roles.size(), 2u);
  ASSERT_EQ(split.metrics.size(), 2u);
  EXPECT_EQ(split.metrics[1].role, "prefill");
  EXPECT_TRUE(split.metrics[1].external);
  EXPECT_EQ(split.ratio->min, 0.25);
  expect_round_trip(roles);
}

TEST(KthenaManifest, needs_a_target_somewhere) {
  EXPECT_NE(failure("kind: AutoscalingPolicy\nmetadata: {name: a}\nspec: {metrics: [{name: m, targetValue: 1}]}\n")
                .find("needs exactly one of homogeneousTarget"),
            std::string::npos);
  EXPECT_NE(failure("kind: AutoscalingPolicyBinding\nspec: {policyRef: {name: a}}\n").find("not in this file"),
            std::string::npos);
}

TEST(PolicyFile, takes_a_list_of_kubernetes_apart) {
  const auto policies = read_policies(
      "kind: List\nitems:\n- {kind: HorizontalPodAutoscaler, spec: {maxReplicas: 3}}\n"
      "- {kind: HorizontalPodAutoscaler, spec: {maxReplicas: 4}}\n",
      "p.yaml");
  ASSERT_TRUE(policies);
  EXPECT_EQ(policies->size(), 2u);
}

TEST(Moment, reads_rfc_3339_and_seconds) {
  const auto at = [](std::string_view text) {
    const auto moment = read_moment(text);
    return moment ? std::chrono::duration_cast<seconds>(moment->time_since_epoch()).count() : -1;
  };
  EXPECT_EQ(at("1970-01-02T00:00:01Z"), 86401);
  EXPECT_EQ(at("2026-11-21T15:00:00-07:30"), at("2026-11-21T22:30:00Z"));
  EXPECT_EQ(at("1764000000"), 1764000000);
  for (const std::string_view wrong : {"", "2026-02-30T00:00:00Z", "2026-11-21 15:00:00Z", "2026-11-21T15:00:00",
                                       "2026-11-21T25:00:00Z", "-1", "9e9", "tomorrow"}) {
    EXPECT_EQ(at(wrong), -1) << wrong;
  }
}

}  // namespace policy_file_test
}  // namespace trunkline::autoscale
