#include "console_lively.h"

#include <algorithm>
#include <cmath>

#include "services/autoscale/engine.h"
#include "services/autoscale_files/policy_file.h"

namespace trunkline::test {
namespace {

using std::chrono::seconds;

constexpr double pi = 3.14159265358979;
constexpr double decide_every = 5;
constexpr double startup = 7;
constexpr double drain = 15;

TimePoint moment(double t) { return TimePoint(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(t))); }

double wave(double t, double period, double low, double high) {
  return low + (high - low) * (0.5 - 0.5 * std::cos(2 * pi * t / period));
}

// One silent pod in nine, for forty seconds of every four minutes.
bool is_silent(double t, int number) { return std::fmod(t, 240) >= 150 && std::fmod(t, 240) < 190 && number % 9 == 4; }

struct Kind {
  const char* route;
  const char* protocol;
  double rate;
  DialReason trouble;
  double trouble_rate;
  double learned;
  const char* advice;
};

constexpr Kind route_kinds[] = {
    {"https://api.example.com:443", "h2", 420, DialReason::streams_full, 0.004, 0, ""},
    {"http://10.0.3.11:9100", "http/1.1", 38, DialReason::busy, 0.01, 65, ""},
    {"http://10.0.3.12:9100", "http/1.1", 36, DialReason::busy, 0.01, 65, ""},
    {"http://10.0.3.13:9100", "http/1.1", 35, DialReason::aged, 0.01, 65, ""},
    {"http://legacy.internal:8080", "http/1.1", 14, DialReason::peer_closed, 0.22, 4.8,
     "412 of 1,870 dials were made because the server had closed what was idle: it keeps idle connections for 4.8 s, "
     "and "
     "requests come every 6.1 s. Raise its keep-alive time-out above 10 s."},
    {"https://search.example.com:443 via http://proxy.internal:3128", "http/1.1", 22, DialReason::expired, 0.03, 0, ""},
    {"https://events.example.com:443", "http/1.1", 3, DialReason::forced, 0.05, 0, ""},
    {"https://flaky.example.net:443", "h2", 9, DialReason::failed, 0.08, 0,
     "31 of 64 dials failed, the last one with connect_failed: connection refused by 192.0.2.17:443."},
    {"http://10.0.3.11:9100", "http/1.1", 2, DialReason::busy, 0.002, 65, ""},  // the same place with other options
};

}  // namespace

LivelyRoutes::LivelyRoutes() {
  int number = 0;
  for (const Kind& kind : route_kinds) {
    RouteStats route{.route = kind.route, .protocol = kind.protocol, .advice = kind.advice};
    route.key = "5ec0de" + std::to_string(100 + number++);
    route.learned_idle_seconds = kind.learned;
    route.samples = kind.learned > 0 ? 12 : 0;
    routes_.push_back(std::move(route));
  }
}

