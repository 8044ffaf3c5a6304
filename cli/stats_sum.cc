#include "stats_sum.h"

#include <algorithm>

namespace trunkline::cli {

void StatsSum::add_private(const Stats& stats) {
  add_requests(stats.requests);
  add_pool(stats);
}

void StatsSum::add_shared(const Stats& stats) {
  add_requests(stats.requests);
  if (!has_shared_pool_) add_pool(stats);
  has_shared_pool_ = true;
}

void StatsSum::add_requests(const RequestCounters& requests) {
  RequestCounters& sum = total_.requests;
  sum.started += requests.started;
  sum.completed += requests.completed;
  for (std::size_t i = 0; i < sum.failed.size(); ++i) sum.failed[i] += requests.failed[i];
  sum.in_flight += requests.in_flight;
  sum.retries += requests.retries;
}

void StatsSum::add_pool(const Stats& stats) {
  total_.pool.add(stats.pool);
  total_.routes_left_out += stats.routes_left_out;
  total_.sockets_open = stats.sockets_open;  // of the process: the latest word
  total_.sockets_limit = stats.sockets_limit;
  for (const RouteStats& route : stats.routes) {
    const auto same = [&route](const RouteStats& other) {
      return other.route == route.route && other.key == route.key;
    };
    const auto known = std::find_if(total_.routes.begin(), total_.routes.end(), same);
    if (known == total_.routes.end()) {
      total_.routes.push_back(route);
    } else {
      known->counters.add(route.counters);
    }
  }
}

}  // namespace trunkline::cli
