#include "server/gauges.h"

#include <numeric>

namespace trunkline::server {

std::string_view to_string(ConnectionEnd end) {
  constexpr std::array<std::string_view, connection_end_count> names{
      "peer_closed",  "idle",    "timed_out",  "tls_failed", "protocol_error",
      "last_request", "cut_off", "over_limit", "drained",    "stopped"};
  return names[static_cast<std::size_t>(end)];
}

bool Gauges::adds_up() const {
  return accepted == std::accumulate(ended.begin(), ended.end(), connections) &&
         requests_begun == requests + requests_completed + requests_cancelled &&
         websockets_opened == websockets + websockets_closed;
}

Gauges& Gauges::operator+=(const Gauges& other) {
  accepted += other.accepted;
  connections += other.connections;
  for (std::size_t i = 0; i < ended.size(); ++i) ended[i] += other.ended[i];
  requests_begun += other.requests_begun;
  requests += other.requests;
  requests_completed += other.requests_completed;
  requests_cancelled += other.requests_cancelled;
  websockets_opened += other.websockets_opened;
  websockets += other.websockets;
  websockets_closed += other.websockets_closed;
  accept_pauses += other.accept_pauses;
  return *this;
}

Gauges Ledger::gauges() const {
  Gauges gauges;
  std::uint64_t all_ended = 0;
  for (std::size_t i = 0; i < ended.size(); ++i) all_ended += gauges.ended[i] = ended[i].read();
  gauges.accepted = accepted.read();
  gauges.connections = gauges.accepted - all_ended;
  gauges.requests_completed = requests_completed.read();
  gauges.requests_cancelled = requests_cancelled.read();
  gauges.requests_begun = requests_begun.read();
  gauges.requests = gauges.requests_begun - gauges.requests_completed - gauges.requests_cancelled;
  gauges.websockets_closed = websockets_closed.read();
  gauges.websockets_opened = websockets_opened.read();
  gauges.websockets = gauges.websockets_opened - gauges.websockets_closed;
  return gauges;
}

std::string Gauges::describe() const {
  std::string text = std::to_string(accepted) + " accepted, " + std::to_string(connections) + " open";
  for (std::size_t i = 0; i < ended.size(); ++i) {
    if (ended[i] != 0) {
      text += ", " + std::to_string(ended[i]) + ' ' + std::string(to_string(static_cast<ConnectionEnd>(i)));
    }
  }
  text += "; requests: " + std::to_string(requests_begun) + " begun, " + std::to_string(requests) + " open, " +
          std::to_string(requests_completed) + " completed, " + std::to_string(requests_cancelled) + " cancelled";
  text += "; websockets: " + std::to_string(websockets_opened) + " opened, " + std::to_string(websockets) + " open";
  return text;
}

}  // namespace trunkline::server
