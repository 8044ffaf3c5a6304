// The lines of --json: one object per request, then the counters. docs/cli.md has the schema; programs depend on it.
#pragma once

#include <string>

#include <trunkline/stats.hpp>

#include "report.h"

namespace trunkline::cli {

std::string json_line(const Report& report);
std::string json_line(const Error& error);  // {"error":{...}}
std::string counters_line(const Stats& stats);

}  // namespace trunkline::cli
