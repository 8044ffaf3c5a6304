#include <set>

#include "pool/route_bench.h"

namespace trunkline::pool {
namespace {

// --- who gets which connection

using RouteReuse = RouteTest;

TEST_F(RouteReuse, dials_when_nothing_is_idle) {
  Waiter& first = queued();
  ASSERT_EQ(orders.size(), 1u);
  Entry& entry = dial_succeeds();
  ASSERT_EQ(grants.size(), 1u);
  EXPECT_EQ(grants[0].waiter, &first);
  EXPECT_EQ(grants[0].entry, &entry);
  EXPECT_FALSE(entry.was_reused);
  EXPECT_EQ(entry.requests, 1u);
}

TEST_F(RouteReuse, reuses_an_idle_connection_before_dialing) {
  Entry& entry = idle();
  EXPECT_EQ(acquire(waiter()), &entry);
  EXPECT_EQ(outcome, Outcome::granted);
  EXPECT_TRUE(entry.was_reused);
  EXPECT_EQ(entry.requests, 2u);
  EXPECT_TRUE(orders.empty());
  EXPECT_EQ(counters().reused, 1u);
}

TEST_F(RouteReuse, takes_the_most_recently_used_first) {
  const auto held = several_active(3);
  for (const int i : {1, 2, 0}) release(*held[static_cast<std::size_t>(i)]);
  EXPECT_EQ(acquire(waiter()), held[0]);
  EXPECT_EQ(acquire(waiter()), held[2]);
  EXPECT_EQ(acquire(waiter()), held[1]);
}

TEST_F(RouteReuse, gives_a_connection_that_comes_back_to_a_waiter_whose_dial_is_still_under_way) {
  Entry& entry = active();
  Waiter& second = queued();
  ASSERT_EQ(orders.size(), 1u);
  release(entry);
  ASSERT_EQ(grants.size(), 1u);
  EXPECT_EQ(grants[0].waiter, &second);
  EXPECT_EQ(grants[0].entry, &entry);
  EXPECT_EQ(second.miss, ReuseMiss::none);
  Entry& late = dial_succeeds();
  EXPECT_EQ(late.state, State::idle) << "the loser goes to the pool, not to waste";
  EXPECT_EQ(acquire(waiter()), &late);
}

TEST_F(RouteReuse, serves_waiters_first_in_first_out) {
  limits.open_per_host = 1;
  Entry& entry = active();
  Waiter* const first = &queued();
  Waiter* const second = &queued();
  Waiter* const third = &queued();
  for (Waiter* expected : {first, second, third}) {
    grants.clear();
    release(entry);
    ASSERT_EQ(grants.size(), 1u);
    EXPECT_EQ(grants[0].waiter, expected);
  }
}

TEST_F(RouteReuse, skips_waiters_whose_time_is_up) {
  limits.open_per_host = 1;
  Entry& entry = active();
  Waiter& patient = queued();
  Waiter& hasty = waiter(now + 1s);
  acquire(hasty);
  Waiter& last = queued();
  release(entry);
  EXPECT_EQ(grants.back().waiter, &patient);
  now += 2s;
  release(entry);
  EXPECT_EQ(grants.back().waiter, &last);
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].waiter, &hasty);
  EXPECT_EQ(failures[0].code, ErrorCode::timeout_queue);
}

TEST_F(RouteReuse, never_gives_a_reused_connection_to_a_request_that_wants_a_fresh_one) {
  Entry& entry = idle();
  Waiter& fresh = fresh_waiter();
  EXPECT_EQ(acquire(fresh), nullptr);
  ASSERT_EQ(orders.size(), 1u);
  EXPECT_EQ(orders[0]->reason, DialReason::forced);
  EXPECT_EQ(acquire(waiter()), &entry) << "the idle one is for the others";
  release(entry);
  EXPECT_TRUE(grants.empty());
  Entry& made = dial_succeeds();
  ASSERT_EQ(grants.size(), 1u);
  EXPECT_EQ(grants[0].entry, &made);
  EXPECT_EQ(fresh.miss, ReuseMiss::forced);
}

TEST_F(RouteReuse, closes_an_idle_connection_that_keeps_a_fresh_one_from_being_dialled) {
  limits.open_per_host = 1;
  idle();
  acquire(fresh_waiter());
  EXPECT_TRUE(orders.empty());
  ASSERT_EQ(closing.size(), 1u);
  EXPECT_EQ(closing[0]->close_reason, CloseReason::evicted_host);
  close();
  EXPECT_EQ(orders.size(), 1u);
}

TEST_F(RouteReuse, closes_a_returning_connection_that_only_a_fresh_waiter_waits_behind) {
  limits.open_per_host = 1;
  Entry& entry = active();
  acquire(fresh_waiter());
  release(entry);
  EXPECT_EQ(closing.size(), 1u);
  close();
  EXPECT_EQ(orders.size(), 1u);
}

TEST_F(RouteReuse, serves_first_who_was_turned_away_before) {
  Waiter& first = queued();
  Waiter& turned_away = waiter();
  turned_away.returning = true;
  acquire(turned_away);
  Entry& made = dial_succeeds();
  ASSERT_EQ(grants.size(), 1u);
  EXPECT_EQ(grants[0].waiter, &turned_away);
  release(made);
  ASSERT_EQ(grants.size(), 2u);
  EXPECT_EQ(grants[1].waiter, &first);
}

