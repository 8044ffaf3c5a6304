// What a course came to, for a terminal: the moments in which something happened, several policies side by side, a
// plot.
#pragma once

#include <string>
#include <vector>

#include "services/autoscale_replay/simulation.h"

namespace trunkline::autoscale {

// A line for each moment in which replicas change or the reason does; with `all_rows` for every moment.
std::string table(const Course& course, bool all_rows);

// One line a policy, the best of each column marked when there are several.
std::string comparison(const std::vector<Course>& courses);

// Demand, capacity and replicas over time, in at most `width` columns.
std::string plot(const Course& course, int width);

}  // namespace trunkline::autoscale
