// trunkline run: the process itself is in services/run.
#pragma once

#include "run_settings.h"

namespace trunkline::cli {

int run_run(const RunFlags& flags);  // the exit code

}  // namespace trunkline::cli
