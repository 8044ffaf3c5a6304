#include "pool/pool.h"

#include <gtest/gtest.h>

#include <deque>

namespace trunkline::pool {
namespace {

using namespace std::chrono_literals;

// Does at once what pools decide, except for dials while `dials_hang`. Dials succeed.
class PoolTest : public testing::Test, public Performer {
 protected:
  struct Caller : Waiter {
    Entry* entry = nullptr;
    std::shared_ptr<Route> route;
    Pool* pool = nullptr;
    ErrorCode failed = ErrorCode::last_;
  };

  std::shared_ptr<Pool> make_pool(std::uint32_t seed = 1) {
    auto pool = std::make_shared<Pool>(budget, *this, seed);
    budget.enroll(pool);
    return pool;
  }
  std::shared_ptr<Route> route(Pool& pool, const std::string& name) {
    return pool.route(name, name, now, [&] {
      auto owner = std::make_shared<Owner>();
      owner->pool = &pool;
      return owner;
    });
  }
  Caller& acquire(Pool& pool, const std::string& name) {
    Caller& caller = callers.emplace_back();
    caller.limits = &limits;
    caller.timeouts = &timeouts;
    caller.pool = &pool;
    caller.route = route(pool, name);
    Entry* granted = nullptr;
    if (pool.acquire(*caller.route, caller, now, granted) == Route::Outcome::granted) caller.entry = granted;
    act();
    return caller;
  }
  void release(Caller& caller, bool keep = true) {
    caller.pool->release(*caller.route, *std::exchange(caller.entry, nullptr), keep, CloseReason::connection_close,
                         limits, now);
    caller.route.reset();
    act();
  }
  void request(Pool& pool, const std::string& name) {
    Caller& caller = acquire(pool, name);
    ASSERT_NE(caller.entry, nullptr);
    release(caller);
    if (callers.size() > 100) callers.pop_front();
  }
  Stats stats(Pool& pool) {
    Stats stats;
    pool.collect(stats, 1000000, now);
    EXPECT_EQ(stats.broken_law(), "");
    return stats;
  }
  double reuse_of_a_cyclic_scrape(int hosts, std::uint32_t seed) {
    const auto pool = make_pool(seed);
    limits.idle_total = 100;
    const auto cycle = [&] {
      for (int host = 0; host < hosts; ++host) {
        request(*pool, "host" + std::to_string(host));
        now += 10ms;
      }
    };
    for (int i = 0; i < 10; ++i) cycle();
    const PoolCounters before = stats(*pool).pool;
    for (int i = 0; i < 20; ++i) cycle();
    const PoolCounters after = stats(*pool).pool;
    EXPECT_LE(pool->idle(), 100);
    return static_cast<double>(after.reused - before.reused) / static_cast<double>(after.granted - before.granted);
  }

  // Performer
  void grant(Waiter& waiter, Entry& entry) override { static_cast<Caller&>(waiter).entry = &entry; }
  void fail(Waiter& waiter, Route&, ErrorCode code, std::shared_ptr<const Error>) override {
    static_cast<Caller&>(waiter).failed = code;
  }
  void dial(Route& route, std::shared_ptr<const DialOrder> order) override {
    todo.push_back([this, keep = route.shared_from_this(), order] {
      entries.push_back(std::make_unique<Entry>());
      entries.back()->shared = shared_capacity > 0;
      if (shared_capacity > 0) entries.back()->capacity = shared_capacity;
      pool_of(*keep).dialled(*keep, *entries.back(), *order, now);
    });
  }
  void close(Route& route, Entry& entry) override {
    todo.push_back([this, keep = route.shared_from_this(), &entry] { pool_of(*keep).closed(*keep, entry, now); });
  }
  void look(Route&, Entry&) override {}
  void wake(Route& route, TimePoint when) override {
    woken.push_back(route.name());
    if (when > now) return;
    todo.push_back([this, keep = route.shared_from_this()] { pool_of(*keep).tick(*keep, now); });
  }
  void act() {
    while (!todo.empty()) {
      auto next = std::move(todo.front());
      todo.pop_front();
      next();
    }
  }

