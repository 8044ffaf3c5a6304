// Clients that mean harm: the session fails with ENHANCE_YOUR_CALM and what it holds stays bounded.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "http2/server_kit.h"

namespace trunkline::http2 {
namespace {

// So many can be sent before the session has had enough; -1: all of them.
template <class Make>
int endured(Server& server, int most, const Make& make) {
  for (int i = 0; i < most; ++i) {
    if (!server.hears(make(i))) return i;
    server.sends();
    if (server.session.failed()) return i;
  }
  return -1;
}

void expect_calm(Server& server, std::string_view what) {
  EXPECT_EQ(server.session.failure_code(), Code::enhance_your_calm) << what << ": " << server.session.failure();
  server.sends();
  EXPECT_EQ(only_code(server.sent, FrameType::goaway), "ENHANCE_YOUR_CALM") << what;
  EXPECT_TRUE(server.session.failed());
  EXPECT_FALSE(server.hears(ping()));
}

TEST(Http2ServerFlood, ends_frames_that_carry_nothing) {
  const std::pair<std::string_view, std::string> floods[] = {
      {"ping", ping()},
      {"ping ack", ping_ack("12345678")},
      {"settings", settings()},
      {"settings with entries", settings({{4, 100}, {4, 65'535}})},
      {"priority", priority(1)},
      {"priority of idle streams", priority(101)},
      {"empty data", data(1, {})},
      {"data of padding", padded_data(1, {}, 255)},
      {"window updates", window_update(0, 1)},
      {"window updates of a stream", window_update(1, 1)},
      {"unknown frames", frame(static_cast<FrameType>(0xEE), 0, 0, "x")},
      {"resets of a closed stream", rst_stream(3, Code::cancel)},
  };
  for (const auto& [what, bytes] : floods) {
    Server server({.idle_frames = 100});
    server.post(1);
    server.get(3);
    server.answer(server.last());
    const int count = endured(server, 1000, [&each = bytes](int) { return each; });
    EXPECT_GT(count, 50) << what;
    EXPECT_LT(count, 150) << what;
    expect_calm(server, what);
  }
}

TEST(Http2ServerFlood, permits_as_many_as_time_has_brought) {
  Server server({.idle_frames = 100, .idle_frames_per_second = 10});
  EXPECT_EQ(endured(server, 90, [](int) { return ping(); }), -1);
  server.passes(std::chrono::seconds(5));
  EXPECT_EQ(endured(server, 45, [](int) { return ping(); }), -1);
  EXPECT_NE(endured(server, 45, [](int) { return ping(); }), -1);
}

TEST(Http2ServerFlood, does_not_mind_a_busy_client) {
  Server server({.idle_frames = 50, .resets = 5});
  for (std::int32_t id = 1; id < 4000; id += 2) {
    ASSERT_TRUE(server.hears(server.hpack.headers(id, Server::fields("POST")) + data(id, "x") +
                             data(id, "y", end_stream) + window_update(0, 100) + ping()));
    server.answer(server.last(), 200, std::string(100, 'z'));
    server.order.clear();
  }
}

// A long download is answered with window updates only.
TEST(Http2ServerFlood, does_not_mind_a_long_download) {
  Server server({.idle_frames = 50});
  server.get(1);
  server.hears(window_update(0, 1'000'000'000));
  server.answer(server.last(), 200, std::string(4'000'000, 'x'));
  for (int i = 0; i < 900; ++i) {
    ASSERT_TRUE(server.hears(window_update(1, 4096) + window_update(0, 4096))) << i;
    server.sends();
  }
}

TEST(Http2ServerFlood, ends_rapid_resets) {
  Server server({.resets = 20});
  const int count = endured(server, 1000, [&](int i) {
    const std::int32_t id = 2 * i + 1;
    return server.hpack.headers(id, Server::fields(), end_stream) + rst_stream(id, Code::cancel);
  });
  EXPECT_EQ(count, 20);
  EXPECT_LE(server.session.open_streams(), 1);
  expect_calm(server, "rapid reset");
}

TEST(Http2ServerFlood, forgives_resets_in_time) {
  Server server({.resets = 20, .resets_per_second = 10});
  std::int32_t id = -1;
  const auto cancel = [&](int) {
    id += 2;
    return server.hpack.headers(id, Server::fields(), end_stream) + rst_stream(id, Code::cancel);
  };
  for (int second = 0; second < 10; ++second) {
    EXPECT_EQ(endured(server, 10, cancel), -1);
    server.passes(std::chrono::seconds(1));
  }
}

TEST(Http2ServerFlood, does_not_count_a_reset_behind_the_whole_response) {
  Server server({.resets = 5});
  for (std::int32_t id = 1; id < 200; id += 2) {
    server.post(id);
    server.answer(server.last());
    ASSERT_TRUE(server.hears(rst_stream(id, Code::no_error)));
  }
}

// MadeYouReset: it is we who reset, because the client breaks the rules.
TEST(Http2ServerFlood, ends_resets_that_are_provoked) {
  using Provoke = std::string (*)(std::int32_t);
  const Encoder::Fields one{{"content-length", "1"}};
  const std::tuple<std::string_view, Encoder::Fields, Provoke> ways[] = {
      {"a window that overflows", {}, [](std::int32_t id) { return window_update(id, 0x7FFFFFFF); }},
      {"more body than announced", one, [](std::int32_t id) { return data(id, "xx"); }},
      {"less body than announced", one, [](std::int32_t id) { return data(id, {}, end_stream); }},
      {"a window that is not kept", {}, [](std::int32_t id) { return data(id, std::string(2000, 'x')); }},
  };
  for (const auto& [what, fields, provoke] : ways) {
    Server server({.stream_window = 1000, .resets = 20});
    const int count = endured(server, 1000, [&, &head = fields, act = provoke](int i) {
      const std::int32_t id = 2 * i + 1;
      return server.hpack.headers(id, Server::fields("POST", head)) + act(id);
    });
    EXPECT_GE(count, 9) << what;
    EXPECT_LE(count, 20) << what;
    expect_calm(server, what);
  }
}

TEST(Http2ServerFlood, ends_malformed_requests_one_behind_the_other) {
  Server server({.resets = 20});
  EXPECT_EQ(endured(server, 1000, [&](int i) { return server.hpack.headers(2 * i + 1, {{"x", "y"}}); }), 20);
  expect_calm(server, "malformed");
  Server large({.header_bytes = 500, .resets = 20});
  EXPECT_EQ(endured(large, 1000,
                    [&](int i) {
                      return large.hpack.headers(2 * i + 1, Server::fields("GET", {{"x", std::string(500, 'x')}}));
                    }),
            20);
  expect_calm(large, "too large");
}

TEST(Http2ServerFlood, ends_requests_that_are_refused_for_ever) {
  Server server({.idle_frames = 100});
  server.accepts = false;
  EXPECT_NE(endured(server, 1000, [&](int i) { return server.hpack.headers(2 * i + 1, Server::fields(), end_stream); }),
            -1);
  expect_calm(server, "refused");
}

TEST(Http2ServerFlood, ends_headers_without_end) {
  for (const std::size_t size : {0U, 1U, 16'000U}) {
    Server server;
    std::string bytes = frame(FrameType::headers, 0, 1, server.hpack.block(Server::fields()));
    // Literals that are never indexed, of which each is a field.
    for (int i = 0; i < 20; ++i) bytes += frame(FrameType::continuation, 0, 1, std::string(size, '\x82'));
    EXPECT_FALSE(server.hears(bytes)) << size;
    expect_calm(server, "continuations");
    EXPECT_EQ(server.order.size(), 0U);
  }
}

TEST(Http2ServerFlood, takes_a_large_head_in_a_few_continuations) {
  Server server;
  const std::string block = server.hpack.block(Server::fields("GET", {{"x", std::string(30'000, '~')}}));
  ASSERT_GT(block.size(), 16'384U);
  EXPECT_TRUE(server.hears(frame(FrameType::headers, end_stream, 1, block.substr(0, 16'384)) +
                           frame(FrameType::continuation, end_headers, 1, block.substr(16'384))));
  EXPECT_EQ(server.order.size(), 1U);
}

// One long field in the table, named again and again: few bytes, many fields.
TEST(Http2ServerFlood, defuses_an_hpack_bomb) {
  Server server;
  std::string block = server.hpack.block(Server::fields("GET", {{"x", std::string(3000, 'x')}}));
  block += std::string(10'000, '\xBE');  // the newest entry
  EXPECT_TRUE(server.hears(frame(FrameType::headers, end_headers | end_stream, 1, block)));
  EXPECT_EQ(server.order.size(), 0U);
  Decoder decoder;
  EXPECT_EQ(decoder.read(server.sends().at(0)), "[:status=431]");
}

TEST(Http2ServerFlood, ends_a_client_that_does_not_read_its_answers) {
  Server server({.idle_frames = 1'000'000});
  bool sound = true;
  for (int i = 0; i < 100'000 && sound; ++i) sound = server.hears(ping());
  EXPECT_FALSE(sound);
  expect_calm(server, "answers");
}

TEST(Http2ServerFlood, keeps_little_for_a_client_that_does_not_read_its_resets) {
  Server server({.streams = 10, .idle_frames = 1'000'000, .resets = 1'000'000});
  for (std::int32_t id = 1; id < 20'000; id += 2) {
    server.hears(server.hpack.headers(id, {{"x", "y"}}, end_stream));
  }
  EXPECT_LE(server.sends().size(), 11U);
  EXPECT_TRUE(server.session.failed());
}

}  // namespace
}  // namespace trunkline::http2
