// Cancelling, at every stage of a call: the callback comes exactly once, nothing leaks, and what the cancelled one had
// caused goes to the next.
#include <random>
#include <thread>

#include "support/http_test.h"

namespace trunkline::test {
namespace {

// One asynchronous call, and what came of it.
struct Call {
  std::promise<Result<Response>> promise;
  std::future<Result<Response>> reply = promise.get_future();
  std::atomic<int> completions{0};
  CallHandle handle;

  void start(const Client& client, Request request) {
    handle = client.start(std::move(request), [this](Result<Response> result) {
      if (++completions == 1) promise.set_value(std::move(result));
    });
  }
};

class CancelTest : public HttpTest {
 protected:
  void TearDown() override {
    HttpTest::TearDown();
    for (const auto& call : calls_) EXPECT_LE(call->completions, 1);
  }
  Call& start(const Client& client, Request request) {
    calls_.push_back(std::make_unique<Call>());
    calls_.back()->start(client, std::move(request));
    return *calls_.back();
  }

 private:
  std::vector<std::unique_ptr<Call>> calls_;
};

TEST_F(CancelTest, in_the_queue_it_leaves_the_others_where_they_are) {
  Listener& server = serve();
  const Client client = make_client(test_options().derive([](Options& o) { o.limits.open_per_host = 1; }));
  Call& first = start(client, get(server.scenario("hold")));
  ASSERT_TRUE(server.wait_for("held", 1));
  Call& second = start(client, get(server.url("/second")));
  Call& third = start(client, get(server.url("/third")));
  ASSERT_TRUE(eventually([&] { return stats().pool.waiting == 2; }));
  second.handle.cancel();
  const Result<Response> cancelled = second.reply.get();
  ASSERT_FAILS(cancelled, ErrorCode::cancelled);
  EXPECT_EQ(cancelled.error().maybe_processed, MaybeProcessed::no);
  EXPECT_EQ(cancelled.error().phase, Phase::queue);
  EXPECT_EQ(stats().pool.waiting, 1);
  server.release();
  EXPECT_STATUS(first.reply.get(), 200);
  EXPECT_STATUS(third.reply.get(), 200);
  EXPECT_EQ(server.log().requests.size(), 2U);
}

TEST_F(CancelTest, during_a_dial_it_hands_the_dial_to_the_next) {
  Listener& server = serve({.scenario = "slow_tls", .certificate = &server_certificate()});
  const Client client = make_client(tls_options().derive([](Options& o) { o.limits.open_per_host = 1; }));
  Call& first = start(client, get(server.url("/first")));
  ASSERT_TRUE(server.wait_for("held", 1));
  Call& second = start(client, get(server.url("/second")));
  ASSERT_TRUE(eventually([&] { return stats().pool.waiting == 2; }));
  first.handle.cancel();
  EXPECT_FAILS(first.reply.get(), ErrorCode::cancelled);
  server.release();
  EXPECT_STATUS(second.reply.get(), 200);
  EXPECT_EQ(server.log().accepts, 1);
}

TEST_F(CancelTest, during_a_dial_without_others_the_connection_becomes_idle) {
  Listener& server = serve({.scenario = "slow_tls", .certificate = &server_certificate()});
  const Client client = make_client(tls_options());
  Call& only = start(client, get(server.url()));
  ASSERT_TRUE(server.wait_for("held", 1));
  only.handle.cancel();
  EXPECT_FAILS(only.reply.get(), ErrorCode::cancelled);
  server.release();
  ASSERT_TRUE(eventually([&] { return stats().pool.idle == 1; }));
  const Result<Response> next = client.get(server.url());
  ASSERT_STATUS(next, 200);
  EXPECT_EQ(server.log().accepts, 1);
}

TEST_F(CancelTest, before_the_first_byte_it_costs_the_connection_and_says_so) {
  Listener& server = serve();
  const Client client = make_client();
  Call& call = start(client, get(server.scenario("hold")));
  ASSERT_TRUE(server.wait_for("held", 1));
  call.handle.cancel();
  const Result<Response> cancelled = call.reply.get();
  ASSERT_FAILS(cancelled, ErrorCode::cancelled);
  EXPECT_EQ(cancelled.error().maybe_processed, MaybeProcessed::unknown);
  EXPECT_TRUE(server.wait_for_exactly("open", 0));
  EXPECT_TRUE(closed_for(CloseReason::cancelled, 1));
  EXPECT_EQ(count_of(stats().requests.failed, ErrorKind::cancelled), 1U);
}

TEST_F(CancelTest, within_a_body_it_ends_the_call) {
  Listener& server = serve();
  const Client client = make_client();
  Call& call = start(client, get(server.scenario("hold", "after=head")));
  ASSERT_TRUE(server.wait_for("held", 1));
  call.handle.cancel();
  const Result<Response> cancelled = call.reply.get();
  ASSERT_FAILS(cancelled, ErrorCode::cancelled);
  EXPECT_TRUE(server.wait_for_exactly("open", 0));
}

TEST_F(CancelTest, within_an_upload_it_ends_the_call) {
  allow_malformed_requests();
  Listener& server = serve({.settings = {{"receive_buffer", "65536"}}});
  const Client client = make_client();
  Call& call = start(client, post(server.scenario("stop_reading", "read=1000"), std::string(32 << 20, 'b')));
  ASSERT_TRUE(server.wait_for("held", 1));
  call.handle.cancel();
  EXPECT_FAILS(call.reply.get(), ErrorCode::cancelled);
}

TEST_F(CancelTest, ends_a_pending_read_of_an_open_stream) {
  Listener& server = serve();
  const Client client = make_client();
  std::promise<Result<ResponseStream>> opened;
  CallHandle handle = client.start_open(get(server.scenario("hold", "after=head")),
                                        [&](Result<ResponseStream> result) { opened.set_value(std::move(result)); });
  Result<ResponseStream> stream = opened.get_future().get();
  ASSERT_GOOD(stream);
  std::array<char, 100> buffer{};
  const Result<std::size_t> some = stream->read(buffer);
  ASSERT_GOOD(some);
  EXPECT_EQ(std::string_view(buffer.data(), *some), "held");
  std::promise<Result<std::size_t>> read;
  stream->start_read(buffer, [&](Result<std::size_t> result) { read.set_value(std::move(result)); });
  handle.cancel();
  EXPECT_FAILS(read.get_future().get(), ErrorCode::cancelled);
}

TEST_F(CancelTest, after_the_end_and_more_than_once_it_changes_nothing) {
  Listener& server = serve();
  const Client client = make_client();
  Call& call = start(client, get(server.url()));
  call.reply.wait();
  call.handle.cancel();
  call.handle.cancel();
  EXPECT_STATUS(call.reply.get(), 200);
  CallHandle().cancel();
  Call& again = start(client, get(server.scenario("hold")));
  ASSERT_TRUE(server.wait_for("held", 1));
  again.handle.cancel();
  again.handle.cancel();
  EXPECT_FAILS(again.reply.get(), ErrorCode::cancelled);
}

TEST_F(CancelTest, a_dropped_handle_cancels_nothing) {
  Listener& server = serve();
  const Client client = make_client();
  Call& call = start(client, get(server.scenario("hold")));
  call.handle = CallHandle();
  ASSERT_TRUE(server.wait_for("held", 1));
  server.release();
  EXPECT_STATUS(call.reply.get(), 200);
}

TEST_F(CancelTest, the_callback_is_never_called_from_inside_start) {
  Listener& server = serve();
  const Client client = make_client();
  for (const std::string& url : {server.url(), std::string("nonsense"), std::string("http://127.0.0.1:1/")}) {
    std::atomic<bool> inside{true};
    std::promise<bool> was_inside;
    client.start(get(url), [&, caller = std::this_thread::get_id()](const Result<Response>&) {
      was_inside.set_value(inside && std::this_thread::get_id() == caller);
    });
    inside = false;
    EXPECT_FALSE(was_inside.get_future().get()) << url;
  }
}

TEST_F(CancelTest, a_blocking_call_inside_a_callback_is_refused_instead_of_stopping_the_loop) {
  Listener& server = serve();
  const Client client = make_client();
  std::promise<Result<Response>> inner;
  client.start(get(server.url()), [&](const Result<Response>&) { inner.set_value(client.get(server.url())); });
  EXPECT_FAILS(inner.get_future().get(), ErrorCode::invalid_request);
  EXPECT_STATUS(client.get(server.url()), 200);
}

TEST_F(CancelTest, a_callback_may_start_the_next_call) {
  Listener& server = serve();
  const Client client = make_client();
  std::promise<int> done;
  std::function<void(int)> next = [&](int left) {
    client.start(get(server.url()), [&, left](const Result<Response>& reply) {
      if (!reply || left == 0) {
        done.set_value(left);
      } else {
        next(left - 1);
      }
    });
  };
  next(200);
  EXPECT_EQ(done.get_future().get(), 0);
  EXPECT_EQ(server.log().accepts, 1);
}

TEST_F(CancelTest, cancels_that_race_with_everything_complete_every_call_exactly_once) {
  CountingServer& server = count({.delay = std::chrono::microseconds(300)});
  const Client client = make_client(test_options().derive([](Options& o) { o.limits.open_per_host = 4; }));
  const int threads = 4;
  const int rounds = scaled(300, 100);
  std::atomic<int> completions{0};
  std::vector<std::thread> all;
  for (int t = 0; t < threads; ++t) {
    all.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      for (int i = 0; i < rounds; ++i) {
        CallHandle handle = client.start(get(server.url("/x")), [&](const Result<Response>& reply) {
          if (!reply) {
            EXPECT_EQ(reply.error().code, ErrorCode::cancelled) << describe(reply);
          }
          ++completions;
        });
        if (random() % 2 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 1000));
        if (random() % 4 != 0) handle.cancel();
      }
    });
  }
  for (std::thread& thread : all) thread.join();
  EXPECT_TRUE(eventually([&] { return completions == threads * rounds; })) << completions;
  ASSERT_STATUS(client.get(server.url()), 200);
  EXPECT_TRUE(eventually([&] { return server.open() == stats().pool.open; }));
}

}  // namespace
}  // namespace trunkline::test
