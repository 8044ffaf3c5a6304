// Time limits and bounds by the names that the library's own structs give them: "first_byte=500ms", "idle_per_host=4".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <trunkline/options.hpp>
#include <trunkline/result.hpp>

namespace trunkline::cli {

std::vector<std::string> timeout_names();
std::vector<std::string> limit_names();

Result<void> set_timeout(Timeouts& timeouts, std::string_view name, std::string_view value);
Result<void> set_limit(Options& options, std::string_view name, std::string_view value);

// "NAME=VALUE" in two; without "=" the value is empty.
std::pair<std::string_view, std::string_view> split_assignment(std::string_view text);

}  // namespace trunkline::cli
