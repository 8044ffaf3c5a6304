// How many WebSockets there should be at a time. A pure function, so that a show can be repeated.
//
//   waves    low --/\--/\--  one hill in each period, beginning in the valley
//   steady   ------------    half-way between low and high
//   spike    ___|--|___|--   low, and for a third of each period, from its first third on, high
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "base/clock.h"

namespace trunkline::traffic {

enum class ShapeKind : unsigned char { waves, steady, spike };
std::string_view to_string(ShapeKind kind);
std::optional<ShapeKind> shape_kind_of(std::string_view word);

struct Shape {
  ShapeKind kind = ShapeKind::waves;
  double low = 20;
  double high = 140;
  Clock::duration period = std::chrono::seconds(40);  // above zero
};

double wanted_at(const Shape& shape, Clock::duration since_start);

}  // namespace trunkline::traffic