void LivelyRoutes::step(double t) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    const Kind& kind = route_kinds[i];
    PoolCounters& c = routes_[i].counters;
    const double busy = wave(t + 40.0 * static_cast<double>(i), 300, 0.35, 1);
    const auto requests = static_cast<std::uint64_t>(kind.rate * busy + std::fmod(t * 0.37, 1));
    const auto wanted = std::max<std::int64_t>(1, std::lround(kind.rate * busy / (i == 0 ? 100 : 8)));
    std::uint64_t dials = 0;
    const auto dial = [&](DialReason reason, std::uint64_t times) {
      c.dials_by_reason[static_cast<std::size_t>(reason)] += times;
      dials += times;
    };
    if (c.dials_started == 0) dial(DialReason::first, 1);
    while (c.open + static_cast<std::int64_t>(dials) < wanted)
      dial(i == 0 ? DialReason::streams_full : DialReason::busy, 1);
    // Each trouble closes a connection, and another takes its place.
    const auto troubles = static_cast<std::uint64_t>(std::fmod(t * kind.trouble_rate, 1) + kind.trouble_rate);
    dial(kind.trouble, troubles);
    c.closed_by_reason[static_cast<std::size_t>(i == 4 ? CloseReason::peer_closed_idle : CloseReason::max_age)] +=
        troubles;
    c.dials_started += dials;
    c.dials_succeeded += dials;
    if (kind.trouble == DialReason::failed) c.dials_failed += troubles;
    c.open += static_cast<std::int64_t>(dials - troubles);
    c.active = std::min<std::int64_t>(c.open, std::lround(static_cast<double>(c.open) * busy * 0.8));
    if (i == 6) c.upgraded = 1, c.active = 0;
    c.idle = c.open - c.active - c.upgraded;
    c.leases = i == 0 ? c.active * 40 : c.active;
    c.shared_open = i == 0 ? c.open : 0;
    c.granted += requests;
    c.reused += requests - std::min(requests, dials);
    c.misses[static_cast<std::size_t>(ReuseMiss::all_busy)] += std::min(requests, dials);
    c.waiting = i == 4 && busy > 0.9 ? 3 : 0;
    c.queued += static_cast<std::uint64_t>(c.waiting);
    requests_.started += requests;
    requests_.completed += requests;
  }
}

Stats LivelyRoutes::stats() const {
  const std::lock_guard lock(mutex_);
  Stats stats{.requests = requests_, .routes = routes_, .sockets_limit = 6144};
  for (const RouteStats& route : routes_) stats.pool.add(route.counters);
  stats.sockets_open = stats.pool.open;
  return stats;
}

// As many as its counters say are open, with made-up lives.
ConnectionList LivelyRoutes::connections(const ConnectionQuery& query, double t) const {
  const std::lock_guard lock(mutex_);
  ConnectionList all;
  for (const RouteStats& route : routes_) {
    if (!query.route.empty() && (query.route != route.route || query.key != route.key)) continue;
    for (int i = 0; i < route.counters.open; ++i) {
      ConnectionStats one;
      one.id = 100 * (all.connections.size() + 1);
      one.route = route.route;
      one.key = route.key;
      one.protocol = route.protocol;
      const bool upgraded = i < route.counters.upgraded;
      const bool active = i < route.counters.upgraded + route.counters.active;
      one.state = upgraded ? ConnectionState::upgraded : active ? ConnectionState::active : ConnectionState::idle;
      one.age = seconds(590 - 37 * (i % 16)) + std::chrono::milliseconds(static_cast<int>(std::fmod(t, 20) * 1000));
      if (!active) one.idle_for = std::chrono::milliseconds(250 + static_cast<int>(std::fmod(t * 7 + i, 5) * 1000));
      const bool shared = route.counters.shared_open > 0;
      one.requests = static_cast<std::uint64_t>(std::chrono::duration<double>(one.age).count() * (shared ? 70 : 8)) + 1;
      one.streams = active ? shared ? 40 : 1 : 0;
      one.streams_allowed = shared ? 100 : 1;
      one.dial_reason = i == 0 ? DialReason::first : shared ? DialReason::streams_full : DialReason::busy;
      one.remote = route.route.starts_with("https:") ? "192.0.2.10:443" : "10.0.3.11:9100";
      one.local = "10.0.3.2:" + std::to_string(40000 + 7 * i);
      if (route.route.starts_with("https:")) one.tls = "TLSv1.3 TLS_AES_256_GCM_SHA384";
      all.connections.push_back(std::move(one));
    }
  }
  if (all.connections.size() > query.most) {
    all.left_out = all.connections.size() - query.most;
    all.connections.resize(query.most);
  }
  return all;
}

