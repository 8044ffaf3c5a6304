#include <set>

#include "pool/route_bench.h"

namespace trunkline::pool {
namespace {

// The bench with a route whose connections are shared. A connection permits one request until settings() says more.
class SharingTest : public RouteTest {
 protected:
  SharingTest() { use(Sharing::always); }

  void use(Sharing sharing) { route = std::make_shared<Route>("https://host:443", budget, 1, sharing); }

  // Connections that carry one request each and permit so many.
  Entry& shared(std::uint32_t capacity) {
    Waiter& first = waiter();
    first.fresh = true;
    acquire(first);
    Entry& made = dial_shares();
    settings(made, capacity);
    grants.clear();
    return made;
  }
  Entry& idle_shared(std::uint32_t capacity) {
    Entry& made = shared(capacity);
    release(made);
    return made;
  }
  Waiter& avoiding(const Entry& entry) {
    Waiter& made = waiter();
    made.avoid = entry.id;
    return made;
  }
  void load(Entry& entry, std::uint32_t leases) {
    while (entry.leases < leases) ASSERT_EQ(acquire(waiter()), &entry);
  }
  void release_all(Entry& entry) {
    while (entry.leases > 0) release(entry);
  }
  // So many requests at once for a peer that permits so many on a connection; nobody finishes. How many dials it takes.
  int dials_for(int requests, std::uint32_t limit) {
    for (int i = 0; i < requests; ++i) queued();
    int dials = 0;
    for (int turn = 0; turn < 10000 && route->counters().waiting > 0; ++turn) {
      now += 10ms;
      if (!orders.empty()) {
        ++dials;
        settings(dial_shares(), limit);
      } else if (turn % 2 == 0) {
        tick();
      }
    }
    return dials;
  }
  void finish_everything() {
    for (int turn = 0; turn < 10000 && counters().leases > 0; ++turn) {
      for (Entry& entry : entries) {
        if (entry.leases > 0) release(entry);
      }
    }
    EXPECT_EQ(counters().waiting, 0);
  }
};

// --- cold starts

using SharingColdStart = SharingTest;

TEST_F(SharingColdStart, two_hundred_requests_make_one_dial_and_one_connection_when_it_can_carry_them) {
  EXPECT_EQ(dials_for(200, 250), 1);
  EXPECT_EQ(grants.size(), 200u);
  EXPECT_EQ(counters().leases, 200);
  EXPECT_EQ(counters().active, 1);
}

TEST_F(SharingColdStart, two_hundred_requests_make_two_connections_for_a_hundred_each) {
  EXPECT_EQ(dials_for(200, 100), 2);
  EXPECT_EQ(grants.size(), 200u);
}

TEST_F(SharingColdStart, two_hundred_requests_make_twenty_connections_for_ten_each) {
  EXPECT_EQ(dials_for(200, 10), 20);
  EXPECT_EQ(grants.size(), 200u);
}

TEST_F(SharingColdStart, a_peer_that_permits_one_request_gets_no_more_connections_than_the_limit) {
  limits.open_per_host = 7;
  EXPECT_EQ(dials_for(200, 1), 7);
  EXPECT_EQ(grants.size(), 7u);
  finish_everything();
  EXPECT_EQ(grants.size(), 200u);
  EXPECT_EQ(counters().dials_started, 7u);
}

TEST_F(SharingColdStart, a_peer_that_never_sends_settings_strands_nobody) {
  limits.open_per_host = 3;
  for (int i = 0; i < 10; ++i) queued();
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(orders.size(), 1u);
    dial_shares();
    EXPECT_TRUE(orders.empty());
    now += 999ms;
    tick();
    EXPECT_TRUE(orders.empty()) << "SETTINGS may still come";
    now += 1ms;
    tick();
  }
  EXPECT_TRUE(orders.empty());
  finish_everything();
  EXPECT_EQ(grants.size(), 10u);
}

TEST_F(SharingColdStart, asks_to_be_woken_when_settings_are_overdue) {
  queued();
  queued();
  wakes.clear();
  dial_shares();
  ASSERT_EQ(wakes.size(), 0u) << "the hedge's wake comes no later";
  now += 250ms;
  tick();
  ASSERT_EQ(wakes.size(), 1u);
  EXPECT_EQ(wakes[0], now + 750ms);
  EXPECT_TRUE(orders.empty());
  now += 750ms;
  tick();
  EXPECT_EQ(orders.size(), 1u);
}

TEST_F(SharingColdStart, gives_one_request_until_settings_say_how_many) {
  for (int i = 0; i < 5; ++i) queued();
  Entry& entry = dial_shares();
  EXPECT_EQ(grants.size(), 1u);
  settings(entry, 3);
  ASSERT_EQ(grants.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(grants[i].waiter, &waiters[i]) << "first in, first out";
  EXPECT_EQ(counters().waiting, 2);
}

TEST_F(SharingColdStart, only_the_first_request_on_a_connection_missed_one) {
  for (int i = 0; i < 5; ++i) queued();
  settings(dial_shares(), 100);
  EXPECT_EQ(missed_for(ReuseMiss::first_for_key), 1u);
  EXPECT_EQ(counters().reused, 4u);
  EXPECT_EQ(waiters[0].miss, ReuseMiss::first_for_key);
  EXPECT_EQ(waiters[4].miss, ReuseMiss::none);
}

TEST_F(SharingColdStart, a_second_dial_is_a_hedge_and_there_is_no_third) {
  for (int i = 0; i < 10; ++i) queued();
  EXPECT_EQ(orders.size(), 1u);
  ASSERT_EQ(wakes.size(), 1u);
  EXPECT_EQ(wakes[0], now + 250ms);
  wait_for_wake();
  EXPECT_EQ(orders.size(), 2u);
  now += 10s;
  tick();
  EXPECT_EQ(orders.size(), 2u);
}

TEST_F(SharingColdStart, does_not_hedge_for_a_single_waiter) {
  queued();
  now += 10s;
  tick();
  EXPECT_EQ(orders.size(), 1u);
}

TEST_F(SharingColdStart, a_failed_dial_fails_one_waiter_and_the_next_dial_is_for_the_others) {
  for (int i = 0; i < 10; ++i) queued();
  dial_fails();
  EXPECT_EQ(failures.size(), 1u);
  EXPECT_TRUE(orders.empty());
  wait_for_wake();
  settings(dial_shares(), 100);
  EXPECT_EQ(grants.size(), 9u);
}

TEST_F(SharingColdStart, five_failed_dials_mean_that_the_route_is_down) {
  fail_dials(5);
  acquire(waiter());
  EXPECT_EQ(outcome, Outcome::down);
}

// --- what a route learns of its peer

class SharingMemory : public SharingTest {
 protected:
  SharingMemory() { use(Sharing::unknown); }
};

TEST_F(SharingMemory, an_unknown_peer_gets_one_dial_and_everybody_waits_for_it) {
  for (int i = 0; i < 20; ++i) queued();
  EXPECT_EQ(orders.size(), 1u);
  settings(dial_shares(), 100);
  EXPECT_EQ(grants.size(), 20u);
  EXPECT_EQ(counters().dials_started, 1u);
}

TEST_F(SharingMemory, a_peer_that_does_not_share_is_fanned_out_to_at_once) {
  for (int i = 0; i < 20; ++i) queued();
  for (const std::size_t gate : {1u, 2u, 4u, 8u}) {
    EXPECT_EQ(orders.size(), gate);
    dial_succeeds();
  }
}

TEST_F(SharingMemory, that_it_does_not_share_is_remembered_for_ten_minutes_after_the_last_dial) {
  limits.max_age = 0s;
  limits.idle_timeout = 0s;
  active();
  now += 10min - 1ns;
  for (int i = 0; i < 3; ++i) queued();
  EXPECT_EQ(orders.size(), 2u);
  for (int i = 0; i < 3; ++i) dial_succeeds();
  now += 10min;
  for (int i = 0; i < 3; ++i) queued();
  EXPECT_EQ(orders.size(), 1u);
}

TEST_F(SharingMemory, a_peer_that_turns_to_sharing_is_believed) {
  active();
  for (int i = 0; i < 5; ++i) queued();
  EXPECT_EQ(orders.size(), 2u);
  settings(dial_shares(), 2);
  dial_fails();
  EXPECT_TRUE(orders.empty());
  EXPECT_EQ(grants.size(), 2u);
  wait_for_wake();
  EXPECT_EQ(orders.size(), 1u) << "one at a time again";
}

TEST_F(SharingMemory, a_dial_expects_the_limit_that_was_last_heard_until_ten_minutes_after_its_last_use) {
  limits.max_age = 0s;
  queued();
  EXPECT_EQ(orders.at(0)->expected_capacity, 1u);
  Entry& entry = dial_shares();
  settings(entry, 30);
  settings(entry, 20);
  now += 1h;
  release(entry, false);
  now += 10min - 1ns;
  queued();
  EXPECT_EQ(orders.at(0)->expected_capacity, 20u);
  dial_fails();
  now += 10s;
  queued();
  EXPECT_EQ(orders.at(0)->expected_capacity, 1u);
}

TEST_F(SharingMemory, a_dial_that_expects_a_limit_serves_at_once) {
  Entry& entry = shared(5);
  release(entry, false);
  for (int i = 0; i < 7; ++i) queued();
  dial_shares();
  EXPECT_EQ(grants.size(), 5u);
}

TEST_F(SharingMemory, a_limit_of_zero_is_a_pause_and_not_remembered) {
  Entry& entry = shared(20);
  settings(entry, 0);
  release(entry, false);
  queued();
  EXPECT_EQ(orders.at(0)->expected_capacity, 20u);
}

TEST_F(SharingMemory, a_peer_that_permits_nothing_is_waited_for_even_by_those_whom_it_turned_away) {
  Entry& entry = shared(20);
  settings(entry, 0);
  queued();
  EXPECT_EQ(acquire(avoiding(entry)), nullptr);
  EXPECT_TRUE(orders.empty());
  now += 1s - 1ns;
  tick();
  EXPECT_TRUE(orders.empty());
  now += 1ns;
  tick();
  EXPECT_EQ(orders.size(), 1u);
}

TEST_F(SharingMemory, those_who_wait_can_be_turned_away) {
  queued();
  queued();
  queued();
  turn_away(ErrorCode::http1_required);
  ASSERT_EQ(failures.size(), 3u);
  EXPECT_EQ(failures[0].code, ErrorCode::http1_required);
  settings(dial_shares(), 10);
  EXPECT_TRUE(grants.empty());
}

TEST_F(SharingMemory, invalidation_forgets_everything) {
  release(shared(20), false);
  invalidate();
  queued();
  EXPECT_EQ(orders.at(0)->expected_capacity, 1u);
  dial_succeeds();
  invalidate();
  for (int i = 0; i < 5; ++i) queued();
  EXPECT_EQ(orders.size(), 1u) << "it may share by now";
}

TEST_F(SharingMemory, nothing_is_learned_from_a_dial_of_before_an_invalidation) {
  queued();
  queued();
  invalidate();
  Entry& entry = dial_shares();
  settings(entry, 20);
  EXPECT_EQ(grants.size(), 1u) << "it serves one, as an exclusive one would";
  EXPECT_TRUE(entry.retiring);
  EXPECT_EQ(orders.at(0)->expected_capacity, 1u);
  release(entry);
  EXPECT_EQ(entry.close_reason, CloseReason::invalidated);
}

TEST_F(SharingMemory, an_exclusive_dial_of_before_an_invalidation_does_not_open_the_gate) {
  for (int i = 0; i < 5; ++i) queued();
  invalidate();
  dial_succeeds();
  EXPECT_EQ(orders.size(), 1u) << "one dial, to find out what is there now";
}

// --- what the peer permits

using SharingCapacity = SharingTest;

TEST_F(SharingCapacity, is_never_exceeded) {
  Entry& entry = shared(3);
  load(entry, 3);
  EXPECT_EQ(acquire(waiter()), nullptr);
  EXPECT_EQ(waiters.back().miss, ReuseMiss::streams_full);
  release(entry);
  EXPECT_EQ(entry.leases, 3u) << "the waiter has it";
}

TEST_F(SharingCapacity, that_falls_to_one_to_none_and_rises_again_strands_nobody) {
  limits.open_per_host = 1;
  Entry& entry = shared(100);
  load(entry, 100);
  for (int i = 0; i < 8; ++i) queued();
  settings(entry, 1);
  for (int i = 0; i < 50; ++i) release(entry);
  EXPECT_TRUE(grants.empty()) << "there are more than one";
  settings(entry, 0);
  for (int i = 0; i < 48; ++i) release(entry);
  EXPECT_TRUE(grants.empty());
  EXPECT_EQ(entry.leases, 2u) << "those above it just finish";
  settings(entry, 5);
  EXPECT_EQ(grants.size(), 3u) << "one call grants many";
  EXPECT_EQ(entry.leases, 5u);
  finish_everything();
  EXPECT_EQ(grants.size(), 8u);
  EXPECT_EQ(counters().dials_started, 1u);
}

TEST_F(SharingCapacity, of_an_idle_connection_may_be_none_and_rise_again) {
  limits.open_per_host = 1;
  Entry& entry = idle_shared(5);
  settings(entry, 0);
  Waiter& waiting = queued();
  EXPECT_EQ(entry.state, State::idle);
  settings(entry, 1);
  ASSERT_EQ(grants.size(), 1u);
  EXPECT_EQ(grants[0].waiter, &waiting);
  EXPECT_EQ(entry.state, State::active);
}

TEST_F(SharingCapacity, counts_the_changes_of_a_limit_but_not_the_first) {
  Entry& entry = shared(100);
  EXPECT_EQ(counters().limit_changes, 0u);
  settings(entry, 100);
  EXPECT_EQ(counters().limit_changes, 0u);
  settings(entry, 10);
  settings(entry, 0);
  EXPECT_EQ(counters().limit_changes, 2u);
}

TEST_F(SharingCapacity, of_a_connection_that_is_being_closed_means_nothing) {
  Entry& entry = idle_shared(5);
  retire(entry);
  queued();
  settings(entry, 50);
  EXPECT_TRUE(grants.empty());
  close();
  settings(entry, 70);
  EXPECT_EQ(counters().limit_changes, 0u);
}

TEST_F(SharingCapacity, may_be_as_large_as_it_likes) {
  Entry& entry = shared(UINT32_MAX);
  load(entry, 1000);
  EXPECT_EQ(counters().leases, 1000);
}

// --- who goes where

using SharingPick = SharingTest;

TEST_F(SharingPick, takes_the_least_loaded_of_two) {
  Entry& a = shared(100);
  Entry& b = shared(100);
  for (int i = 0; i < 100; ++i) {
    Entry* const picked = acquire(waiter());
    ASSERT_NE(picked, nullptr);
    EXPECT_LE(std::max(a.leases, b.leases) - std::min(a.leases, b.leases), 1u);
  }
}

TEST_F(SharingPick, compares_loads_with_what_each_peer_permits) {
  Entry& small = shared(10);
  Entry& large = shared(90);
  for (int i = 0; i < 98; ++i) acquire(waiter());
  EXPECT_EQ(small.leases, 10u);
  EXPECT_EQ(large.leases, 90u);
  for (int i = 0; i < 5; ++i) release(small);
  for (int i = 0; i < 5; ++i) release(large);
  EXPECT_EQ(acquire(waiter()), &small) << "half full, the other hardly empty";
}

TEST_F(SharingPick, spreads_a_load_over_many_connections) {
  std::vector<Entry*> all;
  for (int i = 0; i < 8; ++i) all.push_back(&shared(1000));
  for (int i = 0; i < 8 * 100; ++i) acquire(waiter());
  for (const Entry* each : all) {
    EXPECT_GE(each->leases, 90u);
    EXPECT_LE(each->leases, 112u);
  }
}

TEST_F(SharingPick, leaves_idle_ones_alone_while_a_busy_one_is_less_than_half_full) {
  Entry& surplus = idle_shared(10);
  Entry& busy = shared(10);
  load(busy, 5);
  EXPECT_EQ(surplus.state, State::idle);
  EXPECT_EQ(acquire(waiter()), &surplus);
}

TEST_F(SharingPick, lets_what_a_burst_opened_age_out) {
  std::vector<Entry*> all;
  for (int i = 0; i < 4; ++i) all.push_back(&shared(10));
  for (Entry* each : all) release(*each);
  for (int i = 0; i < 60; ++i) {  // four at a time from now on
    std::vector<Entry*> held;
    for (int k = 0; k < 4; ++k) held.push_back(acquire(waiter()));
    for (Entry* each : held) ASSERT_EQ(each, held[0]);
    now += 1s;
    for (Entry* each : held) release(*each);
    for (Entry* each : all) expire(*each);
  }
  EXPECT_EQ(counters().idle, 1);
  close();
  EXPECT_EQ(closed_for(CloseReason::idle_timeout), 3u);
}

TEST_F(SharingPick, wakes_the_most_recently_used_of_the_idle) {
  Entry& a = shared(10);
  Entry& b = shared(10);
  release(a);
  now += 1s;
  release(b);
  EXPECT_EQ(acquire(waiter()), &b);
}

TEST_F(SharingPick, does_not_wake_what_has_been_idle_too_long) {
  Entry& entry = idle_shared(10);
  now += limits.idle_timeout;
  EXPECT_EQ(acquire(waiter()), nullptr);
  EXPECT_EQ(entry.close_reason, CloseReason::idle_timeout);
  EXPECT_EQ(waiters.back().miss, ReuseMiss::idle_expired);
}

TEST_F(SharingPick, prefers_a_shared_connection_to_an_idle_exclusive_one) {
  use(Sharing::unknown);
  Entry& exclusive = active();
  Entry& entry = shared(2);
  now += 1s;
  release(exclusive);
  EXPECT_EQ(acquire(waiter()), &entry);
  EXPECT_EQ(acquire(waiter()), &exclusive) << "the other is full";
}

TEST_F(SharingPick, serves_waiters_from_whichever_connection_has_credit_first) {
  limits.open_per_host = 2;
  Entry& a = shared(1);
  Entry& b = shared(1);
  queued();
  queued();
  release(b);
  release(a);
  ASSERT_EQ(grants.size(), 2u);
  EXPECT_EQ(grants[0].entry, &b);
  EXPECT_EQ(grants[1].entry, &a);
}

TEST_F(SharingPick, a_cancelled_grant_passes_on) {
  limits.open_per_host = 1;
  Entry& entry = shared(1);
  Waiter& first = queued();
  Waiter& second = queued();
  release(entry);
  EXPECT_FALSE(cancel(first));
  release(entry);
  EXPECT_EQ(grants.back().waiter, &second);
}

// --- growing

using SharingGrowth = SharingTest;

TEST_F(SharingGrowth, dials_when_somebody_has_waited_five_milliseconds) {
  Entry& entry = shared(1);
  queued();
  EXPECT_TRUE(orders.empty());
  ASSERT_FALSE(wakes.empty());
  EXPECT_EQ(wakes.back(), now + 5ms);
  now += 4ms;
  tick();
  EXPECT_TRUE(orders.empty());
  now += 1ms;
  tick();
  ASSERT_EQ(orders.size(), 1u);
  EXPECT_EQ(orders[0]->reason, DialReason::streams_full);
  release(entry);
  EXPECT_EQ(grants.size(), 1u) << "whichever comes first";
}

TEST_F(SharingGrowth, does_not_dial_for_what_is_served_in_time) {
  Entry& entry = shared(1);
  queued();
  now += 3ms;
  release(entry);
  now += 10ms;
  tick();
  EXPECT_TRUE(orders.empty());
  EXPECT_EQ(counters().dials_started, 1u);
}

TEST_F(SharingGrowth, dials_one_at_a_time) {
  shared(1);
  for (int i = 0; i < 20; ++i) queued();
  now += 5ms;
  tick();
  EXPECT_EQ(orders.size(), 1u);
  now += 40ms;
  tick();
  EXPECT_EQ(orders.size(), 1u);
}

TEST_F(SharingGrowth, dials_no_more_than_the_waiters_need_at_the_limit_that_is_known) {
  Entry& entry = shared(10);
  load(entry, 10);
  EXPECT_EQ(dials_for(35, 10), 4);
}

TEST_F(SharingGrowth, waits_for_the_settings_of_a_new_connection) {
  Entry& first = shared(1);
  for (int i = 0; i < 3; ++i) queued();
  now += 5ms;
  tick();
  Entry& second = dial_shares();
  now += 100ms;
  tick();
  EXPECT_TRUE(orders.empty());
  settings(second, 3);
  EXPECT_EQ(grants.size(), 3u);
  EXPECT_EQ(first.leases, 1u);
}

TEST_F(SharingGrowth, respects_the_limit_of_open_connections) {
  limits.open_per_host = 1;
  shared(1);
  queued();
  now += 1s;
  tick();
  EXPECT_TRUE(orders.empty());
}

TEST_F(SharingGrowth, those_with_wider_limits_may_dial) {
  PoolLimits narrow;
  narrow.open_per_host = 1;
  shared(1);
  Waiter& modest = waiter();
  modest.limits = &narrow;
  acquire(modest);
  Waiter& generous = queued();
  now += 5ms;
  tick();
  ASSERT_EQ(orders.size(), 1u);
  settings(dial_shares(), 1);
  EXPECT_EQ(grants.back().waiter, &modest) << "still in turn";
  now += 5ms;
  tick();
  settings(dial_shares(), 1);
  EXPECT_EQ(grants.back().waiter, &generous);
}

TEST_F(SharingGrowth, waits_for_a_socket_of_the_process) {
  shared(1);
  budget.set_limit(1);
  queued();
  now += 5ms;
  tick();
  EXPECT_TRUE(orders.empty());
  EXPECT_EQ(reliefs, 1);
  EXPECT_TRUE(route->starved());
  budget.set_limit(2);
  tick();
  EXPECT_EQ(orders.size(), 1u);
}

TEST_F(SharingGrowth, a_peer_that_permits_nothing_leads_to_another_connection) {
  Entry& entry = idle_shared(5);
  settings(entry, 0);
  queued();
  EXPECT_TRUE(orders.empty()) << "it may change its mind";
  wait_for_wake();
  EXPECT_EQ(orders.size(), 1u);
}

TEST_F(SharingGrowth, an_idle_connection_that_permits_nothing_makes_room) {
  limits.open_per_host = 1;
  Entry& entry = idle_shared(5);
  settings(entry, 0);
  queued();
  EXPECT_EQ(wakes.back(), now + 1s);
  wait_for_wake();
  EXPECT_EQ(entry.close_reason, CloseReason::evicted_host);
  close();
  EXPECT_EQ(orders.size(), 1u);
}

TEST_F(SharingGrowth, a_request_that_wants_a_fresh_connection_gets_a_dial_at_once) {
  Entry& entry = idle_shared(10);
  Waiter& fresh = fresh_waiter();
  EXPECT_EQ(acquire(fresh), nullptr);
  ASSERT_EQ(orders.size(), 1u);
  EXPECT_EQ(orders[0]->reason, DialReason::forced);
  EXPECT_EQ(acquire(waiter()), &entry);
  Entry& made = dial_shares();
  EXPECT_EQ(grants.back().entry, &made);
  EXPECT_EQ(fresh.miss, ReuseMiss::forced);
}

TEST_F(SharingGrowth, a_fresh_connection_is_fresh_for_one) {
  acquire(fresh_waiter());
  acquire(fresh_waiter());
  settings(dial_shares(), 100);
  EXPECT_EQ(grants.size(), 1u);
  ASSERT_EQ(orders.size(), 1u);
  dial_shares();
  EXPECT_EQ(grants.size(), 2u);
}

// --- retiring

using SharingRetire = SharingTest;

TEST_F(SharingRetire, finishes_what_it_carries_and_takes_nothing_more) {
  Entry& entry = shared(100);
  load(entry, 3);
  retire(entry);
  EXPECT_EQ(counters().retiring, 1);
  EXPECT_EQ(entry.state, State::active);
  queued();
  ASSERT_EQ(orders.size(), 1u) << "at once: nothing else is open";
  EXPECT_EQ(waiters.back().miss, ReuseMiss::draining);
  EXPECT_EQ(orders[0]->reason, DialReason::draining);
  release(entry);
  release(entry);
  EXPECT_TRUE(closing.empty());
  EXPECT_TRUE(grants.empty());
  release(entry);
  ASSERT_EQ(closing.size(), 1u);
  EXPECT_EQ(counters().retiring, 0);
  close();
  EXPECT_EQ(closed_for(CloseReason::goaway), 1u);
  dial_shares();
  EXPECT_EQ(grants.size(), 1u);
}

TEST_F(SharingRetire, an_idle_one_closes_at_once) {
  Entry& entry = idle_shared(10);
  retire(entry);
  ASSERT_EQ(closing.size(), 1u);
  EXPECT_EQ(counters().retiring, 0);
  close();
  EXPECT_EQ(counters().shared_open, 0);
}

TEST_F(SharingRetire, the_first_reason_stands) {
  Entry& entry = shared(10);
  retire(entry, CloseReason::goaway);
  retire(entry, CloseReason::protocol_error);
  release(entry, false, CloseReason::request_failed);
  retire(entry, CloseReason::ping_timeout);
  ASSERT_EQ(closing.size(), 1u);
  close();
  EXPECT_EQ(closed_for(CloseReason::goaway), 1u);
}

TEST_F(SharingRetire, a_request_that_broke_the_connection_retires_it_for_all) {
  Entry& entry = shared(10);
  load(entry, 3);
  release(entry, false, CloseReason::request_failed);
  EXPECT_TRUE(entry.retiring);
  EXPECT_TRUE(closing.empty()) << "others have it";
  EXPECT_EQ(acquire(waiter()), nullptr);
  release(entry, false, CloseReason::connection_close);
  release(entry);
  ASSERT_EQ(closing.size(), 1u) << "once";
  EXPECT_EQ(entry.close_reason, CloseReason::request_failed);
}

TEST_F(SharingRetire, those_who_waited_for_it_get_a_dial) {
  Entry& entry = shared(1);
  queued();
  queued();
  EXPECT_TRUE(orders.empty());
  retire(entry);
  EXPECT_EQ(orders.size(), 1u);
  settings(dial_shares(), 2);
  EXPECT_EQ(grants.size(), 2u);
}

TEST_F(SharingRetire, those_who_waited_for_one_that_broke_get_a_dial) {
  Entry& entry = shared(2);
  load(entry, 2);
  queued();
  release(entry, false, CloseReason::protocol_error);
  EXPECT_EQ(orders.size(), 1u) << "while others still have it";
}

TEST_F(SharingRetire, those_who_waited_for_it_are_served_by_others) {
  limits.open_per_host = 2;
  Entry& leaving = shared(1);
  Entry& staying = shared(1);
  queued();
  retire(leaving);
  EXPECT_TRUE(orders.empty());
  release(staying);
  EXPECT_EQ(grants.size(), 1u);
}

TEST_F(SharingRetire, an_idle_peers_farewells_teach_how_long_it_keeps_connections) {
  for (const CloseReason farewell : {CloseReason::goaway, CloseReason::peer_closed_idle, CloseReason::goaway}) {
    Entry& entry = idle_shared(10);
    now += 1s;
    retire(entry, farewell);
    close();
    now += 500ms;
  }
  EXPECT_EQ(route->idle_limit().learned(now), 1s);
}

TEST_F(SharingRetire, after_its_share_of_requests) {
  limits.requests_per_connection = 10;
  Entry& entry = shared(100);
  load(entry, entry.most_requests);
  EXPECT_TRUE(entry.retiring);
  EXPECT_EQ(entry.close_reason, CloseReason::max_requests);
  queued();
  EXPECT_EQ(waiters.back().miss, ReuseMiss::max_requests);
  EXPECT_EQ(orders.size(), 1u);
}

// --- make before break

using SharingRotation = SharingTest;

TEST_F(SharingRotation, an_acquire_that_finds_it_old_dials_a_successor_and_uses_it_meanwhile) {
  Entry& old = shared(100);
  now = old.rotate_at - 1s;
  load(old, 2);
  release(old);
  now = old.rotate_at;
  EXPECT_EQ(acquire(waiter()), &old);
  ASSERT_EQ(orders.size(), 1u);
  EXPECT_EQ(orders[0]->reason, DialReason::aged);
  EXPECT_EQ(orders[0]->expected_capacity, 100u);
  EXPECT_EQ(acquire(waiter()), &old);
  EXPECT_EQ(orders.size(), 1u) << "one is under way";
  Entry& successor = dial_shares();
  EXPECT_TRUE(old.retiring);
  EXPECT_EQ(old.close_reason, CloseReason::max_age);
  EXPECT_EQ(acquire(waiter()), &successor);
  release_all(old);
  EXPECT_EQ(closing.size(), 1u);
}

TEST_F(SharingRotation, so_does_a_release) {
  Entry& old = shared(100);
  load(old, 2);
  now = old.rotate_at;
  release(old);
  ASSERT_EQ(orders.size(), 1u);
  EXPECT_EQ(orders[0]->reason, DialReason::aged);
}

TEST_F(SharingRotation, an_old_one_that_became_idle_closes_when_its_successor_is_there) {
  Entry& old = shared(100);
  now = old.rotate_at;
  release(old);
  EXPECT_EQ(old.state, State::idle);
  Entry& successor = dial_shares();
  EXPECT_EQ(old.state, State::draining);
  EXPECT_EQ(acquire(waiter()), &successor);
}

TEST_F(SharingRotation, each_of_several_gets_a_successor_the_oldest_first) {
  Entry& a = shared(10);
  now += 1s;
  Entry& b = shared(10);
  a.rotate_at = b.rotate_at = now;
  acquire(waiter());
  ASSERT_EQ(orders.size(), 1u);
  dial_shares();
  EXPECT_TRUE(a.retiring);
  EXPECT_FALSE(b.retiring);
  release(b);
  ASSERT_EQ(orders.size(), 1u);
  dial_shares();
  EXPECT_EQ(b.close_reason, CloseReason::max_age);
}

TEST_F(SharingRotation, past_its_grace_it_retires_regardless) {
  limits.open_per_host = 1;
  Entry& old = shared(100);
  load(old, 2);
  now = old.rotate_at;
  EXPECT_EQ(acquire(waiter()), &old);
  EXPECT_TRUE(orders.empty()) << "no room for two";
  now = old.retire_at;
  EXPECT_EQ(acquire(waiter()), nullptr);
  EXPECT_TRUE(old.retiring);
  EXPECT_EQ(waiters.back().miss, ReuseMiss::max_age);
  release_all(old);
  close();
  EXPECT_EQ(orders.size(), 1u);
}

TEST_F(SharingRotation, past_its_grace_a_release_retires_it_too) {
  Entry& old = shared(100);
  load(old, 2);
  now = old.retire_at;
  release(old);
  EXPECT_EQ(old.close_reason, CloseReason::max_age);
  EXPECT_TRUE(old.retiring);
}

TEST_F(SharingRotation, a_failed_successor_is_tried_again_after_the_pause) {
  Entry& old = shared(100);
  now = old.rotate_at;
  acquire(waiter());
  dial_fails();
  EXPECT_TRUE(failures.empty());
  acquire(waiter());
  EXPECT_TRUE(orders.empty());
  now += 30ms;
  EXPECT_EQ(acquire(waiter()), &old);
  EXPECT_EQ(orders.size(), 1u);
}

TEST_F(SharingRotation, a_successor_never_waits_for_a_socket_of_the_process) {
  Entry& old = shared(100);
  budget.set_limit(1);
  now = old.rotate_at;
  EXPECT_EQ(acquire(waiter()), &old);
  EXPECT_TRUE(orders.empty());
  EXPECT_EQ(reliefs, 0);
}

TEST_F(SharingRotation, the_successor_is_there_before_the_last_request) {
  limits.requests_per_connection = 1600;
  Entry& old = shared(10000);
  load(old, old.most_requests - old.most_requests / 16 - 1);
  EXPECT_TRUE(orders.empty());
  load(old, old.leases + 1);
  ASSERT_EQ(orders.size(), 1u);
  EXPECT_EQ(orders[0]->reason, DialReason::aged);
  dial_shares();
  EXPECT_EQ(old.close_reason, CloseReason::max_requests);
  EXPECT_TRUE(old.retiring);
}

// --- avoiding a connection

using SharingAvoid = SharingTest;

TEST_F(SharingAvoid, takes_another_that_is_open) {
  Entry& bad = shared(100);
  Entry& good = shared(100);
  load(good, 1);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(acquire(avoiding(bad)), &good);
}

TEST_F(SharingAvoid, takes_another_that_is_idle) {
  Entry& bad = shared(100);
  Entry& good = idle_shared(100);
  EXPECT_EQ(acquire(avoiding(bad)), &good);
}

TEST_F(SharingAvoid, dials_at_once_when_there_is_no_other) {
  Entry& bad = shared(100);
  EXPECT_EQ(acquire(avoiding(bad)), nullptr);
  EXPECT_EQ(orders.size(), 1u);
  Entry& good = dial_shares();
  EXPECT_EQ(grants.back().entry, &good);
}

TEST_F(SharingAvoid, does_not_wait_five_milliseconds_for_others_that_are_full) {
  Entry& bad = shared(100);
  shared(1);
  acquire(avoiding(bad));
  EXPECT_EQ(orders.size(), 1u);
}

TEST_F(SharingAvoid, is_not_served_by_it_and_does_not_hold_others_up) {
  limits.open_per_host = 2;
  Entry& bad = shared(1);
  Entry& full = shared(1);
  Waiter& choosy = avoiding(bad);
  acquire(choosy);
  Waiter& other = queued();
  release(bad);
  ASSERT_EQ(grants.size(), 1u);
  EXPECT_EQ(grants[0].waiter, &other);
  release(full);
  EXPECT_EQ(grants.back().waiter, &choosy);
}

TEST_F(SharingAvoid, takes_it_after_all_when_no_other_can_be_had) {
  limits.open_per_host = 1;
  Entry& bad = shared(100);
  EXPECT_EQ(acquire(avoiding(bad)), &bad);
}

TEST_F(SharingAvoid, takes_it_after_all_when_the_others_are_gone) {
  limits.open_per_host = 2;
  Entry& bad = shared(100);
  Entry& full = shared(1);
  Waiter& choosy = avoiding(bad);
  EXPECT_EQ(acquire(choosy), nullptr);
  retire(full);
  ASSERT_EQ(grants.size(), 1u);
  EXPECT_EQ(grants[0].entry, &bad);
}

TEST_F(SharingAvoid, takes_it_after_all_when_the_other_carried_its_last_request) {
  limits.open_per_host = 2;
  Entry& bad = shared(100);
  Entry& full = shared(1);
  full.most_requests = full.requests + 1;
  acquire(avoiding(bad));
  Waiter& choosy = avoiding(bad);
  acquire(choosy);
  release(full);
  ASSERT_EQ(grants.size(), 2u);
  EXPECT_EQ(grants[0].entry, &full);
  EXPECT_EQ(grants[1].waiter, &choosy);
  EXPECT_EQ(grants[1].entry, &bad);
}

TEST_F(SharingAvoid, does_not_hold_up_those_behind_when_a_peer_permits_more) {
  limits.open_per_host = 2;
  Entry& bad = shared(1);
  shared(1);
  acquire(avoiding(bad));
  Waiter& other = queued();
  settings(bad, 2);
  ASSERT_EQ(grants.size(), 1u);
  EXPECT_EQ(grants[0].waiter, &other);
}

TEST_F(SharingAvoid, takes_it_after_all_when_the_dial_fails) {
  Entry& bad = shared(100);
  Waiter& choosy = avoiding(bad);
  acquire(choosy);
  dial_fails();
  EXPECT_TRUE(failures.empty());
  ASSERT_EQ(grants.size(), 1u);
  EXPECT_EQ(grants[0].waiter, &choosy);
  EXPECT_EQ(grants[0].entry, &bad);
}

TEST_F(SharingAvoid, takes_it_after_all_when_the_process_has_no_socket) {
  Entry& bad = shared(100);
  budget.set_limit(1);
  acquire(avoiding(bad));
  ASSERT_EQ(grants.size(), 1u);
  EXPECT_EQ(grants[0].entry, &bad);
}

TEST_F(SharingAvoid, an_idle_one_makes_room_for_another) {
  limits.open_per_host = 1;
  Entry& bad = idle_shared(100);
  EXPECT_EQ(acquire(avoiding(bad)), nullptr);
  EXPECT_EQ(bad.close_reason, CloseReason::evicted_host);
  close();
  EXPECT_EQ(orders.size(), 1u);
}

TEST_F(SharingAvoid, holds_for_exclusive_connections_too) {
  use(Sharing::never);
  Entry& bad = idle();
  EXPECT_EQ(acquire(avoiding(bad)), nullptr);
  EXPECT_EQ(orders.size(), 1u);
  EXPECT_EQ(acquire(waiter()), &bad);
  release(bad);
  EXPECT_TRUE(grants.empty());
  Entry& good = dial_succeeds();
  EXPECT_EQ(grants.back().entry, &good);
}

// --- idle ones, and the end

using SharingIdle = SharingTest;

TEST_F(SharingIdle, are_never_examined) {
  Entry& entry = idle_shared(10);
  EXPECT_FALSE(route->examine(entry));
  EXPECT_EQ(acquire(waiter()), &entry);
  EXPECT_FALSE(route->examine(entry));
  release(entry);
  EXPECT_TRUE(looks.empty());
}

TEST_F(SharingIdle, expire) {
  limits.max_age = 0s;
  Entry& entry = idle_shared(10);
  EXPECT_EQ(expire(entry), now + 55s);
  now += 55s;
  EXPECT_EQ(expire(entry), never);
  EXPECT_EQ(entry.close_reason, CloseReason::idle_timeout);
}

TEST_F(SharingIdle, busy_ones_do_not_expire) {
  Entry& entry = shared(10);
  now += 1000s;
  EXPECT_EQ(expire(entry), never);
  EXPECT_EQ(entry.state, State::active);
}

TEST_F(SharingIdle, more_than_idle_per_host_close_the_oldest) {
  limits.idle_per_host = 1;
  Entry& a = shared(10);
  Entry& b = shared(10);
  release(a);
  release(b);
  ASSERT_EQ(closing.size(), 1u);
  EXPECT_EQ(closing[0], &a);
}

TEST_F(SharingIdle, can_be_evicted) {
  Entry& entry = idle_shared(10);
  EXPECT_TRUE(route->can_evict());
  Actions done;
  EXPECT_TRUE(route->evict_oldest(now, CloseReason::evicted_total, done));
  EXPECT_EQ(entry.state, State::draining);
  EXPECT_EQ(acquire(waiter()), nullptr);
}

TEST_F(SharingIdle, suspects_go_with_a_dead_connection) {
  Entry& suspect = shared(10);
  Entry& victim = shared(10);
  release(suspect);
  now += 1s;
  release(victim);
  load(victim, 1);
  Actions done;
  victim.idle_since = suspect.idle_since;
  route->drop_suspects(victim, now, done);
  EXPECT_EQ(suspect.close_reason, CloseReason::stale_suspect);
}

TEST_F(SharingIdle, invalidation_closes_the_idle_and_retires_the_busy) {
  Entry& busy = shared(2);
  load(busy, 2);
  queued();
  invalidate();
  EXPECT_TRUE(busy.retiring);
  EXPECT_EQ(orders.size(), 1u) << "for the one who waits";
  release_all(busy);
  EXPECT_EQ(busy.close_reason, CloseReason::invalidated);
  close();
  settings(dial_shares(), 10);
  Entry& next = entries.back();
  release(next);
  invalidate();
  EXPECT_EQ(next.close_reason, CloseReason::invalidated);
}

TEST_F(SharingIdle, the_end_closes_the_idle_and_retires_the_busy) {
  Entry& busy = shared(1);
  queued();
  shut_down();
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].code, ErrorCode::transport_closed);
  EXPECT_TRUE(busy.retiring);
  settings(busy, 100);
  release(busy);
  EXPECT_EQ(busy.close_reason, CloseReason::shutdown);
  close();
  EXPECT_TRUE(route->empty());
  EXPECT_EQ(budget.open(), 0);
}

TEST_F(SharingIdle, a_dial_under_way_at_the_end_is_closed_when_it_arrives) {
  queued();
  shut_down();
  EXPECT_EQ(dial_shares().close_reason, CloseReason::shutdown);
  close();
  EXPECT_EQ(counters().dials_unused, 1u);
  EXPECT_TRUE(route->empty());
}

TEST_F(SharingIdle, a_dial_that_nobody_waits_for_any_more_is_kept) {
  cancel(queued());
  Entry& entry = dial_shares();
  EXPECT_EQ(entry.state, State::idle);
  EXPECT_EQ(acquire(waiter()), &entry);
  EXPECT_EQ(waiters.back().miss, ReuseMiss::none);
}

TEST_F(SharingIdle, gauges_say_what_is_shared_and_carried) {
  use(Sharing::unknown);
  active();
  Entry& entry = shared(10);
  load(entry, 4);
  EXPECT_EQ(counters().open, 2);
  EXPECT_EQ(counters().active, 2);
  EXPECT_EQ(counters().leases, 5);
  EXPECT_EQ(counters().shared_open, 1);
}

}  // namespace
}  // namespace trunkline::pool
