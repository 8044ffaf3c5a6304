// What is wrong with the uses of a diagnosis, as sentences that do their arithmetic in the open. Pure.
#pragma once

#include <vector>

#include "services/doctor/diagnose.h"

namespace trunkline::doctor {

// The gravest first, at most 100.
std::vector<Finding> find(const Diagnosis& diagnosis);

}  // namespace trunkline::doctor