LivelyFleets::LivelyFleets() {
  const auto make = [this](const char* name, double per_pod, autoscale::Bounds bounds, double period, double low,
                           double high) {
    autoscale::NativePolicy rules = autoscale::websocket_preset("active_ws_connections", per_pod, bounds);
    rules.down.stabilise = seconds(30);
    rules.down.policies = {{autoscale::RatePolicy::Kind::pods, 3, seconds(15)}};
    rules.gaps.fresh = seconds(8);
    rules.gaps.carry = seconds(15);
    Fleet fleet{.policy = {.name = name, .rules = rules}, .period = period, .low = low, .high = high};
    fleet.status.target_kind = "process";
    fleets_.push_back(std::move(fleet));
  };
  make("chat", 22, {.min = 2, .max = 24}, 420, 70, 390);
  make("notifications", 100, {.min = 1, .max = 6}, 600, 120, 260);
  fleets_[1].status.target_kind = "dry_run";
  for (Fleet& fleet : fleets_) {
    fleet.status.name = fleet.policy.name;
    fleet.status.compat = autoscale::compat_of(fleet.policy);
    const auto& rules = std::get<autoscale::NativePolicy>(fleet.policy.rules);
    fleet.status.min = rules.bounds.min;
    fleet.status.max = rules.bounds.max;
  }
}

autoscale::Snapshot LivelyFleets::look(const Fleet& fleet, double t) {
  autoscale::Snapshot seen{.current = fleet.wanted};
  const auto serves = [t](const Member& member) { return member.leaving == 0 && t - member.started >= startup; };
  const auto serving = std::max<std::ptrdiff_t>(1, std::count_if(fleet.members.begin(), fleet.members.end(), serves));
  const double each = wave(t, fleet.period, fleet.low, fleet.high) / static_cast<double>(serving);
  int number = 0;
  for (const Member& member : fleet.members) {
    autoscale::Pod pod{.name = member.name, .started = moment(member.started)};
    double load = each;
    if (member.leaving > 0) {
      pod.state = autoscale::PodState::terminating;
      load = 0;
    } else if (!serves(member)) {
      pod.state = autoscale::PodState::starting;
    } else if (is_silent(t, number)) {
      pod.state = autoscale::PodState::missing;
    }
    if (pod.state == autoscale::PodState::ready || pod.state == autoscale::PodState::terminating) {
      pod.samples.push_back(
          {.metric = "active_ws_connections", .value = std::round(load + (number % 3) - 1.0 * (load > 1))});
    }
    ++number;
    seen.pods.push_back(std::move(pod));
  }
  return seen;
}

void LivelyFleets::obey(Fleet& fleet, const autoscale::Decision& decision, double t) {
  fleet.wanted = decision.desired;
  int staying = 0;
  for (const Member& member : fleet.members) staying += member.leaving == 0;
  for (; staying < fleet.wanted; ++staying) {
    fleet.members.push_back(
        {.name = fleet.policy.name + "-" + std::to_string(20000 + fleet.next++ % 100), .started = t});
  }
  for (auto member = fleet.members.rbegin(); member != fleet.members.rend() && staying > fleet.wanted; ++member) {
    if (member->leaving > 0) continue;
    member->leaving = t;
    --staying;
  }
}

