// Demand that is made up, as a function of time: what a policy should be tried with before it meets the real thing. The
// unit is replicas: a demand of 3.5 is what three and a half replicas, each exactly at its target, carry.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace trunkline::autoscale {

using Duration = Clock::duration;

enum class Shape : unsigned char { step, ramp, spike, sine, gap, rollout, leak };

struct Scenario {
  Shape shape = Shape::step;
  double low = 4;
  double high = 12;
  Duration length = std::chrono::hours(1);
  Duration interval = std::chrono::seconds(15);
  Duration startup = std::chrono::seconds(30);  // from wanted to ready
  Duration drain = std::chrono::seconds(30);    // from unwanted to gone
};

std::optional<Shape> shape_of(std::string_view name);
std::string_view to_string(Shape shape);
const std::vector<std::string_view>& shape_names();

double demand_at(const Scenario& scenario, Duration since_start);

// gap: a tenth of the pods, at least one, does not answer for two minutes.
bool is_silent(const Scenario& scenario, Duration since_start);
// rollout: so many pods of the old version must have been replaced by now, of `pods`.
int replaced_by(const Scenario& scenario, Duration since_start, int pods);
// leak: what every pod counts too much, in parts of its target.
double leaked_at(const Scenario& scenario, Duration since_start);

}  // namespace trunkline::autoscale
