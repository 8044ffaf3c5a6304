// trunkline url: the parts of a URL as the library sees them, or why it refuses it.
#pragma once

#include "settings.h"

namespace trunkline::cli {

int run_url(const UrlFlags& flags);  // the exit code

}  // namespace trunkline::cli
