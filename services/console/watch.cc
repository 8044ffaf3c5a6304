#include "services/console/watch.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "services/config/json_writer.h"

namespace trunkline::console {
namespace {

constexpr std::uint64_t steps_between_beats = 10;
constexpr std::size_t decisions_a_step = 64;
constexpr std::size_t decisions_at_first = 2000;  // what happened before anybody looked

// No route's name holds a line's end.
std::string name_of(std::string_view route, std::string_view key) {
  return std::string(route).append("\n").append(key);
}

ConnectionPoint point_of(const PoolCounters& counters, double t) {
  return {.t = t,
          .open = static_cast<float>(counters.open),
          .in_use = static_cast<float>(counters.active + counters.upgraded),
          .idle = static_cast<float>(counters.idle),
          .waiting = static_cast<float>(counters.waiting),
          .dials = static_cast<double>(counters.dials_started),
          .granted = static_cast<double>(counters.granted),
          .reused = static_cast<double>(counters.reused)};
}

FleetPoint point_of(const autoscale::FleetStatus& fleet, const autoscale::Decision& decision) {
  FleetPoint point{.t = seconds_since_1970(decision.at),
                   .current = static_cast<float>(decision.current),
                   .desired = static_cast<float>(decision.desired),
                   .min = static_cast<float>(fleet.min),
                   .max = static_cast<float>(fleet.max)};
  // The metric that asks for most is the one to be seen.
  const auto leads = [](const autoscale::MetricRecord& a, const autoscale::MetricRecord& b) {
    return a.demand_low < b.demand_low;
  };
  const auto leading = std::max_element(decision.metrics.begin(), decision.metrics.end(), leads);
  if (leading != decision.metrics.end()) {
    // HPA and kthena give no interval, but a proposal.
    const bool estimated = leading->demand_high > 0;
    const auto proposal = static_cast<double>(leading->proposal);
    point.demand_low = static_cast<float>(estimated ? leading->demand_low : proposal);
    point.demand_high = static_cast<float>(estimated ? leading->demand_high : proposal);
    point.value = static_cast<float>(leading->best);
    point.target = static_cast<float>(leading->target_value);
    point.expected = static_cast<float>(leading->expected);
  }
  for (const autoscale::MetricRecord& metric : decision.metrics) {
    point.carried = std::max(point.carried, static_cast<float>(metric.carried));
    point.missing = std::max(point.missing, static_cast<float>(metric.missing));
  }
  return point;
}

}  // namespace

Watch::Print Watch::print_of(const RouteStats& route) {
  const PoolCounters& c = route.counters;
  const auto number = [](std::uint64_t value) { return static_cast<std::int64_t>(value); };
  return {number(c.granted),
          number(c.reused),
          number(c.dials_started),
          number(c.dials_failed),
          number(c.closed()),
          number(c.queued),
          number(c.queue_rejected),
          c.open,
          c.idle,
          c.leases,
          c.waiting,
          c.upgraded + c.draining + c.retiring,
          static_cast<std::int64_t>(route.learned_idle_seconds * 10),
          static_cast<std::int64_t>(std::hash<std::string>()(route.advice))};
}

void Watch::step(const Now& now) {
  ++steps_;
  step_status();
  step_transport(now);
  step_targets(now);
  step_fleets();
  if (steps_ % steps_between_beats == 0) events_.beat();
}

// Of what nobody is told, here and below, nothing counts as told: whoever comes hears it anew.
void Watch::step_status() {
  if (!sources_.process) return;
  if (!events_.wanted()) {
    told_status_.clear();
    return;
  }
  ProcessFacts facts = sources_.process();
  facts.uptime = Duration(0);  // a clock is no news
  std::string text = status_json(facts);
  if (text == told_status_) return;
  told_status_ = std::move(text);
  events_.publish("status", status_json(sources_.process()));
}

void Watch::remember(const RouteStats& route, double t) {
  auto found = routes_.find(name_of(route.route, route.key));
  if (found == routes_.end()) {
    if (routes_.size() >= most_routes) {
      // The busiest are listed first, so whoever is not listed any more is the one to forget.
      const auto oldest = std::min_element(routes_.begin(), routes_.end(), [](const auto& a, const auto& b) {
        return a.second.history.last() < b.second.history.last();
      });
      if (oldest->second.history.last() >= t) return;
      routes_.erase(oldest);
    }
    found = routes_.try_emplace(name_of(route.route, route.key)).first;
  }
  found->second.history.add(point_of(route.counters, t));
  found->second.seen_in = steps_;
}

// Those that were listed a moment ago and are no more: forgotten by the pool, or not among the busiest.
void Watch::miss_routes() {
  for (auto& [name, memory] : routes_) {
    if (memory.seen_in + 1 != steps_) continue;
    memory.told = {};
    const std::size_t end = name.find('\n');
    config::JsonWriter json;
    json.open('{').key("route").text(name.substr(0, end)).key("key").text(name.substr(end + 1)).close('}');
    events_.publish("route-gone", json.take());
  }
}

// Those that have changed since the watchers were told, the ones that have waited longest first.
std::vector<RouteStats> Watch::news_of(const std::vector<RouteStats>& routes) {
  std::vector<std::pair<RouteMemory*, const RouteStats*>> news;
  for (const RouteStats& route : routes) {
    const auto memory = routes_.find(name_of(route.route, route.key));
    if (memory != routes_.end() && memory->second.told != print_of(route)) news.emplace_back(&memory->second, &route);
  }
  std::sort(news.begin(), news.end(), [](const auto& a, const auto& b) { return a.first->told_in < b.first->told_in; });
  news.resize(std::min(news.size(), routes_an_event));
  std::vector<RouteStats> told;
  for (const auto& [memory, route] : news) {
    memory->told = print_of(*route);
    memory->told_in = steps_;
    told.push_back(*route);
  }
  return told;
}

void Watch::step_transport(const Now& now) {
  if (!sources_.transport) return;
  Stats stats = sources_.transport();
  const double t = seconds_since_1970(now.wall);
  bool wanted = false;
  {
    const std::lock_guard lock(mutex_);
    all_.add(point_of(stats.pool, t));
    for (const RouteStats& route : stats.routes) remember(route, t);
    miss_routes();
    wanted = events_.wanted();
    if (wanted) stats.routes = news_of(stats.routes);
  }
  if (wanted) events_.publish("transport", transport_json(stats, t));
}

void Watch::step_targets(const Now& now) {
  if (!sources_.targets) return;
  const std::vector<scrape::SnapshotPtr> snapshots = sources_.targets();
  std::vector<std::uint64_t> cycles;
  std::vector<RouteLatency> latencies;
  {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < snapshots.size(); ++i) {
      cycles.push_back(snapshots[i] == nullptr ? 0 : snapshots[i]->cycle);
      if (snapshots[i] != nullptr) latencies_.add(i, *snapshots[i]);
    }
    if (!events_.wanted()) cycles.clear();
    if (std::exchange(told_cycles_, cycles) == cycles || cycles.empty()) return;
    latencies = latencies_.all();
  }
  const std::string text = targets_json(snapshots, now, 0);
  events_.publish("targets", text.substr(0, text.size() - 1) + ",\"latencies\":" + latencies_json(latencies) + "}");
}

