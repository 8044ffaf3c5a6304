// Looks at the sources once a second: keeps the history and tells the watchers what has changed. Driven from outside,
// by step(), so that tests hold the clock.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/console/events.h"
#include "services/console/history.h"
#include "services/console/latencies.h"
#include "services/console/sources.h"
#include "services/console/views.h"

namespace trunkline::console {

class Watch {
 public:
  Watch(const ConsoleSources& sources, Events& events) : sources_(sources), events_(events) {}
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  void step(const Now& now);  // not two at once

  // From any thread.
  std::string transport_history() const;
  // By both: one key stands for every host that is spoken to alike, and one host may be spoken to in several ways.
  std::optional<std::string> route_history(std::string_view route, std::string_view key) const;
  std::optional<std::string> fleet_history(std::string_view fleet) const;
  std::vector<RouteLatency> latencies() const;

 private:
  static constexpr std::size_t most_routes = 128;
  static constexpr std::size_t most_fleets = 64;
  // A stream's event stays small however many routes are busy; the others follow in the next seconds.
  static constexpr std::size_t routes_an_event = 32;
  using Print = std::array<std::int64_t, 14>;  // of a route: what it shows, short enough to compare

  struct RouteMemory {
    History<ConnectionPoint> history;
    Print told{};  // what the watchers know
    std::uint64_t told_in = 0;
    std::uint64_t seen_in = 0;
  };
  struct FleetMemory {
    History<FleetPoint> history;
    std::uint64_t last_decision = 0;
    std::string told;
    bool present = false;
  };

  static Print print_of(const RouteStats& route);
  void step_transport(const Now& now);
  void step_targets(const Now& now);
  void step_fleets();
  void step_status();
  void remember(const RouteStats& route, double t);
  void miss_routes();
  std::vector<RouteStats> news_of(const std::vector<RouteStats>& routes);
  void hear_decisions(const autoscale::FleetStatus& fleet, FleetMemory& memory);

  const ConsoleSources& sources_;
  Events& events_;
  std::uint64_t steps_ = 0;
  std::string told_status_;
  std::vector<std::uint64_t> told_cycles_;

  mutable std::mutex mutex_;  // of what follows
  History<ConnectionPoint> all_;
  std::map<std::string, RouteMemory, std::less<>> routes_;  // by route and key
  std::map<std::string, FleetMemory, std::less<>> fleets_;
  Latencies latencies_;
};

}  // namespace trunkline::console
