// What Prometheus' clients say of their process, under the names that its dashboards know.
#pragma once

#include "metrics/exposition_writer.h"

namespace trunkline::metrics {

struct ProcessFigures {
  double cpu_seconds = 0;
  double start_time_seconds = 0;  // since 1970
  double virtual_bytes = 0;
  double resident_bytes = 0;
  double threads = 0;
  double open_fds = 0;
  double max_fds = 0;
};

// From the texts of /proc/self/stat and /proc/stat; the figures about descriptors are left alone. False when they are
// not what Linux writes.
bool parse_process_figures(std::string_view self_stat, std::string_view system_stat, long ticks_per_second,
                           long page_bytes, ProcessFigures& figures);

// Of this process, now. Reads /proc; what cannot be read is left out.
void write_process_metrics(ExpositionWriter& writer);

}  // namespace trunkline::metrics
