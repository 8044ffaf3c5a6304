// One account over several transports: those that share the process's pool, and private ones with a pool each.
#pragma once

#include <memory>
#include <vector>

#include <trunkline/stats.hpp>
#include <trunkline/transport.hpp>

namespace trunkline::cli {

class StatsSum {
 public:
  void add_private(const Stats& stats);  // its requests and its pool
  void add_shared(const Stats& stats);   // its requests; the shared pool counts once
  Stats total() const { return total_; }

 private:
  void add_requests(const RequestCounters& requests);
  void add_pool(const Stats& stats);

  Stats total_;
  bool has_shared_pool_ = false;
};

}  // namespace trunkline::cli
