// What the collector says about itself: families trunkline_scrape_*.
#pragma once

#include <cstddef>
#include <span>

#include "metrics/exposition_writer.h"
#include "services/scrape/collector.h"

namespace trunkline::scrape {

// `labels` stand in front of each sample's own. `latest` may be null. Targets are told apart by `instance` and `job`,
// and by nothing that their sources label them with.
void write_own_metrics(metrics::ExpositionWriter& writer, std::span<const metrics::Label> labels,
                       const Snapshot* latest, const CollectorCounters& counters, std::size_t troubled_sources);

}  // namespace trunkline::scrape
