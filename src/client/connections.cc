// The connections of a pool as values. Under a route's lock no more is done than to copy what changes; what is made of
// it comes afterwards.
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

// An address, or as much of it as there is room for: no address that the kernel knows is longer.
class ShortText {
 public:
  void set(std::string_view text) {
    size_ = std::min(text.size(), text_.size());
    std::copy_n(text.data(), size_, text_.data());
  }
  std::string text() const { return {text_.data(), size_}; }

 private:
  std::array<char, 112> text_;  // the rest of it is never looked at
  std::size_t size_ = 0;
};

// What can be seen of a connection under its route's lock: a copy that takes no memory, as requests wait for the lock.
struct Sight {
  std::uint64_t id = 0;
  TimePoint opened{};
  TimePoint idle_since{};
  ConnectionState state = ConnectionState::idle;
  DialReason dial_reason = DialReason::first;
  std::uint32_t requests = 0;
  std::uint32_t streams = 0;
  std::uint32_t streams_allowed = 1;
  std::string_view protocol;  // neither of these ever goes
  std::string_view tls;
  ShortText remote;
  ShortText local;
};

void look_at(const pool::Entry& entry, Sight& sight) {
  const auto& connection = static_cast<const PooledConnection&>(entry);
  sight.id = entry.id;
  sight.opened = entry.opened;
  sight.idle_since = entry.idle_since;
  sight.state = state_of(entry);
  sight.dial_reason = entry.dial_reason;
  sight.requests = entry.requests;
  sight.streams = streams_of(entry);
  sight.streams_allowed = entry.shared ? entry.capacity : 1;
  sight.protocol = connection.protocol();
  sight.tls = connection.tls();
  // Neither changes after its dial, although the socket may be gone by now.
  sight.remote.set(connection.dialled().address);
  sight.local.set(connection.dialled().local_address);
}

ConnectionStats stats_of(const pool::Route& route, const std::string& key, const Sight& sight, TimePoint now) {
  ConnectionStats stats;
  stats.id = sight.id;
  stats.route = route.name();
  stats.key = key;
  stats.protocol = sight.protocol;
  stats.state = sight.state;
  stats.age = std::max(now - sight.opened, Duration(0));
  if (stats.state == ConnectionState::idle) stats.idle_for = std::max(now - sight.idle_since, Duration(0));
  stats.requests = sight.requests;
  stats.streams = sight.streams;
  stats.streams_allowed = sight.streams_allowed;
  stats.dial_reason = sight.dial_reason;
  stats.remote = sight.remote.text();
  stats.local = sight.local.text();
  stats.tls = sight.tls;
  if (const std::size_t at = stats.route.find(before_proxy); at != std::string::npos) {
    stats.proxy = stats.route.substr(at + before_proxy.size());
  }
  return stats;
}

ConnectionList list_of(pool::Pool& pool, const ConnectionQuery& query) {
  constexpr std::size_t newcomers = 16;  // that may come between two looks, before they are left out
  ConnectionList all;
  std::vector<Sight> sights;
  const TimePoint now = Clock::now();
  for (const auto& route : pool.all_routes()) {
    if (!query.route.empty() && route->name() != query.route) continue;
    const std::string key = shown_key(route->key());
    if (!query.key.empty() && key != query.key) continue;
    // All memory is had before the lock is taken.
    const std::size_t most = std::min(query.most - all.connections.size(), pool.open(*route) + newcomers);
    sights.clear();
    sights.reserve(most);
    all.left_out +=
        pool.look_at_each(*route, most, [&](const pool::Entry& entry) { look_at(entry, sights.emplace_back()); });
    for (const Sight& sight : sights) all.connections.push_back(stats_of(*route, key, sight, now));
  }
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
