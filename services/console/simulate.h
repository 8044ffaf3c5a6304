// What would an edited policy have decided? The recorded past, as far as the autoscaler still has it, goes through the
// same engine again. Pure: the answer to POST .../simulate.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <trunkline/result.hpp>

#include "services/autoscale_live/fleet_view.h"

namespace trunkline::console {

inline constexpr std::size_t policy_bytes_limit = 64 * 1024;
inline constexpr std::size_t simulated_decisions_limit = 2000;

// The course that was, and the one that this policy (YAML or JSON, any dialect) takes over the same values. With
// `closed_loop` each decision starts from what the policy itself asked for before, otherwise from what there really
// was. Errors are the policy's, with line and column, or say that nothing is recorded yet.
Result<std::string> simulate(std::string_view policy, const std::vector<autoscale::DecisionPtr>& past,
                             bool closed_loop);

}  // namespace trunkline::console
