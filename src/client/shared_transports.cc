#include "client/shared_transports.h"

#include "client/engine.h"
#include "client/transport_impl.h"

namespace trunkline {
namespace {

void add(RequestCounters& sum, const RequestCounters& more) {
  sum.started += more.started;
  sum.completed += more.completed;
  for (std::size_t i = 0; i < sum.failed.size(); ++i) sum.failed[i] += more.failed[i];
  sum.in_flight += more.in_flight;
  sum.retries += more.retries;
}

}  // namespace

void SharedTransports::enlist(const TransportImpl& transport) {
  const std::lock_guard lock(mutex_);
  alive_.insert(&transport);
}

void SharedTransports::dismiss(const TransportImpl& transport) {
  const std::lock_guard lock(mutex_);
  if (alive_.erase(&transport) > 0) add(gone_, transport.request_counters());
}

RequestCounters SharedTransports::requests() const {
  const std::lock_guard lock(mutex_);
  RequestCounters sum = gone_;
  for (const TransportImpl* transport : alive_) add(sum, transport->request_counters());
  return sum;
}

std::unordered_map<std::string, PoolLimits> SharedTransports::limits_of(
    const std::unordered_set<std::string>& route_keys) const {
  const std::lock_guard lock(mutex_);
  std::unordered_map<std::string, PoolLimits> all;
  for (const TransportImpl* transport : alive_) {
    const PoolLimits& own = transport->options().limits;
    for (const std::string& key : transport->used_of(route_keys)) {
      PoolLimits& limits = all.try_emplace(key, own).first->second;
      if (own.idle_per_host > limits.idle_per_host) limits = own;
    }
  }
  return all;
}

std::optional<Options> SharedTransports::options_of(const std::string& shown_route_key) const {
  const std::lock_guard lock(mutex_);
  for (const TransportImpl* transport : alive_) {
    if (!transport->shown_key().empty() && transport->shown_key() == shown_route_key) return transport->options();
  }
  return std::nullopt;
}

Stats Transport::shared_stats() {
  const SharedTransports& transports = Engine::instance().shared_transports();
  Stats stats;
  stats.requests = transports.requests();
  collect_pool(stats, *Engine::instance().shared_pool());
  std::unordered_set<std::string> keys;
  for (const RouteStats& route : stats.routes) keys.insert(route.key);
  auto limits = transports.limits_of(keys);
  for (RouteStats& route : stats.routes) complete_route(route, limits[route.key], stats);
  return stats;
}

}  // namespace trunkline
