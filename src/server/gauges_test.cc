#include "server/gauges.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace trunkline::server {
namespace {

TEST(Gauges, count_each_connection_once_whatever_becomes_of_it) {
  Ledger ledger;
  {
    const ConnectionToken open(ledger);
    auto ended = std::make_unique<ConnectionToken>(ledger);
    ended->because(ConnectionEnd::idle);
    EXPECT_EQ(ledger.gauges().connections, 2u);
    ended.reset();
    EXPECT_EQ(ledger.gauges().connections, 1u);
    EXPECT_EQ(ledger.gauges().ended_for(ConnectionEnd::idle), 1u);
    EXPECT_TRUE(ledger.gauges().adds_up());
    EXPECT_FALSE(ledger.gauges().quiet());
  }
  EXPECT_TRUE(ledger.gauges().quiet() && ledger.gauges().adds_up());
}

TEST(Gauges, a_request_is_cancelled_unless_it_was_completed) {
  Ledger ledger;
  {
    RequestToken completed(ledger);
    const RequestToken cancelled(ledger);
    completed.complete();
    completed.complete();
    EXPECT_EQ(ledger.gauges().requests, 1u);
  }
  EXPECT_EQ(ledger.gauges().requests_completed, 1u);
  EXPECT_EQ(ledger.gauges().requests_cancelled, 1u);
  EXPECT_TRUE(ledger.gauges().adds_up());
}

TEST(Gauges, never_show_more_ends_than_beginnings_to_another_thread) {
  Ledger ledger;
  std::atomic<bool> done{false};
  std::thread loop([&] {
    for (int i = 0; i < 100'000; ++i) {
      const ConnectionToken connection(ledger);
      RequestToken request(ledger);
      const WebSocketToken websocket(ledger);
      request.complete();
    }
    done = true;
  });
  while (!done) {
    const Gauges gauges = ledger.gauges();
    // One is open at most: what has begun and ended between two reads may show as open as well, but never as a debt.
    EXPECT_LT(gauges.connections, 200'000u);
    EXPECT_LT(gauges.requests, 200'000u);
    EXPECT_LT(gauges.websockets, 200'000u);
    EXPECT_TRUE(gauges.adds_up());
  }
  loop.join();
  EXPECT_TRUE(ledger.gauges().quiet());
  EXPECT_EQ(ledger.gauges().requests_completed, 100'000u);
}

TEST(Gauges, say_when_a_law_is_broken) {
  for (const auto& change : std::vector<std::function<void(Gauges&)>>{
           [](Gauges& gauges) { ++gauges.accepted; }, [](Gauges& gauges) { ++gauges.ended[3]; },
           [](Gauges& gauges) { ++gauges.requests_begun; }, [](Gauges& gauges) { ++gauges.websockets; }}) {
    Gauges gauges;
    change(gauges);
    EXPECT_FALSE(gauges.adds_up());
  }
}

TEST(Gauges, add_up_over_loops) {
  Ledger one;
  Ledger other;
  const ConnectionToken a(one);
  const ConnectionToken b(other);
  const WebSocketToken c(other);
  Gauges sum = one.gauges();
  sum += other.gauges();
  EXPECT_EQ(sum.connections, 2u);
  EXPECT_EQ(sum.websockets, 1u);
  EXPECT_TRUE(sum.adds_up());
}

}  // namespace
}  // namespace trunkline::server
