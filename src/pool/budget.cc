#include "pool/budget.h"

#include <sys/resource.h>

#include <algorithm>
#include <fstream>

#include "pool/pool.h"

namespace trunkline::pool {

std::int64_t Budget::limit_of_this_process() {
  rlimit files{};
  std::int64_t limit = 4096;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY) {
    limit = static_cast<std::int64_t>(files.rlim_cur) / 4;
  }
  std::int64_t first = 32768;
  std::int64_t last = 60999;
  std::ifstream range("/proc/sys/net/ipv4/ip_local_port_range");
  if (range >> first >> last && last > first) limit = std::min(limit, (last - first + 1) / 2);
  return std::max<std::int64_t>(limit, 64);
}

bool Budget::try_take() { return !anyone_waits() && take(); }

bool Budget::take() {
  std::int64_t open = open_.load(std::memory_order_relaxed);
  const std::int64_t limit = limit_.load(std::memory_order_relaxed);
  while (open < limit) {
    if (open_.compare_exchange_weak(open, open + 1, std::memory_order_seq_cst)) return true;
  }
  return false;
}

void Budget::wait(const std::shared_ptr<Route>& route, TimePoint now) {
  std::lock_guard lock(mutex_);
  starved_.push_back({route, route.get(), now});
  starving_.fetch_add(1, std::memory_order_seq_cst);
}

bool Budget::must_yield(const Route& holder, TimePoint now) {
  if (!wants_relief()) return false;
  std::lock_guard lock(mutex_);
  // The queue is all but in the order of arrival, so a look at the first other one is enough.
  for (auto each = starved_.begin(); each != starved_.end(); ++each) {
    if (each->identity == &holder || each->route.expired()) continue;
    if (now - each->since < patience) return false;
    std::rotate(starved_.begin(), each, each + 1);
    relieving_.fetch_add(1, std::memory_order_relaxed);
    return true;
  }
  return false;
}

std::shared_ptr<Route> Budget::serve() {
  if (!anyone_waits()) return nullptr;
  std::lock_guard lock(mutex_);
  while (!starved_.empty() && take()) {
    std::shared_ptr<Route> route = starved_.front().route.lock();
    starved_.pop_front();
    starving_.fetch_sub(1, std::memory_order_seq_cst);
    if (route) {
      route->served_.store(true, std::memory_order_release);
      return route;
    }
    open_.fetch_sub(1, std::memory_order_seq_cst);  // it is gone; the next one
  }
  return nullptr;
}

std::shared_ptr<Route> Budget::give() {
  int relieving = relieving_.load(std::memory_order_relaxed);
  while (relieving > 0 && !relieving_.compare_exchange_weak(relieving, relieving - 1, std::memory_order_relaxed)) {
  }
  open_.fetch_sub(1, std::memory_order_seq_cst);
  return serve();  // pairs with wait(): either the one who waits sees the socket given back, or we see it wait
}

void Budget::give_for_good() {
  open_.fetch_sub(1, std::memory_order_seq_cst);
  serve_everyone();
}

void Budget::set_limit(std::int64_t limit) {
  limit_.store(limit, std::memory_order_seq_cst);
  serve_everyone();
}

void Budget::serve_everyone() {
  while (const std::shared_ptr<Route> route = serve()) {
    std::shared_ptr<Pool> pool;
    {
      std::lock_guard lock(mutex_);
      for (auto each = pools_.begin(); each != pools_.end() && !pool; ++each) pool = each->lock();
    }
    if (pool) pool->poke(*route);
  }
}

void Budget::enroll(const std::shared_ptr<Pool>& pool) {
  std::lock_guard lock(mutex_);
  std::erase_if(pools_, [](const std::weak_ptr<Pool>& each) { return each.expired(); });
  pools_.push_back(pool);
}

bool Budget::relieve(TimePoint now) {
  // Counted once: other threads change the numbers while we sort by them.
  std::vector<std::pair<std::int64_t, std::shared_ptr<Pool>>> pools;
  {
    std::lock_guard lock(mutex_);
    for (const auto& each : pools_) {
      auto pool = each.lock();
      const std::int64_t idle = pool ? pool->idle() : 0;
      if (idle > 0) pools.emplace_back(idle, std::move(pool));
    }
  }
  // The pool with most to spare gives first.
  std::sort(pools.begin(), pools.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  for (const auto& [idle, pool] : pools) {
    relieving_.fetch_add(1, std::memory_order_relaxed);
    if (pool->evict_one(now)) return true;
    relieving_.fetch_sub(1, std::memory_order_relaxed);
  }
  return false;
}

}  // namespace trunkline::pool
