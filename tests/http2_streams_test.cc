// Single streams and what they do to each other: cancellation (F16), resets and refusals, flow control (F15), liveness
// (F6, F7).
#include <random>

#include "support/h2_test.h"

namespace trunkline::test {
namespace {

class StreamsTest : public HttpTest {
 protected:
  static bool read_some(Result<ResponseStream>& stream, std::size_t at_least) {
    std::vector<char> buffer(16384);
    for (std::size_t all = 0; all < at_least;) {
      const Result<std::size_t> size = stream->read(buffer);
      if (!size || *size == 0) return false;
      all += *size;
    }
    return true;
  }
  static std::int64_t sent(const H2Server& server) {
    std::int64_t all = 0;
    for (const H2Request& request : server.log()) all += request.sent_bytes;
    return all;
  }
};

// --- cancelling

TEST_F(StreamsTest, a_cancelled_request_resets_its_stream_and_leaves_the_connection_to_others) {
  for (const bool tls : {false, true}) {
    H2Server& server = serve_h2({.certificate = certificate_if(tls)});
    const Client client = make_client(h2_options(tls));
    H2Call other = start(client, get(server.url("/hold")));
    H2Call call = start(client, get(server.url("/hold")));
    ASSERT_TRUE(eventually([&] { return server.held() == 2; }));
    call.handle.cancel();
    const Result<Response> cancelled = call.reply.get();
    ASSERT_FAILS(cancelled, ErrorCode::cancelled);
    EXPECT_EQ(cancelled.error().maybe_processed, MaybeProcessed::unknown);
    EXPECT_TRUE(eventually([&] { return server.resets() == 1; }));
    EXPECT_EQ(server.log().at(1).reset_code, 8) << "CANCEL";
    server.release();
    EXPECT_STATUS(other.reply.get(), 200);
    ASSERT_STATUS(client.get(server.url()), 200);
    EXPECT_EQ(server.accepts(), 1);
  }
}

TEST_F(StreamsTest, a_dropped_stream_is_reset_and_its_bytes_are_credited) {
  H2Server& server = serve_h2();
  const Client client = make_client(h2c_options());
  {
    Result<ResponseStream> stream = client.open(get(server.url("/size/1073741824")));
    ASSERT_GOOD(stream);
    ASSERT_TRUE(read_some(stream, 100000));
  }
  EXPECT_TRUE(eventually([&] { return server.resets() == 1; }));
  const Result<Response> full = client.get(server.url("/size/20000000"));
  ASSERT_STATUS(full, 200);
  EXPECT_EQ(full->body.size(), 20000000U);
  EXPECT_EQ(server.accepts(), 1);
}

TEST_F(StreamsTest, a_cancelled_upload_resets_its_stream) {
  H2Server& server = serve_h2();
  const Client client = make_client(h2c_options());
  H2Call call = start(client, post(server.url("/deaf"), std::string(4 << 20, 'u')));
  ASSERT_TRUE(eventually([&] { return server.held() == 1; }));
  call.handle.cancel();
  EXPECT_FAILS(call.reply.get(), ErrorCode::cancelled);
  EXPECT_TRUE(eventually([&] { return server.resets() == 1; }));
  ASSERT_STATUS(client.get(server.url()), 200);
  EXPECT_EQ(server.accepts(), 1);
}

TEST_F(StreamsTest, F16_a_full_download_completes_after_thousands_of_cancelled_ones) {
  H2Server& server = serve_h2({.lets_cancel = true});
  const Client client = make_client(h2c_options());
  const int rounds = full_run() ? 8000 : scaled(1000, 200);  // under Options::limits' requests per connection
  for (int i = 0; i < rounds; ++i) {
    Result<ResponseStream> stream = client.open(get(server.url("/size/1000000")));
    ASSERT_GOOD(stream) << "after " << i;
    ASSERT_TRUE(read_some(stream, 1)) << "after " << i;
  }
  const Result<Response> full = client.get(server.url("/size/30000000"));
  ASSERT_STATUS(full, 200);
  EXPECT_EQ(full->body, pattern(30000000));
  EXPECT_EQ(server.accepts(), 1);
}

TEST_F(StreamsTest, F16_cancelled_downloads_side_by_side_leak_no_credit) {
  H2Server& server = serve_h2({.certificate = &server_certificate()});
  const Client client = make_client(h2_options());
  const int rounds = full_run() ? 1000 : scaled(100, 20);
  std::vector<H2Call> calls;
  for (int i = 0; i < rounds; ++i) {
    calls.clear();
    for (int j = 0; j < 20; ++j) calls.push_back(start(client, get(server.url("/size/100000"))));
    ASSERT_TRUE(eventually([&] { return server.requests() >= (i + 1) * 20; }));
    for (H2Call& call : calls) call.handle.cancel();
    for (H2Call& call : calls) call.reply.wait();
  }
  const Result<Response> full = client.get(server.url("/size/30000000"));
  ASSERT_STATUS(full, 200);
  EXPECT_EQ(full->body.size(), 30000000U);
}

// What looks like a rapid-reset attack (CVE-2023-44487) is answered like one.
TEST_F(StreamsTest, cancelling_at_once_and_again_never_looks_like_a_rapid_reset_attack) {
  H2Server& server = serve_h2({.limit = 10, .strict = true});
  const Client client = make_client(h2c_options().derive([](Options& o) { o.limits.open_per_host = 1; }));
  ASSERT_STATUS(client.get(server.url()), 200);
  const int rounds = scaled(500, 100);
  for (int i = 0; i < rounds; ++i) {
    H2Call call = start(client, get(server.url("/hold")));
    const std::int64_t before = server.requests();
    if (i % 3 == 0) eventually([&] { return server.requests() > before || stats().pool.waiting > 0; });
    call.handle.cancel();
    call.reply.wait();
  }
  EXPECT_LE(server.most_resets_in_a_row(), 10) << "more than its limit at once, without asking whether it keeps up";
  EXPECT_EQ(server.overshoots(), 0);
  server.release();
  ASSERT_STATUS(client.get(server.url()), 200);
  EXPECT_EQ(server.accepts(), 1);
}

TEST_F(StreamsTest, a_slot_of_a_cancelled_stream_comes_back) {
  H2Server& server = serve_h2({.limit = 1, .strict = true});
  const Client client = make_client(h2c_options().derive([](Options& o) { o.limits.open_per_host = 1; }));
  ASSERT_STATUS(client.get(server.url()), 200);
  for (int i = 0; i < scaled(100, 30); ++i) {
    H2Call call = start(client, get(server.url("/hold")));
    ASSERT_TRUE(eventually([&] { return server.held() == 1; }));
    call.handle.cancel();
    EXPECT_FAILS(call.reply.get(), ErrorCode::cancelled);
    ASSERT_STATUS(client.get(server.url()), 200) << i;
  }
  EXPECT_EQ(server.overshoots(), 0);
  EXPECT_EQ(server.most_streams(), 1);
  EXPECT_EQ(server.accepts(), 1);
}

TEST_F(StreamsTest, cancels_that_race_with_everything_complete_every_call_exactly_once) {
  H2Server& server = serve_h2({.limit = 20});
  const Client client = make_client(h2c_options());
  const int rounds = scaled(500, 150);
  std::atomic<int> completions{0};
  on_threads(4, [&](int t) {
    std::mt19937 random(static_cast<unsigned>(t));
    for (int i = 0; i < rounds; ++i) {
      const char* const path = i % 3 == 0 ? "/size/300000" : i % 3 == 1 ? "/delay/1" : "/x";
      CallHandle handle = client.start(get(server.url(path)), [&](const Result<Response>& reply) {
        if (!reply) {
          EXPECT_EQ(reply.error().code, ErrorCode::cancelled) << describe(reply);
        }
        ++completions;
      });
      if (random() % 2 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 500));
      if (random() % 4 != 0) handle.cancel();
    }
  });
  EXPECT_TRUE(eventually([&] { return completions == 4 * rounds; })) << completions;
  ASSERT_STATUS(client.get(server.url()), 200);
}

// --- what the server does to one stream

TEST_F(StreamsTest, F14_refused_streams_are_sent_again_whatever_their_method) {
  for (const bool tls : {false, true}) {
    H2Server& server = serve_h2({.certificate = certificate_if(tls), .refuse_every = 7});
    const Client client = make_client(h2_options(tls));
    const int count = scaled(500, 200);
    const auto replies = keep_busy(client, 20, count, [&](int i) {
      return post(server.url(numbered(i)), "body").header("x-id", std::to_string(i));
    });
    expect_all_good(replies, numbered);
    EXPECT_GT(server.refused(), count / 10);
    EXPECT_EQ(server.processed(), count);
    EXPECT_EQ(server.processed_twice(), std::vector<std::string>());
  }
}

TEST_F(StreamsTest, a_server_that_refuses_everything_is_not_asked_for_ever) {
  H2Server& server = serve_h2({.refuse_every = 1});
  const Client client = make_client(h2c_options());
  const Result<Response> reply = client.post(server.url(), "body");
  ASSERT_TRUE(fails_as(reply, "stream_reset"));
  EXPECT_EQ(reply.error().maybe_processed, MaybeProcessed::no);
  EXPECT_LE(server.requests(), 10);
}

TEST_F(StreamsTest, a_refused_upload_is_sent_again_from_its_start_if_its_source_can) {
  Listener& server = serve({.scenario = "h2"});
  const Client client = make_client(h2c_options());
  const auto source = std::make_shared<PatternSource>(300000, true);
  const Result<Response> reply =
      client.send(Request("POST", server.attack("during_upload", "code=7&after=1000&times=1")).body(source));
  ASSERT_STATUS(reply, 200);
  EXPECT_EQ(source->rewinds, 1);
  EXPECT_EQ(server.log().requests.back().body_bytes, 300000);

  auto once = std::make_shared<ScriptedSource>();
  once->on_pull = [](std::span<char> into, const Callback<void()>&) {
    std::fill(into.begin(), into.end(), 'o');
    return BodySource::Pull{.kind = BodySource::Pull::bytes, .size = into.size()};
  };
  const Result<Response> lost =
      client.send(Request("POST", server.attack("during_upload", "code=7&after=2000&times=1")).body(once));
  ASSERT_TRUE(fails_as(lost, "stream_reset"));
  EXPECT_EQ(lost.error().maybe_processed, MaybeProcessed::no);
}

TEST_F(StreamsTest, a_reset_stream_is_sent_again_only_if_the_request_is_idempotent) {
  H2Server& server = serve_h2();
  const Client client = make_client(h2c_options());
  for (const int code : {1, 2, 5, 8}) {
    const std::string path = "/reset/" + std::to_string(code);
    const std::int64_t before = server.requests();
    const Result<Response> posted = client.post(server.url(path), "body");
    ASSERT_TRUE(fails_as(posted, "stream_reset")) << code;
    EXPECT_EQ(posted.error().maybe_processed, MaybeProcessed::unknown) << code;
    EXPECT_EQ(server.requests(), before + 1) << "a POST was sent again";
    const Result<Response> got = client.get(server.url(path));
    ASSERT_TRUE(fails_as(got, "stream_reset")) << code;
    EXPECT_EQ(server.requests(), before + 3) << "a GET is sent again once";
  }
}

TEST_F(StreamsTest, a_reset_after_the_head_is_a_truncated_body_and_is_not_sent_again) {
  Listener& server = serve({.scenario = "h2"});
  const Client client = make_client(h2c_options());
  ASSERT_STATUS(client.get(server.url()), 200);
  const Result<Response> reply = client.get(server.attack("rst_after_headers", "code=2"));
  ASSERT_TRUE(fails_as(reply, "truncated_body"));
  EXPECT_EQ(reply.error().maybe_processed, MaybeProcessed::yes);
  EXPECT_EQ(server.log().requests.size(), 2U);
  EXPECT_EQ(server.log().accepts, 1);
}

TEST_F(StreamsTest, a_stream_that_is_reset_for_calm_is_not_sent_again) {
  H2Server& server = serve_h2();
  const Client client = make_client(h2c_options());
  EXPECT_TRUE(fails_as(client.get(server.url("/reset/11")), "throttled"));
  EXPECT_EQ(server.requests(), 1);
}

TEST_F(StreamsTest, a_reset_during_the_upload_fails_it_and_no_other) {
  H2Server& server = serve_h2();
  const Client client = make_client(h2c_options());
  H2Call other = start(client, get(server.url("/hold")));
  ASSERT_TRUE(eventually([&] { return server.held() == 1; }));
  for (const int code : {2, 8, 1}) {
    const Result<Response> reply =
        client.post(server.url("/reset_upload/" + std::to_string(code)), std::string(1 << 20, 'r'));
    ASSERT_TRUE(fails_as(reply, "stream_reset")) << code;
    EXPECT_EQ(reply.error().maybe_processed, MaybeProcessed::unknown);
  }
  server.release();
  EXPECT_STATUS(other.reply.get(), 200);
  EXPECT_EQ(server.accepts(), 1);
}

// --- flow control

TEST_F(StreamsTest, F15_one_unread_stream_of_1_gib_stops_nobody_and_takes_no_more_memory_than_its_window) {
  for (const bool tls : {false, true}) {
    H2Server& server = serve_h2({.certificate = certificate_if(tls)});
    const Options options = h2_options(tls);
    const Client client = make_client(options);
    Result<ResponseStream> unread = client.open(get(server.url("/size/1073741824")));
    ASSERT_GOOD(unread);
    for (int i = 0; i < 100; ++i) {
      const Result<Response> small = client.get(server.url(numbered(i)));
      ASSERT_STATUS(small, 200);
      EXPECT_EQ(small->connection.id, unread->head().connection.id);
    }
    expect_all_good(all_at_once(client, 90, [&](int i) { return get(server.url(numbered(i))); }), numbered);
    EXPECT_LE(server.log().at(0).sent_bytes, static_cast<std::int64_t>(options.http2.stream_window));
    EXPECT_EQ(server.accepts(), 1);
  }
}

TEST_F(StreamsTest, F15_as_many_unread_streams_as_fit_into_the_connections_window_stop_nobody) {
  H2Server& server = serve_h2();
  const Options options = h2c_options();
  const Client client = make_client(options);
  std::vector<Result<ResponseStream>> unread;
  const std::size_t room = options.http2.connection_window / options.http2.stream_window;
  for (std::size_t i = 0; i + 1 < room; ++i) {
    unread.push_back(client.open(get(server.url("/size/1073741824"))));
    ASSERT_GOOD(unread.back()) << i;
  }
  for (int i = 0; i < 100; ++i) ASSERT_STATUS(client.send(get(server.url()).total_timeout(seconds(10))), 200) << i;
  EXPECT_LE(sent(server), static_cast<std::int64_t>(options.http2.connection_window));
}

TEST_F(StreamsTest, F15_unread_streams_take_no_more_memory_than_the_connections_window) {
  H2Server& server = serve_h2();
  const Options options = h2c_options().derive([](Options& o) {
    o.http2.connection_window = 2 << 20;
    o.limits.open_per_host = 1;
  });
  const Client client = make_client(options);
  std::vector<Result<ResponseStream>> unread;
  for (int i = 0; i < 20; ++i) {
    unread.push_back(client.open(get(server.url("/size/100000000"))));
    ASSERT_GOOD(unread.back());
  }
  // Those that are read make room for each other, whatever the others hold.
  unread.erase(unread.begin() + 1, unread.end());
  ASSERT_TRUE(read_some(unread[0], 20 << 20));
  EXPECT_LE(server.log().at(1).sent_bytes, 2 << 20);
}

TEST_F(StreamsTest, a_stream_that_is_read_after_a_long_rest_is_whole) {
  H2Server& server = serve_h2();
  const Client client = make_client(h2c_options());
  const std::size_t size = full_run() ? 1U << 30U : static_cast<std::size_t>(scaled(64 << 20, 8 << 20));
  Result<ResponseStream> stream = client.open(get(server.url("/size/" + std::to_string(size))));
  ASSERT_GOOD(stream);
  for (int i = 0; i < 50; ++i) ASSERT_STATUS(client.get(server.url()), 200);
  const std::string expected = pattern(64 + (1 << 16));
  std::vector<char> buffer(1 << 16);
  std::size_t all = 0;
  for (;;) {
    const Result<std::size_t> got = stream->read(buffer);
    ASSERT_GOOD(got);
    if (*got == 0) break;
    ASSERT_EQ(std::string_view(buffer.data(), *got), std::string_view(expected).substr(all % 64, *got)) << "at " << all;
    all += *got;
  }
  EXPECT_EQ(all, size);
}

TEST_F(StreamsTest, what_has_come_is_read_although_its_connection_is_gone) {
  H2Server& server = serve_h2();
  const Client client = make_client(h2c_options());
  constexpr std::size_t size = 100'000;  // within the window: all of it comes, and nobody has asked for it
  for (const bool read : {true, false}) {
    Result<ResponseStream> stream = client.open(get(server.url("/size/" + std::to_string(size))));
    ASSERT_GOOD(stream);
    ASSERT_TRUE(eventually([&] { return transport()->stats().pool.leases == 0; }));
    transport()->invalidate();
    ASSERT_TRUE(eventually([&] { return transport()->stats().pool.open == 0; }));
    if (!read) continue;
    std::size_t got = 0;
    for (std::array<char, 8192> buffer;;) {
      const Result<std::size_t> piece = stream->read(buffer);
      ASSERT_GOOD(piece);
      if (*piece == 0) break;
      got += *piece;
    }
    EXPECT_EQ(got, size);
  }
}

TEST_F(StreamsTest, a_server_that_takes_no_more_of_one_upload_slows_no_other) {
  H2Server& server = serve_h2();
  const Client client = make_client(h2c_options());
  const auto source = std::make_shared<PatternSource>(10 << 20, true);
  H2Call slow = start(client, Request("POST", server.url("/deaf")).body(source));
  ASSERT_TRUE(eventually([&] { return server.held() == 1; }));
  for (int i = 0; i < 50; ++i) ASSERT_STATUS(client.post(server.url("/count"), std::string(100000, 'o')), 200);
  EXPECT_LT(source->taken(), 1U << 20U) << "the source is not pulled faster than the server takes";
  server.release();
  EXPECT_STATUS(slow.reply.get(), 200);
  EXPECT_EQ(server.accepts(), 1);
}

TEST_F(StreamsTest, large_uploads_share_the_connection_fairly) {
  H2Server& server = serve_h2();
  const Client client = make_client(h2c_options());
  const std::size_t size = static_cast<std::size_t>(scaled(8 << 20, 1 << 20));
  const auto replies = all_at_once(client, 20, [&](int) { return post(server.url("/count"), std::string(size, 'f')); });
  expect_all_good(replies, [&](int) { return std::to_string(size); });
  EXPECT_EQ(server.accepts(), 1);
}

TEST_F(StreamsTest, padding_is_credited) {
  Listener& server = serve({.scenario = "h2"});
  const Client client = make_client(h2c_options());
  // Far more padding than any window has room for.
  const Result<Response> reply = client.get(server.attack("full", "size=300000&pad=250&piece=10"));
  ASSERT_STATUS(reply, 200);
  EXPECT_EQ(reply->body.size(), 300000U);
}

TEST_F(StreamsTest, data_that_comes_after_our_reset_is_credited) {
  Listener& server = serve({.scenario = "h2"});
  const Client client = make_client(
      h2c_options().derive([](Options& o) { o.http2.stream_window = o.http2.connection_window = 1 << 18; }));
  for (int i = 0; i < 10; ++i) {
    Result<ResponseStream> stream = client.open(get(server.attack("late_data", "size=200000")));
    ASSERT_GOOD(stream) << i;
    ASSERT_TRUE(read_some(stream, 1)) << i;
  }
  const Result<Response> full = client.get(server.attack("full", "size=3000000"));
  ASSERT_STATUS(full, 200);
  EXPECT_EQ(full->body.size(), 3000000U);
  EXPECT_EQ(server.log().accepts, 1);
}

TEST_F(StreamsTest, a_window_that_goes_negative_stops_the_upload_until_it_is_given_back) {
  Listener& server = serve({.scenario = "h2"});
  const Client client = make_client(h2c_options());
  const Result<Response> reply = client.post(server.attack("window_goes_negative"), std::string(1 << 20, 'n'));
  ASSERT_STATUS(reply, 200);
  EXPECT_EQ(reply->body, std::to_string(1 << 20));
}

// --- liveness

class LivenessTest : public StreamsTest {
 protected:
  static Options quick() {
    return h2c_options().derive([](Options& o) {
      o.http2.ping_after = milliseconds(100);
      o.http2.ping_timeout = milliseconds(200);
    });
  }
};

TEST_F(LivenessTest, F6_a_black_holed_peer_is_found_and_its_requests_fail_or_move) {
  H2Server& server = serve_h2();
  const Client client = make_client(quick());
  ASSERT_STATUS(client.get(server.url()), 200);
  std::vector<H2Call> gets;
  for (int i = 0; i < 5; ++i) gets.push_back(start(client, get(server.url("/hold"))));
  H2Call posted = start(client, post(server.url("/hold"), "body"));
  ASSERT_TRUE(eventually([&] { return server.held() == 6; }));
  server.black_hole();
  const Result<Response> lost = posted.reply.get();
  ASSERT_FAILS(lost, ErrorCode::connection_closed);
  EXPECT_EQ(lost.error().maybe_processed, MaybeProcessed::unknown);
  EXPECT_LT(lost.error().elapsed, seconds(20));
  ASSERT_TRUE(eventually([&] { return server.accepts() == 2; }));
  server.release();
  for (H2Call& call : gets) EXPECT_STATUS(call.reply.get(), 200);
  EXPECT_TRUE(closed_for(CloseReason::ping_timeout, 1));
}

TEST_F(LivenessTest, F6_a_peer_that_answers_pings_is_slow_and_not_dead) {
  H2Server& server = serve_h2();
  // The next PING comes only behind the answer to the last, so three of them say that answers count, and that an answer
  // ends the wait: three waits would be a minute.
  const Client client = make_client(quick().derive([](Options& o) { o.http2.ping_timeout = seconds(20); }));
  H2Call slow = start(client, get(server.url("/hold")));
  ASSERT_TRUE(eventually([&] { return server.pings() >= 3; }));
  server.release();
  EXPECT_STATUS(slow.reply.get(), 200);
  EXPECT_EQ(server.accepts(), 1);
}

TEST_F(LivenessTest, F6_a_server_that_reads_nothing_from_the_start_is_found) {
  Listener& server = serve({.scenario = "h2", .settings = {{"open", "deaf"}, {"first", "1"}}});
  const Client client = make_client(quick());
  const Result<Response> reply = client.post(server.url(), "body");
  ASSERT_FAILS(reply, ErrorCode::connection_closed);
  EXPECT_LT(reply.error().elapsed, seconds(20));
  EXPECT_STATUS(client.get(server.url()), 200);
  server.release();
}

TEST_F(LivenessTest, a_peer_is_not_asked_when_nothing_is_under_way_or_when_that_is_off) {
  H2Server& server = serve_h2();
  const Client client = make_client(quick());
  ASSERT_STATUS(client.get(server.url()), 200);
  H2Server& other = serve_h2();
  const Client never = make_client(quick().derive([](Options& o) { o.http2.ping_after = Duration::zero(); }));
  H2Call slow = start(never, get(other.url("/hold")));
  ASSERT_TRUE(eventually([&] { return other.held() == 1; }));
  // As long as it takes a third connection to be asked three times.
  H2Server& clock = serve_h2();
  H2Call asked = start(make_client(quick()), get(clock.url("/hold")));
  ASSERT_TRUE(eventually([&] { return clock.pings() >= 3; }));
  EXPECT_EQ(server.pings(), 0);
  EXPECT_EQ(other.pings(), 0);
  other.release();
  clock.release();
  EXPECT_STATUS(slow.reply.get(), 200);
  EXPECT_STATUS(asked.reply.get(), 200);
}

TEST_F(LivenessTest, F7_a_server_that_counts_pings_without_requests_never_has_to_ask_for_calm) {
  H2Server& server = serve_h2({.limit = std::nullopt, .calm_after = 3});
  const Client client = make_client(h2c_options());
  for (int i = 0; i < scaled(300, 100); ++i) {
    H2Call call = start(client, get(server.url("/hold")));
    if (i % 2 == 0) {
      ASSERT_TRUE(eventually([&] { return server.held() >= 1 || server.requests() > i; }));
    }
    call.handle.cancel();
    call.reply.wait();
  }
  server.release();
  ASSERT_STATUS(client.get(server.url()), 200);
  EXPECT_EQ(server.accepts(), 1);
}

TEST_F(LivenessTest, a_connection_that_the_server_closes_without_a_word_costs_an_idle_client_nothing) {
  for (const bool reset : {false, true}) {
    H2Server& server = serve_h2();
    const Client client = make_client(h2c_options());
    for (int i = 0; i < 20; ++i) {
      ASSERT_STATUS(client.get(server.url()), 200);
      server.hang_up(reset);
      ASSERT_TRUE(eventually([&] { return server.open() == 0; }));
    }
    EXPECT_EQ(stats().requests.failed_total(), 0U);
  }
}

TEST_F(LivenessTest, a_connection_that_breaks_under_requests_fails_those_that_may_have_been_processed) {
  H2Server& server = serve_h2();
  const Client client = make_client(h2c_options());
  ASSERT_STATUS(client.get(server.url()), 200);
  H2Call posted = start(client, post(server.url("/hold"), "body"));
  H2Call got = start(client, get(server.url("/hold")));
  H2Call begun = start(client, get(server.url("/head")));
  ASSERT_TRUE(eventually([&] { return server.held() == 3; }));
  server.hang_up(false);
  const Result<Response> lost = posted.reply.get();
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().kind, ErrorKind::disconnected);
  EXPECT_EQ(lost.error().maybe_processed, MaybeProcessed::unknown);
  const Result<Response> cut = begun.reply.get();
  ASSERT_FAILS(cut, ErrorCode::truncated_body);
  EXPECT_EQ(cut.error().maybe_processed, MaybeProcessed::yes);
  ASSERT_TRUE(eventually([&] { return server.held() == 1; })) << "a GET on a connection that was reused is sent again";
  server.release();
  EXPECT_STATUS(got.reply.get(), 200);
}

}  // namespace
}  // namespace trunkline::test
