#include "services/autoscale_files/hpa_manifest.h"

#include "services/autoscale_files/policy_file.h"

namespace trunkline::autoscale {
namespace {

using config::Named;
using config::not_negative;
using config::positive;
using MetricType = HpaMetric::Type;
using TargetType = HpaMetric::TargetType;

constexpr Named<MetricType> types[] = {{"Resource", MetricType::resource},
                                       {"ContainerResource", MetricType::container_resource},
                                       {"Pods", MetricType::pods},
                                       {"Object", MetricType::object},
                                       {"External", MetricType::external}};
constexpr Named<TargetType> target_types[] = {{"Utilization", TargetType::utilization},
                                              {"AverageValue", TargetType::average_value},
                                              {"Value", TargetType::value}};
constexpr Named<HpaSelect> hpa_selects[] = {
    {"Max", HpaSelect::max}, {"Min", HpaSelect::min}, {"Disabled", HpaSelect::disabled}};
constexpr Named<HpaScalingPolicy::Type> policy_types[] = {{"Pods", HpaScalingPolicy::Type::pods},
                                                          {"Percent", HpaScalingPolicy::Type::percent}};

std::string_view block_of(MetricType type) {
  switch (type) {
    case MetricType::resource:
      return "resource";
    case MetricType::container_resource:
      return "containerResource";
    case MetricType::pods:
      return "pods";
    case MetricType::object:
      return "object";
    case MetricType::external:
      break;
  }
  return "external";
}

std::string_view value_of(TargetType type) {
  switch (type) {
    case TargetType::utilization:
      return "averageUtilization";
    case TargetType::average_value:
      return "averageValue";
    case TargetType::value:
      break;
  }
  return "value";
}

bool is_resource(MetricType type) { return type == MetricType::resource || type == MetricType::container_resource; }

bool fits(MetricType type, TargetType target) {
  if (is_resource(type)) return target != TargetType::value;
  if (type == MetricType::pods) return target == TargetType::average_value;
  return target != TargetType::utilization;
}

template <class Io>
void metric_target(Io& io, HpaMetric& metric) {
  io.choice("type", metric.target, target_types);
  const std::string_view name = value_of(metric.target);
  io.quantity(name, metric.value, positive);
  if constexpr (Io::reading) {
    io.require(io.has("type"), "", "needs a type: Utilization, AverageValue or Value");
    io.require(io.has(name), "", "this type of target needs " + std::string(name));
  }
  io.require(fits(metric.type, metric.target), "type",
             is_resource(metric.type)          ? "a resource's target is Utilization or AverageValue"
             : metric.type == MetricType::pods ? "the target of a pods metric is AverageValue"
                                               : "this metric's target is Value or AverageValue");
}

template <class Io>
void metric_fields(Io& io, HpaMetric& metric) {
  io.choice("type", metric.type, types);
  const std::string_view block = block_of(metric.type);
  if constexpr (Io::reading) {
    io.require(io.has("type"), "", "needs a type: Resource, ContainerResource, Pods, Object or External");
    io.require(io.has(block), "", "a metric of this type needs the block " + std::string(block));
  }
  io.object(block, [&](auto& in) {
    if (is_resource(metric.type)) {
      in.text("name", metric.name);
      if (metric.type == MetricType::container_resource) {
        in.text("container", metric.container);
        in.require(!metric.container.empty(), "container", "is needed");
      }
    } else {
      in.object("metric", [&](auto& name) {
        name.text("name", metric.name);
        name.ignore("selector");  // whoever reads the metric has applied it
      });
      if (metric.type == MetricType::object) in.ignore("describedObject");
    }
    in.require(!metric.name.empty(), "", "the metric's name is missing");
    in.object("target", [&](auto& target) { metric_target(target, metric); });
    if constexpr (Io::reading) in.require(in.has("target"), "", "needs a target");
  });
}

template <class Io>
void rules_fields(Io& io, HpaRules& rules) {
  if (Io::reading || rules.stabilization) {
    std::chrono::seconds window = rules.stabilization.value_or(std::chrono::seconds(0));
    io.whole_seconds("stabilizationWindowSeconds", window, 3600);
    if constexpr (Io::reading) {
      if (io.has("stabilizationWindowSeconds")) rules.stabilization = window;
    }
  }
  io.choice("selectPolicy", rules.select, hpa_selects);
  io.list("policies", rules.policies, [](auto& in, HpaScalingPolicy& policy) {
    in.choice("type", policy.type, policy_types);
    in.integer("value", policy.value, 1, replicas_limit);
    in.whole_seconds("periodSeconds", policy.period, 1800);
    in.require(policy.period > std::chrono::seconds(0), "periodSeconds", "must be from 1 to 1800");
    if constexpr (Io::reading) in.require(in.has("type") && in.has("value"), "", "needs type and value");
  });
  if (Io::reading || rules.tolerance) {
    double tolerance = rules.tolerance.value_or(0);
    io.quantity("tolerance", tolerance, not_negative);
    if constexpr (Io::reading) {
      if (io.has("tolerance")) rules.tolerance = tolerance;
    }
  }
}

template <class Io>
void all_behavior_fields(Io& io, HpaBehavior& behavior) {
  io.object("scaleUp", [&](auto& rules) { rules_fields(rules, behavior.up); });
  io.object("scaleDown", [&](auto& rules) { rules_fields(rules, behavior.down); });
}

template <class Io>
void spec_fields(Io& io, HpaPolicy& policy) {
  io.ignore("scaleTargetRef");
  io.integer("minReplicas", policy.min, 0, replicas_limit);
  io.integer("maxReplicas", policy.max, 1, replicas_limit);
  if constexpr (Io::reading) {
    io.require(io.has("maxReplicas"), "", "needs maxReplicas");
    // An empty list means what no list means: cpu at 80 %.
    std::vector<HpaMetric> metrics;
    io.list("metrics", metrics, [](auto& in, HpaMetric& metric) { metric_fields(in, metric); }, 100);
    if (!metrics.empty()) policy.metrics = std::move(metrics);
  } else {
    io.list("metrics", policy.metrics, [](auto& in, HpaMetric& metric) { metric_fields(in, metric); });
  }
  io.optional_object("behavior", policy.behavior,
                     [](auto& in, HpaBehavior& behavior) { all_behavior_fields(in, behavior); });
  io.require(policy.min <= policy.max, "minReplicas", "must not be larger than maxReplicas");
}

template <class Io>
void all_fields(Io& io, HpaPolicy& policy) {
  io.object("spec", [&](auto& in) { spec_fields(in, policy); });
  io.ignore("status");
  io.object("controller", [&](auto& in) {
    in.number("tolerance", policy.tolerance, not_negative);
    in.seconds("downscaleStabilization", policy.downscale_stabilization);
    in.seconds("cpuInitializationPeriod", policy.cpu_initialization);
    in.seconds("initialReadinessDelay", policy.initial_readiness_delay);
  });
  if constexpr (Io::reading) io.require(io.has("spec"), "", "a HorizontalPodAutoscaler needs a spec");
}

}  // namespace

void behavior_fields(config::Reader& io, HpaBehavior& behavior) { all_behavior_fields(io, behavior); }
void hpa_fields(config::Reader& io, HpaPolicy& policy) { all_fields(io, policy); }
void hpa_fields(config::Writer& io, HpaPolicy& policy) { all_fields(io, policy); }

}  // namespace trunkline::autoscale
