// The texts of `trunkline autoscale ... --help` that are not lists of flags.
#pragma once

#include <string>

namespace trunkline::cli {

std::string autoscale_help();
std::string autoscale_simulate_help();
std::string autoscale_show_help();
std::string autoscale_import_help();
std::string autoscale_lint_help();

}  // namespace trunkline::cli