// --- leaving

using RouteCancel = RouteTest;

TEST_F(RouteCancel, cancelled_waiter_hands_its_dial_to_the_next) {
  Waiter& first = queued();
  Waiter& second = queued();
  ASSERT_EQ(orders.size(), 1u);
  EXPECT_TRUE(cancel(first));
  EXPECT_EQ(orders.size(), 1u) << "no second dial";
  dial_succeeds();
  ASSERT_EQ(grants.size(), 1u);
  EXPECT_EQ(grants[0].waiter, &second);
}

TEST_F(RouteCancel, a_dial_that_nobody_waits_for_becomes_an_idle_connection) {
  EXPECT_TRUE(cancel(queued()));
  Entry& entry = dial_succeeds();
  EXPECT_EQ(entry.state, State::idle);
  EXPECT_EQ(acquire(waiter()), &entry);
}

TEST_F(RouteCancel, comes_too_late_after_the_grant_and_the_connection_passes_on) {
  limits.open_per_host = 1;
  Waiter& first = queued();
  Waiter& second = queued();
  Entry& entry = dial_succeeds();
  EXPECT_FALSE(cancel(first)) << "its grant is on the way";
  release(entry);  // what it does with it
  ASSERT_EQ(grants.size(), 2u);
  EXPECT_EQ(grants[1].waiter, &second);
  EXPECT_EQ(grants[1].entry, &entry);
}

TEST_F(RouteCancel, comes_too_late_after_a_failure) {
  Waiter& first = queued();
  dial_fails();
  EXPECT_FALSE(cancel(first));
  EXPECT_EQ(failures.size(), 1u);
}

TEST_F(RouteCancel, twice_is_once) {
  Waiter& first = queued();
  EXPECT_TRUE(cancel(first));
  EXPECT_FALSE(cancel(first));
}

// --- dialling

using RouteDial = RouteTest;

TEST_F(RouteDial, fans_out_one_two_four_eight) {
  for (int i = 0; i < 20; ++i) queued();
  for (const std::size_t gate : {1u, 2u, 4u, 8u}) {
    EXPECT_EQ(orders.size(), gate);
    dial_succeeds();  // twice as many may be under way now
  }
}

TEST_F(RouteDial, never_has_more_dials_under_way_than_waiters) {
  for (int i = 0; i < 6; ++i) active();  // the gate is wide open
  std::vector<Waiter*> waiting;
  for (int i = 0; i < 5; ++i) waiting.push_back(&queued());
  EXPECT_EQ(orders.size(), 5u);
  cancel(*waiting[0]);
  cancel(*waiting[1]);
  queued();
  EXPECT_EQ(orders.size(), 5u) << "four wait, five dials are under way";
}

TEST_F(RouteDial, hedges_a_dial_that_takes_much_longer_than_usual) {
  queued();
  queued();
  ASSERT_EQ(orders.size(), 1u);
  ASSERT_EQ(wakes.size(), 1u);
  EXPECT_EQ(wakes[0], now + 250ms) << "nothing is known of this route yet";
  wait_for_wake();
  EXPECT_EQ(orders.size(), 2u);
}

TEST_F(RouteDial, hedges_after_twice_the_usual_time_and_fifty_milliseconds_at_least) {
  queued();
  now += 100ms;
  Entry& entry = dial_succeeds();
  queued();
  queued();
  queued();
  ASSERT_EQ(orders.size(), 2u);
  EXPECT_EQ(wakes.back(), now + 200ms);
  release(entry, false);
}

TEST_F(RouteDial, does_not_hedge_for_a_single_waiter) {
  queued();
  EXPECT_TRUE(wakes.empty());
  now += 10s;
  tick();
  EXPECT_EQ(orders.size(), 1u);
}

TEST_F(RouteDial, one_failed_dial_fails_one_waiter) {
  Waiter& first = queued();
  queued();
  queued();
  dial_fails(ErrorCode::tls_failed);
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].waiter, &first);
  EXPECT_EQ(failures[0].code, ErrorCode::tls_failed);
  ASSERT_NE(failures[0].error, nullptr);
  EXPECT_EQ(failures[0].error->message, "refused") << "the waiter learns why no connection came";
}

TEST_F(RouteDial, pauses_after_a_failure_and_doubles_the_pause_with_jitter) {
  for (int i = 0; i < 4; ++i) queued();
  std::chrono::nanoseconds nominal = 20ms;
  for (int failure = 0; failure < 4; ++failure, nominal *= 2) {
    wakes.clear();
    dial_fails();
    if (failure == 3) break;  // nobody is left
    EXPECT_TRUE(orders.empty()) << "no dial during the pause";
    ASSERT_EQ(wakes.size(), 1u);
    EXPECT_GE(wakes[0] - now, nominal * 3 / 4);
    EXPECT_LE(wakes[0] - now, nominal * 5 / 4);
    wait_for_wake();
    EXPECT_EQ(orders.size(), 1u) << "and one at a time afterwards";
  }
}

