// Clients made up: WebSockets that come and go as a shape says, each sending a message now and then, and plain requests
// at a rate. All of it through one transport; or, naive, through a new one for every call, as programs do that build a
// client per call, so that both can be compared.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <trunkline/connections.hpp>
#include <trunkline/options.hpp>
#include <trunkline/reason.hpp>
#include <trunkline/result.hpp>
#include <trunkline/stats.hpp>

#include "services/traffic/population.h"
#include "services/traffic/shape.h"

namespace trunkline::traffic {

struct TrafficSettings {
  Shape shape = {};
  Placement placement = Placement::least_loaded;
  std::size_t steps_at_once = 10;                    // opens, and closes, in a twentieth of a second
  Duration message_every = std::chrono::seconds(1);  // on each WebSocket
  double requests_per_second = 50;                   // GET /, to the backends in turn
  std::size_t requests_at_once = 200;                // beyond, requests are skipped, and counted so
  bool naive = false;
  Options options = usual_options();

  static Options usual_options();  // standard, with sockets and a pool that are shared with nobody else
};

struct TrafficFigures {
  double wanted = 0;  // WebSockets
  std::int64_t open = 0;
  std::uint64_t connects = 0;
  std::uint64_t connects_failed = 0;
  std::uint64_t sent_away = 0;  // WebSockets that the other side closed: they connect again elsewhere
  std::uint64_t messages = 0;   // echoes that came back
  Duration echo_p50{0};
  Duration echo_p99{0};

  std::uint64_t requests = 0;            // answered
  std::uint64_t requests_elsewhere = 0;  // asked again at another backend, as the first had just gone
  std::uint64_t requests_failed = 0;
  std::uint64_t requests_skipped = 0;
  std::uint64_t reused = 0;                              // of the answered ones
  std::array<std::uint64_t, dial_reason_count> dials{};  // of the others
  Duration request_p50{0};
  Duration request_p99{0};
  std::string last_error = {};
};

class Traffic {
 public:
  // Where clients may go now, as "host:port". Called often, on the driver's thread; must not take long.
  using Backends = std::function<std::vector<std::string>()>;

  Traffic(TrafficSettings settings, Backends backends);
  ~Traffic();  // stops
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;

  void start();
  // Nobody comes any more, and those who are there leave in order, or are cut off after `limit`.
  void stop(Duration limit);

  TrafficFigures figures() const;
  // Of the one transport; naive: of none.
  Stats transport_stats() const;
  ConnectionList connections(const ConnectionQuery& query) const;  // of the same transport

 private:
  class Driver;
  std::shared_ptr<Driver> driver_;
};

}  // namespace trunkline::traffic
