// trunkline scrape: what a collector sees of a fleet, cycle by cycle.
#pragma once

#include "settings.h"

namespace trunkline::cli {

int run_scrape(const ScrapeFlags& flags);  // the exit code

}  // namespace trunkline::cli
