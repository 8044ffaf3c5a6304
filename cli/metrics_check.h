// trunkline metrics check: is this what Prometheus could read, and what does it say?
#pragma once

#include "settings.h"

namespace trunkline::cli {

int run_metrics_check(const MetricsCheckFlags& flags);  // the exit code

}  // namespace trunkline::cli