TEST_F(RouteDial, pauses_of_different_routes_are_spread) {
  std::set<TimePoint> ends;
  for (std::uint32_t seed = 1; seed <= 10; ++seed) {
    Actions done;
    Waiter waiting[2];
    Entry* granted = nullptr;
    const auto shared = std::make_shared<Route>("other", budget, seed);
    for (Waiter& each : waiting) {
      each.limits = &limits;
      each.timeouts = &timeouts;
      shared->acquire(each, now, done, granted);
    }
    done.clear();
    shared->dial_failed(std::make_shared<const Error>(ErrorCode::connect_failed, Phase::connect, ""), now, done);
    for (const Action& action : done) {
      if (action.kind == Action::wake) ends.insert(action.when);
    }
  }
  EXPECT_EQ(ends.size(), 10u);
}

TEST_F(RouteDial, the_pause_never_exceeds_a_second_and_a_quarter) {
  active();
  fail_dials(12);
  queued();
  EXPECT_LE(wakes.back(), now + 1250ms);
  EXPECT_GE(wakes.back(), now + 750ms);
}

TEST_F(RouteDial, a_connection_that_comes_back_serves_during_a_pause) {
  Entry& entry = active();
  queued();
  Waiter& second = queued();
  dial_fails();
  release(entry);
  EXPECT_EQ(grants.back().waiter, &second);
}

TEST_F(RouteDial, five_failures_in_a_row_mean_that_the_route_is_down) {
  fail_dials(5);
  EXPECT_EQ(acquire(waiter()), nullptr);
  EXPECT_EQ(outcome, Outcome::down);
  EXPECT_TRUE(orders.empty());
  ASSERT_NE(route->last_error(), nullptr);
  EXPECT_EQ(route->last_error()->code, ErrorCode::connect_failed);
}

TEST_F(RouteDial, the_fifth_failure_tells_everybody_who_waits) {
  fail_dials(4);
  failures.clear();
  for (int i = 0; i < 3; ++i) queued();
  wait_for_wake();
  dial_fails();
  ASSERT_EQ(failures.size(), 3u);
  EXPECT_EQ(failures[0].code, ErrorCode::connect_failed);
  EXPECT_EQ(failures[1].code, ErrorCode::route_down);
  EXPECT_EQ(failures[2].code, ErrorCode::route_down);
  EXPECT_NE(failures[2].error, nullptr);
}

TEST_F(RouteDial, is_not_down_while_a_connection_is_open) {
  active();
  fail_dials(6);
  acquire(waiter());
  EXPECT_EQ(outcome, Outcome::queued);
}

TEST_F(RouteDial, one_probe_after_the_pause_brings_the_route_back) {
  fail_dials(5);
  now += 2s;
  Waiter& probe = queued();
  Waiter& second = queued();
  EXPECT_EQ(orders.size(), 1u) << "others wait for the probe";
  dial_succeeds();
  EXPECT_EQ(grants.back().waiter, &probe);
  EXPECT_EQ(orders.size(), 1u);
  dial_succeeds();
  EXPECT_EQ(grants.back().waiter, &second);
  EXPECT_EQ(route->last_error(), nullptr);
}

TEST_F(RouteDial, a_failed_probe_fails_those_who_joined_it) {
  fail_dials(5);
  now += 2s;
  failures.clear();
  queued();
  queued();
  dial_fails();
  EXPECT_EQ(failures.size(), 2u);
  acquire(waiter());
  EXPECT_EQ(outcome, Outcome::down);
}

TEST_F(RouteDial, a_thousand_waiters_make_few_dials_on_a_server_that_is_down_for_a_second) {
  const TimePoint up_again = now + 1s;
  int dials = 0;
  while (now < up_again) {
    for (int i = 0; i < 10; ++i) acquire(waiter());
    if (!orders.empty()) {
      ++dials;
      dial_fails();
    }
    now += 10ms;
    if (!wakes.empty() && wakes.back() <= now) wait_for_wake();
  }
  EXPECT_GE(dials, 4);
  EXPECT_LE(dials, 20);
}

TEST_F(RouteDial, an_exhausted_machine_fails_all_waiters_at_once_and_pauses_longer) {
  for (int i = 0; i < 3; ++i) queued();
  dial_fails(ErrorCode::no_ports);
  ASSERT_EQ(failures.size(), 3u);
  EXPECT_EQ(failures[0].code, ErrorCode::no_ports);
  EXPECT_EQ(failures[1].code, ErrorCode::route_down);
  EXPECT_EQ(failures[1].error->code, ErrorCode::no_ports);
  now += 70ms;
  acquire(waiter());
  EXPECT_EQ(outcome, Outcome::down) << "a hundred milliseconds, less the jitter";
  now += 60ms;
  acquire(waiter());
  EXPECT_EQ(outcome, Outcome::queued);
}

TEST_F(RouteDial, pauses_of_an_exhausted_machine_double_too) {
  queued();
  dial_fails(ErrorCode::no_sockets);
  now += 130ms;
  queued();
  dial_fails(ErrorCode::no_sockets);
  now += 140ms;
  acquire(waiter());
  EXPECT_EQ(outcome, Outcome::down) << "two hundred milliseconds, less the jitter";
  now += 120ms;
  acquire(waiter());
  EXPECT_EQ(outcome, Outcome::queued);
}

