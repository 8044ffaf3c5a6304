#include <gtest/gtest.h>

#include <functional>
#include <string>

#include <trunkline/stats.hpp>

namespace trunkline {
namespace {

template <class Enum, std::size_t N>
std::uint64_t& at(std::array<std::uint64_t, N>& counts, Enum value) {
  return counts[static_cast<std::size_t>(value)];
}

// A life in which every law has something to add up: ten dials, 20 grants, one shared connection with three requests.
PoolCounters some_life() {
  PoolCounters c;
  c.dials_started = 10;
  c.dials_succeeded = 8;
  c.dials_failed = 1;
  at(c.dials_failed_by_phase, DialPhase::tls) = 1;
  c.dialing = 1;
  at(c.dials_by_reason, DialReason::first) = 4;
  at(c.dials_by_reason, DialReason::busy) = 6;
  c.dials_unused = 1;
  c.open = 5;
  c.idle = 2;
  c.active = 1;
  c.draining = 1;
  c.upgraded = 1;
  c.leases = 4;
  c.shared_open = 1;
  c.retiring = 1;
  c.limit_changes = 2;
  at(c.closed_by_reason, CloseReason::idle_timeout) = 1;
  at(c.closed_by_reason, CloseReason::peer_closed_idle) = 2;
  c.granted = 20;
  c.reused = 13;
  at(c.misses, ReuseMiss::first_for_key) = 3;
  at(c.misses, ReuseMiss::all_busy) = 4;
  c.queued = 7;
  c.waiting = 2;
  c.queue_rejected = 1;
  return c;
}

RouteStats route(std::string name) {
  RouteStats stats;
  stats.route = std::move(name);
  stats.counters = some_life();
  return stats;
}

RequestCounters some_requests() {
  RequestCounters r;
  r.started = 30;
  r.completed = 24;
  at(r.failed, ErrorKind::unreachable) = 2;
  at(r.failed, ErrorKind::cancelled) = 1;
  r.in_flight = 3;
  r.retries = 1;
  return r;
}

TEST(Counters, nothing_breaks_no_law) { EXPECT_EQ(Stats().broken_law(), ""); }

TEST(Counters, a_life_that_adds_up_breaks_no_law) {
  Stats stats;
  stats.pool = some_life();
  stats.requests = some_requests();
  stats.routes.push_back(route("http://a:80"));
  EXPECT_EQ(stats.broken_law(), "");
}

TEST(Counters, each_number_that_is_off_by_one_breaks_the_law_that_it_is_in) {
  struct Case {
    std::function<void(PoolCounters&)> change;
    std::string law;
  };
  const Case cases[] = {
      {[](auto& c) { ++c.dials_started; }, "pool: dials_started 11 != 10 = dials_succeeded + dials_failed + dialing"},
      {[](auto& c) { ++c.dials_failed; }, "pool: dials_started 10 != 11 = dials_succeeded + dials_failed + dialing"},
      {[](auto& c) { ++at(c.dials_failed_by_phase, DialPhase::connect); },
       "pool: dials_failed 1 != 2 = the sum of dials_failed_by_phase"},
      {[](auto& c) { --c.dialing; }, "pool: dials_started 10 != 9 = dials_succeeded + dials_failed + dialing"},
      {[](auto& c) { ++c.dials_succeeded, --c.dials_failed, --at(c.dials_failed_by_phase, DialPhase::tls); },
       "pool: dials_succeeded 9 != 8 = open + closed"},
      {[](auto& c) { ++at(c.dials_by_reason, DialReason::forced); },
       "pool: dials_started 10 != 11 = the sum of dials_by_reason"},
      {[](auto& c) { ++c.open; }, "pool: dials_succeeded 8 != 9 = open + closed"},
      {[](auto& c) { ++at(c.closed_by_reason, CloseReason::stale_suspect); },
       "pool: dials_succeeded 8 != 9 = open + closed"},
      {[](auto& c) { ++c.idle; }, "pool: open 5 != 6 = idle + active + draining + upgraded"},
      {[](auto& c) { --c.active; }, "pool: open 5 != 4 = idle + active + draining + upgraded"},
      {[](auto& c) { ++c.draining; }, "pool: open 5 != 6 = idle + active + draining + upgraded"},
      {[](auto& c) { --c.upgraded; }, "pool: open 5 != 4 = idle + active + draining + upgraded"},
      {[](auto& c) { ++c.granted; }, "pool: granted 21 != 20 = reused + the sum of misses"},
      {[](auto& c) { ++c.reused; }, "pool: granted 20 != 21 = reused + the sum of misses"},
      {[](auto& c) { ++at(c.misses, ReuseMiss::forced); }, "pool: granted 20 != 21 = reused + the sum of misses"},
      {[](auto& c) { c.dials_unused = 4; }, "pool: dials_unused 4 > closed 3"},
      {[](auto& c) { c.waiting = -1; }, "pool: waiting is -1"},
      {[](auto& c) { c.idle = -1, c.active = 4; }, "pool: idle is -1"},
      {[](auto& c) { c.leases = 1; }, "pool: active + upgraded 2 > leases 1"},
      {[](auto& c) { c.shared_open = c.retiring = 0; }, "pool: leases 4 != 2 = active + upgraded"},
      {[](auto& c) { c.shared_open = 6; }, "pool: shared_open 6 > open 5"},
      {[](auto& c) { c.shared_open = c.retiring = 2; }, "pool: retiring 2 > active 1"},
      {[](auto& c) { c.shared_open = 0, c.leases = 2; }, "pool: retiring 1 > shared_open 0"},
      {[](auto& c) { c.shared_open = -1; }, "pool: shared_open is -1"},
      {[](auto& c) { c.retiring = -1; }, "pool: retiring is -1"},
  };
  for (const Case& each : cases) {
    Stats stats;
    stats.pool = some_life();
    each.change(stats.pool);
    EXPECT_EQ(stats.broken_law(), each.law);
  }
}

TEST(Counters, what_was_reused_counts_as_no_miss) {
  Stats stats;
  stats.pool = some_life();
  at(stats.pool.misses, ReuseMiss::none) = 99;
  EXPECT_EQ(stats.broken_law(), "");
}

TEST(Counters, requests_have_their_own_law) {
  Stats stats;
  stats.requests = some_requests();
  ++stats.requests.started;
  EXPECT_EQ(stats.broken_law(), "requests started 31 != 30 = completed + failed + in_flight");
  stats.requests = some_requests();
  stats.requests.in_flight = -3;
  EXPECT_EQ(stats.broken_law(), "requests in_flight is -3");
}

TEST(Counters, a_route_that_breaks_a_law_is_named) {
  Stats stats;
  stats.routes.push_back(route("http://a:80"));
  stats.routes.push_back(route("http://b:80"));
  ++stats.routes[1].counters.granted;
  EXPECT_EQ(stats.broken_law(), "http://b:80: granted 21 != 20 = reused + the sum of misses");
}

TEST(Counters, sums_of_lives_that_add_up_add_up) {
  Stats stats;
  stats.pool = some_life();
  stats.pool.add(some_life());
  EXPECT_EQ(stats.broken_law(), "");
  const PoolCounters& sum = stats.pool;
  EXPECT_EQ(sum.dials_started, 20U);
  EXPECT_EQ(sum.dials_succeeded, 16U);
  EXPECT_EQ(sum.dials_failed, 2U);
  EXPECT_EQ(sum.dials_failed_by_phase[static_cast<std::size_t>(DialPhase::tls)], 2U);
  EXPECT_EQ(sum.dialing, 2);
  EXPECT_EQ(sum.dials_unused, 2U);
  EXPECT_EQ(sum.open, 10);
  EXPECT_EQ(sum.idle, 4);
  EXPECT_EQ(sum.active, 2);
  EXPECT_EQ(sum.draining, 2);
  EXPECT_EQ(sum.upgraded, 2);
  EXPECT_EQ(sum.leases, 8);
  EXPECT_EQ(sum.shared_open, 2);
  EXPECT_EQ(sum.retiring, 2);
  EXPECT_EQ(sum.limit_changes, 4U);
  EXPECT_EQ(sum.closed(), 6U);
  EXPECT_EQ(sum.granted, 40U);
  EXPECT_EQ(sum.reused, 26U);
  EXPECT_EQ(sum.queued, 14U);
  EXPECT_EQ(sum.waiting, 4);
  EXPECT_EQ(sum.queue_rejected, 2U);
}

// Sums forget a number that is added to the struct but not to add(): this stops the build when that happens.
TEST(Counters, sums_cover_every_number) {
  PoolCounters c = some_life();
  auto& [started, succeeded, failed, dialing, by_phase, by_reason, unused, open, idle, active, draining, upgraded,
         leases, shared, retiring, limit_changes, closed, granted, reused, misses, queued, waiting, rejected] = c;
  EXPECT_EQ(started + succeeded + failed + unused + granted + reused + queued + rejected + limit_changes, 63U);
  EXPECT_EQ(dialing + open + idle + active + draining + upgraded + leases + shared + retiring + waiting, 19);
  EXPECT_EQ(by_phase.size() + by_reason.size() + closed.size() + misses.size(), 50U);
}

TEST(Counters, failures_of_every_kind_add_up) { EXPECT_EQ(some_requests().failed_total(), 3U); }

}  // namespace
}  // namespace trunkline
