// What a person should change about a route, from its counters alone.
#pragma once

#include <cstdint>
#include <string>

#include <trunkline/error.hpp>
#include <trunkline/options.hpp>
#include <trunkline/stats.hpp>

namespace trunkline {

// What the counters do not say, as far as it is known.
struct AdviceContext {
  PoolLimits limits;  // that the requests of this route came with
  const Error* last_dial_error = nullptr;
  std::int64_t sockets_open = 0;  // of the process; a limit of 0 is not known
  std::int64_t sockets_limit = 0;
};

// One sentence about what costs most, with its number and the setting to change. Empty when nothing is wrong.
std::string advice(const RouteStats& route, const AdviceContext& context);

}  // namespace trunkline
