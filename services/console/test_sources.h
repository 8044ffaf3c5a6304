// Sources of the console's tests: one route, one scrape target, one fleet whose decisions the real engine makes. A test
// changes the members, and asks.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/autoscale/engine.h"
#include "services/console/sources.h"

namespace trunkline::console {

class TestFleet final : public autoscale::FleetView {
 public:
  TestFleet() {
    policy_.name = "chat";
    policy_.rules = autoscale::websocket_preset("active_ws_connections", 22, {.min = 2, .max = 30});
    status = {
        .name = "chat", .target_kind = "process", .compat = "native", .current = 2, .ready = 2, .min = 2, .max = 30};
    const TimePoint started(std::chrono::seconds(1'700'000'000));
    status.pods.push_back(
        {.name = "chat-20000", .url = "http://127.0.0.1:20000/metrics", .started = started, .process = 17});
    status.pods.push_back({.name = "chat-20001", .input = autoscale::InputState::missing, .reason = "did not answer"});
  }

  // A decision at this time, with so many connections on the first pod; nothing is heard of the second one.
  void decide(double t, double connections) {
    const TimePoint at(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(t)));
    autoscale::Snapshot seen{.current = status.current};
    seen.pods.push_back({.name = "chat-20000", .samples = {{.metric = "active_ws_connections", .value = connections}}});
    seen.pods.push_back({.name = "chat-20001", .state = autoscale::PodState::missing});
    const std::lock_guard lock(mutex_);
    autoscale::Decision decision = autoscale::decide(state_, seen, policy_, at);
    status.current = decision.desired;
    const auto entry = std::make_shared<autoscale::DecisionEntry>(
        autoscale::DecisionEntry{++status.decisions, std::move(decision), std::move(seen)});
    status.last = entry;
    entries_.push_back(entry);
  }

  std::vector<autoscale::FleetStatus> fleets() const override {
    const std::lock_guard lock(mutex_);
    if (gone) return {};
    return {status};
  }
  std::vector<autoscale::DecisionPtr> decisions(std::string_view fleet, std::uint64_t after,
                                                std::size_t most) const override {
    const std::lock_guard lock(mutex_);
    std::vector<autoscale::DecisionPtr> found;
    for (const autoscale::DecisionPtr& entry : entries_) {
      if (fleet == "chat" && entry->number > after) found.push_back(entry);
    }
    if (found.size() > most) found.erase(found.begin(), found.end() - static_cast<std::ptrdiff_t>(most));
    return found;
  }
  std::optional<autoscale::Policy> policy(std::string_view fleet) const override {
    return fleet == "chat" ? std::optional(policy_) : std::nullopt;
  }

  autoscale::FleetStatus status;
  bool gone = false;

 private:
  mutable std::mutex mutex_;
  autoscale::Policy policy_;
  autoscale::State state_;
  std::vector<autoscale::DecisionPtr> entries_;
};

struct TestSources {
  TestSources() {
    RouteStats route;
    route.route = "http://127.0.0.1:9100";
    route.key = "0a1b2c3d";
    route.protocol = "http/1.1";
    route.counters.dials_started = route.counters.dials_succeeded = 3;
    route.counters.dials_by_reason[static_cast<std::size_t>(DialReason::first)] = 1;
    route.counters.dials_by_reason[static_cast<std::size_t>(DialReason::busy)] = 2;
    route.counters.open = 3;
    route.counters.idle = 2;
    route.counters.active = 1;
    route.counters.granted = 1000;
    route.counters.reused = 997;
    route.learned_idle_seconds = 4.8;
    route.p50_seconds = 0.0025;
    route.p99_seconds = 0.0171;
    route.latency_samples = 994;
    route.advice = "Raise the server's keep-alive time-out above 10 s.";
    ConnectionStats connection;
    connection.id = 17;
    connection.route = route.route;
    connection.key = route.key;
    connection.protocol = "http/1.1";
    connection.age = std::chrono::seconds(90);
    connection.idle_for = std::chrono::milliseconds(250);
    connection.requests = 331;
    connection.dial_reason = DialReason::busy;
    connection.remote = "127.0.0.1:9100";
    connection.local = "127.0.0.1:51966";
    connections.connections = {connection};
    stats.pool = route.counters;
    stats.routes = {route};
    stats.sockets_open = 3;
    stats.sockets_limit = 6144;
    const auto job = std::make_shared<const scrape::Job>();
    auto snapshot = std::make_shared<scrape::Snapshot>();
    snapshot->cycle = 7;
    snapshot->cut_off = Clock::now();
    snapshot->interval = std::chrono::seconds(15);
    scrape::TargetSnapshot target{.target = scrape::make_target(job, "127.0.0.1:9100").value(),
                                  .state = scrape::TargetState::fresh};
    target.report.outcome = scrape::Outcome::ok;
    target.report.status = 200;
    target.report.duration = std::chrono::microseconds(2500);
    target.report.connected = true;
    target.report.dial_reason = DialReason::peer_closed;
    target.report.miss = ReuseMiss::peer_closed;
    target.report.keep_alive = std::chrono::seconds(5);
    snapshot->targets.push_back(std::move(target));
    snapshot->totals = {.fresh = 1, .dials = 1};
    snapshots = {nullptr, std::move(snapshot)};
  }

  ConsoleSources all() {
    ConsoleSources sources;
    sources.process = [this] { return facts; };
    sources.transport = [this] { return stats; };
    sources.connections = [this](const ConnectionQuery& query) {
      asked = query;
      return connections;
    };
    sources.differences = [](const std::string& a, const std::string& b) -> Result<std::vector<OptionChange>> {
      if (a == b) return std::vector<OptionChange>();
      if (b != "4d5e6f70") return Error(ErrorCode::invalid_options, Phase::prepare, "no transport uses the pool " + b);
      return std::vector<OptionChange>{{"proxy", "unset", "http://proxy:3128 with credentials"}};
    };
    sources.targets = [this] { return snapshots; };
    sources.fleets = &fleet;
    sources.hosts = {"console.internal"};
    return sources;
  }

  ProcessFacts facts{.version = "0.1.0",
                     .pid = 4242,
                     .started = std::chrono::system_clock::time_point(std::chrono::seconds(1'700'000'000)),
                     .uptime = std::chrono::seconds(61),
                     .ready = true,
                     .services = {{.name = "autoscale", .ready = true}}};
  Stats stats;
  ConnectionList connections;
  ConnectionQuery asked;  // for connections, the last time
  std::vector<scrape::SnapshotPtr> snapshots;
  TestFleet fleet;
};

}  // namespace trunkline::console