TEST_F(RouteDial, an_exhausted_machine_does_not_fail_those_who_wait_for_open_connections) {
  Entry& entry = active();
  queued();
  Waiter& second = queued();
  dial_fails(ErrorCode::no_ports);
  EXPECT_EQ(failures.size(), 1u);
  release(entry);
  EXPECT_EQ(grants.back().waiter, &second);
}

TEST_F(RouteDial, is_not_spent_on_a_waiter_whose_time_is_up) {
  limits.open_per_host = 1;
  Entry& entry = active();
  acquire(waiter(now + 1s));
  now += 2s;
  release(entry, false);
  close();
  EXPECT_TRUE(orders.empty());
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].code, ErrorCode::timeout_queue);
}

// --- limits

using RouteLimits = RouteTest;

TEST_F(RouteLimits, open_per_host_bounds_open_and_dialing_together) {
  limits.open_per_host = 3;
  several_active(2);
  queued();
  queued();
  EXPECT_EQ(orders.size(), 1u);
}

TEST_F(RouteLimits, a_connection_being_closed_counts_until_it_is_closed) {
  limits.open_per_host = 1;
  Entry& entry = active();
  queued();
  release(entry, false);
  EXPECT_TRUE(orders.empty());
  close();
  EXPECT_EQ(orders.size(), 1u);
}

TEST_F(RouteLimits, those_of_the_asking_request_decide) {
  PoolLimits narrow;
  narrow.open_per_host = 1;
  active();
  Waiter& modest = waiter();
  modest.limits = &narrow;
  acquire(modest);
  EXPECT_TRUE(orders.empty());
  Waiter& generous = queued();
  ASSERT_EQ(orders.size(), 2u) << "the first will go to the one in front";
  EXPECT_EQ(orders[0]->limits.open_per_host, limits.open_per_host);
  dial_succeeds();
  EXPECT_EQ(grants.back().waiter, &modest) << "still in turn";
  dial_succeeds();
  EXPECT_EQ(grants.back().waiter, &generous);
}

TEST_F(RouteLimits, a_modest_waiter_in_front_does_not_keep_a_pause_from_ending) {
  PoolLimits narrow;
  narrow.open_per_host = 1;
  active();
  queued();
  dial_fails();
  Waiter& modest = waiter();
  modest.limits = &narrow;
  acquire(modest);
  queued();
  wait_for_wake();
  EXPECT_EQ(orders.size(), 1u);
}

TEST_F(RouteLimits, the_queue_is_bounded) {
  limits.queue_per_host = 2;
  queued();
  queued();
  acquire(waiter());
  EXPECT_EQ(outcome, Outcome::queue_full);
  EXPECT_EQ(counters().queue_rejected, 1u);
  EXPECT_EQ(counters().queued, 2u);
}

TEST_F(RouteLimits, those_whose_time_is_up_make_room_in_the_queue) {
  limits.queue_per_host = 1;
  acquire(waiter(now + 1s));
  now += 2s;
  acquire(waiter());
  EXPECT_EQ(outcome, Outcome::queued);
  EXPECT_EQ(failures.size(), 1u);
}

TEST_F(RouteLimits, more_idle_than_idle_per_host_closes_the_oldest) {
  limits.idle_per_host = 2;
  const auto held = several_active(3);
  for (Entry* entry : held) release(*entry);
  ASSERT_EQ(closing.size(), 1u);
  EXPECT_EQ(closing[0], held[0]);
  EXPECT_EQ(held[0]->close_reason, CloseReason::evicted_host);
}

TEST_F(RouteLimits, nothing_is_kept_when_nothing_may_be_idle) {
  limits.idle_per_host = 0;
  Entry& entry = active();
  release(entry);
  ASSERT_EQ(closing.size(), 1u);
  EXPECT_EQ(closing[0], &entry);
}

// --- how long a connection lives

using RouteAge = RouteTest;

TEST_F(RouteAge, idle_too_long_is_not_used) {
  Entry& entry = idle();
  now += limits.idle_timeout;
  EXPECT_EQ(acquire(waiter()), nullptr);
  EXPECT_EQ(entry.close_reason, CloseReason::idle_timeout);
  EXPECT_EQ(waiters.back().miss, ReuseMiss::idle_expired);
  EXPECT_EQ(orders.at(0)->reason, DialReason::expired);
}

TEST_F(RouteAge, expire_closes_at_the_idle_timeout_and_says_when_to_look_again) {
  limits.max_age = 0s;
  Entry& entry = idle();
  EXPECT_EQ(expire(entry), now + 55s);
  now += 54s;
  EXPECT_EQ(expire(entry), now + 1s);
  now += 1s;
  EXPECT_EQ(expire(entry), never);
  EXPECT_EQ(closing.size(), 1u);
  EXPECT_EQ(expire(entry), never) << "once";
}

TEST_F(RouteAge, no_idle_timeout_means_none) {
  limits.idle_timeout = 0s;
  limits.max_age = 0s;
  Entry& entry = idle();
  now += 1000h;
  EXPECT_GT(expire(entry), now);
  EXPECT_EQ(acquire(waiter()), &entry);
}

