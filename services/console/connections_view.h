// The connections of the pool one by one, and what keeps two pools apart, as JSON (docs/API.md). Pure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <trunkline/connections.hpp>
#include <trunkline/transport.hpp>

namespace trunkline::console {

inline constexpr std::size_t connections_default = 100;
inline constexpr std::size_t connections_limit = 1000;

std::string differences_json(const std::vector<OptionChange>& changes);
std::string connections_json(const ConnectionList& list, double t);

}  // namespace trunkline::console
