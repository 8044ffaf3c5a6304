// What the console shows comes from here, and the console knows nothing else of the process. Each function may be
// called from any thread, at any time until Console::stop() has returned, and must not wait for more than a lock. What
// is empty or null is not there, and the page says so.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include <trunkline/connections.hpp>
#include <trunkline/options.hpp>
#include <trunkline/stats.hpp>
#include <trunkline/transport.hpp>

#include "services/autoscale_live/fleet_view.h"
#include "services/scrape/snapshot.h"

namespace trunkline::console {

struct ServiceFacts {
  std::string name;
  bool ready = false;
  std::string trouble = {};  // a sentence, or empty
};

struct ProcessFacts {
  std::string version;
  int pid = 0;
  std::chrono::system_clock::time_point started = {};
  Duration uptime{0};
  bool ready = false;
  std::vector<ServiceFacts> services = {};
};

struct ConsoleSources {
  std::function<ProcessFacts()> process = {};
  std::function<Stats()> transport = {};
  std::function<ConnectionList(const ConnectionQuery&)> connections = {};  // of that transport's pool
  // Which options keep two of its pools apart, by RouteStats::key.
  std::function<Result<std::vector<OptionChange>>(const std::string& a, const std::string& b)> differences = {};
  // The newest snapshot of each collector; null ones are passed over.
  std::function<std::vector<scrape::SnapshotPtr>()> targets = {};
  const autoscale::FleetView* fleets = nullptr;  // outlives the console
  // Names besides loopback's under which browsers may ask: the host of the listener, a proxy's. Addresses always may.
  std::vector<std::string> hosts = {};
};

}  // namespace trunkline::console