TEST_F(RouteAge, a_learned_idle_limit_is_stayed_under) {
  for (int i = 0; i < 3; ++i) {
    Entry& entry = idle();
    now += 1s;
    ASSERT_TRUE(route->examine(entry));
    examined(entry, true);
    close();
    now += 500ms;
  }
  EXPECT_EQ(route->idle_limit().learned(now), 1s);
  Entry& entry = idle();
  EXPECT_EQ(expire(entry), now + 900ms);
  now += 950ms;
  EXPECT_EQ(acquire(waiter()), nullptr);
  EXPECT_EQ(entry.close_reason, CloseReason::learned_idle);
  EXPECT_EQ(waiters.back().miss, ReuseMiss::learned_idle);
}

TEST_F(RouteAge, a_hint_is_stayed_under) {
  route->hint(5s);
  Entry& entry = idle();
  now += 3900ms;
  EXPECT_EQ(expire(entry), now + 100ms);
  now += 100ms;
  EXPECT_EQ(acquire(waiter()), nullptr);
  EXPECT_EQ(entry.close_reason, CloseReason::learned_idle);
}

TEST_F(RouteAge, a_close_of_a_connection_that_was_never_used_teaches_nothing) {
  cancel(queued());
  Entry& entry = dial_succeeds();
  now += 1s;
  ASSERT_TRUE(route->examine(entry));
  examined(entry, true);
  EXPECT_EQ(route->idle_limit().samples(now), 0);
}

TEST_F(RouteAge, max_age_is_spread_by_a_fifth) {
  limits.open_per_host = limits.idle_per_host = 100;
  std::set<TimePoint> ages;
  for (int i = 0; i < 50; ++i) {
    const Entry& entry = active();
    EXPECT_GE(entry.rotate_at, now + 8min);
    EXPECT_LE(entry.rotate_at, now + 12min);
    EXPECT_EQ(entry.retire_at - now, (entry.rotate_at - now) + (entry.rotate_at - now) / 4);
    ages.insert(entry.rotate_at);
  }
  EXPECT_EQ(ages.size(), 50u);
  EXPECT_GT(*ages.rbegin() - *ages.begin(), 2min);
}

TEST_F(RouteAge, makes_the_replacement_before_it_breaks_the_last_connection) {
  Entry& old = active();
  now = old.rotate_at;
  release(old);
  EXPECT_EQ(old.state, State::idle) << "it serves until another can";
  ASSERT_EQ(orders.size(), 1u);
  EXPECT_EQ(orders[0]->reason, DialReason::aged);
  EXPECT_EQ(acquire(waiter()), &old);
  Entry& replacement = dial_succeeds();
  release(old);
  EXPECT_EQ(old.state, State::draining);
  EXPECT_EQ(old.close_reason, CloseReason::max_age);
  EXPECT_EQ(acquire(waiter()), &replacement);
}

TEST_F(RouteAge, one_of_several_old_connections_just_goes) {
  const auto held = several_active(2);
  now = std::max(held[0]->rotate_at, held[1]->rotate_at);
  release(*held[0]);
  EXPECT_EQ(held[0]->state, State::draining);
  EXPECT_TRUE(orders.empty());
}

TEST_F(RouteAge, a_replacement_never_waits_for_a_socket_of_the_process) {
  Entry& old = active();
  budget.set_limit(1);
  now = old.rotate_at;
  release(old);
  EXPECT_TRUE(orders.empty());
  EXPECT_EQ(reliefs, 0);
  EXPECT_FALSE(budget.anyone_waits());
  EXPECT_EQ(acquire(waiter()), &old);
}

TEST_F(RouteAge, past_its_grace_it_is_not_used_at_all) {
  Entry& old = active();
  now = old.retire_at;
  release(old);
  EXPECT_EQ(old.close_reason, CloseReason::max_age);
  limits.idle_timeout = 10h;
  Entry& other = idle();
  now = other.retire_at;
  EXPECT_EQ(acquire(waiter()), nullptr);
  EXPECT_EQ(other.close_reason, CloseReason::max_age);
  EXPECT_EQ(waiters.back().miss, ReuseMiss::max_age);
  EXPECT_EQ(orders.at(0)->reason, DialReason::aged);
}

TEST_F(RouteAge, an_idle_connection_is_rotated_when_nobody_uses_it) {
  limits.idle_timeout = 10h;
  Entry& entry = idle();
  EXPECT_EQ(expire(entry), entry.rotate_at);
  now = entry.rotate_at;
  EXPECT_EQ(expire(entry), never);
  EXPECT_EQ(entry.close_reason, CloseReason::max_age);
}

TEST_F(RouteAge, no_max_age_means_none) {
  limits.max_age = 0s;
  EXPECT_EQ(active().retire_at, never);
}

TEST_F(RouteAge, carries_its_share_of_requests_and_no_more) {
  limits.requests_per_connection = 100;
  Entry& entry = active();
  EXPECT_GE(entry.most_requests, 95u);
  EXPECT_LE(entry.most_requests, 105u);
  while (entry.state == State::active) {
    release(entry);
    if (entry.state == State::idle) acquire(waiter());
  }
  EXPECT_EQ(entry.requests, entry.most_requests);
  EXPECT_EQ(entry.close_reason, CloseReason::max_requests);
  acquire(waiter());
  EXPECT_EQ(waiters.back().miss, ReuseMiss::max_requests);
}

