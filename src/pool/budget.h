// How many sockets the process may hold, over all pools, and who gets the next one when they are used up.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "base/clock.h"

namespace trunkline::pool {

class Pool;
class Route;

class Budget {
 public:
  explicit Budget(std::int64_t limit) : limit_(limit) {}
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  // A quarter of RLIMIT_NOFILE and half of the ephemeral ports, at least 64.
  static std::int64_t limit_of_this_process();

  // Never while others wait for one: whoever comes later queues behind them.
  bool try_take();
  // The route wants a socket and there is none. It is served in turn.
  void wait(const std::shared_ptr<Route>& route, TimePoint now);
  // Whether `holder`, whose connections go from one request to the next and are never idle, should close this one: a
  // route has waited for `patience`. It is the next to be served.
  bool must_yield(const Route& holder, TimePoint now);
  static constexpr std::chrono::milliseconds patience{100};
  // Takes a socket for the route that has waited longest, if there is one for it: Route::served_. The caller pokes it.
  std::shared_ptr<Route> serve();
  // Gives one back, and serves.
  std::shared_ptr<Route> give();
  void give_for_good();  // by a route that ends: nobody is left to poke the one who is served

  bool anyone_waits() const { return starving_.load(std::memory_order_seq_cst) > 0; }
  // Somebody waits for whom no connection is being closed yet.
  bool wants_relief() const {
    return starving_.load(std::memory_order_seq_cst) > relieving_.load(std::memory_order_relaxed);
  }
  std::int64_t open() const { return open_.load(std::memory_order_relaxed); }  // those taken by serve() included
  std::int64_t limit() const { return limit_.load(std::memory_order_relaxed); }
  void set_limit(std::int64_t limit);  // serves whom there is room for now; closes nothing

  void enroll(const std::shared_ptr<Pool>& pool);
  // Closes one idle connection in any pool, to make room. False: none is idle.
  bool relieve(TimePoint now);

 private:
  bool take();
  void serve_everyone();

  std::atomic<std::int64_t> open_{0};
  std::atomic<std::int64_t> limit_;
  std::atomic<int> starving_{0};
  std::atomic<int> relieving_{0};  // closed to make room and not given back yet; at most
  std::mutex mutex_;               // starved_, pools_
  struct Starved {
    std::weak_ptr<Route> route;
    const Route* identity;  // without locking the former: a route must not end under mutex_
    TimePoint since;
  };
  std::deque<Starved> starved_;
  std::vector<std::weak_ptr<Pool>> pools_;
};

}  // namespace trunkline::pool
