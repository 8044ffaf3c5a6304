// trunkline fetch: sends what was planned, one after another by blocking calls or many at a time by callbacks, and
// prints in the order of the input.
#pragma once

#include "settings.h"

namespace trunkline::cli {

int run_fetch(const FetchFlags& flags);  // the exit code

}  // namespace trunkline::cli
