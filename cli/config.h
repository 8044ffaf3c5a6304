// trunkline config: what `trunkline run` would read, checked and printed.
#pragma once

#include "run_settings.h"

namespace trunkline::cli {

int run_config(const ConfigFlags& flags);  // the exit code

}  // namespace trunkline::cli
