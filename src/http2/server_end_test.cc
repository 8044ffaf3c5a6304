// How a session ends, in order and otherwise.
#include <gtest/gtest.h>

#include <string>

#include "http2/server_kit.h"

namespace trunkline::http2 {
namespace {

TEST(Http2ServerEnd, is_announced_first_and_then_done) {
  Server server;
  server.get(1);
  server.session.announce_end();
  auto frames = only(server.sends(), FrameType::goaway);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].value(), 0x7FFFFFFFU);
  EXPECT_EQ(frames[0].code(), Code::no_error);
  EXPECT_FALSE(server.session.over());
  server.get(3);
  EXPECT_EQ(server.order.size(), 2U) << "what was on its way is still served";

  server.session.refuse_new();
  frames = only(server.sends(), FrameType::goaway);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].value(), 3U);
  EXPECT_TRUE(server.get(5));
  EXPECT_EQ(server.order.size(), 2U) << "it comes too late";
  EXPECT_FALSE(server.session.over());
  server.answer(server.at(0));
  EXPECT_FALSE(server.session.over());
  server.answer(server.at(1), 200, "body");
  EXPECT_TRUE(server.session.over());
  EXPECT_FALSE(server.session.failed());
}

TEST(Http2ServerEnd, refuses_what_comes_before_its_last_word_has_left) {
  Server server;
  server.get(1);
  server.session.refuse_new();
  server.get(3);
  EXPECT_EQ(server.order.size(), 1U);
  const auto frames = server.sends();
  EXPECT_EQ(only(frames, FrameType::goaway).at(0).value(), 1U);
}

TEST(Http2ServerEnd, is_over_at_once_when_nothing_is_open) {
  Server server;
  EXPECT_FALSE(server.session.over());
  server.session.refuse_new();
  EXPECT_FALSE(server.session.over()) << "the GOAWAY is still to be sent";
  server.sends();
  EXPECT_TRUE(server.session.over());
}

// A frame that is too long breaks a session, and a request opens a stream, but not here.
TEST(Http2ServerEnd, ignores_what_comes_when_it_is_over_however_it_is_cut) {
  for (const std::size_t piece : {SIZE_MAX, std::size_t{1}, std::size_t{10}, std::size_t{22}}) {
    for (const bool by_client : {true, false}) {
      Server server;
      std::string bytes;
      if (by_client) {
        bytes += goaway(0, Code::no_error);
      } else {
        server.get(1);
        server.session.refuse_new();
        server.sends();
        bytes += rst_stream(1, Code::cancel);
      }
      const std::size_t before = server.order.size();
      bytes += server.hpack.headers(3, Server::fields(), end_stream);
      bytes += std::string("\xFF\xFF\xFF\0\0\0\0\0\x05too long", 17);
      for (std::size_t at = 0; at < bytes.size(); at += std::min(piece, bytes.size() - at)) {
        EXPECT_TRUE(server.hears(std::string_view(bytes).substr(at, piece))) << "in pieces of " << piece;
      }
      EXPECT_EQ(server.order.size(), before) << "in pieces of " << piece;
      EXPECT_EQ(count(server.sends(), FrameType::goaway), 0U) << "in pieces of " << piece;
      EXPECT_FALSE(server.session.failed());
      EXPECT_TRUE(server.session.over());
    }
  }
}

TEST(Http2ServerEnd, says_each_thing_once) {
  Server server;
  server.session.announce_end();
  server.session.announce_end();
  server.session.refuse_new();
  server.session.refuse_new();
  server.session.announce_end();
  EXPECT_EQ(count(server.sends(), FrameType::goaway), 2U);
}

TEST(Http2ServerEnd, hears_that_the_client_goes_away) {
  Server server;
  server.get(1);
  server.hears(goaway(0, Code::no_error, "bye\x1b"));
  EXPECT_EQ(server.goaways, "NO_ERROR bye\\x1b;");
  EXPECT_FALSE(server.session.over());
  server.answer(server.last());
  EXPECT_TRUE(server.session.over());
}

TEST(Http2ServerEnd, closes_every_stream_once_when_the_connection_is_lost) {
  Server server;
  server.get(1);
  server.post(3);
  server.session.lost();
  server.session.lost();
  EXPECT_EQ(server.at(0).story, "GET /; end; closed connection_lost NO_ERROR");
  EXPECT_EQ(server.at(1).story, "POST /; closed connection_lost NO_ERROR");
  EXPECT_FALSE(server.session.respond(server.at(0), {}, false));
  EXPECT_FALSE(server.hears(ping()));
}

TEST(Http2ServerEnd, a_stream_may_be_destroyed_when_it_is_closed) {
  Server server;
  server.get(1);
  server.last().on_event = [&](Served& served) {
    if (served.closings > 0) server.passes(std::chrono::seconds(1));
  };
  server.answer(server.last(), 200, "body");
  server.order.clear();
  EXPECT_TRUE(server.hears(window_update(0, 1) + rst_stream(1, Code::cancel) + ping()));
  EXPECT_EQ(count(server.sends(), FrameType::ping), 1U);
}

TEST(Http2ServerEnd, tells_the_client_what_it_broke) {
  const std::pair<std::string_view, std::string> broken[] = {
      {"even stream", frame(FrameType::headers, end_headers, 2, "\x82")},
      {"data on an idle stream", data(99, "x")},
      {"push", frame(FrameType::push_promise, end_headers, 1, number(2, 4))},
      {"frame too large", frame(FrameType::data, 0, 1, std::string(20'000, 'x'))},
      {"hpack", frame(FrameType::headers, end_headers, 1, "\xFF\xFF\xFF\xFF\xFF\xFF")},
      {"continuation alone", frame(FrameType::continuation, end_headers, 1, "x")},
      {"window of the connection", window_update(0, 0x7FFFFFFF)},
      {"settings", settings({{2, 7}})},
      {"reset of an idle stream", rst_stream(77, Code::cancel)},
  };
  for (const auto& [what, bytes] : broken) {
    Server server;
    server.hears(bytes);
    server.sends();
    EXPECT_TRUE(server.session.failed()) << what;
    EXPECT_TRUE(server.session.failure().starts_with("the client broke HTTP/2: ")) << server.session.failure();
    EXPECT_EQ(count(server.sent, FrameType::goaway), 1U) << what;
    EXPECT_TRUE(server.session.over()) << what;
  }
}

TEST(Http2ServerEnd, asks_whether_the_client_lives) {
  Server server;
  server.session.ping(server.now);
  server.session.ping(server.now);
  const auto pings = only(server.sends(), FrameType::ping);
  ASSERT_EQ(pings.size(), 1U);
  EXPECT_TRUE(server.session.ping_out());
  server.hears(ping_ack("notours!"));
  EXPECT_TRUE(server.session.ping_out());
  server.hears(ping_ack(pings[0].payload));
  EXPECT_FALSE(server.session.ping_out());
}

}  // namespace
}  // namespace trunkline::http2
