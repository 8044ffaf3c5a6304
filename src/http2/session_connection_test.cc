// What concerns the connection as a whole: SETTINGS, GOAWAY, frames that break it, and its beginning and end.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "http2/session_kit.h"

namespace trunkline::http2 {
namespace {

TEST(Http2Connection, begins_with_preface_settings_and_window) {
  Limits limits;
  limits.header_bytes = 1000;
  Client client(limits, false);
  ASSERT_TRUE(client.preface_seen);
  ASSERT_EQ(client.sent.size(), 2U);
  EXPECT_EQ(client.sent[0].type, FrameType::settings);
  EXPECT_EQ(client.sent[0].payload,
            number(2, 2) + number(0, 4) + number(4, 2) + number(256 * 1024, 4) + number(6, 2) + number(1000, 4));
  EXPECT_EQ(client.sent[1].type, FrameType::window_update);
  EXPECT_EQ(client.sent[1].id, 0);
}

TEST(Http2Connection, acknowledges_settings_and_reports_the_stream_limit_when_it_changes) {
  Client client({}, false);
  EXPECT_FALSE(client.session.settings_seen());
  client.hears(settings({{3, 100}}));
  EXPECT_TRUE(client.session.settings_seen());
  EXPECT_EQ(count(client.sends(), FrameType::settings), 1U);
  std::vector<Exchange*> open;
  for (int i = 0; i < 5; ++i) open.push_back(&client.get());
  for (const unsigned limit : {1U, 1U, 0U, 5U, 5U}) client.hears(settings({{3, limit}}));
  client.hears(settings({{4, 1000}}));
  EXPECT_EQ(client.stream_limits, (std::vector<std::uint32_t>{100, 1, 0, 5}));
  for (Exchange* each : open) {
    client.hears(client.hpack.ok(each->id(), end_stream));
    EXPECT_EQ(each->ended.by, StreamEnd::complete) << "what was open goes on";
  }
}

TEST(Http2Connection, takes_no_limit_for_a_thousand) {
  Client client({}, false);
  client.hears(settings());
  client.hears(settings({{3, 0xFFFFFFFF}}));
  client.hears(settings({{3, 2000}}));
  EXPECT_EQ(client.stream_limits, std::vector<std::uint32_t>{1000});
}

TEST(Http2Connection, gives_back_requests_that_a_lowered_limit_has_overtaken) {
  Client client;
  Exchange& one = client.get();
  Exchange& two = client.make();
  ASSERT_TRUE(client.submit(two));
  client.hears(settings({{3, 1}}));
  EXPECT_EQ(two.ended.by, StreamEnd::unsent);
  EXPECT_EQ(count(client.sends(), FrameType::headers), 0U);
  EXPECT_FALSE(client.session.may_open());
  client.hears(client.hpack.ok(one.id(), end_stream));
  EXPECT_EQ(one.ended.by, StreamEnd::complete) << "it had been sent";
  EXPECT_TRUE(client.session.may_open());
  client.hears(settings({{3, 0}}));
  EXPECT_FALSE(client.session.may_open());
}

TEST(Http2Connection, fails_when_the_server_breaks_the_protocol) {
  const std::vector<std::tuple<const char*, Code, std::string>> cases{
      {"a push", Code::protocol_error, frame(FrameType::push_promise, 4, 1, number(2, 4) + "\x82\x86\x84")},
      {"a padded push", Code::protocol_error, frame(FrameType::push_promise, 0xC, 1, number(0, 1) + number(2, 4))},
      {"ENABLE_PUSH from a server", Code::protocol_error, settings({{2, 1}})},
      {"ENABLE_PUSH out of range", Code::protocol_error, settings({{2, 2}})},
      {"a window of 2^31", Code::flow_control_error, settings({{4, 0x80000000}})},
      {"frames smaller than possible", Code::protocol_error, settings({{5, 16'383}})},
      {"frames of 0", Code::protocol_error, settings({{5, 0}})},
      {"frames larger than possible", Code::protocol_error, settings({{5, 0x1000000}})},
      {"SETTINGS of no whole entry", Code::frame_size_error, frame(FrameType::settings, 0, 0, "12345")},
      {"SETTINGS of a stream", Code::protocol_error, frame(FrameType::settings, 0, 1, "")},
      {"an ACK with a payload", Code::frame_size_error, frame(FrameType::settings, ack, 0, "123456")},
      {"an ACK of nothing", Code::protocol_error, settings_ack()},
      {"a frame larger than agreed", Code::frame_size_error, data(1, std::string(16'385, 'x'))},
      {"PING of 7", Code::frame_size_error, frame(FrameType::ping, 0, 0, "1234567")},
      {"PING of a stream", Code::protocol_error, frame(FrameType::ping, 0, 1, "12345678")},
      {"RST_STREAM of 3", Code::frame_size_error, frame(FrameType::rst_stream, 0, 1, "123")},
      {"RST_STREAM of stream 0", Code::protocol_error, rst_stream(0, Code::cancel)},
      {"RST_STREAM of an idle stream", Code::protocol_error, rst_stream(99, Code::cancel)},
      {"WINDOW_UPDATE of 0", Code::protocol_error, window_update(0, 0)},
      {"WINDOW_UPDATE of 0 of a stream", Code::protocol_error, window_update(1, 0)},
      {"WINDOW_UPDATE of an idle stream", Code::protocol_error, window_update(99, 1)},
      {"WINDOW_UPDATE beyond 2^31", Code::flow_control_error, window_update(0, 0x7FFFFFFF)},
      {"DATA of stream 0", Code::protocol_error, data(0, "x")},
      {"DATA of an idle stream", Code::protocol_error, data(99, "x")},
      {"DATA of a server's stream", Code::protocol_error, data(2, "x")},
      {"DATA before the response", Code::protocol_error, data(1, "x")},
      {"DATA of more padding than payload", Code::protocol_error,
       frame(FrameType::data, padded, 3,
             "\x05"
             "1234")},
      {"HEADERS of stream 0", Code::protocol_error, frame(FrameType::headers, 4, 0, "\x88")},
      {"HEADERS of an idle stream", Code::protocol_error, frame(FrameType::headers, 4, 99, "\x88")},
      {"HEADERS of a server's stream", Code::protocol_error, frame(FrameType::headers, 4, 2, "\x88")},
      {"HEADERS of more padding than payload", Code::protocol_error,
       frame(FrameType::headers, 4 | padded, 1,
             "\x05"
             "1234")},
      {"HEADERS interrupted", Code::protocol_error, frame(FrameType::headers, 0, 1, "\x88") + ping()},
      {"CONTINUATION of another stream", Code::protocol_error,
       frame(FrameType::headers, 0, 1, "\x88") + frame(FrameType::continuation, 4, 3, "")},
      {"CONTINUATION of nothing", Code::protocol_error, frame(FrameType::continuation, 4, 1, "\x88")},
      {"GOAWAY of a stream", Code::protocol_error, frame(FrameType::goaway, 0, 1, "12345678")},
      {"GOAWAY of 7", Code::frame_size_error, frame(FrameType::goaway, 0, 0, "1234567")},
      {"GOAWAY of a server's stream", Code::protocol_error, goaway(2, Code::no_error)},
      {"PRIORITY of stream 0", Code::protocol_error, priority(0)},
  };
  for (const auto& [what, code, bytes] : cases) {
    for (const std::size_t piece : {bytes.size(), std::size_t{1}}) {
      Client client;
      Exchange& get = client.get();
      Exchange& answered = client.get();
      client.hears(client.hpack.ok(answered.id()));
      bool sound = true;
      for (std::size_t at = 0; sound && at < bytes.size(); at += piece) sound = client.hears(bytes.substr(at, piece));
      EXPECT_FALSE(sound) << what;
      EXPECT_TRUE(client.session.failed()) << what;
      EXPECT_EQ(to_string(client.session.failure_code()), to_string(code)) << what;
      EXPECT_EQ(only_code(client.sends(), FrameType::goaway), to_string(code)) << what;
      EXPECT_FALSE(client.session.failure().message.empty());
      EXPECT_EQ(get.story, "") << what;
      // What comes now is not heard.
      EXPECT_FALSE(client.hears(client.hpack.ok(get.id(), end_stream))) << what;
      EXPECT_FALSE(client.submit(client.make()));
      client.session.lost();
      EXPECT_EQ(get.story, "closed connection_lost " + std::string(to_string(code))) << what;
      EXPECT_TRUE(client.sends().empty());
    }
  }
}

TEST(Http2Connection, refuses_a_push_before_its_settings_are_acknowledged) {
  Client client({}, false);
  client.hears(settings());
  client.get();
  EXPECT_FALSE(client.hears(frame(FrameType::push_promise, 4, 1, number(2, 4) + "\x82\x86\x84")));
  EXPECT_EQ(only_code(client.sends(), FrameType::goaway), "PROTOCOL_ERROR");
}

TEST(Http2Connection, delivers_what_came_before_the_frame_that_breaks_it) {
  Client client;
  Exchange& get = client.get();
  Exchange& other = client.get();
  EXPECT_FALSE(client.hears(join({client.hpack.ok(get.id()), data(get.id(), "hello", end_stream),
                                  frame(FrameType::push_promise, 4, other.id(), number(2, 4))})));
  EXPECT_EQ(get.story, "response 200; end; closed complete NO_ERROR");
  EXPECT_EQ(get.received, "hello");
}

TEST(Http2Connection, wants_settings_first) {
  Client client({}, false);
  EXPECT_FALSE(client.hears(ping()));
  EXPECT_EQ(only_code(client.sends(), FrameType::goaway), "PROTOCOL_ERROR");
}

TEST(Http2Connection, knows_a_server_that_answers_in_http1) {
  const std::string_view answer = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
  for (std::size_t piece = 1; piece <= answer.size(); ++piece) {
    Client client({}, false);
    Exchange& get = client.get();
    bool sound = true;
    for (std::size_t at = 0; sound && at < answer.size(); at += piece) sound = client.hears(answer.substr(at, piece));
    EXPECT_FALSE(sound);
    EXPECT_TRUE(client.session.answered_in_http1()) << piece;
    EXPECT_EQ(client.session.failure().code, ErrorCode::unsupported);
    EXPECT_TRUE(client.sends().empty()) << "it would not understand a GOAWAY";
    client.session.lost();
    EXPECT_EQ(get.ended.by, StreamEnd::connection_lost);
  }
  Client other({}, false);
  EXPECT_FALSE(other.hears("SSH-2.0-OpenSSH_9.2p1\r\n"));
  EXPECT_FALSE(other.session.answered_in_http1());
  Client later;
  EXPECT_FALSE(later.hears(answer));
  EXPECT_FALSE(later.session.answered_in_http1()) << "it has spoken HTTP/2 before";
}

TEST(Http2Goaway, lets_what_the_server_took_finish_and_ends_the_rest_at_once) {
  Client client;
  Exchange& taken = client.get();
  Exchange& not_taken = client.get();
  Exchange& unsent = client.make();
  ASSERT_TRUE(client.submit(unsent));
  EXPECT_TRUE(client.hears(goaway(1, Code::no_error, "bye\x1b[2J\n")));
  EXPECT_EQ(client.goaways, "NO_ERROR bye\\x1b[2J\\n;");
  EXPECT_EQ(not_taken.story, "closed unprocessed REFUSED_STREAM");
  EXPECT_EQ(unsent.story, "closed unprocessed REFUSED_STREAM");
  EXPECT_FALSE(unsent.any_byte_sent());
  EXPECT_EQ(count(client.sends(), FrameType::headers), 0U);
  EXPECT_FALSE(client.submit(client.make()));
  EXPECT_TRUE(client.hears(client.hpack.ok(taken.id(), end_stream)));
  EXPECT_EQ(taken.ended.by, StreamEnd::complete);
  EXPECT_FALSE(client.session.failed());
  EXPECT_FALSE(client.session.wants_write());
}

TEST(Http2Goaway, may_come_again_with_a_lower_id_but_not_with_a_higher) {
  Client client;
  Exchange& one = client.get();
  Exchange& three = client.get();
  EXPECT_TRUE(client.hears(goaway(0x7FFFFFFF, Code::no_error)));
  EXPECT_EQ(one.story + three.story, "") << "a warning only";
  EXPECT_TRUE(client.hears(goaway(1, Code::no_error)));
  EXPECT_EQ(three.ended.by, StreamEnd::unprocessed);
  EXPECT_FALSE(client.hears(goaway(3, Code::no_error)));
  EXPECT_EQ(to_string(client.session.failure_code()), "PROTOCOL_ERROR");
  EXPECT_EQ(only_code(client.sends(), FrameType::goaway), "PROTOCOL_ERROR");
}

TEST(Http2Goaway, may_have_any_code_and_debug_data_without_end) {
  Client client;
  client.get();
  EXPECT_TRUE(client.hears(goaway(1, static_cast<Code>(0xDEADBEEF), std::string(16 * 1024 - 8, 'x'))));
  EXPECT_EQ(client.goaways.substr(0, 10), "unknown xx");
  EXPECT_LE(client.goaways.size(), 220U);
}

TEST(Http2Goaway, does_not_make_a_response_unprocessed_that_has_begun) {
  Client client;
  Exchange& get = client.get();
  client.hears(client.hpack.ok(get.id()));
  client.hears(goaway(0, Code::no_error));
  EXPECT_EQ(get.story, "response 200; closed peer REFUSED_STREAM");
}

TEST(Http2Goaway, of_ours_is_the_last_that_is_heard_or_said) {
  Client client;
  Exchange& get = client.get();
  client.session.say_goodbye();
  EXPECT_EQ(only_code(client.sends(), FrameType::goaway), "NO_ERROR");
  client.hears(client.hpack.ok(get.id(), end_stream) + ping());
  EXPECT_EQ(get.story, "");
  EXPECT_FALSE(client.session.wants_write());
  EXPECT_FALSE(client.submit(client.make()));
  client.session.lost();
  EXPECT_EQ(get.ended.by, StreamEnd::connection_lost);
}

TEST(Http2Goaway, is_noticed_although_the_peer_does_not_read) {
  Client client;
  client.get();
  std::array<char, 4096> small;
  for (int i = 0; i < 500; ++i) client.hears(ping());
  EXPECT_EQ(client.session.produce(small), small.size()) << "and the socket takes no more";
  EXPECT_FALSE(client.hears(data(99, "x")));
  EXPECT_EQ(to_string(client.session.failure_code()), "PROTOCOL_ERROR");
  client.output.append(small.data(), small.size());
  const auto rest = client.sends();
  EXPECT_EQ(count(rest, FrameType::goaway), 1U);
  EXPECT_LE(count(rest, FrameType::ping), 500U);
}

TEST(Http2Connection, runs_out_of_stream_ids) {
  Client client;
  client.session.skip_stream_ids(0x7FFFFFFD);
  Exchange& last_but_one = client.get();
  Exchange& last = client.get();
  EXPECT_EQ(last.id(), 0x7FFFFFFF);
  EXPECT_FALSE(client.submit(client.make()));
  client.hears(client.hpack.ok(last.id(), end_stream) + ping());
  client.hears(client.hpack.ok(last_but_one.id(), end_stream));
  EXPECT_EQ(last.ended.by, StreamEnd::complete);
  EXPECT_EQ(last_but_one.ended.by, StreamEnd::complete);
  EXPECT_FALSE(client.session.failed());
  client.hears(data(0, "x"));
  client.sends();
  EXPECT_TRUE(client.session.failed()) << "it still notices what is wrong";
}

TEST(Http2Connection, that_is_lost_closes_every_stream_once) {
  Client client;
  Exchange& sent = client.get();
  Exchange& unsent = client.make();
  ASSERT_TRUE(client.submit(unsent));
  Exchange& cancelled = client.get();
  client.session.reset(cancelled, Code::cancel);
  // Whoever is told may try again at once, and reset others.
  sent.on_event = [&](Exchange& self) {
    if (self.closings == 0) return;
    EXPECT_FALSE(client.submit(client.make()));
    client.session.reset(unsent, Code::cancel);
    client.session.consumed(self, 100);
    client.session.resume(unsent);
  };
  client.session.lost();
  client.session.lost();
  for (const Exchange* each : {&sent, &unsent, &cancelled}) {
    EXPECT_EQ(each->story, "closed connection_lost NO_ERROR");
  }
  EXPECT_EQ(client.session.open_streams(), 0);
  EXPECT_EQ(client.slots_freed, 1);
  EXPECT_FALSE(client.hears(ping()));
  EXPECT_TRUE(client.sends().empty());
}

}  // namespace
}  // namespace trunkline::http2
