// Completion tokens: callbacks, futures, coroutines, and their cancellation. With g++ 12 too.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <thread>

#include <trunkline/asio.hpp>

#include "support/http_test.h"

namespace trunkline::test {
namespace {

namespace asio = boost::asio;

class AsioTest : public HttpTest {
 protected:
  // Runs until nothing is left to do; an executor that is not kept busy would end it too early.
  void run() {
    io_.restart();
    io_.run();
  }
  asio::io_context io_;
};

TEST_F(AsioTest, calls_a_callback_on_its_own_executor) {
  Listener& server = serve();
  const Client client = make_client();
  bool called = false;
  client.async_get(server.url("/callback"), asio::bind_executor(io_, [&](const Result<Response>& reply) {
                     EXPECT_TRUE(io_.get_executor().running_in_this_thread());
                     ASSERT_STATUS(reply, 200);
                     EXPECT_EQ(reply->body, "/callback");
                     called = true;
                   }));
  EXPECT_FALSE(called);
  run();
  EXPECT_TRUE(called);
}

TEST_F(AsioTest, gives_a_future) {
  Listener& server = serve();
  const Client client = make_client();
  std::future<Result<Response>> reply = client.async_send(post(server.url(), "body"), asio::use_future);
  ASSERT_STATUS(reply.get(), 200);
  std::future<Result<Response>> refused = client.async_get("nonsense", asio::use_future);
  EXPECT_FAILS(refused.get(), ErrorCode::invalid_url);
}

asio::awaitable<int> fetch_in_order(const Client& client, const Listener& server, int count) {
  int good = 0;
  for (int i = 0; i < count; ++i) {
    const std::string target = "/" + std::to_string(i);
    const Result<Response> reply = co_await client.async_get(server.url(target), asio::use_awaitable);
    if (reply && reply->body == target) ++good;
  }
  co_return good;
}

TEST_F(AsioTest, is_awaited_in_a_coroutine) {
  Listener& server = serve();
  const Client client = make_client();
  std::future<int> good = asio::co_spawn(io_, fetch_in_order(client, server, 20), asio::use_future);
  run();
  EXPECT_EQ(good.get(), 20);
  EXPECT_EQ(server.log().accepts, 1);
}

// The request is built inside the co_await expression: the natural form, which must be safe with g++ 12.
asio::awaitable<void> natural_form(const Client& client, const Listener& server, std::string& body) {
  const auto reply = co_await client.async_send(
      post(server.scenario("ok", "token=natural"), std::string(100, 'x')).header("X-A", "1").header("X-B", "2"),
      asio::use_awaitable);
  if (reply) body = reply->body;
}

TEST_F(AsioTest, is_safe_in_its_natural_form) {
  Listener& server = serve();
  const Client client = make_client();
  std::string body;
  asio::co_spawn(io_, natural_form(client, server, body), asio::detached);
  run();
  EXPECT_EQ(body, "natural");
  EXPECT_EQ(server.log().requests.at(0).field("X-B"), "2");
  EXPECT_EQ(server.log().requests.at(0).body, std::string(100, 'x'));
}

asio::awaitable<void> stream_to_end(const Client& client, std::string url, std::string& all) {
  Result<ResponseStream> stream = co_await client.async_open(get(std::move(url)), asio::use_awaitable);
  if (!stream) co_return;
  std::vector<char> buffer(10000);
  for (;;) {
    const Result<std::size_t> size = co_await async_read(*stream, buffer, asio::use_awaitable);
    if (!size || *size == 0) break;
    all.append(buffer.data(), *size);
  }
}

TEST_F(AsioTest, streams_a_body) {
  Listener& server = serve();
  const Client client = make_client();
  std::string all;
  asio::co_spawn(io_, stream_to_end(client, server.scenario("big", "size=500000&coding=chunked"), all), asio::detached);
  run();
  EXPECT_EQ(all, pattern(500000));
}

TEST_F(AsioTest, is_cancelled_through_its_slot) {
  Listener& server = serve();
  const Client client = make_client();
  asio::cancellation_signal signal;
  bool called = false;
  client.async_get(
      server.scenario("hold"),
      asio::bind_cancellation_slot(signal.slot(), asio::bind_executor(io_, [&](const Result<Response>& reply) {
                                     EXPECT_FAILS(reply, ErrorCode::cancelled);
                                     called = true;
                                   })));
  ASSERT_TRUE(server.wait_for("held", 1));
  signal.emit(asio::cancellation_type::terminal);
  run();
  EXPECT_TRUE(called);
  EXPECT_TRUE(server.wait_for_exactly("open", 0));
}

TEST_F(AsioTest, a_read_is_cancelled_through_its_slot_unless_it_is_over) {
  Listener& server = serve();
  const Client client = make_client();
  Result<ResponseStream> stream = client.open(get(server.scenario("hold", "after=head")));
  ASSERT_TRUE(stream) << describe(stream);
  asio::cancellation_signal signal;
  std::array<char, 64> buffer{};
  std::vector<Result<std::size_t>> reads;
  const auto read = [&] {
    async_read(*stream, buffer,
               asio::bind_cancellation_slot(signal.slot(), asio::bind_executor(io_, [&](Result<std::size_t> got) {
                                              reads.push_back(std::move(got));
                                            })));
  };
  read();
  run();
  signal.emit(asio::cancellation_type::terminal);
  read();
  ASSERT_EQ(reads.size(), 1U);
  EXPECT_EQ(*reads[0], 4U);
  signal.emit(asio::cancellation_type::terminal);
  run();
  ASSERT_EQ(reads.size(), 2U);
  EXPECT_FAILS(reads[1], ErrorCode::cancelled);
  EXPECT_TRUE(server.wait_for_exactly("open", 0));
}

asio::awaitable<void> race_with_timer(const Client& client, std::string url, std::string& winner) {
  using namespace asio::experimental::awaitable_operators;
  asio::steady_timer timer(co_await asio::this_coro::executor, milliseconds(50));
  auto both = client.async_get(std::move(url), asio::use_awaitable) || timer.async_wait(asio::use_awaitable);
  const auto first = co_await std::move(both);
  winner = first.index() == 0 ? "reply" : "timer";
}

TEST_F(AsioTest, loses_a_race_against_a_timer_and_is_cancelled) {
  Listener& server = serve();
  const Client client = make_client();
  std::string winner;
  asio::co_spawn(io_, race_with_timer(client, server.scenario("hold"), winner), asio::detached);
  run();
  EXPECT_EQ(winner, "timer");
  EXPECT_TRUE(server.wait_for_exactly("open", 0));
  EXPECT_EQ(count_of(stats().requests.failed, ErrorKind::cancelled), 1U);
}

asio::awaitable<void> fetch_many(const Client& client, std::string url, int count, std::atomic<int>& good) {
  for (int i = 0; i < count; ++i) {
    const Result<Response> reply = co_await client.async_get(url, asio::use_awaitable);
    if (reply) ++good;
  }
}

TEST_F(AsioTest, hundreds_of_coroutines_on_a_few_threads_share_the_pool) {
  CountingServer& server = count();
  const Client client = make_client(test_options().derive([](Options& o) { o.limits.open_per_host = 16; }));
  asio::thread_pool pool(3);
  std::atomic<int> good{0};
  for (int i = 0; i < 200; ++i) asio::co_spawn(pool, fetch_many(client, server.url(), 10, good), asio::detached);
  pool.join();
  EXPECT_EQ(good, 2000);
  EXPECT_LE(server.accepts(), 16);
}

}  // namespace
}  // namespace trunkline::test
