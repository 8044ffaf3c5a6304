// The lines of --json: one object per request, then the counters. docs/cli.md has the schema; programs depend on it.
#pragma once

#include <cstdint>
#include <string>

#include <trunkline/events.hpp>
#include <trunkline/stats.hpp>

#include "report.h"

namespace trunkline::cli {

std::string json_line(const Report& report);
std::string json_line(const Error& error);                         // {"error":{...}}
std::string json_line(std::uint64_t request, const Event& event);  // of the response to that request, as it comes
std::string counters_line(const Stats& stats);

}  // namespace trunkline::cli
