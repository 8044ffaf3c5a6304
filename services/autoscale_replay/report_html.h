// The same for a browser: one file that asks no host for anything, light or dark as the reader's system is.
#pragma once

#include <string>
#include <vector>

#include "services/autoscale_replay/simulation.h"

namespace trunkline::autoscale {

std::string html_report(const std::string& title, const std::vector<Course>& courses);

}  // namespace trunkline::autoscale
