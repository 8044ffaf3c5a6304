// The connections of a pool as values, taken off the route's own list while its lock is held.
#include <trunkline/connections.hpp>

#include <algorithm>
#include <array>

#include "client/engine.h"
#include "client/transport_impl.h"

namespace trunkline {
namespace {

constexpr std::array<std::string_view, 5> state_names{"idle", "active", "retiring", "upgraded", "draining"};
constexpr std::string_view before_proxy = " via ";  // as in TransportImpl::add_route

ConnectionState state_of(const pool::Entry& entry) {
  switch (entry.state) {
    case pool::State::idle:
      return ConnectionState::idle;
    case pool::State::active:
      return entry.retiring ? ConnectionState::retiring : ConnectionState::active;
    case pool::State::upgraded:
      return ConnectionState::upgraded;
    case pool::State::draining:
    case pool::State::gone:
      break;
  }
  return ConnectionState::draining;
}

std::uint32_t streams_of(const pool::Entry& entry) {
  if (entry.shared) return entry.leases;
  return entry.state == pool::State::active || entry.state == pool::State::upgraded ? 1 : 0;
}

ConnectionStats stats_of(const pool::Route& route, const pool::Entry& entry, TimePoint now) {
  const auto& connection = static_cast<const PooledConnection&>(entry);
  ConnectionStats stats;
  stats.id = entry.id;
  stats.route = route.name();
  stats.key = shown_key(route.key());
  stats.protocol = connection.protocol();
  stats.state = state_of(entry);
  stats.age = std::max(now - entry.opened, Duration(0));
  if (stats.state == ConnectionState::idle) stats.idle_for = std::max(now - entry.idle_since, Duration(0));
  stats.requests = entry.requests;
  stats.streams = streams_of(entry);
  stats.streams_allowed = entry.shared ? entry.capacity : 1;
  stats.dial_reason = entry.dial_reason;
  // Neither changes after its dial, although the socket may be gone by now.
  stats.remote = connection.dialled().address;
  stats.local = connection.dialled().local_address;
  stats.tls = connection.tls();
  if (const std::size_t at = stats.route.find(before_proxy); at != std::string::npos) {
    stats.proxy = stats.route.substr(at + before_proxy.size());
  }
  return stats;
}

ConnectionList list_of(pool::Pool& pool, const ConnectionQuery& query) {
  ConnectionList all;
  const TimePoint now = Clock::now();
  pool.visit(
      [&](const pool::Route& route) {
        return (query.route.empty() || route.name() == query.route) &&
               (query.key.empty() || shown_key(route.key()) == query.key);
      },
      [&](const pool::Route& route, const pool::Entry& entry) {
        if (all.connections.size() < query.most) {
          all.connections.push_back(stats_of(route, entry, now));
        } else {
          ++all.left_out;
        }
      });
  return all;
}

}  // namespace

ConnectionQuery::ConnectionQuery() = default;

std::string_view to_string(ConnectionState state) {
  const auto place = static_cast<std::size_t>(state);
  return place < state_names.size() ? state_names[place] : "unknown";
}

ConnectionList TransportImpl::connections(const ConnectionQuery& query) const {
  return pool_ ? list_of(*pool_, query) : ConnectionList();
}

ConnectionList Transport::shared_connections(const ConnectionQuery& query) {
  return list_of(*Engine::instance().shared_pool(), query);
}

}  // namespace trunkline
