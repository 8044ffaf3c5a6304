// What --help says below the flags of run, config, status and explain.
#pragma once

#include <string>

namespace trunkline::cli {

std::string run_help();
std::string config_help();
std::string status_help();
std::string explain_help();

}  // namespace trunkline::cli
