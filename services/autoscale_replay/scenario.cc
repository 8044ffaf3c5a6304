#include "services/autoscale_replay/scenario.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

namespace trunkline::autoscale {
namespace {

constexpr std::pair<std::string_view, Shape> names[] = {
    {"step", Shape::step}, {"ramp", Shape::ramp},       {"spike", Shape::spike}, {"sine", Shape::sine},
    {"gap", Shape::gap},   {"rollout", Shape::rollout}, {"leak", Shape::leak},
};

double part_of(const Scenario& scenario, Duration since_start) {
  return static_cast<double>(since_start.count()) /
         static_cast<double>(std::max<Duration::rep>(1, scenario.length.count()));
}

}  // namespace

std::optional<Shape> shape_of(std::string_view name) {
  for (const auto& [known, shape] : names) {
    if (known == name) return shape;
  }
  return std::nullopt;
}

std::string_view to_string(Shape shape) { return names[static_cast<std::size_t>(shape)].first; }

const std::vector<std::string_view>& shape_names() {
  static const std::vector<std::string_view> all = [] {
    std::vector<std::string_view> out;
    for (const auto& [name, shape] : names) out.push_back(name);
    return out;
  }();
  return all;
}

double demand_at(const Scenario& scenario, Duration since_start) {
  const double part = part_of(scenario, since_start);
  const double rise = scenario.high - scenario.low;
  switch (scenario.shape) {
    case Shape::step:
      return part >= 0.2 && part < 0.6 ? scenario.high : scenario.low;
    case Shape::ramp: {
      const double up = std::clamp((part - 0.1) / 0.35, 0.0, 1.0);
      const double down = std::clamp((part - 0.55) / 0.2, 0.0, 1.0);
      return scenario.low + rise * (up - down);
    }
    case Shape::spike: {
      const Duration into =
          since_start - Duration(static_cast<Duration::rep>(0.3 * static_cast<double>(scenario.length.count())));
      return into >= Duration(0) && into < std::chrono::minutes(2) ? scenario.high : scenario.low;
    }
    case Shape::sine:
      return scenario.low + rise * (1 - std::cos(part * 4 * std::numbers::pi)) / 2;
    case Shape::gap:
    case Shape::rollout:
      return (scenario.low + scenario.high) / 2;
    case Shape::leak:
      break;
  }
  return scenario.low;
}

bool is_silent(const Scenario& scenario, Duration since_start) {
  const Duration into = since_start - scenario.length / 3;
  return scenario.shape == Shape::gap && into >= Duration(0) && into < std::chrono::minutes(2);
}

int replaced_by(const Scenario& scenario, Duration since_start, int pods) {
  if (scenario.shape != Shape::rollout) return 0;
  const double part = (part_of(scenario, since_start) - 0.25) / 0.5;
  return std::clamp(static_cast<int>(std::ceil(part * pods)), 0, pods);
}

double leaked_at(const Scenario& scenario, Duration since_start) {
  if (scenario.shape != Shape::leak) return 0;
  return std::max(0.0, part_of(scenario, since_start) - 0.2);
}

}  // namespace trunkline::autoscale
