// The sockets of an observation, gathered by destination: how many are in which state, who holds them, how many were
// dialled between the looks and how many ports they take. The counting half of diagnose.h.
#pragma once

#include <vector>

#include "services/doctor/diagnose.h"

namespace trunkline::doctor {

// Those of the process that was asked for, or all. In no order.
std::vector<Use> gather_uses(const Observation& seen);

}  // namespace trunkline::doctor
