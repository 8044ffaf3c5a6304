#include "services/autoscale_files/import.h"

#include <algorithm>

#include "services/autoscale_files/keda_manifest.h"
#include "services/autoscale_files/policy_file.h"
#include "services/config/number.h"

namespace trunkline::autoscale {
namespace {

using std::chrono::seconds;

Direction direction_from(const HpaRules& rules, const Direction& usual, seconds window) {
  Direction out = usual;
  out.stabilise = rules.stabilization.value_or(window);
  out.select = rules.select == HpaSelect::max   ? Select::max
               : rules.select == HpaSelect::min ? Select::min
                                                : Select::off;
  if (rules.policies.empty()) return out;
  out.policies.clear();
  for (const HpaScalingPolicy& policy : rules.policies) {
    const bool pods = policy.type == HpaScalingPolicy::Type::pods;
    out.policies.push_back(
        {pods ? RatePolicy::Kind::pods : RatePolicy::Kind::percent, static_cast<double>(policy.value), policy.period});
  }
  return out;
}

MetricPolicy metric_from(const HpaMetric& metric, std::vector<std::string>& notes) {
  using Type = HpaMetric::Type;
  MetricPolicy out{.name = metric.name};
  out.target.value = metric.value;
  if (metric.type == Type::object || metric.type == Type::external) {
    out.source = Source::external;
    if (metric.target == HpaMetric::TargetType::value) out.target.kind = MetricTarget::Kind::total;
    notes.push_back("metric " + metric.name +
                    ": the query behind it is the metrics adapter's; the native policy needs "
                    "the value under this name from an external source");
  }
  if (metric.target == HpaMetric::TargetType::utilization) {
    out.target.value = metric.value / 100;
    notes.push_back("metric " + metric.name +
                    ": utilisation is a part of what pods request, which the native policy "
                    "does not know; target.perPod " +
                    config::print_number(out.target.value) +
                    " is right for a request of 1, multiply it by the request");
  }
  if (metric.type == Type::container_resource) {
    notes.push_back("metric " + metric.name + ": only the container " + metric.container +
                    " counted; the native policy adds up all series of a pod");
  }
  return out;
}

RatePolicy pods_a_period(int pods, seconds period) {
  return {RatePolicy::Kind::pods, static_cast<double>(pods), period};
}
RatePolicy percent_a_period(int percent, seconds period) {
  return {RatePolicy::Kind::percent, static_cast<double>(percent), period};
}

Direction direction_from(const KthenaStable& stable) {
  Direction out{.stabilise = stable.stabilization};
  if (stable.select == KthenaSelect::both) out.select = Select::min;
  if (stable.period > seconds(0) && stable.select != KthenaSelect::unknown) {
    out.policies = {pods_a_period(stable.instances, stable.period), percent_a_period(stable.percent, stable.period)};
  }
  return out;
}

MetricPolicy metric_from(const KthenaMetric& metric, double tolerance, std::vector<std::string>& notes) {
  MetricPolicy out{.name = metric.name};
  out.target.value = metric.target;
  out.tolerance.up = out.tolerance.down = tolerance;
  if (metric.external) out.source = Source::external;
  if (metric.kind == KthenaMetric::Kind::counter || (!metric.external && metric.name.ends_with("_total"))) {
    out.reading = Reading::rate;
    notes.push_back("metric " + metric.name +
                    ": kthena takes a counter's lifetime value for load; here it is a rate a "
                    "second, and the target must be one too");
  }
  if (metric.kind == KthenaMetric::Kind::histogram) {
    out.reading = Reading::quantile;
    out.target.kind = MetricTarget::Kind::total;
    notes.push_back("metric " + metric.name +
                    ": kthena adds up each pod's 95th percentile; here it is the percentile "
                    "over all pods, held at the target");
  }
  return out;
}

}  // namespace

Imported native_from(const HpaPolicy& hpa) {
  Imported out;
  NativePolicy rules;
  rules.bounds = {.min = hpa.min, .max = hpa.max};
  rules.fast.enabled = false;  // there is no such thing in an HPA
  const HpaBehavior behavior = hpa.behavior.value_or(HpaBehavior{});
  rules.up = direction_from(behavior.up, rules.up, seconds(0));
  rules.down = direction_from(behavior.down, rules.down, hpa.downscale_stabilization);
  for (const HpaMetric& metric : hpa.metrics) {
    MetricPolicy native = metric_from(metric, out.notes);
    native.tolerance.up = behavior.up.tolerance.value_or(hpa.tolerance);
    native.tolerance.down = behavior.down.tolerance.value_or(hpa.tolerance);
    rules.metrics.push_back(std::move(native));
  }
  out.policy.rules = std::move(rules);
  return out;
}

Imported native_from(const KthenaPolicy& kthena) {
  Imported out;
  NativePolicy rules;
  rules.bounds = {.min = kthena.min, .max = std::max(1, kthena.max)};
  for (const KthenaMetric& metric : kthena.metrics) {
    rules.metrics.push_back(metric_from(metric, kthena.tolerance_percent / 100.0, out.notes));
    if (!metric.role.empty())
      out.notes.push_back("metric " + metric.name + ": it was the role " + metric.role + "'s own");
  }
  rules.up = direction_from(kthena.up);
  rules.down = direction_from(kthena.down);
  rules.fast.enabled = kthena.panic.hold > seconds(0);
  rules.fast.threshold = kthena.panic.threshold_percent / 100.0;
  rules.fast.hold = std::max(seconds(1), kthena.panic.hold);
  rules.fast.percent = kthena.panic.percent;
  rules.fast.replicas = 0;
  rules.targets = kthena.targets;
  rules.cost_expansion_percent = kthena.cost_expansion_percent;
  if (!kthena.roles.empty()) {
    out.notes.emplace_back("roles and their ratio have no native counterpart: run the AutoscalingPolicy as it is");
    int min = 0;
    int max = 0;
    for (const KthenaRole& role : kthena.roles) {
      min += role.min;
      max += role.max;
    }
    rules.bounds = {.min = min, .max = std::max(1, max)};
  }
  out.policy.rules = std::move(rules);
  return out;
}

Result<std::vector<Imported>> import_policies(std::string_view text, std::string_view file) {
  const auto documents = config::parse_documents(text, file);
  if (!documents) return documents.error();
  std::vector<Imported> out;
  std::vector<config::Node> others;
  for (const config::Node* document : objects_of(*documents)) {
    const config::Node* kind = document->find("kind");
    if (!kind || kind->text != "ScaledObject") {
      others.push_back(*document);
      continue;
    }
    auto keda = read_scaled_object(*document, file);
    if (!keda) return std::move(keda).error();
    out.push_back(std::move(*keda));
  }
  if (others.empty() && !out.empty()) return out;
  const auto policies = policies_of(others, file);
  if (!policies) return policies.error();
  for (const Policy& policy : *policies) {
    Imported one;
    if (const auto* hpa = std::get_if<HpaPolicy>(&policy.rules)) {
      one = native_from(*hpa);
      one.from = "HorizontalPodAutoscaler " + policy.name;
    } else if (const auto* kthena = std::get_if<KthenaPolicy>(&policy.rules)) {
      one = native_from(*kthena);
      one.from = "AutoscalingPolicy " + policy.name;
    } else {
      one.policy.rules = policy.rules;
      one.from = "native policy " + policy.name;
    }
    one.policy.name = policy.name;
    one.policy.pause = policy.pause;
    one.policy.dry_run = policy.dry_run;
    const std::string where = std::string(file) + ": " + policy.name + ": ";
    for (std::string& note : one.notes) note.insert(0, where);
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace trunkline::autoscale
