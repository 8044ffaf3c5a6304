// Bodies both ways: streaming with back-pressure, early ends, 100-continue (F25), early answers (F26), dropped bodies
// (F4), upgrades, and responses that have none.
#include <limits>
#include <stdexcept>
#include <thread>

#include "support/http_test.h"

namespace trunkline::test {
namespace {

class BodiesTest : public HttpTest {
 protected:
  LoggedRequest last_of(const Listener& server) { return server.log().requests.back(); }
};

std::string read_to_end(ResponseStream& stream, std::size_t piece = 4096) {
  std::string all;
  std::vector<char> buffer(piece);
  for (;;) {
    const Result<std::size_t> size = stream.read(buffer);
    EXPECT_GOOD(size);
    if (!size || *size == 0) return all;
    all.append(buffer.data(), *size);
  }
}

// --- responses

TEST_F(BodiesTest, streams_a_response_piece_by_piece) {
  Listener& server = serve();
  const Client client = make_client();
  for (const std::string coding : {"length", "chunked", "close"}) {
    Result<ResponseStream> stream = client.open(get(server.scenario("big", "size=300000&coding=" + coding)));
    ASSERT_GOOD(stream);
    EXPECT_EQ(stream->status(), 200);
    EXPECT_EQ(read_to_end(*stream, 1000), pattern(300000)) << coding;
    // Past the end there is still the end.
    std::array<char, 8> more{};
    const Result<std::size_t> end = stream->read(more);
    ASSERT_GOOD(end);
    EXPECT_EQ(*end, 0U);
    if (coding == "chunked") {
      EXPECT_EQ(stream->trailers().get("X-Sum"), "300000");
    }
  }
  EXPECT_EQ(server.log().accepts, 1);
}

TEST_F(BodiesTest, a_stream_that_is_read_to_its_end_gives_its_connection_back_before_it_is_dropped) {
  Listener& server = serve();
  const Client client = make_client();
  Result<ResponseStream> first = client.open(get(server.url("/first")));
  ASSERT_GOOD(first);
  EXPECT_EQ(read_to_end(*first), "/first");
  EXPECT_TRUE(eventually([&] { return stats().pool.active == 0; }));
  ASSERT_STATUS(client.get(server.url("/second")), 200);
  EXPECT_EQ(server.log().accepts, 1);
}

TEST_F(BodiesTest, a_slow_reader_slows_the_server_down_and_not_our_memory_up) {
  Listener& server = serve();
  const Client client = make_client();
  constexpr std::int64_t size = 64 << 20;
  Result<ResponseStream> stream = client.open(get(server.scenario("big", "size=" + std::to_string(size))));
  ASSERT_GOOD(stream);
  std::array<char, 1000> some{};
  ASSERT_GOOD(stream->read(some));
  // The kernel's buffers fill up, and then the server stands still: as far as it came now is as far as it comes.
  std::int64_t before = -1;
  std::int64_t now = 0;
  while (now != before) {
    before = now;
    std::this_thread::sleep_for(milliseconds(300));
    now = last_of(server).sent_bytes;
  }
  EXPECT_LT(now, size / 2);
}

TEST_F(BodiesTest, responses_without_a_body_pair_with_the_right_request) {
  Listener& server = serve();
  const Client client = make_client();
  for (int i = 0; i < 3; ++i) {
    const Result<Response> headed = client.send(head(server.url("/long-target")));
    ASSERT_STATUS(headed, 200);
    EXPECT_EQ(headed->body, "");
    EXPECT_EQ(headed->headers.get("Content-Length"), "12");
    ASSERT_STATUS(client.get(server.scenario("ok", "status=204")), 204);
    ASSERT_STATUS(client.get(server.scenario("ok", "status=304")), 304);
    const Result<Response> plain = client.get(server.url("/plain"));
    ASSERT_STATUS(plain, 200);
    EXPECT_EQ(plain->body, "/plain");
  }
  EXPECT_EQ(server.log().accepts, 1);
}

TEST_F(BodiesTest, a_status_of_any_class_is_a_response) {
  Listener& server = serve();
  const Client client = make_client();
  for (const int status : {200, 201, 302, 404, 429, 500, 503, 599}) {
    EXPECT_STATUS(client.get(server.scenario("ok", "size=3&status=" + std::to_string(status))), status);
  }
  EXPECT_EQ(stats().requests.completed, 8U);
  EXPECT_EQ(stats().requests.failed_total(), 0U);
}

TEST_F(BodiesTest, informational_responses_are_told_to_the_tracer_and_not_to_the_caller) {
  struct Notes : Tracer {
    std::mutex mutex;
    std::vector<TraceEvent> events;
    void on_event(const TraceEvent& event) override {
      std::lock_guard lock(mutex);
      events.push_back(event);
    }
    int count(TraceEvent::Kind kind) {
      std::lock_guard lock(mutex);
      return static_cast<int>(
          std::count_if(events.begin(), events.end(), [&](const auto& e) { return e.kind == kind; }));
    }
  };
  Listener& server = serve();
  const Client client = make_client();
  const auto notes = std::make_shared<Notes>();
  const Result<Response> reply = client.send(get(server.scenario("informational", "n=3")).trace(notes));
  ASSERT_STATUS(reply, 200);
  EXPECT_EQ(reply->body, "final");
  EXPECT_EQ(notes->count(TraceEvent::informational), 3);
  EXPECT_EQ(notes->count(TraceEvent::connected), 1);
  EXPECT_EQ(notes->count(TraceEvent::sent), 1);
  EXPECT_EQ(notes->count(TraceEvent::first_byte), 1);
  EXPECT_EQ(notes->count(TraceEvent::done), 1);
}

// --- F4: bodies that are dropped

TEST_F(BodiesTest, F4_a_dropped_body_with_little_left_is_drained_and_its_connection_reused) {
  Listener& server = serve();
  const Client client = make_client();
  for (int i = 0; i < 20; ++i) {
    {
      ASSERT_GOOD(client.open(get(server.scenario("ok", "size=2000"))));
    }
    ASSERT_TRUE(eventually([&] { return stats().pool.active == 0; }));
  }
  EXPECT_EQ(server.log().accepts, 1);
  EXPECT_EQ(stats().requests.in_flight, 0);
}

TEST_F(BodiesTest, F4_a_dropped_body_with_much_left_costs_its_connection_and_says_why) {
  Listener& server = serve();
  const Client client = make_client();
  for (int i = 0; i < 3; ++i) {
    const Result<ResponseStream> dropped = client.open(get(server.scenario("big", "size=100000000")));
    ASSERT_GOOD(dropped);
  }
  EXPECT_TRUE(eventually([&] { return stats().pool.active == 0; }));
  EXPECT_TRUE(server.wait_for_exactly("open", 0));
  EXPECT_TRUE(closed_for(CloseReason::early_body_close, 3));
  EXPECT_EQ(stats().requests.in_flight, 0);
}

TEST_F(BodiesTest, F4_a_dropped_body_whose_rest_does_not_come_costs_its_connection) {
  Listener& server = serve();
  const Client client = make_client();
  {
    const Result<ResponseStream> dropped = client.open(get(server.scenario("hold", "after=head")));
    ASSERT_GOOD(dropped);
  }
  EXPECT_TRUE(server.wait_for_exactly("open", 0)) << "a body that never comes must not be waited for";
  EXPECT_TRUE(closed_for(CloseReason::early_body_close, 1));
}

TEST_F(BodiesTest, F4_streams_that_are_never_read_leak_no_lease) {
  Listener& server = serve();
  const Client client = make_client(test_options().derive([](Options& o) { o.limits.open_per_host = 4; }));
  for (int i = 0; i < 100; ++i) ASSERT_GOOD(client.open(get(server.scenario("big", "size=10000000"))));
  ASSERT_STATUS(client.get(server.url()), 200);
}

// --- requests

TEST_F(BodiesTest, a_slow_server_slows_the_body_source_down) {
  Listener& server = serve({.settings = {{"receive_buffer", "65536"}}});
  const Client client = make_client();
  constexpr std::uint64_t size = 64 << 20;
  const auto source = std::make_shared<PatternSource>(size, true);
  auto call = in_background([&] {
    return client.send(
        Request("POST", server.scenario("stop_reading", "read=1000")).body(std::shared_ptr<BodySource>(source)));
  });
  ASSERT_TRUE(server.wait_for("held", 1));
  std::uint64_t before = 0;
  while (source->taken() != before) {
    before = source->taken();
    std::this_thread::sleep_for(milliseconds(300));
  }
  EXPECT_LT(source->taken(), size / 2);
  server.release();
  const Result<Response> reply = call.get();
  ASSERT_STATUS(reply, 200);
  EXPECT_EQ(reply->body, std::to_string(size));
}

TEST_F(BodiesTest, a_body_source_may_say_later_and_resume_from_another_thread) {
  Listener& server = serve();
  const Client client = make_client();
  for (const bool async : {false, true}) {
    const auto source = std::make_shared<ScriptedSource>();
    auto resumed = std::make_shared<std::vector<std::thread>>();
    auto pulls = std::make_shared<int>(0);
    source->on_pull = [=](std::span<char> into, Callback<void()> resume) -> BodySource::Pull {
      ++*pulls;
      if (*pulls > 20) return {.kind = BodySource::Pull::end};
      if (*pulls % 2 == 1) {
        resumed->emplace_back([resume = std::move(resume)]() mutable {
          std::this_thread::sleep_for(milliseconds(1));
          resume();
        });
        return {.kind = BodySource::Pull::later};
      }
      into[0] = 'x';
      return {.kind = BodySource::Pull::bytes, .size = 1};
    };
    Request request = Request("POST", server.url()).body(std::shared_ptr<BodySource>(source));
    if (async) {
      std::promise<Result<Response>> reply;
      client.start(std::move(request), [&](Result<Response> result) { reply.set_value(std::move(result)); });
      EXPECT_STATUS(reply.get_future().get(), 200);
    } else {
      EXPECT_STATUS(client.send(std::move(request)), 200);
    }
    for (std::thread& thread : *resumed) thread.join();
    EXPECT_EQ(last_of(server).body, std::string(10, 'x'));
  }
}

TEST_F(BodiesTest, a_body_source_may_resume_from_inside_pull) {
  Listener& server = serve();
  const Client client = make_client();
  const auto source = std::make_shared<ScriptedSource>();
  int pulls = 0;
  source->on_pull = [&](std::span<char> into, Callback<void()> resume) -> BodySource::Pull {
    if (++pulls > 10) return {.kind = BodySource::Pull::end};
    if (pulls % 2 == 1) {
      resume();
      return {.kind = BodySource::Pull::later};
    }
    into[0] = 'y';
    return {.kind = BodySource::Pull::bytes, .size = 1};
  };
  ASSERT_STATUS(client.send(Request("POST", server.url()).body(std::shared_ptr<BodySource>(source))), 200);
  EXPECT_EQ(last_of(server).body, "yyyyy");
}

TEST_F(BodiesTest, a_body_source_that_fails_fails_the_request_and_costs_the_connection) {
  allow_malformed_requests();
  Listener& server = serve();
  const Client client = make_client();
  ASSERT_STATUS(client.get(server.url()), 200);
  const auto source = std::make_shared<ScriptedSource>();
  source->declared = 1000;
  bool sent = false;
  source->on_pull = [&](std::span<char> into, Callback<void()>) -> BodySource::Pull {
    if (std::exchange(sent, true)) return {.kind = BodySource::Pull::failed, .reason = "the disk is on fire"};
    into[0] = 'x';
    return {.kind = BodySource::Pull::bytes, .size = 1};
  };
  const Result<Response> reply = client.send(Request("POST", server.url()).body(std::shared_ptr<BodySource>(source)));
  ASSERT_FAILS(reply, ErrorCode::body_source_failed);
  EXPECT_NE(reply.error().message.find("the disk is on fire"), std::string::npos) << reply.error().message;
  EXPECT_TRUE(server.wait_for_exactly("open", 0));
  ASSERT_STATUS(client.get(server.url()), 200);
}

TEST_F(BodiesTest, a_body_source_that_misbehaves_fails_its_own_request_only) {
  allow_malformed_requests();
  Listener& server = serve();
  const Client client = make_client();
  using Pull = BodySource::Pull;
  const std::vector<std::function<Pull(std::span<char>, Callback<void()>)>> misbehaviours{
      [](std::span<char>, Callback<void()>) -> Pull { return {.kind = Pull::bytes, .size = 0}; },
      [](std::span<char>, Callback<void()>) -> Pull { throw std::runtime_error("thrown"); }};
  for (const auto& pull : misbehaviours) {
    const auto source = std::make_shared<ScriptedSource>();
    source->on_pull = pull;
    EXPECT_FAILS(client.send(Request("POST", server.url()).body(std::shared_ptr<BodySource>(source))),
                 ErrorCode::body_source_failed);
    ASSERT_STATUS(client.get(server.url()), 200);
  }
}

// The bytes of a response are not to be looked at any more once the source has been asked: what it gives may come from
// another connection of this thread, through the same buffer.
TEST_F(BodiesTest, a_body_that_is_read_from_another_response_does_not_become_the_answer) {
  for (const bool secure : {false, true}) {
    Listener& server = secure ? serve({.certificate = &server_certificate()}) : serve();
    const Client client = make_client(secure ? tls_options() : test_options());
    Result<ResponseStream> other = client.open(get(server.scenario("big", "size=200000")));
    ASSERT_GOOD(other);
    const auto source = std::make_shared<ScriptedSource>();
    source->on_pull = [&](std::span<char> into, const Callback<void()>&) -> BodySource::Pull {
      const Result<std::size_t> got = other->read(into);
      if (!got) return {.kind = BodySource::Pull::failed, .reason = got.error().message};
      return {.kind = *got == 0 ? BodySource::Pull::end : BodySource::Pull::bytes, .size = *got};
    };
    const Result<Response> reply =
        client.send(Request("POST", server.scenario("continue", "reply=glued")).body(source).expect_continue());
    ASSERT_STATUS(reply, 200);
    EXPECT_EQ(reply->body, "ours");
  }
}

TEST_F(BodiesTest, a_body_source_that_fails_at_once_fails_a_started_call_that_had_to_wait_for_its_connection) {
  allow_malformed_requests();
  Listener& server = serve();
  const Client client = make_client();
  const auto source = std::make_shared<ScriptedSource>();
  source->on_pull = [](std::span<char>, Callback<void()>) -> BodySource::Pull {
    return {.kind = BodySource::Pull::failed, .reason = "empty"};
  };
  std::promise<Result<Response>> done;
  client.start(Request("POST", server.url()).body(std::shared_ptr<BodySource>(source)),
               [&](Result<Response> result) { done.set_value(std::move(result)); });
  EXPECT_FAILS(done.get_future().get(), ErrorCode::body_source_failed);
}

TEST_F(BodiesTest, reads_all_without_a_limit) {
  Listener& server = serve();
  Result<ResponseStream> stream = make_client().open(get(server.scenario("big", "size=100000")));
  ASSERT_GOOD(stream);
  const Result<std::string> all = stream->read_all(std::numeric_limits<std::size_t>::max());
  ASSERT_GOOD(all);
  EXPECT_EQ(all->size(), 100000U);
}

TEST_F(BodiesTest, a_stream_that_is_dropped_while_it_is_read_says_so_to_the_reader) {
  Listener& server = serve();
  std::promise<Result<ResponseStream>> opened;
  make_client().start_open(get(server.scenario("hold", "after=head")),
                           [&](Result<ResponseStream> result) { opened.set_value(std::move(result)); });
  Result<ResponseStream> stream = opened.get_future().get();
  ASSERT_GOOD(stream);
  std::array<char, 1000> buffer{};
  ASSERT_GOOD(stream->read(buffer));  // what came with the head
  std::promise<Result<std::size_t>> read;
  stream->start_read(buffer, [&](Result<std::size_t> result) { read.set_value(std::move(result)); });
  {
    const ResponseStream dropped = std::move(*stream);
  }
  EXPECT_FAILS(read.get_future().get(), ErrorCode::cancelled);
  server.release();
}

TEST_F(BodiesTest, a_body_source_that_is_shorter_or_longer_than_it_said_fails_the_request) {
  allow_malformed_requests();
  Listener& server = serve();
  const Client client = make_client();
  for (const std::uint64_t said : {5U, 1U}) {
    const auto source = std::make_shared<ScriptedSource>();
    source->declared = said;
    int pulls = 0;
    source->on_pull = [&](std::span<char> into, Callback<void()>) -> BodySource::Pull {
      if (++pulls > 3) return {.kind = BodySource::Pull::end};
      into[0] = 'x';
      return {.kind = BodySource::Pull::bytes, .size = 1};
    };
    const Result<Response> reply = client.send(Request("POST", server.url()).body(std::shared_ptr<BodySource>(source)));
    if (said == 5) {
      EXPECT_FAILS(reply, ErrorCode::body_source_failed);
    } else if (reply) {
      EXPECT_EQ(last_of(server).body, "x");  // not asked for more than it said
    }
    const Result<Response> next = client.get(server.url("/next"));
    ASSERT_STATUS(next, 200);
    EXPECT_EQ(next->body, "/next");
  }
}

// --- F25: Expect: 100-continue

class ContinueTest : public BodiesTest {
 protected:
  Result<Response> ask(const Client& client, const Listener& server, const std::string& reply, milliseconds patience) {
    Timeouts timeouts;
    timeouts.expect_continue = patience;
    return client.send(post(server.scenario("continue", "reply=" + reply), std::string(50000, 'b'))
                           .expect_continue()
                           .timeouts(timeouts));
  }
};

TEST_F(ContinueTest, F25_the_body_follows_the_servers_word) {
  Listener& server = serve();
  const Client client = make_client();
  for (const std::string reply : {"now", "twice"}) {
    const Result<Response> answer = ask(client, server, reply, seconds(30));
    ASSERT_STATUS(answer, 200);
    EXPECT_EQ(answer->body, "50000");
    EXPECT_EQ(last_of(server).field("Expect"), "100-continue");
  }
  EXPECT_EQ(server.log().accepts, 1);
}

TEST_F(ContinueTest, F25_a_server_that_never_says_so_gets_the_body_after_the_limit) {
  Listener& server = serve();
  const Client client = make_client();
  const Result<Response> answer = ask(client, server, "never", milliseconds(50));
  ASSERT_STATUS(answer, 200);
  EXPECT_EQ(answer->body, "50000");
}

TEST_F(ContinueTest, F25_a_100_that_comes_late_changes_nothing) {
  Listener& server = serve();
  const Client client = make_client();
  for (int i = 0; i < 3; ++i) {
    const Result<Response> answer = ask(client, server, "late", milliseconds(20));
    ASSERT_STATUS(answer, 200);
    EXPECT_EQ(answer->body, "50000");
    ASSERT_STATUS(client.get(server.url("/between")), 200);
  }
}

TEST_F(ContinueTest, F25_a_refused_body_is_not_sent_and_never_read_as_the_next_request) {
  Listener& server = serve();
  const Client client = make_client();
  for (const std::string reply : {"refuse", "refuse_close"}) {
    const Result<Response> answer = ask(client, server, reply, seconds(30));
    ASSERT_STATUS(answer, 417);
    EXPECT_EQ(answer->body, "no");
    EXPECT_EQ(last_of(server).body_bytes, 0);
    // On this connection the server would take a body for a request (Go CVE-2024-24791): the log would show it.
    const Result<Response> next = client.get(server.url("/next"));
    ASSERT_STATUS(next, 200);
    EXPECT_EQ(next->body, "/next");
  }
}

TEST_F(ContinueTest, F25_a_final_answer_before_the_100_is_the_answer) {
  Listener& server = serve();
  const Client client = make_client();
  const Result<Response> answer = ask(client, server, "final", seconds(30));
  ASSERT_STATUS(answer, 200);
  EXPECT_EQ(answer->body, "early");
  ASSERT_STATUS(client.get(server.url()), 200);
}

// --- F26: the server answers before it has read the body

TEST_F(BodiesTest, F26_an_early_413_is_delivered_whatever_the_server_does_to_the_connection) {
  allow_malformed_requests();
  Listener& server = serve({.settings = {{"receive_buffer", "65536"}}});
  const Client client = make_client();
  for (const std::string end : {"fin", "rst&hold=1"}) {
    for (const bool streamed : {false, true}) {
      Request request("POST", server.scenario("early", "read=1000&end=" + end));
      if (streamed) {
        request.body(std::shared_ptr<BodySource>(std::make_shared<PatternSource>(32 << 20, false)));
      } else {
        request.body(std::string(32 << 20, 'b'));
      }
      auto call = in_background([&] { return client.send(std::move(request)); });
      if (end != "fin") {
        ASSERT_TRUE(server.wait_for("held", 1));
        server.release(1);
      }
      const Result<Response> reply = call.get();
      ASSERT_STATUS(reply, 413);
      EXPECT_EQ(reply->body, "too much");
      const Result<Response> next = client.get(server.url("/next"));
      ASSERT_STATUS(next, 200);
      EXPECT_FALSE(next->connection.reused);
      transport()->invalidate();
    }
  }
}

TEST_F(BodiesTest, F26_an_early_answer_on_a_connection_that_lives_on_is_delivered) {
  Listener& server = serve();
  const Client client = make_client();
  const Result<Response> reply =
      client.post(server.scenario("early", "read=1000&end=keep&status=422"), std::string(3 << 20, 'b'));
  ASSERT_STATUS(reply, 422);
  const Result<Response> next = client.get(server.url("/next"));
  ASSERT_STATUS(next, 200);
  EXPECT_EQ(next->body, "/next");
  allow_malformed_requests();
}

// --- upgrades

TEST_F(BodiesTest, an_upgrade_hands_the_connection_over_with_what_has_already_come) {
  for (const bool tls : {false, true}) {
    Serve how;
    if (tls) how.certificate = &server_certificate();
    Listener& server = serve(how);
    const Client client = make_client(tls_options());
    Result<ResponseStream> stream = client.open(get(server.scenario("upgrade", "glue=hello")).upgrade("echo"));
    ASSERT_GOOD(stream);
    EXPECT_EQ(stream->status(), 101);
    ASSERT_TRUE(stream->upgraded());
    EXPECT_EQ(last_of(server).field("Upgrade"), "echo");
    {
      Result<UpgradedConnection> connection = stream->take_connection();
      ASSERT_GOOD(connection);
      EXPECT_EQ(stats().pool.upgraded, 1);
      std::array<char, 100> buffer{};
      std::string got;
      while (got.size() < 5) {
        const Result<std::size_t> size = connection->read(buffer, seconds(30));
        ASSERT_GOOD(size);
        got.append(buffer.data(), *size);
      }
      EXPECT_EQ(got, "hello");
      ASSERT_GOOD(connection->write("ping", seconds(30)));
      const Result<std::size_t> size = connection->read(buffer, seconds(30));
      ASSERT_GOOD(size);
      EXPECT_EQ(std::string_view(buffer.data(), *size), "ping");
    }
    EXPECT_TRUE(server.wait_for_exactly("open", 0));
    EXPECT_TRUE(closed_for(CloseReason::upgraded, 1));
    EXPECT_EQ(stats().pool.upgraded, 0);
  }
}

TEST_F(BodiesTest, an_upgrade_that_is_declined_is_an_ordinary_response) {
  Listener& server = serve();
  const Client client = make_client();
  Result<ResponseStream> stream = client.open(get(server.scenario("upgrade", "answer=200")).upgrade("echo"));
  ASSERT_GOOD(stream);
  EXPECT_EQ(stream->status(), 200);
  EXPECT_FALSE(stream->upgraded());
  EXPECT_EQ(read_to_end(*stream), "no");
  ASSERT_STATUS(client.get(server.url()), 200);
  EXPECT_EQ(server.log().accepts, 1);
}

TEST_F(BodiesTest, an_upgraded_connection_that_is_not_taken_is_closed) {
  Listener& server = serve();
  const Client client = make_client();
  {
    ASSERT_GOOD(client.open(get(server.scenario("upgrade")).upgrade("echo")));
  }
  EXPECT_TRUE(server.wait_for_exactly("open", 0));
}

TEST_F(BodiesTest, a_read_on_an_upgraded_connection_has_a_limit_and_survives_it) {
  Listener& server = serve();
  const Client client = make_client();
  Result<ResponseStream> stream = client.open(get(server.scenario("upgrade")).upgrade("echo"));
  ASSERT_GOOD(stream);
  Result<UpgradedConnection> connection = stream->take_connection();
  ASSERT_GOOD(connection);
  std::array<char, 10> buffer{};
  EXPECT_FAILS(connection->read(buffer, milliseconds(30)), ErrorCode::timeout_idle_read);
  ASSERT_GOOD(connection->write("x", seconds(30)));
  const Result<std::size_t> size = connection->read(buffer, seconds(30));
  ASSERT_GOOD(size);
  EXPECT_EQ(*size, 1U);
}

}  // namespace
}  // namespace trunkline::test
