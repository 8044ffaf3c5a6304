// What the collector says about itself, in the Prometheus text format: families trunkline_scrape_*. For a registry's
// collect callback, or to be served as it is.
#pragma once

#include <cstddef>
#include <string>

#include "services/scrape/collector.h"

namespace trunkline::scrape {

void count(CollectorCounters& counters, const TargetReport& report);

// `latest` may be null. Targets are told apart by `instance` and `job`, and by nothing that their sources label them
// with.
std::string to_prometheus(const Snapshot* latest, const CollectorCounters& counters, std::size_t troubled_sources);

}  // namespace trunkline::scrape
