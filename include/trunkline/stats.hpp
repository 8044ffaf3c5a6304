// Counters that add up. Sums and gauges only; averages are the reader's business.
//
//   dials started    = succeeded + failed by phase + under way
//   dials succeeded  = open + closed by reason
//   open             = idle + active + draining + upgraded
//   leases           = active + upgraded, and more where connections are shared
//   requests started = completed + failed by kind + in flight
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <trunkline/error.hpp>
#include <trunkline/reason.hpp>

namespace trunkline {

struct PoolCounters {
  std::uint64_t dials_started = 0;
  std::uint64_t dials_succeeded = 0;
  std::uint64_t dials_failed = 0;
  std::int64_t dialing = 0;
  std::array<std::uint64_t, dial_phase_count> dials_failed_by_phase{};
  std::array<std::uint64_t, dial_reason_count> dials_by_reason{};
  std::uint64_t dials_unused = 0;  // connections closed without having carried a request

  std::int64_t open = 0;
  std::int64_t idle = 0;
  std::int64_t active = 0;    // connections that carry requests, or whose responses are being read
  std::int64_t draining = 0;  // being closed
  std::int64_t upgraded = 0;
  std::int64_t leases = 0;          // requests under way on connections
  std::int64_t shared_open = 0;     // of those open: may carry several requests at once
  std::int64_t retiring = 0;        // of the active: take no more requests, and close when the last one ends
  std::uint64_t limit_changes = 0;  // how often peers changed the number of requests at once
  std::array<std::uint64_t, close_reason_count> closed_by_reason{};

  std::uint64_t granted = 0;  // requests that got a connection, retries included
  std::uint64_t reused = 0;
  std::array<std::uint64_t, reuse_miss_count> misses{};
  std::uint64_t queued = 0;  // requests that had to wait
  std::int64_t waiting = 0;
  std::uint64_t queue_rejected = 0;

  void add(const PoolCounters& other);
  std::uint64_t closed() const;
};

struct RequestCounters {
  std::uint64_t started = 0;
  std::uint64_t completed = 0;
  std::array<std::uint64_t, error_kind_count> failed{};
  std::int64_t in_flight = 0;
  std::uint64_t retries = 0;

  std::uint64_t failed_total() const;
};

struct RouteStats {
  std::string route;     // "https://host:port", with " via proxy" where one is used
  std::string key;       // short hex of the socket key
  std::string protocol;  // of what is open: "http/1.1", "h2", "h2c"; empty when nothing is
  PoolCounters counters;
  double learned_idle_seconds = 0;  // how long this server keeps idle connections, 0: not known
  double hinted_idle_seconds = 0;   // its Keep-Alive: timeout
  int samples = 0;
  // How long whole answers took lately, from getting a connection to the end of the response; within a sixteenth. What
  // is older than a minute or so counts half, then a quarter; after some thousands of requests it does so sooner.
  // WebSockets are not in it.
  double p50_seconds = 0;
  double p99_seconds = 0;
  std::uint64_t latency_samples = 0;  // how many answers that stands on; 0: nothing is known
  std::optional<Error> last_dial_error;
  std::string advice;  // a sentence, where the counters give one
};

struct Stats {
  RequestCounters requests;        // of this transport
  PoolCounters pool;               // of the pool that it shares
  std::vector<RouteStats> routes;  // of that pool, the busiest first, at most 100
  std::uint64_t routes_left_out = 0;
  std::int64_t sockets_open = 0;  // of the process
  std::int64_t sockets_limit = 0;

  // Which of the laws above does not hold, or empty.
  std::string broken_law() const;
  std::string to_json() const;
  std::string to_prometheus() const;
};

}  // namespace trunkline
