// The life of each connection of a pool: what Transport::connections() lists. A value, true of one moment; the sums
// over all connections that ever were are in stats.hpp.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <trunkline/options.hpp>
#include <trunkline/reason.hpp>

namespace trunkline {

enum class ConnectionState : unsigned char {
  idle,      // carries nothing, and waits for the next request
  active,    // carries at least one request
  retiring,  // active, but takes no more requests and closes when the last one ends
  upgraded,  // a WebSocket
  draining,  // being closed
};
std::string_view to_string(ConnectionState state);

struct ConnectionStats {
  std::uint64_t id = 0;       // unique in this process, never used again
  std::string route;          // as in RouteStats: "https://host:port", with " via proxy" where one is used
  std::string key;            // as in RouteStats
  std::string_view protocol;  // "http/1.1", "h2", "h2c"
  ConnectionState state = ConnectionState::idle;
  Duration age{0};             // since the dial succeeded
  Duration idle_for{0};        // since its last request ended; 0 unless idle
  std::uint64_t requests = 0;  // carried, those under way included
  std::uint32_t streams = 0;   // requests under way
  // How many the peer permits at once, 1 where it is one after the other. Of HTTP/2 before the peer's SETTINGS, what is
  // presumed; a very large number when the peer sets no limit.
  std::uint32_t streams_allowed = 1;
  DialReason dial_reason = DialReason::first;
  std::string remote;    // "192.0.2.1:443": the address dialled, a proxy's where one is used
  std::string local;     // our end of it
  std::string_view tls;  // as in ConnectionInfo: "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty in clear
  std::string proxy;     // "http://proxy:3128", or empty
};

// Which connections to list.
struct ConnectionQuery {
  std::string route;        // of this route only, as RouteStats::route has it; empty: of all
  std::string key;          // and with this key; empty: whichever
  std::size_t most = 1000;  // so many at most

  ConnectionQuery();
};

struct ConnectionList {
  std::vector<ConnectionStats> connections;  // by route, within one the oldest first
  std::uint64_t left_out = 0;
};

}  // namespace trunkline