TEST_F(RouteAge, a_clock_that_jumps_drops_what_was_idle) {
  const auto held = several_active(3);
  for (Entry* entry : held) release(*entry);
  now += 8h;  // the machine slept
  EXPECT_EQ(acquire(waiter()), nullptr);
  EXPECT_EQ(closing.size(), 3u);
}

// --- what happens to idle connections

using RouteIdle = RouteTest;

TEST_F(RouteIdle, an_examined_connection_is_not_for_hire) {
  Entry& entry = idle();
  EXPECT_TRUE(route->examine(entry));
  EXPECT_FALSE(route->examine(entry)) << "one examination at a time";
  EXPECT_EQ(acquire(waiter()), nullptr);
  EXPECT_EQ(waiters.back().miss, ReuseMiss::all_busy);
}

TEST_F(RouteIdle, an_examination_that_finds_nothing_gives_it_to_who_waits) {
  Entry& entry = idle();
  route->examine(entry);
  Waiter& waiting = queued();
  examined(entry, false);
  ASSERT_EQ(grants.size(), 1u);
  EXPECT_EQ(grants[0].waiter, &waiting);
  EXPECT_EQ(grants[0].entry, &entry);
}

TEST_F(RouteIdle, an_examination_that_finds_nothing_leaves_it_where_it_was) {
  const auto held = several_active(2);
  release(*held[0]);
  now += 1s;
  release(*held[1]);
  const TimePoint since = held[0]->idle_since;
  route->examine(*held[0]);
  acquire(fresh_waiter());  // waits, but not for this one
  examined(*held[0], false);
  EXPECT_EQ(held[0]->idle_since, since);
  EXPECT_EQ(acquire(waiter()), held[1]);
  EXPECT_EQ(acquire(waiter()), held[0]);
}

TEST_F(RouteIdle, an_examination_evicts_nobody_else) {
  limits.open_per_host = limits.idle_per_host = 256;
  const auto held = several_active(80);
  for (Entry* entry : held) release(*entry);
  route->examine(*held[0]);
  acquire(fresh_waiter());
  examined(*held[0], false);
  EXPECT_TRUE(closing.empty());
}

TEST_F(RouteIdle, an_examination_that_took_too_long_ends_the_connection) {
  Entry& entry = idle();
  route->examine(entry);
  queued();
  now += limits.idle_timeout;
  examined(entry, false);
  EXPECT_EQ(entry.close_reason, CloseReason::idle_timeout);
  EXPECT_TRUE(grants.empty());
}

TEST_F(RouteIdle, a_connection_that_was_taken_first_is_its_new_owners_business) {
  Entry& entry = idle();
  acquire(waiter());
  EXPECT_FALSE(route->examine(entry));
  release(entry);
  EXPECT_EQ(looks.size(), 1u) << "but it is looked at when it comes back";
  EXPECT_EQ(acquire(waiter()), nullptr) << "before anybody gets it";
  examined(entry, true, CloseReason::stray_bytes);
  EXPECT_EQ(entry.close_reason, CloseReason::stray_bytes);
}

TEST_F(RouteIdle, a_connection_whose_peer_spoke_is_looked_at_before_a_waiter_gets_it) {
  limits.open_per_host = 1;
  Entry& entry = idle();
  acquire(waiter());
  route->examine(entry);
  Waiter& waiting = queued();
  release(entry);
  EXPECT_TRUE(grants.empty());
  EXPECT_EQ(looks.size(), 1u);
  examined(entry, false);
  ASSERT_EQ(grants.size(), 1u);
  EXPECT_EQ(grants[0].waiter, &waiting);
}

TEST_F(RouteIdle, a_peer_that_closed_is_the_reason_of_the_next_dial) {
  Entry& entry = idle();
  route->examine(entry);
  examined(entry, true);
  EXPECT_EQ(entry.close_reason, CloseReason::peer_closed_idle);
  acquire(waiter());
  EXPECT_EQ(waiters.back().miss, ReuseMiss::peer_closed);
  EXPECT_EQ(orders.at(0)->reason, DialReason::peer_closed);
}

TEST_F(RouteIdle, eviction_spares_what_is_being_examined) {
  limits.idle_per_host = 1;
  const auto held = several_active(2);
  release(*held[0]);
  route->examine(*held[0]);
  EXPECT_FALSE(route->can_evict());
  release(*held[1]);
  ASSERT_EQ(closing.size(), 1u);
  EXPECT_EQ(closing[0], held[1]);
}

TEST_F(RouteIdle, suspects_as_old_as_a_dead_connection_go_and_younger_ones_stay) {
  const auto held = several_active(4);
  for (Entry* entry : held) {
    release(*entry);
    now += 1s;
  }
  EXPECT_EQ(acquire(waiter()), held[3]);
  release(*held[3]);  // the youngest again
  acquire(waiter());
  Entry& victim = *held[3];
  victim.idle_since = held[1]->idle_since;
  Actions done;
  route->drop_suspects(victim, now, done);
  ASSERT_EQ(done.size(), 2u);
  EXPECT_EQ(held[0]->close_reason, CloseReason::stale_suspect);
  EXPECT_EQ(held[1]->close_reason, CloseReason::stale_suspect);
  EXPECT_EQ(held[2]->state, State::idle);
}

