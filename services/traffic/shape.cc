#include "services/traffic/shape.h"

#include <array>
#include <cmath>
#include <numbers>

namespace trunkline::traffic {
namespace {

constexpr std::array<std::string_view, 3> shape_names{"waves", "steady", "spike"};

}  // namespace

std::string_view to_string(ShapeKind kind) { return shape_names[static_cast<std::size_t>(kind)]; }

std::optional<ShapeKind> shape_kind_of(std::string_view word) {
  for (std::size_t i = 0; i < shape_names.size(); ++i) {
    if (word == shape_names[i]) return static_cast<ShapeKind>(i);
  }
  return std::nullopt;
}

double wanted_at(const Shape& shape, Clock::duration since_start) {
  const double periods = static_cast<double>(since_start.count()) / static_cast<double>(shape.period.count());
  const double within = periods - std::floor(periods);
  double height = 0.5;
  if (shape.kind == ShapeKind::waves) height = (1 - std::cos(2 * std::numbers::pi * within)) / 2;
  if (shape.kind == ShapeKind::spike) height = 3 * within >= 1 && 3 * within < 2 ? 1 : 0;
  return shape.low + (shape.high - shape.low) * height;
}

}  // namespace trunkline::traffic
