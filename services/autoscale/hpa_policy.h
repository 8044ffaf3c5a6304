// A HorizontalPodAutoscaler of autoscaling/v2, as its manifest says it. Quantities are in their base unit (cores,
// bytes, requests), so "250m" is 0.25.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace trunkline::autoscale {

struct HpaMetric {
  enum class Type : unsigned char { resource, container_resource, pods, object, external };
  enum class TargetType : unsigned char { utilization, average_value, value };
  Type type = Type::resource;
  std::string name;            // of the resource ("cpu") or metric
  std::string container = {};  // container_resource only
  TargetType target = TargetType::utilization;
  double value = 80;  // percent of the request, or a quantity
  bool operator==(const HpaMetric&) const = default;
};

enum class HpaSelect : unsigned char { max, min, disabled };

struct HpaScalingPolicy {
  enum class Type : unsigned char { pods, percent };
  Type type = Type::percent;
  int value = 100;
  std::chrono::seconds period{15};
  bool operator==(const HpaScalingPolicy&) const = default;
};

struct HpaRules {
  std::optional<std::chrono::seconds> stabilization = {};  // unset: 0 up, the controller's window down
  HpaSelect select = HpaSelect::max;
  std::optional<std::vector<HpaScalingPolicy>> policies = {};  // unset: Kubernetes's defaults
  std::optional<double> tolerance = {};                        // unset: the controller's
  bool operator==(const HpaRules&) const = default;
};

struct HpaBehavior {
  HpaRules up = {};
  HpaRules down = {};
  bool operator==(const HpaBehavior&) const = default;
};

struct HpaPolicy {
  int min = 1;
  int max = 1;
  std::vector<HpaMetric> metrics = {{.type = HpaMetric::Type::resource, .name = "cpu"}};
  std::optional<HpaBehavior> behavior = {};

  // What the controller's flags say.
  double tolerance = 0.1;
  std::chrono::seconds downscale_stabilization{300};
  std::chrono::seconds cpu_initialization{300};
  std::chrono::seconds initial_readiness_delay{30};
  bool operator==(const HpaPolicy&) const = default;
};

}  // namespace trunkline::autoscale
