#include "report.h"

namespace trunkline::cli {

ConnectionReport connection_report(const ConnectionInfo& info) {
  ConnectionReport report;
  report.id = info.id;
  report.reused = info.reused;
  if (info.reuse_miss != ReuseMiss::none) report.reuse_miss = to_string(info.reuse_miss);
  // A reused connection was dialled for somebody else's reason.
  if (!info.reused && info.id != 0) report.dial_reason = to_string(info.dial_reason);
  report.requests = info.requests;
  report.stream = info.stream;
  report.address = info.address;
  report.tls = info.tls;
  return report;
}

TimesReport times_report(const RequestTimes& times) {
  return {times.queue, times.resolve, times.connect, times.proxy, times.tls, times.first_byte, times.total};
}

ConnectionReport connection_report(const std::vector<TraceEvent>& events) {
  ConnectionReport report;
  for (const TraceEvent& event : events) {
    if (event.kind == TraceEvent::queued) report.reuse_miss = event.detail;
    if (event.kind != TraceEvent::connected) continue;
    report.id = event.connection;
    report.reused = event.detail == "reused";
    report.reuse_miss = report.reused ? "" : event.detail;
  }
  return report;
}

TimesReport times_report(const std::vector<TraceEvent>& events, Duration total) {
  TimesReport report;
  for (const TraceEvent& event : events) {
    if (event.kind == TraceEvent::connected) report.queue = event.at;
    if (event.kind == TraceEvent::first_byte) report.first_byte = event.at;
  }
  report.total = total;
  return report;
}

}  // namespace trunkline::cli