void LivelyFleets::step(Fleet& fleet, double t) {
  std::erase_if(fleet.members, [t](const Member& member) { return member.leaving > 0 && t - member.leaving > drain; });
  if (t - fleet.decided < decide_every) return;
  fleet.decided = t;
  const autoscale::Snapshot seen = look(fleet, t);
  const autoscale::Decision decision = autoscale::decide(fleet.state, seen, fleet.policy, moment(t));
  obey(fleet, decision, t);
  autoscale::FleetStatus& status = fleet.status;
  ++status.decisions;
  status.ups += decision.action == autoscale::Action::up;
  status.downs += decision.action == autoscale::Action::down;
  status.gaps_survived += decision.action == autoscale::Action::hold &&
                          std::any_of(decision.metrics.begin(), decision.metrics.end(),
                                      [](const auto& metric) { return metric.missing + metric.carried > 0; });
  status.current = fleet.wanted;
  status.ready = 0;
  status.pods.clear();
  std::map<std::string, const autoscale::PodInput*> inputs;
  for (const auto& metric : decision.metrics) {
    for (const auto& input : metric.pods) inputs[input.pod] = &input;
  }
  for (const autoscale::Pod& pod : seen.pods) {
    const auto input = inputs.find(pod.name);
    status.ready += pod.state == autoscale::PodState::ready;
    status.pods.push_back({.name = pod.name,
                           .state = pod.state,
                           .input = input == inputs.end() ? autoscale::InputState::excluded : input->second->state,
                           .reason = input == inputs.end() ? "" : input->second->reason,
                           .url = "http://127.0.0.1:" + pod.name.substr(pod.name.size() - 5) + "/metrics",
                           .started = pod.started,
                           .process = 4000 + static_cast<int>(status.pods.size())});
  }
  const auto entry = std::make_shared<autoscale::DecisionEntry>(
      autoscale::DecisionEntry{.number = status.decisions, .decision = decision, .seen = seen});
  status.last = entry;
  fleet.decisions.push_back(entry);
  if (fleet.decisions.size() > 500) fleet.decisions.pop_front();
}

void LivelyFleets::step(double t) {
  const std::lock_guard lock(mutex_);
  for (Fleet& fleet : fleets_) step(fleet, t);
  cycle_ = static_cast<std::uint64_t>(t / decide_every);
}

std::vector<autoscale::FleetStatus> LivelyFleets::fleets() const {
  const std::lock_guard lock(mutex_);
  std::vector<autoscale::FleetStatus> all;
  all.reserve(fleets_.size());
  for (const Fleet& fleet : fleets_) all.push_back(fleet.status);
  return all;
}

std::vector<autoscale::DecisionPtr> LivelyFleets::decisions(std::string_view name, std::uint64_t after,
                                                            std::size_t most) const {
  const std::lock_guard lock(mutex_);
  std::vector<autoscale::DecisionPtr> found;
  for (const Fleet& fleet : fleets_) {
    if (fleet.policy.name != name) continue;
    for (const autoscale::DecisionPtr& entry : fleet.decisions) {
      if (entry->number > after) found.push_back(entry);
    }
  }
  if (found.size() > most) found.erase(found.begin(), found.end() - static_cast<std::ptrdiff_t>(most));
  return found;
}

std::optional<autoscale::Policy> LivelyFleets::policy(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  for (const Fleet& fleet : fleets_) {
    if (fleet.policy.name == name) return fleet.policy;
  }
  return std::nullopt;
}

scrape::SnapshotPtr LivelyFleets::snapshot(TimePoint steady) const {
  const std::lock_guard lock(mutex_);
  auto snapshot = std::make_shared<scrape::Snapshot>();
  snapshot->cycle = cycle_;
  snapshot->cut_off = steady;
  snapshot->interval = seconds(5);
  const auto job = std::make_shared<const scrape::Job>(scrape::Job{.name = "node"});
  for (std::size_t i = 1; i <= 4; ++i) {
    auto target = scrape::make_target(job, std::string(route_kinds[i].route).substr(7));
    if (!target) continue;
    scrape::TargetSnapshot one{.target = *target, .state = scrape::TargetState::fresh};
    one.report.outcome = scrape::Outcome::ok;
    one.report.status = 200;
    one.report.duration = std::chrono::microseconds(1800 + 900 * i + 400 * ((cycle_ * 7 + i) % 11));
    one.report.bytes = 21'000;
    one.report.samples = 240;
    one.report.connected = true;
    one.report.reused = i != 4;
    one.report.dial_reason = DialReason::peer_closed;
    one.report.miss = i == 4 ? ReuseMiss::peer_closed : ReuseMiss::none;
    ++snapshot->totals.fresh;
    ++(i == 4 ? snapshot->totals.dials : snapshot->totals.reused);
    snapshot->targets.push_back(std::move(one));
  }
  return snapshot;
}

}  // namespace trunkline::test
