// Waiting for a connection: bounded, first in first out, with deadlines; and what happens when dials fail (F20).
#include <thread>

#include "support/http_test.h"

namespace trunkline::test {
namespace {

class QueueTest : public HttpTest {
 protected:
  static Options one_connection(int queue = 1024) {
    return test_options().derive([&](Options& o) {
      o.limits.open_per_host = 1;
      o.limits.queue_per_host = queue;
    });
  }
};

TEST_F(QueueTest, a_full_queue_refuses_one_more_and_the_others_are_served) {
  Listener& server = serve();
  const Client client = make_client(one_connection(2));
  auto busy = in_background([&] { return client.get(server.scenario("hold")); });
  ASSERT_TRUE(server.wait_for("held", 1));
  auto second = in_background([&] { return client.get(server.url()); });
  auto third = in_background([&] { return client.get(server.url()); });
  ASSERT_TRUE(eventually([&] { return stats().pool.waiting == 2; }));
  const Result<Response> refused = client.get(server.url());
  ASSERT_FAILS(refused, ErrorCode::queue_full);
  EXPECT_EQ(refused.error().kind, ErrorKind::overloaded);
  EXPECT_EQ(refused.error().phase, Phase::queue);
  EXPECT_EQ(refused.error().maybe_processed, MaybeProcessed::no);
  EXPECT_EQ(stats().pool.queue_rejected, 1U);
  server.release();
  EXPECT_STATUS(busy.get(), 200);
  EXPECT_STATUS(second.get(), 200);
  EXPECT_STATUS(third.get(), 200);
}

TEST_F(QueueTest, serves_in_the_order_of_arrival) {
  Listener& server = serve();
  const Client client = make_client(one_connection());
  std::atomic<int> done{0};
  client.start(get(server.scenario("hold")), [&](const Result<Response>&) { ++done; });
  ASSERT_TRUE(server.wait_for("held", 1));
  constexpr int waiting = 30;
  for (int i = 0; i < waiting; ++i) {
    client.start(get(server.url("/" + std::to_string(i))), [&](const Result<Response>& reply) {
      EXPECT_STATUS(reply, 200);
      ++done;
    });
    ASSERT_TRUE(eventually([&] { return stats().pool.waiting == i + 1; }));
  }
  server.release();
  ASSERT_TRUE(eventually([&] { return done == waiting + 1; }));
  const ServerLog log = server.log();
  ASSERT_EQ(log.requests.size(), waiting + 1U);
  for (int i = 0; i < waiting; ++i)
    EXPECT_EQ(log.requests[static_cast<std::size_t>(i) + 1].target, "/" + std::to_string(i));
  EXPECT_EQ(log.accepts, 1);
}

TEST_F(QueueTest, the_deadline_of_a_call_bounds_its_wait_and_spends_nothing) {
  Listener& server = serve();
  const Client client = make_client(one_connection());
  auto busy = in_background([&] { return client.get(server.scenario("hold")); });
  ASSERT_TRUE(server.wait_for("held", 1));
  const Result<Response> late = client.send(get(server.url()).total_timeout(milliseconds(50)));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, ErrorKind::timed_out);
  EXPECT_EQ(late.error().phase, Phase::queue) << describe(late);
  EXPECT_EQ(late.error().maybe_processed, MaybeProcessed::no);
  server.release();
  EXPECT_STATUS(busy.get(), 200);
  EXPECT_EQ(server.log().requests.size(), 1U);
  EXPECT_EQ(server.log().accepts, 1);
}

TEST_F(QueueTest, a_wait_that_ends_in_a_timeout_says_why_no_connection_came) {
  Listener& server = serve({.scenario = "tarpit", .certificate = &server_certificate()});
  const Client client = make_client(tls_options().derive([](Options& o) {
    o.limits.open_per_host = 1;
    o.timeouts.tls = milliseconds(100);
    o.timeouts.queue = milliseconds(400);
  }));
  std::vector<std::future<Result<Response>>> calls;
  for (int i = 0; i < 20; ++i) calls.push_back(in_background([&] { return client.get(server.url()); }));
  for (auto& call : calls) {
    const Result<Response> reply = call.get();
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().maybe_processed, MaybeProcessed::no);
    if (reply.error().code == ErrorCode::timeout_queue) {
      EXPECT_NE(reply.error().message.find("handshake"), std::string::npos) << describe(reply);
    }
  }
}

