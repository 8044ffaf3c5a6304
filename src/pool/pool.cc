#include "pool/pool.h"

#include <algorithm>
#include <functional>
#include <tuple>

namespace trunkline::pool {

Pool::Pool(Budget& budget, Performer& performer, std::uint32_t seed)
    : budget_(budget), performer_(performer), random_(seed) {}

Pool::~Pool() = default;

std::shared_ptr<Route> Pool::add_route(const std::string& key, const std::string& name, Sharing sharing,
                                       TimePoint now) {
  if (by_key_.size() >= sweep_at_) forget_quiet_routes();
  auto made = std::make_shared<Route>(name, budget_, static_cast<std::uint32_t>(random_()), sharing);
  made->key_ = key;
  by_key_.emplace(key, made);
  routes_.push_back(made);
  if (closing_) {
    Actions none;  // it has neither waiters nor connections
    made->shut_down(now, none);
  }
  return made;
}

// With mutex_ held. A program that talks to ever new hosts must not grow for ever.
void Pool::forget_quiet_routes() {
  std::erase_if(by_key_, [&](const auto& item) {
    const std::shared_ptr<Route>& route = item.second;
    if (route.use_count() > 2) return false;  // somebody beside the two directories holds it
    std::lock_guard lock(route->mutex);
    if (!route->empty()) return false;
    forgotten_.add(route->counters());
    return true;
  });
  routes_.clear();
  for (const auto& [key, route] : by_key_) routes_.push_back(route);
  sweep_at_ = std::max<std::size_t>(1024, 2 * by_key_.size());
}

// Locks the route, lets it decide, and does what was decided.
template <class Decide>
void Pool::decide(Route& route, TimePoint now, Decide&& decide) {
  Actions actions;
  {
    std::lock_guard lock(route.mutex);
    const std::int64_t before = route.counters().idle;
    decide(actions);
    note_idle(route, before);
  }
  if (!actions.empty()) perform(route, actions, now);
}

void Pool::note_idle(Route& route, std::int64_t before) {
  const std::int64_t change = route.counters().idle - before;
  if (change != 0) idle_.fetch_add(change, std::memory_order_seq_cst);
}

void Pool::perform(Route& route, Actions& actions, TimePoint now) {
  // The last action may end the last lease that keeps the route alive.
  const std::shared_ptr<Route> keep = route.shared_from_this();
  for (Action& action : actions) {
    switch (action.kind) {
      case Action::grant:
        performer_.grant(*action.waiter, *action.entry);
        break;
      case Action::fail:
        performer_.fail(*action.waiter, route, action.code, std::move(action.error));
        break;
      case Action::dial:
        performer_.dial(route, std::move(action.order));
        break;
      case Action::close:
        performer_.close(route, *action.entry);
        break;
      case Action::look:
        performer_.look(route, *action.entry);
        break;
      case Action::wake:
        performer_.wake(route, action.when);
        break;
      case Action::relieve:
        if (budget_.wants_relief()) budget_.relieve(now);
        break;
      case Action::poke:
        poke(*action.other);
        break;
    }
  }
}

Route::Outcome Pool::acquire(Route& route, Waiter& waiter, TimePoint now, Entry*& granted) {
  Route::Outcome outcome = Route::Outcome::closed;
  decide(route, now, [&](Actions& actions) { outcome = route.acquire(waiter, now, actions, granted); });
  return outcome;
}

bool Pool::cancel(Route& route, Waiter& waiter, TimePoint now) {
  bool cancelled = false;
  decide(route, now, [&](Actions& actions) { cancelled = route.cancel(waiter, now, actions); });
  return cancelled;
}

bool Pool::dial_ahead(Route& route, const PoolLimits& limits, const Timeouts& timeouts, TimePoint now) {
  if (idle() >= limits.idle_total) return false;  // it would be idle, and cost another one its place
  bool dials = false;
  decide(route, now, [&](Actions& actions) { dials = route.dial_ahead(limits, timeouts, now, actions); });
  return dials;
}

void Pool::release(Route& route, Entry& entry, bool keep, CloseReason reason, const PoolLimits& limits, TimePoint now,
                   std::chrono::nanoseconds answer) {
  decide(route, now, [&](Actions& actions) { route.release(entry, keep, reason, limits, now, actions, answer); });
  spare_one(&limits, now);
}

// After a connection may have become idle: one too many, or one that somebody else in the process waits for. Pairs with
// Action::relieve: either it sees our idle connection, or we see it wait.
void Pool::spare_one(const PoolLimits* limits, TimePoint now) {
  if (limits != nullptr && idle() > limits->idle_total) evict_one(now);
  if (budget_.wants_relief() && idle() > 0) budget_.relieve(now);
}

void Pool::upgrade(Route& route, Entry& entry) {
  std::lock_guard lock(route.mutex);
  route.upgrade(entry);
}

void Pool::closed(Route& route, Entry& entry, TimePoint now) {
  decide(route, now, [&](Actions& actions) { route.closed(entry, now, actions); });
}

void Pool::dialled(Route& route, Entry& entry, const DialOrder& order, TimePoint now) {
  decide(route, now, [&](Actions& actions) { route.dialled(entry, order, now, actions); });
  spare_one(&order.limits, now);
}

void Pool::dial_failed(Route& route, Error error, TimePoint now) {
  auto shared = std::make_shared<const Error>(std::move(error));
  decide(route, now, [&](Actions& actions) { route.dial_failed(std::move(shared), now, actions); });
}

void Pool::set_capacity(Route& route, Entry& entry, std::uint32_t capacity, TimePoint now) {
  decide(route, now, [&](Actions& actions) { route.set_capacity(entry, capacity, now, actions); });
}

void Pool::retire(Route& route, Entry& entry, CloseReason reason, TimePoint now) {
  decide(route, now, [&](Actions& actions) { route.retire(entry, reason, now, actions); });
}

bool Pool::examine(Route& route, Entry& entry) {
  std::lock_guard lock(route.mutex);
  return route.examine(entry);
}

void Pool::examined(Route& route, Entry& entry, bool close, CloseReason reason, TimePoint now) {
  decide(route, now, [&](Actions& actions) { route.examined(entry, close, reason, now, actions); });
  spare_one(nullptr, now);
}

TimePoint Pool::expire(Route& route, Entry& entry, TimePoint now) {
  TimePoint again = never;
  decide(route, now, [&](Actions& actions) { again = route.expire(entry, now, actions); });
  return again;
}

void Pool::drop_suspects(Route& route, const Entry& victim, TimePoint now) {
  decide(route, now, [&](Actions& actions) { route.drop_suspects(victim, now, actions); });
}

void Pool::hint(Route& route, std::chrono::seconds timeout) {
  std::lock_guard lock(route.mutex);
  route.hint(timeout);
}

void Pool::tick(Route& route, TimePoint now) {
  decide(route, now, [&](Actions& actions) { route.tick(now, actions); });
}

void Pool::invalidate(Route& route, TimePoint now) {
  decide(route, now, [&](Actions& actions) { route.invalidate(now, actions); });
}

void Pool::turn_away(Route& route, const std::shared_ptr<const Error>& why, TimePoint now) {
  decide(route, now, [&](Actions& actions) { route.turn_away(why, actions); });
}

void Pool::shut_down(TimePoint now) {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  for (const auto& each : all_routes()) {
    decide(*each, now, [&](Actions& actions) { each->shut_down(now, actions); });
  }
}

std::vector<std::shared_ptr<Route>> Pool::all_routes() {
  std::lock_guard lock(mutex_);
  return routes_;
}

std::size_t Pool::open(Route& route) {
  std::lock_guard lock(route.mutex);
  return static_cast<std::size_t>(route.open());
}

// Least recently used would be the worst choice: a scraper that visits more hosts than may be idle comes back to each
// just after it went. The coldest of a few random ones instead, the newcomer among them: most routes keep theirs.
bool Pool::evict_one(TimePoint now) {
  constexpr int looks = 8;
  std::vector<std::pair<int, std::shared_ptr<Route>>> candidates;  // with their heat
  {
    std::lock_guard lock(mutex_);
    if (routes_.empty()) return false;
    const std::size_t start = random_() % routes_.size();
    const std::size_t step = routes_.size() > looks ? 1 + random_() % (routes_.size() - 1) : 1;
    // A few at random; on a sparse pool all, until one with something idle turns up.
    for (std::size_t i = 0; i < looks + routes_.size(); ++i) {
      const auto& each = routes_[(start + (i < looks ? i * step : i - looks)) % routes_.size()];
      std::lock_guard route_lock(each->mutex);
      if (each->can_evict()) candidates.emplace_back(each->heat(now), each);
      if (i + 1 >= looks && !candidates.empty()) break;
    }
  }
  std::sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  bool evicted = false;
  for (const auto& [heat, victim] : candidates) {
    decide(*victim, now,
           [&](Actions& actions) { evicted = victim->evict_oldest(now, CloseReason::evicted_total, actions); });
    if (evicted) break;
  }
  return evicted;
}

void Pool::collect(Stats& stats, std::size_t most, TimePoint now) {
  std::vector<std::shared_ptr<Route>> routes;
  {
    std::lock_guard lock(mutex_);  // both at once: a route is in one of them
    stats.pool.add(forgotten_);
    routes = routes_;
  }
  for (const auto& each : routes) {
    RouteStats route;
    {
      std::lock_guard lock(each->mutex);
      route.counters = each->counters();
      const IdleLimit& limit = each->idle_limit();
      route.learned_idle_seconds = std::chrono::duration<double>(limit.learned(now)).count();
      route.hinted_idle_seconds = std::chrono::duration<double>(limit.hinted()).count();
      route.samples = limit.samples(now);
      route.latency_samples = each->latency().samples(now);
      route.p50_seconds = std::chrono::duration<double>(each->latency().quantile(0.5, now)).count();
      route.p99_seconds = std::chrono::duration<double>(each->latency().quantile(0.99, now)).count();
      if (const auto error = each->last_error()) route.last_dial_error = *error;
      route.key = each->key();
    }
    route.route = each->name();
    if (route.counters.shared_open > 0) {
      route.protocol = route.route.starts_with("https:") ? "h2" : "h2c";
    } else if (route.counters.open > 0) {
      route.protocol = "http/1.1";
    }
    stats.pool.add(route.counters);
    stats.routes.push_back(std::move(route));
  }
  // What is in use now comes before what was: of a fleet that changes, most routes lead to pods that are gone.
  const auto rank = [](const RouteStats& route) {
    const PoolCounters& counters = route.counters;
    return std::tuple(counters.open + counters.waiting + counters.dialing > 0,
                      counters.granted + counters.dials_started);
  };
  std::ranges::sort(stats.routes, std::ranges::greater(), rank);
  if (stats.routes.size() > most) {
    stats.routes_left_out = stats.routes.size() - most;
    stats.routes.resize(most);
  }
  stats.sockets_open = budget_.open();
  stats.sockets_limit = budget_.limit();
}

std::string Pool::broken_law() {
  for (const auto& each : all_routes()) {
    std::lock_guard lock(each->mutex);
    if (std::string law = each->broken_law(); !law.empty()) return law;
  }
  return {};
}

}  // namespace trunkline::pool