  struct Owner : Attachment {
    Pool* pool = nullptr;
  };
  static Pool& pool_of(Route& route) { return *static_cast<Owner&>(*route.attachment).pool; }

  PoolLimits limits;
  Timeouts timeouts;
  Budget budget{10000};
  TimePoint now{1h};
  std::deque<Caller> callers;
  std::vector<std::unique_ptr<Entry>> entries;
  std::deque<std::function<void()>> todo;
  std::vector<std::string> woken;
  std::uint32_t shared_capacity = 0;  // of what is dialled; 0: it is exclusive
};

using PoolEviction = PoolTest;

// Least recently used would reuse nothing at all here.
TEST_F(PoolEviction, reuses_nine_of_ten_when_101_hosts_share_100_idle_connections) {
  for (const std::uint32_t seed : {1U, 2U, 3U}) EXPECT_GE(reuse_of_a_cyclic_scrape(101, seed), 0.90) << "seed " << seed;
}

TEST_F(PoolEviction, reuses_two_of_five_when_150_hosts_share_100_idle_connections) {
  for (const std::uint32_t seed : {1U, 2U, 3U}) EXPECT_GE(reuse_of_a_cyclic_scrape(150, seed), 0.40) << "seed " << seed;
}

TEST_F(PoolEviction, spares_the_route_that_is_reused_most) {
  const auto pool = make_pool();
  limits.idle_total = 3;
  for (int i = 0; i < 20; ++i) request(*pool, "hot");
  for (int i = 0; i < 5; ++i) request(*pool, "cold" + std::to_string(i));
  EXPECT_EQ(route(*pool, "hot")->counters().idle, 1);
}

TEST_F(PoolEviction, finds_the_only_idle_connection_among_a_thousand_routes) {
  const auto pool = make_pool();
  for (int i = 0; i < 500; ++i) route(*pool, "before" + std::to_string(i));
  for (int round = 0; round < 50; ++round) {
    request(*pool, "busy");
    EXPECT_TRUE(pool->evict_one(now));
    act();
    EXPECT_FALSE(pool->evict_one(now));
    route(*pool, "after" + std::to_string(round));
  }
}

TEST_F(PoolEviction, passes_over_routes_whose_connections_are_being_examined) {
  const auto pool = make_pool();
  for (const char* name : {"a", "b", "c"}) request(*pool, name);
  for (std::size_t i = 0; i < 2; ++i) ASSERT_TRUE(pool->examine(*route(*pool, i == 0 ? "a" : "c"), *entries[i * 2]));
  EXPECT_TRUE(pool->evict_one(now));
  EXPECT_FALSE(pool->evict_one(now));
}

using PoolBudget = PoolTest;

TEST_F(PoolBudget, closes_an_idle_connection_of_another_pool_when_the_process_has_no_socket_left) {
  const auto rich = make_pool(1);
  const auto poor = make_pool(2);
  budget.set_limit(1);
  request(*rich, "rich");
  Caller& caller = acquire(*poor, "poor");
  ASSERT_NE(caller.entry, nullptr);
  EXPECT_EQ(stats(*rich).pool.closed_by_reason[static_cast<std::size_t>(CloseReason::evicted_total)], 1u);
  EXPECT_EQ(budget.open(), 1);
}

TEST_F(PoolBudget, serves_starved_routes_in_turn) {
  const auto pool = make_pool();
  budget.set_limit(1);
  Caller& holder = acquire(*pool, "holder");
  std::vector<Caller*> starved;
  for (const char* name : {"first", "second", "third"}) starved.push_back(&acquire(*pool, name));
  release(holder);
  for (std::size_t i = 0; i < starved.size(); ++i) {
    ASSERT_NE(starved[i]->entry, nullptr) << i;
    if (i + 1 < starved.size()) {
      EXPECT_EQ(starved[i + 1]->entry, nullptr) << i;
    }
    release(*starved[i]);
  }
}

TEST_F(PoolBudget, a_connection_that_becomes_idle_makes_room_for_a_starved_route) {
  const auto pool = make_pool();
  budget.set_limit(1);
  Caller& holder = acquire(*pool, "a");
  Caller& starved = acquire(*pool, "b");
  EXPECT_EQ(starved.entry, nullptr);
  release(holder);
  EXPECT_NE(starved.entry, nullptr);
}

TEST_F(PoolBudget, a_route_that_closes_does_not_take_its_socket_back_before_those_who_wait) {
  const auto pool = make_pool();
  budget.set_limit(1);
  Caller& holder = acquire(*pool, "a");
  Caller& starved = acquire(*pool, "b");
  Caller& greedy = acquire(*pool, "a");
  release(holder, false);
  EXPECT_NE(starved.entry, nullptr);
  EXPECT_EQ(greedy.entry, nullptr);
  release(starved, false);
  EXPECT_NE(greedy.entry, nullptr);
}

TEST_F(PoolBudget, routes_that_are_never_idle_take_turns_with_the_last_socket) {
  const auto pool = make_pool();
  budget.set_limit(1);
  Caller* busy = &acquire(*pool, "busy");
  Caller* next = &acquire(*pool, "busy");
  Caller& starved = acquire(*pool, "starved");
  for (int i = 0; i < 4; ++i) {  // in the first 100 ms the connection stays where it is used
    now += std::chrono::milliseconds(20);
    release(*busy);
    ASSERT_NE(next->entry, nullptr) << i;
    busy = next;
    next = &acquire(*pool, "busy");
  }
  EXPECT_EQ(starved.entry, nullptr);
  now += std::chrono::milliseconds(20);
  release(*busy);
  ASSERT_NE(starved.entry, nullptr);
  EXPECT_EQ(next->entry, nullptr);
  EXPECT_EQ(stats(*pool).pool.closed_by_reason[static_cast<std::size_t>(CloseReason::evicted_total)], 1u);
  // Now the other way round, which is no different.
  Caller* other = &starved;
  Caller* after = &acquire(*pool, "starved");
  now += std::chrono::milliseconds(100);
  release(*other);
  ASSERT_NE(next->entry, nullptr);
  EXPECT_EQ(after->entry, nullptr);
}

TEST_F(PoolBudget, a_shared_connection_gives_way_between_two_requests_and_never_under_one) {
  const auto pool = make_pool();
  budget.set_limit(1);
  shared_capacity = 1;
  Caller* busy = &acquire(*pool, "busy");
  Caller* next = &acquire(*pool, "busy");
  Caller& starved = acquire(*pool, "starved");
  for (int i = 0; i < 4; ++i) {
    now += std::chrono::milliseconds(20);
    release(*busy);
    ASSERT_NE(next->entry, nullptr) << i;
    busy = std::exchange(next, &acquire(*pool, "busy"));
  }
  now += std::chrono::milliseconds(20);
  release(*busy);
  ASSERT_NE(starved.entry, nullptr);
  EXPECT_EQ(next->entry, nullptr);
  EXPECT_EQ(stats(*pool).pool.closed_by_reason[static_cast<std::size_t>(CloseReason::evicted_total)], 1u);
}

// One that carries a stream without an end would keep its socket, and who shares it would have none.
TEST_F(PoolBudget, a_shared_connection_with_a_long_stream_stays_for_those_who_use_it) {
  const auto pool = make_pool();
  const auto other = make_pool(2);
  budget.set_limit(2);
  shared_capacity = 100;
  Caller& endless = acquire(*pool, "busy");
  ASSERT_NE(endless.entry, nullptr);
  Caller& elsewhere = acquire(*other, "elsewhere");
  Caller& starved = acquire(*pool, "starved");
  for (int i = 0; i < 10; ++i) {
    now += std::chrono::milliseconds(100);
    Caller& brief = acquire(*pool, "busy");
    ASSERT_NE(brief.entry, nullptr) << i;
    release(brief);
  }
  EXPECT_EQ(starved.entry, nullptr);
  release(elsewhere);
  EXPECT_NE(starved.entry, nullptr) << "what becomes idle is given away all the same";
}

TEST_F(PoolBudget, a_route_alone_keeps_its_connections_however_many_more_it_wants) {
  const auto pool = make_pool();
  budget.set_limit(1);
  Caller& first = acquire(*pool, "busy");
  Caller& second = acquire(*pool, "busy");
  now += std::chrono::milliseconds(1000);
  release(first);
  ASSERT_NE(second.entry, nullptr);
  EXPECT_EQ(stats(*pool).pool.dials_started, 1u);
}

TEST_F(PoolBudget, a_starved_route_whose_waiters_left_passes_its_turn_on) {
  const auto pool = make_pool();
  budget.set_limit(1);
  Caller& holder = acquire(*pool, "a");
  Caller& leaver = acquire(*pool, "b");
  Caller& next = acquire(*pool, "c");
  EXPECT_TRUE(pool->cancel(*leaver.route, leaver, now));
  release(holder, false);
  EXPECT_NE(next.entry, nullptr);
}

TEST_F(PoolBudget, a_raised_limit_serves_who_waits) {
  const auto pool = make_pool();
  budget.set_limit(1);
  acquire(*pool, "a");
  Caller& b = acquire(*pool, "b");
  Caller& c = acquire(*pool, "c");
  budget.set_limit(3);
  act();
  EXPECT_NE(b.entry, nullptr);
  EXPECT_NE(c.entry, nullptr);
}

TEST_F(PoolBudget, a_lowered_limit_takes_from_the_idle_until_there_is_room) {
  const auto pool = make_pool();
  for (int i = 0; i < 5; ++i) request(*pool, "host" + std::to_string(i));
  budget.set_limit(2);
  EXPECT_EQ(budget.open(), 5) << "nothing is closed before somebody needs it";
  EXPECT_NE(acquire(*pool, "new").entry, nullptr);
  EXPECT_EQ(budget.open(), 2);
}

using PoolRoutes = PoolTest;

TEST_F(PoolRoutes, are_made_once_per_key) {
  const auto pool = make_pool();
  EXPECT_EQ(route(*pool, "a"), route(*pool, "a"));
  EXPECT_NE(route(*pool, "a"), route(*pool, "b"));
}

TEST_F(PoolRoutes, that_are_quiet_are_forgotten_and_sums_stay_sums) {
  const auto pool = make_pool();
  Caller& busy = acquire(*pool, "busy");
  request(*pool, "idle");
  const auto held = route(*pool, "held");
  for (int i = 0; i < 5000; ++i) release(acquire(*pool, "host" + std::to_string(i)), false);
  const Stats all = stats(*pool);
  EXPECT_LT(all.routes.size(), 2100u);
  EXPECT_EQ(all.pool.granted, 5002u);
  EXPECT_EQ(all.pool.dials_started, 5002u);
  EXPECT_EQ(all.pool.open, 2);
  EXPECT_EQ(route(*pool, "held"), held);
  EXPECT_EQ(route(*pool, "idle")->counters().idle, 1);
  EXPECT_EQ(route(*pool, "busy"), busy.route);
}

TEST_F(PoolRoutes, are_collected_busiest_first_and_the_rest_is_counted) {
  const auto pool = make_pool();
  for (int host = 0; host < 5; ++host) {
    for (int i = 0; i <= host; ++i) request(*pool, "host" + std::to_string(host));
  }
  Stats few;
  pool->collect(few, 2, now);
  ASSERT_EQ(few.routes.size(), 2u);
  EXPECT_EQ(few.routes[0].route, "host4");
  EXPECT_EQ(few.routes[1].route, "host3");
  EXPECT_EQ(few.routes_left_out, 3u);
  EXPECT_EQ(few.pool.granted, 15u);
  EXPECT_EQ(few.sockets_open, 5);
}

TEST_F(PoolRoutes, that_are_in_use_come_before_those_that_were_busier_once) {
  const auto pool = make_pool();
  for (int i = 0; i < 10; ++i) release(acquire(*pool, "gone"), false);
  request(*pool, "new");
  Stats few;
  pool->collect(few, 1, now);
  ASSERT_EQ(few.routes.size(), 1u);
  EXPECT_EQ(few.routes[0].route, "new");
}

TEST_F(PoolRoutes, show_no_times_of_an_hour_ago) {
  const auto pool = make_pool();
  Caller& caller = acquire(*pool, "host");
  now += 20ms;
  release(caller);
  EXPECT_EQ(stats(*pool).routes[0].latency_samples, 1u);
  EXPECT_NEAR(stats(*pool).routes[0].p50_seconds, 0.020, 0.002);
  now += 1h;
  EXPECT_EQ(stats(*pool).routes[0].latency_samples, 0u);
  EXPECT_EQ(stats(*pool).routes[0].p99_seconds, 0);
}

TEST_F(PoolRoutes, show_their_oldest_connections_and_count_the_rest) {
  const auto pool = make_pool();
  const auto shown = route(*pool, "host");
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(acquire(*pool, "host").entry->id);
  std::vector<std::uint64_t> seen;
  const auto look = [&](const Entry& entry) { seen.push_back(entry.id); };
  EXPECT_EQ(pool->open(*shown), 3u);
  EXPECT_EQ(pool->look_at_each(*shown, 2, look), 1u);
  EXPECT_EQ(seen, (std::vector<std::uint64_t>{ids[0], ids[1]}));
  EXPECT_EQ(pool->look_at_each(*shown, 0, look), 3u);
  EXPECT_EQ(pool->look_at_each(*shown, 10, look), 0u);
  EXPECT_EQ(seen.size(), 5u);
}

TEST_F(PoolRoutes, are_invalidated_by_name) {
  const auto pool = make_pool();
  request(*pool, "a");
  request(*pool, "b");
  pool->invalidate([](const std::string& name) { return name == "a"; }, now);
  act();
  EXPECT_EQ(route(*pool, "a")->counters().open, 0);
  EXPECT_EQ(route(*pool, "b")->counters().open, 1);
}

using PoolTime = PoolTest;

TEST_F(PoolTime, a_clock_jump_drops_what_was_idle_and_dials_anew) {
  const auto pool = make_pool();
  for (int i = 0; i < 10; ++i) acquire(*pool, "host");
  for (Caller& caller : callers) release(caller);
  EXPECT_EQ(pool->idle(), 10);
  now += 8h;
  Caller& after = acquire(*pool, "host");
  ASSERT_NE(after.entry, nullptr);
  EXPECT_FALSE(after.entry->was_reused);
  EXPECT_EQ(pool->idle(), 0);
  EXPECT_EQ(budget.open(), 1);
}

using PoolShutdown = PoolTest;

TEST_F(PoolShutdown, closes_everything_and_refuses_new_routes_too) {
  const auto pool = make_pool();
  Caller& busy = acquire(*pool, "a");
  request(*pool, "b");
  pool->shut_down(now);
  act();
  EXPECT_EQ(budget.open(), 1);
  release(busy);
  EXPECT_EQ(budget.open(), 0);
  Caller late;
  late.limits = &limits;
  late.timeouts = &timeouts;
  Entry* granted = nullptr;
  EXPECT_EQ(pool->acquire(*route(*pool, "a"), late, now, granted), Route::Outcome::closed);
  EXPECT_EQ(pool->acquire(*route(*pool, "new"), late, now, granted), Route::Outcome::closed);
}

}  // namespace
}  // namespace trunkline::pool
