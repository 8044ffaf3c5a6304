#include "client/advice.h"

#include <gtest/gtest.h>

#include <string>

namespace trunkline {
namespace {

template <class Enum, std::size_t N>
std::uint64_t& at(std::array<std::uint64_t, N>& counts, Enum value) {
  return counts[static_cast<std::size_t>(value)];
}

// A route over which `granted` requests went.
RouteStats route(std::uint64_t granted) {
  RouteStats stats;
  stats.counters.granted = granted;
  return stats;
}

RouteStats route_with(CloseReason reason, std::uint64_t closed, std::uint64_t granted) {
  RouteStats stats = route(granted);
  at(stats.counters.closed_by_reason, reason) = closed;
  return stats;
}

std::string advise(const RouteStats& stats, const AdviceContext& context = {}) { return advice(stats, context); }

TEST(Advice, is_silent_when_nothing_is_wrong) {
  EXPECT_EQ(advise(RouteStats()), "");
  RouteStats healthy = route(100'000);
  healthy.counters.dials_started = 80;
  at(healthy.counters.misses, ReuseMiss::first_for_key) = 80;
  at(healthy.counters.closed_by_reason, CloseReason::max_age) = 60;
  EXPECT_EQ(advise(healthy), "");
}

TEST(Advice, is_silent_about_what_happens_now_and_then) {
  EXPECT_EQ(advise(route_with(CloseReason::peer_closed_idle, 2, 10)), "") << "a deploy or two";
  EXPECT_EQ(advise(route_with(CloseReason::peer_closed_idle, 80, 100'000)), "") << "one request in a thousand";
  RouteStats dialled = route(10);
  dialled.counters.dials_started = 1000;
  dialled.counters.dials_failed = 50;
  EXPECT_EQ(advise(dialled), "");
}

TEST(Advice, a_server_with_a_short_keep_alive_is_told_by_what_it_did) {
  RouteStats stats = route_with(CloseReason::peer_closed_idle, 80, 160);
  stats.learned_idle_seconds = 4.98;
  EXPECT_EQ(advise(stats),
            "the server closed 80 idle connections after about 5.0 s: send requests more often than that, raise its "
            "keep-alive, or accept one dial per request");
}

TEST(Advice, once_its_limit_is_known_connections_that_we_gave_up_count_too) {
  RouteStats stats = route_with(CloseReason::peer_closed_idle, 3, 160);
  at(stats.counters.closed_by_reason, CloseReason::learned_idle) = 77;
  stats.hinted_idle_seconds = 5;
  EXPECT_EQ(advise(stats),
            "the server closed 3 idle connections after about 5.0 s, and 77 more were given up just before that: send "
            "requests more often than that, raise its keep-alive, or accept one dial per request");
  at(stats.counters.closed_by_reason, CloseReason::peer_closed_idle) = 0;
  EXPECT_TRUE(advise(stats).starts_with(
      "the server closes idle connections after about 5.0 s, and 77 were given up just before that: send"));
}

TEST(Advice, a_small_idle_limit_is_named_with_its_value) {
  AdviceContext context;
  context.limits.idle_per_host = 2;
  EXPECT_EQ(advise(route_with(CloseReason::evicted_host, 1150, 1200), context),
            "1,150 connections were closed because more than 2 were idle: raise limits.idle_per_host");
  context.limits.idle_total = 100;
  EXPECT_EQ(advise(route_with(CloseReason::evicted_total, 1'234'567, 1'300'000), context),
            "1,234,567 connections were closed because more than 100 were idle over all hosts, or the process needed "
            "their sockets: raise limits.idle_total, or the limit of open files (ulimit -n)");
}

TEST(Advice, an_idle_timeout_shorter_than_the_cycle_is_named) {
  RouteStats stats = route(20);
  at(stats.counters.misses, ReuseMiss::idle_expired) = 19;
  AdviceContext context;
  context.limits.idle_timeout = std::chrono::seconds(10);
  EXPECT_EQ(advise(stats, context),
            "19 requests came after their connection had been idle for more than 10s: raise limits.idle_timeout above "
            "the time between requests");
}

TEST(Advice, the_cause_that_costs_most_is_the_one_that_is_told) {
  RouteStats stats = route_with(CloseReason::evicted_host, 30, 100);
  at(stats.counters.closed_by_reason, CloseReason::connection_close) = 40;
  EXPECT_TRUE(advise(stats).starts_with("40 connections ended with Connection: close"));
  at(stats.counters.closed_by_reason, CloseReason::early_body_close) = 50;
  EXPECT_TRUE(advise(stats).starts_with("50 connections were closed because the response's body was dropped unread"));
  at(stats.counters.closed_by_reason, CloseReason::request_timeout) = 35;
  at(stats.counters.closed_by_reason, CloseReason::cancelled) = 25;
  EXPECT_TRUE(advise(stats).starts_with("60 connections were closed under requests that timed out"));
}

TEST(Advice, failed_dials_come_with_the_last_error_and_what_to_do_about_it) {
  RouteStats stats = route(100);
  stats.counters.dials_started = 15;
  stats.counters.dials_failed = 12;
  EXPECT_EQ(advise(stats), "12 of 15 dials failed: see whether the server is up and its name and port are right");
  Error error(ErrorCode::tls_untrusted, Phase::tls, "certificate has expired");
  AdviceContext context;
  context.last_dial_error = &error;
  EXPECT_EQ(advise(stats, context),
            "12 of 15 dials failed, the last one with tls_untrusted (certificate has expired): trust the server's "
            "authority with tls.ca_file, or ask for the name that its certificate holds");
  error = Error(ErrorCode::connect_failed, Phase::connect, "Connection refused\n");
  EXPECT_EQ(
      advise(stats, context),
      "12 of 15 dials failed, the last one with connect_failed (Connection refused\\n): see whether the server is "
      "up and its port is right");
}

TEST(Advice, exhausted_ports_and_sockets_come_first_and_at_the_first_failure) {
  RouteStats stats = route_with(CloseReason::evicted_host, 90, 100);
  stats.counters.dials_started = 100;
  stats.counters.dials_failed = 1;
  Error error(ErrorCode::no_ports, Phase::connect, "Cannot assign requested address");
  AdviceContext context;
  context.last_dial_error = &error;
  EXPECT_TRUE(advise(stats, context).starts_with("no local port was left for this destination: reuse connections"));
  error = Error(ErrorCode::no_sockets, Phase::connect, "Too many open files");
  context.sockets_open = 1000;
  context.sockets_limit = 1024;
  EXPECT_EQ(advise(stats, context),
            "the process ran out of sockets (1,000 open, limit 1,024): raise its limit of open files (ulimit -n), or "
            "lower limits.idle_total");
}

TEST(Advice, a_full_queue_is_told_before_what_merely_costs_dials) {
  RouteStats stats = route_with(CloseReason::evicted_host, 90, 100);
  stats.counters.queue_rejected = 1;
  EXPECT_EQ(advise(stats),
            "1 request found the queue full: raise limits.open_per_host (64) or limits.queue_per_host (1,024), or send "
            "less at a time");
}

TEST(Advice, requests_that_wait_while_all_connections_are_busy_are_told_last) {
  RouteStats stats = route(100);
  stats.counters.waiting = 7;
  stats.counters.active = 63;
  EXPECT_EQ(advise(stats), "") << "a connection more may still be dialled";
  stats.counters.active = 64;
  EXPECT_EQ(advise(stats),
            "7 requests wait while all 64 connections are busy: raise limits.open_per_host, or look at why the server "
            "is slow");
}

TEST(Advice, requests_that_wait_for_streams_are_told_whose_limit_it_is) {
  RouteStats stats = route(100);
  stats.counters.waiting = 7;
  stats.counters.active = stats.counters.shared_open = 64;
  EXPECT_EQ(advise(stats),
            "7 requests wait while all 64 connections carry as many as the server permits: raise its limit of "
            "concurrent streams, or limits.open_per_host, or look at why the server is slow");
}

}  // namespace
}  // namespace trunkline
