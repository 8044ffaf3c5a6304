// The directory of who is idle where, shared by all threads. Every route has its own lock, held for a few instructions:
// no I/O, no TLS and nobody else's code runs under it. What a decision asks for is done by a Performer, off the lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "pool/budget.h"
#include "pool/route.h"

namespace trunkline::pool {

// Acts without deciding: opens sockets, closes them, wakes callers. Called without any lock held.
class Performer {
 public:
  virtual ~Performer() = default;
  virtual void grant(Waiter& waiter, Entry& entry) = 0;
  virtual void fail(Waiter& waiter, Route& route, ErrorCode code, std::shared_ptr<const Error> error) = 0;
  virtual void dial(Route& route, std::shared_ptr<const DialOrder> order) = 0;
  virtual void close(Route& route, Entry& entry) = 0;
  virtual void look(Route& route, Entry& entry) = 0;    // and then call Pool::examined
  virtual void wake(Route& route, TimePoint when) = 0;  // call Pool::tick then; no call takes back another
};

class Pool : public std::enable_shared_from_this<Pool> {
 public:
  Pool(Budget& budget, Performer& performer, std::uint32_t seed = 1);
  ~Pool();

  // The route of that key, made at need. `name` is for people, `attach` makes what the performer needs. One key, one
  // `sharing`: the first one stands.
  template <class Attach>
  std::shared_ptr<Route> route(const std::string& key, const std::string& name, TimePoint now, Attach&& attach,
                               Sharing sharing = Sharing::never) {
    std::lock_guard lock(mutex_);
    if (auto found = by_key_.find(key); found != by_key_.end()) return found->second;
    std::shared_ptr<Route> made = add_route(key, name, sharing, now);
    made->attachment = attach();
    return made;
  }

  // As Route's functions of the same name, with lock and consequences.
  Route::Outcome acquire(Route& route, Waiter& waiter, TimePoint now, Entry*& granted);
  bool cancel(Route& route, Waiter& waiter, TimePoint now);
  bool dial_ahead(Route& route, const PoolLimits& limits, const Timeouts& timeouts, TimePoint now);
  void release(Route& route, Entry& entry, bool keep, CloseReason reason, const PoolLimits& limits, TimePoint now,
               std::chrono::nanoseconds answer = std::chrono::nanoseconds(0));
  void upgrade(Route& route, Entry& entry);
  void closed(Route& route, Entry& entry, TimePoint now);
  void dialled(Route& route, Entry& entry, const DialOrder& order, TimePoint now);
  void dial_failed(Route& route, Error error, TimePoint now);
  void set_capacity(Route& route, Entry& entry, std::uint32_t capacity, TimePoint now);
  void retire(Route& route, Entry& entry, CloseReason reason, TimePoint now);
  bool examine(Route& route, Entry& entry);
  void examined(Route& route, Entry& entry, bool close, CloseReason reason, TimePoint now);
  TimePoint expire(Route& route, Entry& entry, TimePoint now);
  void drop_suspects(Route& route, const Entry& victim, TimePoint now);
  void hint(Route& route, std::chrono::seconds timeout);
  void tick(Route& route, TimePoint now);

  // Routes for which `selected` says yes.
  template <class Selected>
  void invalidate(Selected&& selected, TimePoint now) {
    for (const auto& each : all_routes()) {
      if (selected(each->name())) invalidate(*each, now);
    }
  }
  void invalidate(Route& route, TimePoint now);
  void turn_away(Route& route, const std::shared_ptr<const Error>& why, TimePoint now);
  void shut_down(TimePoint now);
  // Closes the coldest idle connection of a few that it looks at. False: none is idle.
  bool evict_one(TimePoint now);
  // Has Pool::tick called for the route, which may be another pool's.
  void poke(Route& route) { performer_.wake(route, TimePoint{}); }

  std::int64_t idle() const { return idle_.load(std::memory_order_seq_cst); }
  Budget& budget() { return budget_; }
  std::vector<std::shared_ptr<Route>> all_routes();
  // How many connections of it are open.
  std::size_t open(Route& route);
  // Calls look(entry) for open connections of the route, the oldest first, `most` of them at most, under the route's
  // lock, for which requests wait meanwhile: it only looks, and allocates nothing. Returns how many it was not called
  // for.
  template <class Look>
  std::size_t look_at_each(Route& route, std::size_t most, Look&& look) {
    std::lock_guard lock(route.mutex);
    std::size_t left = static_cast<std::size_t>(route.open());
    for (const Entry* entry = route.first_dialled(); entry != nullptr && most > 0; entry = entry->dialled_after) {
      look(*entry);
      --most;
      --left;
    }
    return left;
  }
  // Consistent for each route; `most` routes by the number of dials.
  void collect(Stats& stats, std::size_t most, TimePoint now);
  std::string broken_law();

 private:
  template <class Decide>
  void decide(Route& route, TimePoint now, Decide&& decide);
  void perform(Route& route, Actions& actions, TimePoint now);
  std::shared_ptr<Route> add_route(const std::string& key, const std::string& name, Sharing sharing, TimePoint now);
  void note_idle(Route& route, std::int64_t before);
  void forget_quiet_routes();
  void spare_one(const PoolLimits* limits, TimePoint now);

  Budget& budget_;
  Performer& performer_;
  std::atomic<std::int64_t> idle_{0};

  std::mutex mutex_;  // below; taken before a route's, never after
  std::unordered_map<std::string, std::shared_ptr<Route>> by_key_;
  std::vector<std::shared_ptr<Route>> routes_;
  std::minstd_rand random_;
  std::size_t sweep_at_ = 1024;
  bool closing_ = false;
  PoolCounters forgotten_;  // of routes that are gone, so that sums stay sums
};

}  // namespace trunkline::pool
