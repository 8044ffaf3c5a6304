// Connections that die while nobody looks, and requests that meet them: the server's idle limit (F5), stray bytes
// (F18), replies that come too late (F17), restarts (F28), limits on requests per connection (F23), and the table of
// what may be sent again.
#include <random>
#include <thread>

#include "support/http_test.h"

namespace trunkline::test {
namespace {

class StaleTest : public HttpTest {
 protected:
  // Until the client has noticed that nothing is open any more.
  bool client_noticed() {
    return eventually([this] { return stats().pool.open == 0; });
  }
};

// --- F5: the server's idle limit

struct Polling {
  milliseconds server_limit = full_run() ? seconds(1) : milliseconds(100);
  milliseconds interval = full_run() ? milliseconds(1500) : milliseconds(150);
  milliseconds length = full_run() ? seconds(60) : seconds(6);
};

void poll(const Client& client, const CountingServer& server, const Polling& polling) {
  const auto end = std::chrono::steady_clock::now() + polling.length;
  while (std::chrono::steady_clock::now() < end) {
    ASSERT_STATUS(client.get(server.url()), 200);
    std::this_thread::sleep_for(polling.interval);
  }
}

void expect_learned(const RouteStats& route, const Polling& polling) {
  const double limit = std::chrono::duration<double>(polling.server_limit).count();
  EXPECT_GE(route.samples, 3);
  EXPECT_GT(route.learned_idle_seconds, 0.5 * limit);
  EXPECT_LT(route.learned_idle_seconds, 1.5 * limit);
}

TEST_F(StaleTest, F5_polling_slower_than_the_servers_idle_limit_never_fails_and_the_limit_is_learned) {
  const Polling polling;
  CountingServer& server = count({.idle_close = polling.server_limit});
  const Client client = make_client();
  poll(client, server, polling);
  expect_learned(route_of(stats(), server.port()), polling);
  EXPECT_EQ(stats().requests.failed_total(), 0U);
}

TEST_F(StaleTest, F5_the_same_over_tls_where_the_server_says_close_notify) {
  const Polling polling;
  CountingServer& server = count({.certificate = &server_certificate(), .idle_close = polling.server_limit});
  const Client client = make_client(tls_options());
  poll(client, server, polling);
  expect_learned(route_of(stats(), server.port()), polling);
  EXPECT_EQ(stats().requests.failed_total(), 0U);
}

TEST_F(StaleTest, F5_requests_that_race_with_the_servers_close_succeed) {
  CountingServer& server = count({.idle_close = milliseconds(20)});
  const Client client = make_client();
  std::mt19937 random(7);
  std::uniform_int_distribution<int> wait(15'000, 30'000);
  for (int i = 0; i < 150; ++i) {
    ASSERT_STATUS(client.get(server.url()), 200) << "request " << i;
    std::this_thread::sleep_for(std::chrono::microseconds(wait(random)));
  }
}

TEST_F(StaleTest, F5_stays_under_the_idle_limit_that_the_server_announces) {
  Listener& server = serve({.settings = {{"hint", "1"}}});
  const Client client = make_client();
  ASSERT_STATUS(client.get(server.url()), 200);
  EXPECT_EQ(route_of(stats(), server.port()).hinted_idle_seconds, 1.0);
  EXPECT_TRUE(server.wait_for_exactly("open", 0));  // the client closes: this server would not
  EXPECT_EQ(server.log().connections.at(0).closed, "fin");
  EXPECT_TRUE(closed_for(CloseReason::learned_idle, 1));
  const Result<Response> later = client.get(server.url());
  ASSERT_STATUS(later, 200);
  EXPECT_EQ(later->connection.reuse_miss, ReuseMiss::learned_idle);
}

TEST_F(StaleTest, F28_one_restart_teaches_no_idle_limit) {
  Listener& server = serve();
  const Client client = make_client();
  std::vector<std::future<Result<Response>>> calls;
  for (int i = 0; i < 6; ++i) calls.push_back(in_background([&] { return client.get(server.scenario("hold")); }));
  ASSERT_TRUE(server.wait_for("held", 6));
  server.release(6);
  for (auto& call : calls) EXPECT_STATUS(call.get(), 200);
  server.tell("fin");
  ASSERT_TRUE(client_noticed());
  EXPECT_TRUE(closed_for(CloseReason::peer_closed_idle, 6));
  EXPECT_EQ(route_of(stats(), server.port()).learned_idle_seconds, 0.0);
  ASSERT_STATUS(client.get(server.url()), 200);
  ASSERT_STATUS(client.get(server.url()), 200);
  EXPECT_EQ(server.log().accepts, 7);
}

// --- an idle connection is watched

struct Farewell {
  std::string order;
  bool tls;
};

class IdleCloseTest : public StaleTest, public ::testing::WithParamInterface<Farewell> {};

TEST_P(IdleCloseTest, a_connection_that_the_server_ends_while_idle_goes_at_once) {
  Serve how;
  if (GetParam().tls) how.certificate = &server_certificate();
  Listener& server = serve(how);
  const Client client = make_client(tls_options());
  ASSERT_STATUS(client.get(server.url()), 200);
  server.tell(GetParam().order);
  ASSERT_TRUE(client_noticed());
  EXPECT_TRUE(closed_for(CloseReason::peer_closed_idle, 1));
  // Not even a POST notices: nothing of it was sent on the dead connection.
  const Result<Response> next = client.post(server.url(), "body");
  ASSERT_STATUS(next, 200);
  EXPECT_EQ(next->retries, 0);
  EXPECT_EQ(next->connection.reuse_miss, ReuseMiss::peer_closed);
  EXPECT_EQ(next->connection.dial_reason, DialReason::peer_closed);
}

INSTANTIATE_TEST_SUITE_P(Farewells, IdleCloseTest,
                         ::testing::Values(Farewell{"fin", false}, Farewell{"rst", false}, Farewell{"fin", true},
                                           Farewell{"rst", true}, Farewell{"cut", true}),
                         [](const auto& each) { return each.param.order + (each.param.tls ? "_tls" : "_plain"); });

TEST_F(StaleTest, F18_a_response_that_nobody_asked_for_closes_the_idle_connection) {
  Listener& server = serve();
  const Client client = make_client();
  const Result<Response> first = client.get(server.scenario("stray", "when=told"));
  ASSERT_STATUS(first, 200);
  EXPECT_EQ(first->body, "good");
  server.tell("stray");
  ASSERT_TRUE(client_noticed());
  EXPECT_TRUE(closed_for(CloseReason::stray_bytes, 1));
  const Result<Response> next = client.get(server.url("/mine"));
  ASSERT_STATUS(next, 200);
  EXPECT_EQ(next->body, "/mine");
}

TEST_F(StaleTest, F18_bytes_behind_a_response_never_become_the_next_one) {
  for (const bool tls : {false, true}) {
    Serve how;
    if (tls) how.certificate = &server_certificate();
    Listener& server = serve(how);
    const Client client = make_client(tls_options());
    for (const std::string_view extra :
         {"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", "x", "\r\n", "HTTP/1.1 "}) {
      const int before = server.log().accepts;
      const Result<Response> first = client.get(server.scenario("stray", "b64=" + base64url(extra)));
      ASSERT_STATUS(first, 200);
      EXPECT_EQ(first->body, "good");
      const Result<Response> next = client.get(server.url("/mine"));
      ASSERT_STATUS(next, 200);
      EXPECT_EQ(next->body, "/mine");
      EXPECT_FALSE(next->connection.reused);
      EXPECT_LE(server.log().accepts, before + 2);
      transport()->invalidate();
    }
  }
}

// --- F17: a reply reaches its own request, or none

TEST_F(StaleTest, F17_a_reply_that_comes_after_the_timeout_is_given_to_nobody) {
  Listener& server = serve();
  const Client client = make_client();
  for (int i = 0; i < 10; ++i) {
    Timeouts timeouts;
    timeouts.first_byte = milliseconds(30);
    const Result<Response> lost = client.send(get(server.scenario("late", "token=late")).timeouts(timeouts));
    EXPECT_FAILS(lost, ErrorCode::timeout_first_byte);
    server.release(1);
    const std::string token = "mine" + std::to_string(i);
    const Result<Response> next = client.get(server.scenario("ok", "token=" + token));
    ASSERT_STATUS(next, 200);
    EXPECT_EQ(next->body, token);
  }
  EXPECT_TRUE(closed_for(CloseReason::request_timeout, 10));
}

TEST_F(StaleTest, F17_no_reply_is_mixed_up_among_callers_that_give_up_at_random) {
  CountingServer& server = count({.delay = milliseconds(3)});
  const Client client = make_client(test_options().derive([](Options& o) { o.limits.open_per_host = 8; }));
  std::vector<std::thread> threads;
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      for (int i = 0; i < 60; ++i) {
        const std::string target = "/" + std::to_string(t) + "/" + std::to_string(i);
        Request request = get(server.url(target));
        if (random() % 3 == 0) request.total_timeout(std::chrono::microseconds(random() % 8000 + 1));
        const Result<Response> reply = client.send(std::move(request));
        if (reply) {
          EXPECT_EQ(reply->body, target);
        } else {
          EXPECT_EQ(reply.error().kind, ErrorKind::timed_out) << describe(reply);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// --- what may be sent again

class RetryTest : public HttpTest {
 protected:
  // The next request finds this idle connection.
  void warm_up(const Client& client, const Listener& server) { ASSERT_STATUS(client.get(server.url()), 200); }
  std::size_t times_seen(const Listener& server, std::string_view method) {
    std::size_t count = 0;
    for (const LoggedRequest& request : server.log().requests) {
      count += request.method == method && request.target.starts_with("/scenario");
    }
    return count;
  }
};

TEST_F(RetryTest, sends_a_get_again_on_a_fresh_connection_when_a_reused_one_dies_under_it) {
  for (const std::string_view end : {"fin", "rst"}) {
    Listener& server = serve();
    const Client client = make_client();
    warm_up(client, server);
    const Result<Response> reply = client.get(server.scenario("unanswered", "on=reused&end=" + std::string(end)));
    ASSERT_STATUS(reply, 200);
    EXPECT_EQ(reply->body, "answered");
    EXPECT_EQ(reply->retries, 1);
    EXPECT_FALSE(reply->connection.reused);
    EXPECT_EQ(reply->connection.reuse_miss, ReuseMiss::stale_on_write);
    EXPECT_EQ(reply->connection.dial_reason, DialReason::failed);
    EXPECT_EQ(stats().requests.retries, 1U);
  }
}

TEST_F(RetryTest, sends_a_get_again_that_an_idle_connections_408_has_crossed) {
  Listener& server = serve();
  const Client client = make_client();
  warm_up(client, server);
  const Result<Response> reply = client.get(server.scenario("unanswered", "on=reused&idle=408"));
  ASSERT_STATUS(reply, 200);
  EXPECT_EQ(reply->retries, 1);
  EXPECT_EQ(times_seen(server, "GET"), 2U);
}

TEST_F(RetryTest, does_not_try_other_idle_connections_that_are_as_old) {
  Listener& server = serve();
  const Client client = make_client();
  std::vector<std::future<Result<Response>>> calls;
  for (int i = 0; i < 5; ++i) calls.push_back(in_background([&] { return client.get(server.scenario("hold")); }));
  ASSERT_TRUE(server.wait_for("held", 5));
  // One after the other, so that the one that is taken next has the shortest rest behind it.
  for (int i = 1; i <= 5; ++i) {
    server.release(1);
    ASSERT_TRUE(eventually([&] { return stats().pool.idle == i; }));
  }
  for (auto& call : calls) EXPECT_STATUS(call.get(), 200);
  const int before = server.log().accepts;
  const Result<Response> reply = client.get(server.scenario("unanswered", "on=reused"));
  ASSERT_STATUS(reply, 200);
  EXPECT_EQ(reply->retries, 1);
  EXPECT_EQ(server.log().accepts, before + 1);
  EXPECT_EQ(times_seen(server, "GET"), 5U + 2U);
  EXPECT_TRUE(eventually([&] { return count_of(stats().pool.closed_by_reason, CloseReason::stale_suspect) >= 1; }));
}

TEST_F(RetryTest, never_sends_a_post_again_by_itself) {
  Listener& server = serve();
  const Client client = make_client();
  warm_up(client, server);
  const Result<Response> reply = client.post(server.scenario("unanswered", "on=reused"), "pay");
  ASSERT_FAILS(reply, ErrorCode::connection_closed);
  EXPECT_EQ(reply.error().maybe_processed, MaybeProcessed::unknown);
  EXPECT_EQ(times_seen(server, "POST"), 1U);
}

TEST_F(RetryTest, sends_a_post_again_when_the_caller_says_that_it_is_idempotent) {
  Listener& server = serve();
  const Client client = make_client();
  warm_up(client, server);
  const Result<Response> reply = client.send(post(server.scenario("unanswered", "on=reused"), "pay").idempotent());
  ASSERT_STATUS(reply, 200);
  EXPECT_EQ(reply->retries, 1);
  const ServerLog log = server.log();
  EXPECT_EQ(log.requests.back().body, "pay");
}

TEST_F(RetryTest, rewinds_a_streamed_body_before_it_is_sent_again) {
  Listener& server = serve();
  const Client client = make_client();
  warm_up(client, server);
  const auto source = std::make_shared<PatternSource>(100'000, true);
  const Result<Response> reply =
      client.send(Request("PUT", server.scenario("unanswered", "on=reused")).body(std::shared_ptr<BodySource>(source)));
  ASSERT_STATUS(reply, 200);
  EXPECT_EQ(source->rewinds, 1);
  EXPECT_EQ(server.log().requests.back().body, pattern(65536));
  EXPECT_EQ(server.log().requests.back().body_bytes, 100'000);
}

TEST_F(RetryTest, does_not_send_again_what_cannot_be_rewound) {
  Listener& server = serve();
  const Client client = make_client();
  warm_up(client, server);
  const auto source = std::make_shared<ScriptedSource>();
  bool sent = false;
  source->on_pull = [&](std::span<char> into, Callback<void()>) -> BodySource::Pull {
    if (std::exchange(sent, true)) return {.kind = BodySource::Pull::end};
    into[0] = 'x';
    return {.kind = BodySource::Pull::bytes, .size = 1};
  };
  const Result<Response> reply =
      client.send(Request("PUT", server.scenario("unanswered", "on=reused")).body(std::shared_ptr<BodySource>(source)));
  EXPECT_FAILS(reply, ErrorCode::connection_closed);
  EXPECT_EQ(times_seen(server, "PUT"), 1U);
}

TEST_F(RetryTest, does_not_send_again_what_a_new_connection_swallowed) {
  Listener& server = serve();
  const Client client = make_client();
  const Result<Response> reply = client.get(server.scenario("unanswered"));
  ASSERT_FAILS(reply, ErrorCode::connection_closed);
  EXPECT_EQ(reply.error().maybe_processed, MaybeProcessed::unknown);
  EXPECT_EQ(reply.error().address, "127.0.0.1:" + std::to_string(server.port()));
  EXPECT_EQ(reply.error().route, "http://127.0.0.1:" + std::to_string(server.port()));
  EXPECT_EQ(times_seen(server, "GET"), 1U);
}

TEST_F(RetryTest, does_not_send_again_once_a_byte_of_the_response_was_seen) {
  Listener& server = serve();
  const Client client = make_client();
  warm_up(client, server);
  const Result<Response> reply = client.get(server.scenario("unanswered", "on=reused&partial=12"));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ErrorKind::disconnected) << describe(reply);
  EXPECT_EQ(reply.error().maybe_processed, MaybeProcessed::yes);
  EXPECT_EQ(times_seen(server, "GET"), 1U);
}

TEST_F(RetryTest, does_not_send_again_after_a_timeout) {
  Listener& server = serve();
  const Client client = make_client();
  warm_up(client, server);
  Timeouts timeouts;
  timeouts.first_byte = milliseconds(50);
  EXPECT_FAILS(client.send(get(server.scenario("hold")).timeouts(timeouts)), ErrorCode::timeout_first_byte);
  EXPECT_EQ(times_seen(server, "GET"), 1U);
}

TEST_F(RetryTest, sends_nothing_again_when_told_so) {
  Listener& server = serve();
  const Client client = make_client(test_options().derive([](Options& o) { o.retry_stale = false; }));
  warm_up(client, server);
  EXPECT_FAILS(client.get(server.scenario("unanswered", "on=reused")), ErrorCode::connection_closed);
  EXPECT_EQ(stats().requests.retries, 0U);
}

TEST_F(RetryTest, gives_up_when_the_fresh_connection_fails_too) {
  Listener& server = serve();
  const Client client = make_client();
  warm_up(client, server);
  EXPECT_FAILS(client.get(server.scenario("unanswered")), ErrorCode::connection_closed);
  EXPECT_EQ(times_seen(server, "GET"), 2U);
}

// --- F23: servers that count requests

TEST_F(StaleTest, F23_a_server_that_closes_after_ten_requests_causes_no_error) {
  for (const std::string announce : {"1", "0"}) {
    Listener& server = serve({.settings = {{"requests", "10"}, {"announce", announce}}});
    const Client client = make_client();
    for (int i = 0; i < 300; ++i) ASSERT_STATUS(client.get(server.url()), 200) << "request " << i;
    EXPECT_GE(server.log().accepts, 30);
    EXPECT_EQ(stats().requests.failed_total(), 0U);
  }
}

// Not even one that must not be sent again, and right behind the close: a blocking caller looks before he writes.
TEST_F(StaleTest, F23_a_post_never_meets_a_connection_that_is_already_closed) {
  Listener& server = serve({.settings = {{"requests", "3"}, {"announce", "0"}}});
  const Client client = make_client();
  for (int i = 0; i < 60; ++i) {
    const Result<Response> reply = client.post(server.url(), "pay");
    ASSERT_STATUS(reply, 200) << "request " << i;
    ASSERT_EQ(reply->retries, 0) << "request " << i;
    const bool last = reply->connection.requests == 3;
    ASSERT_TRUE(!last || eventually([&] { return server.log().open == 0; }));
  }
  EXPECT_EQ(server.log().accepts, 20);
}

}  // namespace
}  // namespace trunkline::test