void Watch::hear_decisions(const autoscale::FleetStatus& fleet, FleetMemory& memory) {
  const std::size_t most = memory.last_decision == 0 ? decisions_at_first : decisions_a_step;
  for (const autoscale::DecisionPtr& entry : sources_.fleets->decisions(fleet.name, memory.last_decision, most)) {
    memory.last_decision = std::max(memory.last_decision, entry->number);
    memory.history.add(point_of(fleet, entry->decision));
    if (!events_.wanted()) continue;
    config::JsonWriter json;
    json.open('{').key("fleet").text(fleet.name).key("decision").json(decision_json(*entry, false)).close('}');
    events_.publish("decision", json.take());
  }
}

void Watch::step_fleets() {
  if (sources_.fleets == nullptr) return;
  const std::vector<autoscale::FleetStatus> fleets = sources_.fleets->fleets();
  const std::lock_guard lock(mutex_);
  for (auto& [name, memory] : fleets_) memory.present = false;
  for (const autoscale::FleetStatus& fleet : fleets) {
    if (!fleets_.contains(fleet.name) && fleets_.size() >= most_fleets) continue;
    FleetMemory& memory = fleets_[fleet.name];
    memory.present = true;
    hear_decisions(fleet, memory);
    if (!events_.wanted()) {
      memory.told.clear();
      continue;
    }
    std::string text = fleet_json(fleet);
    if (text == memory.told) continue;
    events_.publish("fleet", text);
    memory.told = std::move(text);
  }
  for (auto at = fleets_.begin(); at != fleets_.end();) {
    if (at->second.present) {
      ++at;
      continue;
    }
    config::JsonWriter json;
    json.open('{').key("name").text(at->first).close('}');
    events_.publish("fleet-gone", json.take());
    at = fleets_.erase(at);
  }
}

std::string Watch::transport_history() const {
  const std::lock_guard lock(mutex_);
  return to_json(all_.points());
}

std::optional<std::string> Watch::route_history(std::string_view route, std::string_view key) const {
  const std::lock_guard lock(mutex_);
  const auto found = routes_.find(name_of(route, key));
  if (found == routes_.end()) return std::nullopt;
  return to_json(found->second.history.points());
}

std::optional<std::string> Watch::fleet_history(std::string_view fleet) const {
  const std::lock_guard lock(mutex_);
  const auto found = fleets_.find(fleet);
  if (found == fleets_.end()) return std::nullopt;
  return to_json(found->second.history.points());
}

std::vector<RouteLatency> Watch::latencies() const {
  const std::lock_guard lock(mutex_);
  return latencies_.all();
}

}  // namespace trunkline::console
