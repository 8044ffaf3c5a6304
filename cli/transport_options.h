// Options of a transport from what the command line says. Starts from a preset and changes only what was asked for.
#pragma once

#include <trunkline/options.hpp>
#include <trunkline/result.hpp>

#include "settings.h"

namespace trunkline::cli {

Result<Options> options_from(const TransportFlags& flags);

}  // namespace trunkline::cli
