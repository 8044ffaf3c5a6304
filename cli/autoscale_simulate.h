// trunkline autoscale simulate.
#pragma once

#include <string>

#include <trunkline/result.hpp>

#include "autoscale_settings.h"

namespace trunkline::cli {

int run_simulate(const AutoscaleFlags& flags);

Result<std::string> read_whole(const std::string& file);  // "-" is stdin
std::string shown_name(const std::string& file);

}  // namespace trunkline::cli
