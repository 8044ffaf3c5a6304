// What a backend counts, and the page of it.
#pragma once

#include "metrics/process_metrics.h"
#include "metrics/registry.h"

namespace trunkline::backend {

struct Instruments {
  metrics::Registry registry;
  metrics::Gauge& active_ws_connections =
      registry.gauge("active_ws_connections", "WebSockets that are open now. Exact, unless --leak makes it wrong.");
  metrics::Counter& websockets_opened =
      registry.counter("backend_websockets_opened_total", "WebSockets that were ever opened.");
  metrics::LabelSet<metrics::Counter>& websockets_closed =
      registry.counters("backend_websockets_closed_total",
                        "WebSockets that have ended, by close code (RFC 6455; 1006: without one).", {"code"}, 64);
  metrics::Counter& websocket_messages =
      registry.counter("backend_websocket_messages_total", "Messages that came on WebSockets.");
  metrics::LabelSet<metrics::Counter>& requests = registry.counters(
      "backend_requests_total", "Requests that have ended, by route and status.", {"route", "status"}, 256);
  metrics::Histogram& request_seconds =
      registry.histogram("backend_request_seconds", "From a request's head to the end of its response, / and /echo.",
                         metrics::exponential_bounds(0.0005, 2, 14));
  metrics::Gauge& event_streams = registry.gauge("backend_event_streams", "Streams of /events that are open now.");
  metrics::Counter& silenced =
      registry.counter("backend_silenced_scrapes_total", "Scrapes that met a silence made on purpose.");
  metrics::Registry::Collector process = registry.collect(metrics::write_process_metrics);
};

}  // namespace trunkline::backend
