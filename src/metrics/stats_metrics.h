// A transport's counters on a registry's page, under the names that Stats::to_prometheus() has.
#pragma once

#include <string_view>

#include <trunkline/stats.hpp>

#include "metrics/exposition_writer.h"

namespace trunkline::metrics {

// With several transports, `transport` tells them apart; empty: no label. Read back from the library's own page, so
// that names and help exist once; a page of 100 routes costs about half a millisecond.
inline void write_stats(ExpositionWriter& writer, const Stats& stats, std::string_view transport = {}) {
  const Label label{"transport", transport};
  relay_page(writer, stats.to_prometheus(), {&label, transport.empty() ? std::size_t{0} : std::size_t{1}});
}

}  // namespace trunkline::metrics
