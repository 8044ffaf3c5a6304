// What a server sends without getting anywhere ends the connection, whatever it is; a lively one does not notice.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "http2/session_kit.h"

namespace trunkline::http2 {
namespace {

constexpr std::string_view calm = "ENHANCE_YOUR_CALM";

struct Flood {
  const char* what;
  std::function<std::string(Client&, int)> frame;  // the i-th
};

std::vector<Flood> floods() {
  static const std::string empty_block = std::string(1, '\x88');  // ":status: 200"
  return {
      {"PING", [](Client&, int) { return ping(); }},
      {"answers to no PING", [](Client&, int) { return ping_ack("whatever"); }},
      {"SETTINGS", [](Client&, int i) { return settings({{4, 65'535U + static_cast<unsigned>(i % 2)}}); }},
      {"empty SETTINGS", [](Client&, int) { return settings(); }},
      {"a flapping table", [](Client&, int i) { return settings({{1, i % 2 == 0 ? 0U : 4096U}}); }},
      {"PRIORITY", [](Client&, int) { return priority(1); }},
      {"PRIORITY of idle streams", [](Client&, int i) { return priority(2 * i + 101); }},
      {"empty DATA", [](Client&, int) { return data(1, ""); }},
      {"DATA of padding", [](Client&, int) { return padded_data(1, "", 255); }},
      {"empty DATA of a closed stream", [](Client&, int) { return data(3, "", end_stream); }},
      {"small DATA of a closed stream", [](Client&, int) { return data(3, "x"); }},
      {"HEADERS of a closed stream", [](Client&, int) { return frame(FrameType::headers, 4, 3, empty_block); }},
      {"HEADERS of a closed stream with priority",
       [](Client&, int) { return frame(FrameType::headers, 0x24, 3, std::string(5, '\0') + empty_block); }},
      {"RST_STREAM of a closed stream", [](Client&, int) { return rst_stream(3, Code::cancel); }},
      {"WINDOW_UPDATE", [](Client&, int) { return window_update(0, 1); }},
      {"WINDOW_UPDATE of a stream", [](Client&, int) { return window_update(1, 1); }},
      {"WINDOW_UPDATE of a closed stream", [](Client&, int) { return window_update(3, 1); }},
      {"unknown frames", [](Client&, int) { return frame(static_cast<FrameType>(0xFA), 0, 0, "x"); }},
      {"unknown frames of a stream", [](Client&, int) { return frame(static_cast<FrameType>(0xFA), 0, 1, ""); }},
      {"ALTSVC", [](Client&, int) { return frame(static_cast<FrameType>(10), 0, 1, std::string("\0\0x", 3)); }},
      {"ORIGIN", [](Client&, int) { return frame(static_cast<FrameType>(12), 0, 0, ""); }},
      {"GOAWAY", [](Client&, int) { return goaway(0x7FFFFFFF, Code::no_error); }},
      {"some of each",
       [](Client&, int i) {
         return i % 3 == 0 ? ping() : i % 3 == 1 ? window_update(0, 1) : frame(static_cast<FrameType>(99), 0, 0, "");
       }},
  };
}

// A stream that is open, 1, and one that is not, 3.
void open_streams(Client& client) {
  client.get();
  Exchange& closed = client.get();
  client.hears(client.hpack.ok(closed.id(), end_stream));
  client.hears(client.hpack.ok(1));
}

TEST(Http2Flood, ends_the_connection_whatever_it_is_made_of) {
  for (const Flood& flood : floods()) {
    Client client(Limits{.idle_frames = 100, .idle_frames_per_second = 10});
    open_streams(client);
    int sent = 0;
    while (sent < 1000 && client.hears(flood.frame(client, sent))) {
      client.sends();
      ++sent;
    }
    EXPECT_GE(sent, 90) << flood.what;
    EXPECT_LE(sent, 100) << flood.what;
    EXPECT_EQ(to_string(client.session.failure_code()), calm) << flood.what;
    EXPECT_EQ(only_code(client.sends(), FrameType::goaway), calm) << flood.what;
    EXPECT_NE(client.session.failure().message.find("flood"), std::string::npos);
  }
}

TEST(Http2Flood, ends_the_connection_in_one_read_as_in_many) {
  for (const Flood& flood : floods()) {
    Client client(Limits{.idle_frames = 100, .idle_frames_per_second = 10});
    open_streams(client);
    std::string all;
    for (int i = 0; i < 150; ++i) all += flood.frame(client, i);
    EXPECT_FALSE(client.hears(all)) << flood.what;
    EXPECT_LE(client.output.size() + only(client.sends(), FrameType::ping).size(), 101U) << flood.what;
    EXPECT_EQ(to_string(client.session.failure_code()), calm) << flood.what;
  }
}

TEST(Http2Flood, is_not_what_comes_slowly) {
  for (const Flood& flood : floods()) {
    Client client(Limits{.idle_frames = 100, .idle_frames_per_second = 10});
    open_streams(client);
    for (int i = 0; i < 1000; ++i) {
      ASSERT_TRUE(client.hears(flood.frame(client, i))) << flood.what << i;
      client.sends();
      client.passes(std::chrono::milliseconds(101));
    }
  }
}

TEST(Http2Flood, is_not_what_comes_with_progress) {
  // gRPC servers send a PING and two WINDOW_UPDATEs with nearly every message.
  Client client(Limits{.idle_frames = 100, .idle_frames_per_second = 0});
  const Exchange& get = client.get();
  client.hears(client.hpack.ok(get.id()));
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_TRUE(client.hears(ping() + data(get.id(), "x") + window_update(0, 1) + window_update(get.id(), 1))) << i;
    client.sends();
  }
  // Whole responses, too, and in one read.
  for (int i = 0; i < 1000; ++i) {
    const Exchange& each = client.get();
    ASSERT_TRUE(client.hears(ping() + ping() + client.hpack.ok(each.id(), end_stream))) << i;
    client.sends();
  }
  std::string all;
  for (int i = 0; i < 1000; ++i) all += ping() + data(get.id(), "x");
  EXPECT_TRUE(client.hears(all));
}

TEST(Http2Flood, is_not_the_answer_to_an_upload) {
  Client client(Limits{.idle_frames = 100, .idle_frames_per_second = 0});
  Exchange& post = client.post(std::string(32 * 1024 * 1024, 'x'));
  // 4 KiB at a time, for the connection and for the stream.
  while (post.body_sent < post.body.size()) {
    ASSERT_TRUE(client.hears(window_update(0, 4096) + window_update(post.id(), 4096))) << post.body_sent;
    client.sends();
    client.sent.clear();
  }
  EXPECT_FALSE(client.session.failed());
}

TEST(Http2Flood, is_not_what_was_under_way_when_we_cancelled) {
  Client client(Limits{.idle_frames = 100, .idle_frames_per_second = 0});
  for (int i = 0; i < 500; ++i) {
    Exchange& get = client.get();
    client.session.reset(get, Code::cancel);
    client.sends();
    ASSERT_TRUE(client.hears(client.hpack.ok(get.id()))) << i;
    for (int part = 0; part < 20; ++part) ASSERT_TRUE(client.hears(data(get.id(), std::string(4096, 'x'))));
    ASSERT_TRUE(client.hears(rst_stream(get.id(), Code::cancel)));
    client.sends();
  }
}

TEST(Http2Flood, is_not_a_server_that_refuses_everything) {
  Client client(Limits{.idle_frames = 100, .idle_frames_per_second = 0});
  for (int i = 0; i < 1000; ++i) {
    const Exchange& get = client.get();
    ASSERT_TRUE(client.hears(rst_stream(get.id(), Code::refused_stream))) << i;
    ASSERT_EQ(get.ended.by, StreamEnd::unprocessed);
  }
}

TEST(Http2Flood, of_continuations_ends_the_connection) {
  const std::vector<std::pair<const char*, std::string>> cases{
      {"empty", ""}, {"of one byte", "\x88"}, {"large", std::string(16 * 1024, '\x88')}};
  for (const auto& [what, payload] : cases) {
    for (const std::int32_t id : {1, 3}) {  // 3 is closed
      Client client;
      open_streams(client);
      client.get();
      const std::int32_t target = id == 1 ? 5 : 3;
      bool sound = client.hears(frame(FrameType::headers, 0, target, "\x88"));
      int sent = 0;
      while (sound && sent < 100) {
        sound = client.hears(frame(FrameType::continuation, 0, target, payload));
        sent += sound ? 1 : 0;
      }
      EXPECT_LE(sent, 8) << what;
      EXPECT_EQ(to_string(client.session.failure_code()), calm) << what;
      EXPECT_EQ(only_code(client.sends(), FrameType::goaway), calm) << what;
    }
  }
}

TEST(Http2Flood, of_settings_in_one_frame_ends_the_connection) {
  Client client;
  std::string payload;
  for (int i = 0; i < 33; ++i) payload += number(0xF000U + static_cast<unsigned>(i), 2) + number(1, 4);
  EXPECT_FALSE(client.hears(frame(FrameType::settings, 0, 0, payload)));
  EXPECT_EQ(only_code(client.sends(), FrameType::goaway), calm);
}

TEST(Http2Flood, of_questions_whose_answers_are_not_read_ends_the_connection) {
  // The allowance is large here, so that nothing else stops it.
  Client client(Limits{.idle_frames = 1'000'000});
  int sent = 0;
  while (sent < 100'000 && client.hears(sent % 2 == 0 ? ping() : settings())) ++sent;
  EXPECT_LE(sent, 1000);
  EXPECT_EQ(to_string(client.session.failure_code()), calm);
  EXPECT_EQ(client.session.failure().message, "the server does not read what it asks for");
  EXPECT_EQ(only_code(client.sends(), FrameType::goaway), calm);
}

TEST(Http2Flood, behind_a_goaway_is_bounded_too) {
  Client client(Limits{.idle_frames = 1'000'000});
  client.get();
  client.hears(goaway(0x7FFFFFFF, Code::no_error));
  int sent = 0;
  while (sent < 100'000 && client.hears(ping())) ++sent;
  EXPECT_LE(sent, 64 * 1024 / 17);
  EXPECT_EQ(to_string(client.session.failure_code()), calm);
  EXPECT_LE(count(client.sends(), FrameType::ping), 64U * 1024 / 17 + 1);
}

}  // namespace
}  // namespace trunkline::http2
