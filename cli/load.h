// trunkline load: a number of callers, each of whom asks again as soon as it has an answer, on the transport itself.
#pragma once

#include "settings.h"

namespace trunkline::cli {

int run_load(const LoadFlags& flags);  // the exit code

}  // namespace trunkline::cli
