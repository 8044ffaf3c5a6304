// An AutoscalingPolicy of kthena with its binding. The defaults are those of the CRD for a block written in part.
#pragma once

#include <chrono>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace trunkline::autoscale {

// One of several targets that share a demand. Replicas above the minima go where the next block is cheapest.
struct TargetCost {
  std::string name;
  double cost = 0;
  int min = 0;
  int max = 1;
  bool operator==(const TargetCost&) const = default;
};

// The larger change wins, or the smaller one. `unknown` is what a misspelt value comes to: no limit.
enum class KthenaSelect : unsigned char { any, both, unknown };

struct KthenaStable {
  int instances = 1;
  int percent = 100;
  std::chrono::seconds period{15};  // 0: not limited
  KthenaSelect select = KthenaSelect::any;
  std::chrono::seconds stabilization{0};
  bool operator==(const KthenaStable&) const = default;
};

struct KthenaPanic {
  int percent = 1000;
  std::chrono::seconds period{0};
  int threshold_percent = 200;
  std::chrono::seconds hold{60};  // 0: never panics
  bool operator==(const KthenaPanic&) const = default;
};

struct KthenaMetric {
  enum class Kind : unsigned char { gauge, counter, histogram };
  std::string name;
  double target = 1;
  bool external = false;  // one value for all, from Prometheus
  Kind kind = Kind::gauge;
  std::string role = {};  // disaggregated targets: whose metric it is; empty: everybody's
  bool operator==(const KthenaMetric&) const = default;
};

struct KthenaRole {
  std::string name;
  int min = 0;
  int max = 1;
  bool operator==(const KthenaRole&) const = default;
};

struct RatioConstraint {
  std::string numerator;
  std::string denominator;
  double min = 0;
  double max = std::numeric_limits<double>::infinity();
  bool operator==(const RatioConstraint&) const = default;
};

struct KthenaPolicy {
  int min = 1;
  int max = 1;
  int tolerance_percent = 10;
  std::vector<KthenaMetric> metrics = {};
  KthenaStable down = {};
  KthenaStable up = {};
  KthenaPanic panic = {};

  // Heterogeneous: bounds are then the sums of the targets' own.
  std::vector<TargetCost> targets = {};
  int cost_expansion_percent = 200;

  // Disaggregated: one or two roles of one target.
  std::vector<KthenaRole> roles = {};
  std::optional<RatioConstraint> ratio = {};
  bool operator==(const KthenaPolicy&) const = default;
};

}  // namespace trunkline::autoscale
