// A server's gauges as families trunkline_server_*.
#pragma once

#include <string_view>

#include "metrics/exposition_writer.h"
#include "server/gauges.h"

namespace trunkline::run {

// `listener` tells servers of one process apart.
void write_server_metrics(metrics::ExpositionWriter& writer, std::string_view listener, const server::Gauges& gauges);

}  // namespace trunkline::run
