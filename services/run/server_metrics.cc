#include "services/run/server_metrics.h"

namespace trunkline::run {

void write_server_metrics(metrics::ExpositionWriter& writer, std::string_view listener, const server::Gauges& gauges) {
  using metrics::Type;
  const auto number = [](std::uint64_t count) { return static_cast<double>(count); };
  const metrics::Label which{"listener", listener};

  writer.family("trunkline_server_connections_accepted_total", Type::counter, "Connections that clients have opened.");
  writer.sample({which}, number(gauges.accepted));
  writer.family("trunkline_server_connections", Type::gauge, "Connections that are open.");
  writer.sample({which}, number(gauges.connections));
  writer.family("trunkline_server_connections_ended_total", Type::counter, "Connections that are closed, by reason.");
  for (std::size_t i = 0; i < server::connection_end_count; ++i) {
    const auto end = static_cast<server::ConnectionEnd>(i);
    writer.sample({which, {"reason", to_string(end)}}, number(gauges.ended_for(end)));
  }
  writer.family("trunkline_server_requests_in_flight", Type::gauge, "Requests that are not answered yet.");
  writer.sample({which}, number(gauges.requests));
  writer.family("trunkline_server_requests_total", Type::counter, "Requests that ended, by outcome.");
  writer.sample({which, {"outcome", "completed"}}, number(gauges.requests_completed));
  writer.sample({which, {"outcome", "cancelled"}}, number(gauges.requests_cancelled));
  writer.family("trunkline_server_websockets_opened_total", Type::counter, "WebSockets that clients have opened.");
  writer.sample({which}, number(gauges.websockets_opened));
  writer.family("trunkline_server_websockets", Type::gauge, "WebSockets that are open.");
  writer.sample({which}, number(gauges.websockets));
  writer.family("trunkline_server_accept_pauses_total", Type::counter,
                "How often no connection was accepted for want of descriptors.");
  writer.sample({which}, number(gauges.accept_pauses));
}

}  // namespace trunkline::run