TEST_F(RouteIdle, invalidation_closes_the_idle_and_lets_the_busy_finish) {
  const auto held = several_active(2);
  release(*held[0]);
  invalidate();
  ASSERT_EQ(closing.size(), 1u);
  EXPECT_EQ(held[0]->close_reason, CloseReason::invalidated);
  EXPECT_EQ(held[1]->state, State::active);
  release(*held[1]);
  EXPECT_EQ(held[1]->close_reason, CloseReason::invalidated);
  acquire(waiter());
  EXPECT_EQ(waiters.back().miss, ReuseMiss::draining);
}

TEST_F(RouteIdle, invalidation_reaches_what_is_being_examined) {
  Entry& entry = idle();
  route->examine(entry);
  invalidate();
  EXPECT_TRUE(closing.empty());
  examined(entry, false);
  EXPECT_EQ(entry.close_reason, CloseReason::invalidated);
}

TEST_F(RouteIdle, a_dial_under_way_at_an_invalidation_serves_one_request_and_is_not_reused) {
  queued();
  invalidate();
  Entry& entry = dial_succeeds();
  EXPECT_EQ(grants.size(), 1u);
  release(entry);
  EXPECT_EQ(entry.close_reason, CloseReason::invalidated);
  cancel(queued());
  invalidate();
  EXPECT_EQ(dial_succeeds().close_reason, CloseReason::invalidated) << "nobody waits for this one";
}

// --- the end

using RouteShutdown = RouteTest;

TEST_F(RouteShutdown, waiters_fail_idle_ones_close_busy_ones_close_when_they_come_back) {
  const auto held = several_active(2);
  release(*held[0]);
  limits.open_per_host = 2;
  acquire(fresh_waiter());
  shut_down();
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].code, ErrorCode::transport_closed);
  EXPECT_EQ(held[0]->state, State::draining);
  release(*held[1]);
  EXPECT_EQ(held[1]->close_reason, CloseReason::shutdown);
  close();
  EXPECT_TRUE(route->empty());
  EXPECT_EQ(budget.open(), 0);
}

TEST_F(RouteShutdown, nobody_gets_anything_afterwards) {
  idle();
  shut_down();
  EXPECT_EQ(acquire(waiter()), nullptr);
  EXPECT_EQ(outcome, Outcome::closed);
}

TEST_F(RouteShutdown, a_dial_under_way_is_closed_when_it_arrives) {
  queued();
  shut_down();
  Entry& entry = dial_succeeds();
  EXPECT_EQ(entry.close_reason, CloseReason::shutdown);
  close();
  EXPECT_EQ(counters().dials_unused, 1u);
  EXPECT_EQ(budget.open(), 0);
}

TEST_F(RouteShutdown, what_is_being_examined_closes_after_the_verdict) {
  Entry& entry = idle();
  route->examine(entry);
  shut_down();
  EXPECT_TRUE(closing.empty());
  examined(entry, false);
  EXPECT_EQ(entry.close_reason, CloseReason::shutdown);
}

TEST_F(RouteShutdown, an_upgraded_connection_ends_with_its_owner) {
  Entry& entry = active();
  route->upgrade(entry);
  EXPECT_EQ(counters().upgraded, 1);
  shut_down();
  EXPECT_TRUE(closing.empty());
  release(entry, false, CloseReason::upgraded);
  close();
  EXPECT_EQ(closed_for(CloseReason::upgraded), 1u);
  EXPECT_TRUE(route->empty());
}

// --- who is open

std::vector<std::uint64_t> listed(const Route& route) {
  std::vector<std::uint64_t> ids;
  for (const Entry* entry = route.first_dialled(); entry != nullptr; entry = entry->dialled_after) {
    ids.push_back(entry->id);
  }
  return ids;
}

TEST_F(RouteTest, lists_what_is_open_in_the_order_of_the_dials_until_the_socket_is_closed) {
  Entry& first = active();
  Entry& second = active();
  Entry& third = active();
  release(second, true, CloseReason::shutdown);
  EXPECT_EQ(listed(*route), (std::vector<std::uint64_t>{1, 2, 3}));
  release(first, false, CloseReason::request_failed);
  EXPECT_EQ(listed(*route), (std::vector<std::uint64_t>{1, 2, 3})) << "a socket that is being closed is still there";
  close();
  EXPECT_EQ(listed(*route), (std::vector<std::uint64_t>{2, 3}));
  release(third, false, CloseReason::request_failed);
  close();
  EXPECT_EQ(listed(*route), (std::vector<std::uint64_t>{2}));
}

