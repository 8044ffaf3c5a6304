// A cycle of `trunkline scrape` as a table or as a line of JSON, and the sum of all cycles.
#pragma once

#include <string>

#include "services/scrape/collector.h"

namespace trunkline::cli {

std::string cycle_table(const scrape::Snapshot& snapshot, bool with_samples);
std::string cycle_json(const scrape::Snapshot& snapshot, bool with_samples);  // with its line end

std::string scrape_summary(const scrape::CollectorCounters& counters);
std::string scrape_summary_json(const scrape::CollectorCounters& counters);

}  // namespace trunkline::cli