TEST_F(QueueTest, a_refused_connection_is_typed_and_names_the_address) {
  Listener& server = serve({.scenario = "bound"});
  const Client client = make_client();
  const Result<Response> reply = client.get(server.url());
  ASSERT_FAILS(reply, ErrorCode::connect_failed);
  EXPECT_EQ(reply.error().kind, ErrorKind::unreachable);
  EXPECT_EQ(reply.error().phase, Phase::connect);
  EXPECT_EQ(reply.error().maybe_processed, MaybeProcessed::no);
  EXPECT_EQ(reply.error().address, "127.0.0.1:" + std::to_string(server.port()));
  EXPECT_EQ(stats().pool.dials_failed, 1U);
}

TEST_F(QueueTest, F20_a_thousand_calls_to_a_dead_server_make_a_handful_of_dials) {
  Listener& server = serve({.scenario = "bound"});
  const Client client = make_client();
  constexpr int calls = 1000;
  std::atomic<int> unreachable{0};
  std::atomic<int> others{0};
  for (int i = 0; i < calls; ++i) {
    client.start(get(server.url()), [&](const Result<Response>& reply) {
      ++(!reply && reply.error().kind == ErrorKind::unreachable ? unreachable : others);
    });
  }
  EXPECT_TRUE(eventually([&] { return unreachable == calls; })) << unreachable << " and " << others << " others";
  EXPECT_LE(stats().pool.dials_started, 40U);
}

TEST_F(QueueTest, F20_a_server_that_is_down_for_a_second_is_found_again_with_few_dials) {
  Listener& server = serve({.scenario = "bound"});
  const Client client = make_client();
  std::atomic<bool> failed{false};
  std::vector<std::thread> callers;
  const auto give_up = std::chrono::steady_clock::now() + seconds(30);
  for (int i = 0; i < 32; ++i) {
    callers.emplace_back([&] {
      for (;;) {
        const Result<Response> reply = client.get(server.url());
        if (reply) return;
        if (std::chrono::steady_clock::now() > give_up) {
          failed = true;
          return;
        }
        std::this_thread::sleep_for(milliseconds(10));
      }
    });
  }
  EXPECT_TRUE(eventually([&] { return stats().pool.dials_failed >= 5; }));
  server.up();
  for (std::thread& caller : callers) caller.join();
  EXPECT_FALSE(failed) << "some never got through";
  EXPECT_LE(stats().pool.dials_failed, 50U);
  EXPECT_GE(stats().pool.dials_failed, 1U);
}

TEST_F(QueueTest, one_failed_dial_fails_one_waiter) {
  Listener& server = serve({.scenario = "bound"});
  const Client client = make_client(test_options().derive([](Options& o) { o.limits.open_per_host = 1; }));
  std::atomic<int> failures{0};
  std::atomic<int> successes{0};
  for (int i = 0; i < 10; ++i) {
    client.start(get(server.url()), [&](const Result<Response>& reply) { ++(reply ? successes : failures); });
  }
  ASSERT_TRUE(eventually([&] { return failures >= 1; }));
  server.up();
  ASSERT_TRUE(eventually([&] { return failures + successes == 10; }));
  EXPECT_LE(failures, static_cast<int>(stats().pool.dials_failed));
  EXPECT_GE(successes, 1);
}

TEST_F(QueueTest, connections_that_close_before_any_request_are_no_reason_to_give_up) {
  Listener& server =
      serve({.scenario = "tls_close", .settings = {{"first", "1"}}, .certificate = &server_certificate()});
  const Client client = make_client(tls_options());
  // The first connection dies at once: whether before, under or after the request, the caller may ask again.
  const Result<Response> first = client.get(server.url());
  if (!first) {
    EXPECT_EQ(first.error().kind, ErrorKind::disconnected) << describe(first);
  }
  ASSERT_STATUS(client.get(server.url()), 200);
}

TEST_F(QueueTest, a_server_that_accepts_and_closes_is_a_typed_error) {
  for (const std::string rst : {"", "1"}) {
    std::map<std::string, std::string> settings;
    if (!rst.empty()) settings["rst"] = "1";
    Listener& server = serve({.scenario = "accept_close", .settings = settings});
    const Client client = make_client();
    for (int i = 0; i < 3; ++i) {
      const Result<Response> reply = client.get(server.url());
      ASSERT_FALSE(reply);
      EXPECT_TRUE(reply.error().kind == ErrorKind::disconnected || reply.error().kind == ErrorKind::unreachable)
          << describe(reply);
    }
  }
}

}  // namespace
}  // namespace trunkline::test