TEST_F(RouteTest, knows_how_long_whole_answers_took_and_no_others) {
  Entry& answered = active();
  now += 20ms;
  release(answered);
  EXPECT_EQ(route->latency().samples(now), 1U);
  EXPECT_NEAR(std::chrono::duration<double>(route->latency().quantile(0.5, now)).count(), 0.020, 0.002);
  EXPECT_EQ(acquire(waiter()), &answered);
  now += 5s;
  release(answered, false, CloseReason::request_timeout);
  close();
  Entry& last = active();
  now += 20ms;
  release(last, false, CloseReason::connection_close);
  const TimePoint released = now;
  Entry& socket = active();
  route->upgrade(socket);
  now += 1h;
  release(socket, false, CloseReason::upgraded);
  EXPECT_EQ(route->latency().samples(released), 2U) << "neither a failure nor a WebSocket is an answer";
  EXPECT_LT(route->latency().quantile(1, released), 1s);
}

// --- why

using RouteReasons = RouteTest;

TEST_F(RouteReasons, the_first_dial_is_first_and_the_next_is_busy) {
  queued();
  queued();
  EXPECT_EQ(waiters[1].miss, ReuseMiss::first_for_key) << "nothing had been there to reuse";
  EXPECT_EQ(orders.at(0)->reason, DialReason::first);
  dial_succeeds();
  EXPECT_EQ(orders.at(0)->reason, DialReason::busy);
  dial_succeeds();
  acquire(waiter());
  EXPECT_EQ(waiters.back().miss, ReuseMiss::all_busy);
  EXPECT_EQ(missed_for(ReuseMiss::first_for_key), 2u);
}

TEST_F(RouteReasons, a_preset_miss_is_kept) {
  Waiter& again = fresh_waiter();
  again.miss = ReuseMiss::stale_on_write;
  acquire(again);
  EXPECT_EQ(orders.at(0)->reason, DialReason::failed);
  dial_succeeds();
  EXPECT_EQ(missed_for(ReuseMiss::stale_on_write), 1u);
}

TEST_F(RouteReasons, every_close_explains_the_next_miss_and_the_next_dial) {
  struct Case {
    CloseReason closed;
    ReuseMiss miss;
    DialReason dial;
  };
  const Case cases[] = {
      {CloseReason::peer_closed_idle, ReuseMiss::peer_closed, DialReason::peer_closed},
      {CloseReason::stray_bytes, ReuseMiss::peer_closed, DialReason::peer_closed},
      {CloseReason::idle_timeout, ReuseMiss::idle_expired, DialReason::expired},
      {CloseReason::learned_idle, ReuseMiss::learned_idle, DialReason::expired},
      {CloseReason::max_age, ReuseMiss::max_age, DialReason::aged},
      {CloseReason::max_requests, ReuseMiss::max_requests, DialReason::aged},
      {CloseReason::evicted_host, ReuseMiss::evicted, DialReason::evicted},
      {CloseReason::evicted_total, ReuseMiss::evicted, DialReason::evicted},
      {CloseReason::connection_close, ReuseMiss::draining, DialReason::draining},
      {CloseReason::early_body_close, ReuseMiss::draining, DialReason::draining},
      {CloseReason::request_failed, ReuseMiss::broken, DialReason::failed},
      {CloseReason::request_timeout, ReuseMiss::broken, DialReason::failed},
      {CloseReason::cancelled, ReuseMiss::draining, DialReason::draining},
      {CloseReason::parse_error, ReuseMiss::broken, DialReason::failed},
      {CloseReason::upgraded, ReuseMiss::draining, DialReason::draining},
      {CloseReason::invalidated, ReuseMiss::draining, DialReason::draining},
      {CloseReason::shutdown, ReuseMiss::draining, DialReason::draining},
      {CloseReason::stale_suspect, ReuseMiss::broken, DialReason::failed},
      {CloseReason::goaway, ReuseMiss::draining, DialReason::draining},
      {CloseReason::streams_exhausted, ReuseMiss::max_requests, DialReason::aged},
      {CloseReason::ping_timeout, ReuseMiss::broken, DialReason::failed},
      {CloseReason::protocol_error, ReuseMiss::broken, DialReason::failed},
  };
  static_assert(std::size(cases) == close_reason_count);
  for (const Case& each : cases) {
    release(active(), false, each.closed);
    close();
    Waiter& next = waiter();
    acquire(next);
    EXPECT_EQ(next.miss, each.miss) << to_string(each.closed);
    EXPECT_EQ(orders.at(0)->reason, each.dial) << to_string(each.closed);
    EXPECT_EQ(closed_for(each.closed), 1u);
    release(dial_succeeds(), false, CloseReason::connection_close);
    close();
    if (each.closed == CloseReason::connection_close) continue;
    route = std::make_shared<Route>("http://host:80", budget, 1);
  }
}

TEST_F(RouteReasons, heat_grows_with_reuse_and_halves_every_few_minutes) {
  Entry& entry = idle();
  EXPECT_EQ(route->heat(now), 0);
  for (int i = 0; i < 8; ++i) {
    acquire(waiter());
    release(entry);
  }
  const int hot = route->heat(now);
  EXPECT_EQ(hot, 8);
  EXPECT_EQ(route->heat(now + std::chrono::nanoseconds(std::int64_t{1} << 38)), 4);
  EXPECT_EQ(route->heat(now + 100h), 0);
}

}  // namespace
}  // namespace trunkline::pool
