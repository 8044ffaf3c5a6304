// Connections that are opened for a request that is yet to come.
#include "pool/route_bench.h"

namespace trunkline::pool {
namespace {

class RouteAhead : public RouteTest {};

TEST_F(RouteAhead, is_there_when_the_request_comes) {
  EXPECT_TRUE(dial_ahead());
  Entry& entry = dial_succeeds();
  EXPECT_EQ(entry.dial_reason, DialReason::first);
  EXPECT_EQ(acquire(waiter()), &entry);
  EXPECT_TRUE(orders.empty());
  EXPECT_TRUE(entry.was_reused);
  release(entry);
}

TEST_F(RouteAhead, is_waited_for_by_a_request_that_comes_sooner) {
  EXPECT_TRUE(dial_ahead());
  Waiter& waiter = queued();
  EXPECT_EQ(orders.size(), 1U) << "no dial of its own";
  Entry& entry = dial_succeeds();
  ASSERT_EQ(grants.size(), 1U);
  EXPECT_EQ(grants[0].waiter, &waiter);
  release(entry);
}

TEST_F(RouteAhead, is_not_wanted_where_one_is_open_or_on_its_way) {
  EXPECT_TRUE(dial_ahead());
  EXPECT_FALSE(dial_ahead());
  Entry& entry = dial_succeeds();
  EXPECT_FALSE(dial_ahead());
  acquire(waiter());
  EXPECT_FALSE(dial_ahead()) << "in use, and soon back";
  release(entry);
  EXPECT_TRUE(orders.empty());
}

TEST_F(RouteAhead, takes_the_place_of_one_that_has_been_idle_too_long_and_says_so) {
  Entry& old = idle();
  now += limits.idle_timeout + 1s;
  EXPECT_TRUE(dial_ahead());
  EXPECT_EQ(old.state, State::draining);
  ASSERT_EQ(orders.size(), 1U);
  EXPECT_EQ(orders[0]->reason, DialReason::expired);
  close();
  acquire(waiter());
  EXPECT_EQ(orders.size(), 1U);
  release(dial_succeeds());
}

TEST_F(RouteAhead, keeps_away_from_a_server_that_has_just_refused) {
  EXPECT_TRUE(dial_ahead());
  dial_fails();
  EXPECT_TRUE(failures.empty()) << "nobody has waited for it";
  EXPECT_FALSE(dial_ahead());
  now += 2s;
  EXPECT_TRUE(dial_ahead());
  dial_fails();
}

TEST_F(RouteAhead, takes_no_socket_that_others_may_need) {
  budget.set_limit(0);
  EXPECT_FALSE(dial_ahead());
  EXPECT_FALSE(route->starved()) << "nor stands in line for one";
}

TEST_F(RouteAhead, shares_what_is_shared) {
  route = std::make_shared<Route>("https://host:443", budget, 1, Sharing::unknown);
  EXPECT_TRUE(dial_ahead());
  Entry& entry = dial_shares();
  settings(entry, 100);
  EXPECT_FALSE(dial_ahead());
  EXPECT_EQ(acquire(waiter()), &entry);
  retire(entry);
  EXPECT_TRUE(dial_ahead()) << "it takes nothing more";
  release(entry);
  close();
  dial_succeeds();
}

}  // namespace
}  // namespace trunkline::pool
