// trunkline autoscale: policies tried, shown, imported and checked. Nothing here touches a live system.
#pragma once

#include "autoscale_settings.h"

namespace trunkline::cli {

int run_autoscale(const AutoscaleFlags& flags);  // the exit code

}  // namespace trunkline::cli
