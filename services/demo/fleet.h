// The fleet of the show: processes of our own binary, scaled by the demo's policy.
#pragma once

#include <memory>
#include <string>

#include <trunkline/result.hpp>

#include "services/autoscale_live/autoscaler.h"

namespace trunkline::demo {

// They take one of so many ports.
inline constexpr int port_count = 64;

// `program` is a trunkline binary. Whatever it starts dies with this process. To be ended with drain().
Result<std::unique_ptr<autoscale::Autoscaler>> start_fleet(const std::string& program, int first_port);

}  // namespace trunkline::demo
