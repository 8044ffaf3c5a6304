#include "services/autoscale_files/lint.h"

#include <gtest/gtest.h>

namespace trunkline::autoscale {
namespace lint_test {

std::string codes(std::string_view text, const LintSettings& settings = {}) {
  Linter linter(settings);
  const auto findings = linter.lint(text, "f.yaml");
  if (!findings) return findings.error().message;
  std::string out;
  for (const Finding& finding : *findings) {
    out += (out.empty() ? "" : " ") + finding.code + "@" + std::to_string(finding.place.line);
    EXPECT_FALSE(finding.why.empty());
    EXPECT_FALSE(finding.cure.empty());
  }
  return out;
}

std::string native(std::string_view metric, std::string_view rest = "") {
  return "metrics:\n- " + std::string(metric) + "\n" + std::string(rest);
}

std::string hpa(std::string_view metric, std::string_view behavior = "{}") {
  return "kind: HorizontalPodAutoscaler\nspec:\n  maxReplicas: 5\n  metrics:\n  - " + std::string(metric) +
         "\n  behavior: " + std::string(behavior) + "\n";
}

TEST(Lint, finds_nothing_wrong_with_what_is_right) {
  EXPECT_EQ(codes(native("{name: streams, target: {perPod: 20}}")), "");
  EXPECT_EQ(codes("preset: {websocket: {metric: streams, perPod: 22}}\nbounds: {min: 2, max: 9}\n"), "");
  EXPECT_EQ(codes(hpa("{type: Pods, pods: {metric: {name: streams}, target: {type: AverageValue, averageValue: 20}}}")),
            "");
  EXPECT_EQ(codes(native("{name: errors, veto: {above: 5}}\n- {name: streams, target: {perPod: 1}}")), "")
      << "a veto is where errors belong";
}

TEST(Lint, finds_each_bad_pattern_at_its_place) {
  const struct {
    std::string text;
    std::string_view expected;
  } cases[] = {
      {native("{name: requests_total, target: {perPod: 5}}"), "counter-as-gauge@2"},
      {native("{name: http_5xx, target: {perPod: 5}}"), "errors-as-load@2"},
      {native("{name: ttft_p95, target: {perPod: 5}}"), "sum-of-quantiles@2"},
      {native("{name: requests_total, read: rate, window: 20s, target: {perPod: 5}}"), "short-window@2"},
      {native("{name: avg_sockets, source: external, target: {total: 20}}"), "average-times-replicas@2"},
      {native("{name: m, target: {perPod: 1}, tolerance: {up: 0, down: 0, hysteresis: 0}}"), "no-tolerance@2"},
      {native("{name: m, target: {perPod: 1}}", "down: {stabilise: 20s}\n"), "short-stabilisation@3"},
      {native("{name: m, target: {perPod: 1}}", "gaps: {fresh: 5s}\n"), "never-fresh@3"},
      {native("{name: m, target: {perPod: 1}}", "gaps: {carry: 0s}\n"), "no-carry@3"},
      {native("{name: m, target: {perPod: 1}}", "bounds: {min: 0, max: 3}\n"), "no-wake-signal@3"},
      {native("{name: m, target: {perPod: 1}}", "gaps: {fallback: {mayLower: true}}\n"), "fallback-lowers@3"},
      {hpa("{type: External, external: {metric: {name: avg_ws}, target: {type: Value, value: 20}}}"),
       "average-times-replicas@5"},
      {hpa("{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}",
           "{scaleDown: {stabilizationWindowSeconds: 15}}"),
       "short-stabilisation@6"},
      {"kind: ScaledObject\nspec:\n  triggers:\n  - {type: prometheus, metadata: {threshold: 5,\n"
       "      query: avg(x) or vector(0), ignoreNullValues: 'false'}}\n  fallback: {failureThreshold: 3, replicas: "
       "3}\n",
       "zero-for-unknown@5 average-query@5"},
      {"kind: ScaledObject\nspec:\n  triggers:\n  - {type: prometheus, metadata: {threshold: 5, query: sum(x)}}\n",
       "zero-for-unknown@4 no-fallback@3"},
      {"kind: AutoscalingPolicy\nspec:\n  tolerancePercent: 10\n  metrics: [{name: m, targetValue: 1}]\n  behavior: "
       "{}\n"
       "  homogeneousTarget: {maxReplicas: 4}\n",
       "tolerance-without-effect@3 panic-is-off@5"},
  };
  for (const auto& one : cases) EXPECT_EQ(codes(one.text), one.expected) << one.text;
}

TEST(Lint, sees_two_autoscalers_of_one_target_over_files) {
  Linter linter({});
  const std::string_view first =
      "kind: HorizontalPodAutoscaler\nmetadata: {name: a}\n"
      "spec: {maxReplicas: 3, scaleTargetRef: {kind: Deployment, name: web}}\n";
  const std::string_view second =
      "kind: ScaledObject\nspec: {scaleTargetRef: {name: web}, fallback: {replicas: 2}, triggers: [{type: cpu, "
      "metadata: {value: 60}}]}\n";
  EXPECT_TRUE(linter.lint(first, "a.yaml")->empty());
  const auto found = linter.lint(second, "b.yaml");
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_EQ(found->size(), 1u);
  EXPECT_EQ(found->front().code, "two-autoscalers");
  EXPECT_NE(found->front().why.find("a.yaml:3"), std::string::npos);
  EXPECT_TRUE(print(found->front()).starts_with("b.yaml:2:24: two-autoscalers: ")) << print(found->front());
}

TEST(Lint, compares_the_servers_keep_alive_with_the_interval) {
  const LintSettings settings{.server_keep_alive = std::chrono::seconds(5)};
  EXPECT_EQ(codes(native("{name: m, target: {perPod: 1}}"), settings), "keep-alive-under-interval@1");
}

TEST(Lint, calls_what_does_not_read_an_error) {
  EXPECT_NE(codes("metrics: 5\n").find("expected a list"), std::string::npos);
}

}  // namespace lint_test
}  // namespace trunkline::autoscale
