// What a load run has measured, as a table for people and as JSON for programs.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <trunkline/error.hpp>
#include <trunkline/stats.hpp>

#include "histogram.h"
#include "socket_census.h"

namespace trunkline::cli {

// One caller's account; added up when all have stopped.
struct Tally {
  std::uint64_t completed = 0;
  std::uint64_t body_bytes = 0;
  std::map<int, std::uint64_t> statuses;
  std::array<std::uint64_t, error_kind_count> failed{};
  std::map<ErrorCode, std::uint64_t> failed_by_code;
  std::optional<Error> first_error;
  Histogram latency;  // of complete responses

  void add(const Tally& other);
  std::uint64_t failed_total() const;
};

struct LoadReport {
  std::string url;
  std::string method;
  std::string mode;  // shared, recreate, isolated
  bool blocking = false;
  int concurrency = 0;
  bool interrupted = false;
  std::chrono::nanoseconds elapsed{0};
  std::chrono::nanoseconds cpu_user{0};  // of the whole process, over the loop only
  std::chrono::nanoseconds cpu_system{0};
  Tally tally;
  PoolCounters pool;  // what this run added to the counters; gauges as they stand at the end
  std::uint64_t retries = 0;
  SocketCensus sockets;    // what the run has left behind
  std::string broken_law;  // of the conservation laws; empty: all hold

  double seconds() const { return std::chrono::duration<double>(elapsed).count(); }
  double per_second() const;
  double cpu_us_per_request() const;
  double reuse() const;  // share of the granted connections, 0 to 1
};

std::string as_table(const LoadReport& report);
std::string as_json(const LoadReport& report);

// Counters of a run from those before and after it.
PoolCounters difference(const PoolCounters& after, const PoolCounters& before);

}  // namespace trunkline::cli
