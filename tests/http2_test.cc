// HTTP/2 as users meet it: requests and responses in all forms, over TLS and in clear. What is specific to streams,
// limits and hostile servers is in http2_*_test.cc.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <trunkline/asio.hpp>

#include <algorithm>
#include <span>
#include <utility>

#include "support/h2_test.h"

namespace trunkline::test {
namespace {

class Http2Test : public HttpTest {
 protected:
  // The test's body, for both ways to speak it.
  void both(const std::function<void(H2Server&, const Client&)>& body, H2Options server = {}) {
    for (const bool tls : {false, true}) {
      SCOPED_TRACE(tls ? "over TLS" : "in clear");
      server.certificate = certificate_if(tls);
      body(serve_h2(server), make_client(h2_options(tls)));
    }
  }
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

TEST_F(Http2Test, sends_every_request_on_the_connection_of_the_first) {
  both([](H2Server& server, const Client& client) {
    const Result<Response> first = client.get(server.url("/one"));
    ASSERT_STATUS(first, 200);
    EXPECT_EQ(first->body, "/one");
    EXPECT_EQ(first->reason, "");
    EXPECT_FALSE(first->connection.reused);
    EXPECT_EQ(first->connection.dial_reason, DialReason::first);
    EXPECT_EQ(first->connection.protocol, server.url().starts_with("https") ? "h2" : "h2c");
    const Result<Response> second = client.get(server.url("/two"));
    ASSERT_STATUS(second, 200);
    EXPECT_TRUE(second->connection.reused);
    EXPECT_EQ(second->connection.id, first->connection.id);
    EXPECT_EQ(second->connection.requests, 2U);
    EXPECT_EQ(server.accepts(), 1);
    EXPECT_EQ(server.connections().at(0).streams, 2);
  });
}

TEST_F(Http2Test, sends_the_fields_of_a_request_in_small_letters_and_none_of_the_connections) {
  both([](H2Server& server, const Client& client) {
    ASSERT_STATUS(client.send(get(server.url("/x?y=z")).header("X-Mixed-Case", "Value").header("Connection", "close")),
                  200);
    const H2Request request = server.log().at(0);
    EXPECT_EQ(request.method, "GET");
    EXPECT_EQ(request.path, "/x?y=z");
    EXPECT_EQ(request.field(":scheme"), server.url().starts_with("https") ? "https" : "http");
    EXPECT_EQ(request.field(":authority"), "127.0.0.1:" + std::to_string(server.port()));
    EXPECT_EQ(request.field("x-mixed-case"), "Value");
    EXPECT_EQ(request.field("connection"), "(none)");
    EXPECT_EQ(request.field("host"), "(none)");
    EXPECT_EQ(request.field("user-agent"), "trunkline/0.1");
  });
}

// While frames of one connection are being made its body source runs, and may end another connection of the same loop,
// which says goodbye at once: in room of its own.
TEST_F(Http2Test, a_connection_that_ends_while_another_makes_its_frames_spoils_none_of_them) {
  class EndsAnother : public BodySource {
   public:
    explicit EndsAnother(std::shared_ptr<Transport> other) : other_(std::move(other)) {}
    Pull pull(std::span<char> into, Callback<void()>) override {
      if (std::exchange(pulled_, true)) return {.kind = Pull::end};
      other_->invalidate();
      std::ranges::fill(into.first(10), 'x');
      return {.kind = Pull::bytes, .size = 10};
    }

   private:
    const std::shared_ptr<Transport> other_;
    bool pulled_ = false;
  };
  H2Server& server = serve_h2();
  const Client client = make_client(h2c_options());
  ASSERT_STATUS(client.get(server.url("/first")), 200);
  H2Server& other_server = serve_h2();
  const Client other = make_client(h2c_options());
  ASSERT_STATUS(other.get(other_server.url()), 200);

  Request upload("POST", server.url("/count"));
  upload.header("x-id", std::string(300, 'i')).body(std::make_shared<EndsAnother>(transport()));
  const Result<Response> reply = client.send(std::move(upload));
  ASSERT_STATUS(reply, 200);
  EXPECT_EQ(reply->body, "10");
  EXPECT_EQ(server.log().at(1).id, std::string(300, 'i'));
  EXPECT_EQ(server.log().at(1).body, std::string(10, 'x'));
  ASSERT_TRUE(eventually([&] { return other_server.open() == 0; }));
  EXPECT_EQ(other_server.connections().at(0).goaway_code, 0) << "its goodbye is whole";
}

TEST_F(Http2Test, the_callers_host_becomes_the_authority) {
  H2Server& server = serve_h2();
  ASSERT_STATUS(make_client(h2c_options()).send(get(server.url()).header("Host", "example.org")), 200);
  EXPECT_EQ(server.log().at(0).field(":authority"), "example.org");
  EXPECT_EQ(server.log().at(0).field("host"), "(none)");
}

TEST_F(Http2Test, posts_a_body_and_says_its_length) {
  both([](H2Server& server, const Client& client) {
    const Result<Response> reply = client.post(server.url("/count"), pattern(200000));
    ASSERT_STATUS(reply, 200);
    EXPECT_EQ(reply->body, "200000");
    const H2Request request = server.log().at(0);
    EXPECT_EQ(request.field("content-length"), "200000");
    EXPECT_EQ(request.body, pattern(65536));
    ASSERT_STATUS(client.post(server.url("/count"), ""), 200);
    EXPECT_EQ(server.log().at(1).field("content-length"), "0");
  });
}

TEST_F(Http2Test, head_and_the_statuses_without_body_have_none) {
  both([](H2Server& server, const Client& client) {
    const Result<Response> reply = client.send(head(server.url("/size/5000")));
    ASSERT_STATUS(reply, 200);
    EXPECT_EQ(reply->body, "");
    EXPECT_EQ(reply->headers.get("content-length"), "5000");
    for (const int status : {204, 304}) {
      const Result<Response> empty = client.get(server.url("/status/" + std::to_string(status)));
      ASSERT_STATUS(empty, status);
      EXPECT_EQ(empty->body, "");
    }
    EXPECT_EQ(server.accepts(), 1);
  });
}

TEST_F(Http2Test, trailers_go_both_ways) {
  both([](H2Server& server, const Client& client) {
    auto source = std::make_shared<ScriptedSource>();
    source->on_pull = [pulls = 0](std::span<char> into, const Callback<void()>&) mutable {
      if (pulls++ > 0) return BodySource::Pull{};
      into[0] = 'b';
      return BodySource::Pull{.kind = BodySource::Pull::bytes, .size = 1};
    };
    source->at_end.add("X-Checksum", "abc");
    const Result<Response> reply = client.send(Request("POST", server.url("/trailers")).body(source));
    ASSERT_STATUS(reply, 200);
    EXPECT_EQ(reply->trailers.get("x-sum"), "1");
    EXPECT_EQ(reply->trailers.get("x-checksum"), "abc");
    const H2Request request = server.log().at(0);
    ASSERT_EQ(request.trailers.size(), 1U);
    EXPECT_EQ(request.trailers[0].first, "x-checksum");
  });
}

TEST_F(Http2Test, refuses_a_request_that_http2_has_no_words_for_and_nothing_else) {
  both([](H2Server& server, const Client& client) {
    const Result<Response> reply = client.send(get(server.url()).header("HTTP2-Settings", "AAMAAABkAAQAAP__"));
    ASSERT_TRUE(fails_as(reply, "invalid_request"));
    EXPECT_EQ(reply.error().maybe_processed, MaybeProcessed::no);
    ASSERT_STATUS(client.get(server.url()), 200);
    EXPECT_EQ(server.requests(), 1);
  });
}

TEST_F(Http2Test, informational_responses_come_before_the_final_one_and_are_bounded) {
  both([](H2Server& server, const Client& client) {
    const Result<Response> reply = client.get(server.url("/hints/3"));
    ASSERT_STATUS(reply, 200);
    EXPECT_EQ(reply->body, "/hints/3");
    EXPECT_TRUE(fails_as(client.get(server.url("/hints/1000")), "limit_exceeded"));
    ASSERT_STATUS(client.get(server.url()), 200);
    EXPECT_EQ(server.accepts(), 1) << "one bad response must not cost the others their connection";
  });
}

TEST_F(Http2Test, streams_a_response_piece_by_piece) {
  both([](H2Server& server, const Client& client) {
    Result<ResponseStream> stream = client.open(get(server.url("/size/3000000")));
    ASSERT_GOOD(stream);
    EXPECT_EQ(stream->status(), 200);
    EXPECT_EQ(read_to_end(*stream, 1000), pattern(3000000));
    std::array<char, 8> more{};
    const Result<std::size_t> end = stream->read(more);
    ASSERT_GOOD(end);
    EXPECT_EQ(*end, 0U);
  });
}

TEST_F(Http2Test, streams_a_request_from_a_source_with_and_without_a_length) {
  both([](H2Server& server, const Client& client) {
    for (const bool say_length : {true, false}) {
      const auto source = std::make_shared<PatternSource>(5000000, say_length);
      const Result<Response> reply = client.send(Request("PUT", server.url("/count")).body(source));
      ASSERT_STATUS(reply, 200);
      EXPECT_EQ(reply->body, "5000000");
      EXPECT_EQ(server.log().back().field("content-length"), say_length ? "5000000" : "(none)");
    }
  });
}

TEST_F(Http2Test, a_source_that_has_nothing_yet_lets_other_requests_pass) {
  both([](H2Server& server, const Client& client) {
    Callback<void()> resume;
    std::promise<void> asked;
    auto source = std::make_shared<ScriptedSource>();
    source->on_pull = [&, pulls = 0](std::span<char> into, Callback<void()> wake) mutable {
      if (pulls++ == 0) {
        resume = std::move(wake);
        asked.set_value();
        return BodySource::Pull{.kind = BodySource::Pull::later};
      }
      if (pulls > 2) return BodySource::Pull{};
      into[0] = 'x';
      return BodySource::Pull{.kind = BodySource::Pull::bytes, .size = 1};
    };
    H2Call slow = start(client, Request("POST", server.url("/count")).body(source));
    asked.get_future().wait();
    for (int i = 0; i < 10; ++i) ASSERT_STATUS(client.get(server.url()), 200);
    resume();
    const Result<Response> reply = slow.reply.get();
    ASSERT_STATUS(reply, 200);
    EXPECT_EQ(reply->body, "1");
    EXPECT_EQ(server.accepts(), 1);
  });
}

TEST_F(Http2Test, a_source_that_fails_ends_its_stream_and_no_other) {
  both([](H2Server& server, const Client& client) {
    H2Call other = start(client, get(server.url("/hold")));
    ASSERT_TRUE(eventually([&] { return server.held() == 1; }));
    auto source = std::make_shared<ScriptedSource>();
    source->on_pull = [](std::span<char>, const Callback<void()>&) {
      return BodySource::Pull{.kind = BodySource::Pull::failed, .reason = "no disk"};
    };
    EXPECT_FAILS(client.send(Request("POST", server.url("/count")).body(source)), ErrorCode::body_source_failed);
    server.release();
    EXPECT_STATUS(other.reply.get(), 200);
    EXPECT_EQ(server.accepts(), 1);
  });
}

TEST_F(Http2Test, a_source_that_throws_or_gives_nothing_ends_its_stream_and_no_other) {
  using Pull = BodySource::Pull;
  const std::vector<std::function<Pull(std::span<char>, Callback<void()>)>> misbehaviours{
      [](std::span<char>, const Callback<void()>&) -> Pull { return {.kind = Pull::bytes, .size = 0}; },
      [](std::span<char>, const Callback<void()>&) -> Pull { throw std::runtime_error("thrown"); },
      [](std::span<char>, const Callback<void()>&) -> Pull { throw 7; }};
  both([&](H2Server& server, const Client& client) {
    for (const auto& pull : misbehaviours) {
      auto source = std::make_shared<ScriptedSource>();
      source->on_pull = pull;
      EXPECT_FAILS(client.send(Request("POST", server.url("/count")).body(source)), ErrorCode::body_source_failed);
    }
    ASSERT_STATUS(client.get(server.url()), 200);
    EXPECT_EQ(server.accepts(), 1);
  });
}

// Until its body is sent an upload waits for the peer to take it, and from then on for the answer, whatever was said in
// between.
TEST_F(Http2Test, a_hint_during_the_upload_does_not_make_the_answer_late) {
  class Heard final : public Tracer {
   public:
    void on_event(const TraceEvent& event) override {
      if (event.kind == TraceEvent::informational) hint.set_value();
    }
    std::promise<void> hint;
  };
  both([](H2Server& server, const Client& client) {
    const auto heard = std::make_shared<Heard>();
    auto source = std::make_shared<ScriptedSource>();
    Callback<void()> resume;
    std::promise<void> waiting;
    source->on_pull = [&, pulls = 0](std::span<char> into, Callback<void()> wake) mutable -> BodySource::Pull {
      if (++pulls == 2) {
        resume = std::move(wake);
        waiting.set_value();
        return {.kind = BodySource::Pull::later};
      }
      if (pulls > 3) return {};
      into[0] = 'x';
      return {.kind = BodySource::Pull::bytes, .size = 1};
    };
    Timeouts limits = test_options().timeouts;
    limits.write_stall = milliseconds(200);
    H2Call call =
        start(client, Request("POST", server.url("/hint_upload/1000")).body(source).timeouts(limits).trace(heard));
    waiting.get_future().wait();
    heard->hint.get_future().wait();
    resume();
    EXPECT_STATUS(call.reply.get(), 200);
  });
}

TEST_F(Http2Test, bounds_on_a_response_are_those_of_who_asked_although_the_connection_is_shared) {
  H2Server& server = serve_h2();
  const auto with = [this](auto change) { return Client(shared_transport(h2c_options().derive(change))); };
  const Client usual(shared_transport(h2c_options()));
  const Client strict = with([](Options& o) { o.response.informational = 2; });
  const Client patient = with([](Options& o) { o.response.informational = 50; });
  const Client narrow = with([](Options& o) { o.response.header_count = 1; });
  for (int round = 0; round < 2; ++round) {
    EXPECT_STATUS(usual.get(server.url("/hints/9")), 200);
    EXPECT_TRUE(fails_as(strict.get(server.url("/hints/3")), "limit_exceeded"));
    EXPECT_STATUS(patient.get(server.url("/hints/40")), 200);
    EXPECT_TRUE(fails_as(usual.get(server.url("/hints/40")), "limit_exceeded"));
  }
  EXPECT_TRUE(fails_as(narrow.get(server.url()), "limit_exceeded"));
  EXPECT_EQ(server.accepts(), 1);
}

TEST_F(Http2Test, callbacks_come_from_a_loop_and_in_the_order_of_the_answers) {
  both([](H2Server& server, const Client& client) {
    H2Call held = start(client, get(server.url("/hold")));
    ASSERT_TRUE(eventually([&] { return server.held() == 1; }));
    for (int i = 0; i < 20; ++i) EXPECT_STATUS(start(client, get(server.url(numbered(i)))).reply.get(), 200);
    EXPECT_EQ(held.reply.wait_for(seconds(0)), std::future_status::timeout);
    server.release();
    EXPECT_STATUS(held.reply.get(), 200);
  });
}

TEST_F(Http2Test, blocking_callers_on_many_threads_share_one_connection) {
  both([](H2Server& server, const Client& client) {
    ASSERT_STATUS(client.get(server.url()), 200);
    on_threads(16, [&](int t) {
      for (int i = 0; i < scaled(100, 20); ++i) {
        const std::string path = "/" + std::to_string(t) + "/" + std::to_string(i);
        const Result<Response> reply = client.get(server.url(path));
        ASSERT_STATUS(reply, 200);
        EXPECT_EQ(reply->body, path);
      }
    });
    EXPECT_EQ(server.accepts(), 1);
  });
}

TEST_F(Http2Test, works_with_asio) {
  both([](H2Server& server, const Client& client) {
    namespace asio = boost::asio;
    asio::io_context context;
    const auto ask = [](Client asked, std::string url) -> asio::awaitable<std::string> {
      const Result<Response> reply = co_await asked.async_get(std::move(url), asio::use_awaitable);
      co_return reply ? reply->body : describe(reply.error());
    };
    std::vector<std::future<std::string>> bodies;
    for (int i = 0; i < 50; ++i) {
      bodies.push_back(asio::co_spawn(context, ask(client, server.url(numbered(i))), asio::use_future));
    }
    context.run();
    for (int i = 0; i < 50; ++i) EXPECT_EQ(bodies[static_cast<std::size_t>(i)].get(), numbered(i));
  });
}

TEST_F(Http2Test, the_preset_for_hops_speaks_h2c) {
  H2Server& server = serve_h2();
  const Client client = make_client(Options::internal());
  const Result<Response> reply = client.get(server.url());
  ASSERT_STATUS(reply, 200);
  EXPECT_EQ(reply->connection.protocol, "h2c");
}

TEST_F(Http2Test, automatic_takes_http_2_where_tls_offers_it_and_never_in_clear) {
  H2Server& secure = serve_h2({.certificate = &server_certificate()});
  CountingServer& plain = count();
  const Client client = make_client(tls_options());
  const Result<Response> over_tls = client.get(secure.url());
  ASSERT_STATUS(over_tls, 200);
  EXPECT_EQ(over_tls->connection.protocol, "h2");
  const Result<Response> in_clear = client.get(plain.url());
  ASSERT_STATUS(in_clear, 200);
  EXPECT_EQ(in_clear->connection.protocol, "http/1.1");
}

TEST_F(Http2Test, time_limits_end_a_request_and_not_its_connection) {
  both([](H2Server& server, const Client& client) {
    H2Call other = start(client, get(server.url("/hold")));
    ASSERT_TRUE(eventually([&] { return server.held() == 1; }));
    Timeouts hasty = client.round_tripper() ? test_options().timeouts : Timeouts();
    hasty.first_byte = milliseconds(50);
    EXPECT_FAILS(client.send(get(server.url("/hold")).timeouts(hasty)), ErrorCode::timeout_first_byte);
    EXPECT_FAILS(client.send(get(server.url("/hold")).total_timeout(milliseconds(50))), ErrorCode::timeout_total);
    hasty = test_options().timeouts;
    hasty.idle_read = milliseconds(50);
    EXPECT_FAILS(client.send(get(server.url("/head")).timeouts(hasty)), ErrorCode::timeout_idle_read);
    hasty = test_options().timeouts;
    hasty.write_stall = milliseconds(50);
    EXPECT_FAILS(client.send(post(server.url("/deaf"), std::string(4 << 20, 'w')).timeouts(hasty)),
                 ErrorCode::timeout_write);
    EXPECT_TRUE(eventually([&] { return server.resets() == 4; }));
    server.release();
    EXPECT_STATUS(other.reply.get(), 200);
    EXPECT_EQ(server.accepts(), 1);
  });
}

TEST_F(Http2Test, a_body_that_is_too_long_ends_its_stream_and_no_other) {
  both([](H2Server& server, const Client& client) {
    H2Call other = start(client, get(server.url("/hold")));
    ASSERT_TRUE(eventually([&] { return server.held() == 1; }));
    EXPECT_FAILS(client.send(get(server.url("/size/1000000")).body_limit(1000)), ErrorCode::limit_exceeded);
    server.release();
    EXPECT_STATUS(other.reply.get(), 200);
    EXPECT_EQ(server.accepts(), 1);
  });
}

TEST_F(Http2Test, an_early_answer_with_no_error_is_a_success) {
  both([](H2Server& server, const Client& client) {
    const auto source = std::make_shared<PatternSource>(64 << 20, true);
    const Result<Response> reply = client.send(Request("POST", server.url("/early")).body(source));
    ASSERT_STATUS(reply, 413);
    EXPECT_EQ(reply->body, "too much");
    EXPECT_LT(source->taken(), 8U << 20U) << "the upload should have stopped";
    ASSERT_STATUS(client.get(server.url()), 200);
    EXPECT_EQ(server.accepts(), 1);
  });
}

TEST_F(Http2Test, expect_100_continue_sends_the_body_at_the_latest_after_its_time) {
  both([](H2Server& server, const Client& client) {
    Timeouts hasty = test_options().timeouts;
    hasty.expect_continue = milliseconds(20);
    const Result<Response> reply = client.send(post(server.url("/count"), "hello").expect_continue().timeouts(hasty));
    ASSERT_STATUS(reply, 200);
    EXPECT_EQ(reply->body, "5");
    EXPECT_EQ(server.log().at(0).field("expect"), "100-continue");
  });
}

TEST_F(Http2Test, drain_waits_for_streams_under_way_and_says_goodbye) {
  both([this](H2Server& server, const Client& client) {
    H2Call busy = start(client, get(server.url("/hold")));
    ASSERT_TRUE(eventually([&] { return server.held() == 1; }));
    auto drained = in_background([this] { return transport()->drain(seconds(30)); });
    ASSERT_TRUE(eventually([&] {
      const Result<Response> refused = client.get(server.url());
      return !refused && refused.error().code == ErrorCode::transport_closed;
    }));
    server.release();
    EXPECT_STATUS(busy.reply.get(), 200);
    EXPECT_TRUE(drained.get());
    EXPECT_TRUE(eventually([&] { return server.open() == 0; }));
    EXPECT_EQ(server.connections().at(0).goaway_code, 0);
  });
}

}  // namespace
}  // namespace trunkline::test
