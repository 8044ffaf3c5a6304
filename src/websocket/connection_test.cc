#include "websocket/connection.h"

#include <gtest/gtest.h>

#include <string>

#include "websocket/transcript.h"

namespace trunkline::websocket {
namespace connection_test {

using std::chrono::seconds;
using Event = Connection::Event;
using Due = Connection::Due;

const TimePoint start{seconds(1000)};
TimePoint at(int second) { return start + seconds(second); }

// A client with a clock moved by hand; what it wrote is read by a decoder in the server's role.
struct Client {
  Settings settings;
  Connection connection;

  explicit Client(const Settings& with = {}) : settings(with), connection(Role::client, with, {}, start) {}

  Event hears(const std::string& bytes, int second = 0) {
    std::string_view input = bytes;
    return connection.next(input, at(second));
  }
  // What it has written so far, read and taken away.
  std::string said(int second = 0) {
    const std::string bytes(connection.output());
    connection.sent(bytes.size(), at(second));
    return transcript({bytes}, {.role = Role::server});
  }
};

TEST(WebSocketConnection, sends_messages_masked_and_in_order) {
  Client client;
  client.connection.send(Opcode::text, "Hello", start);
  client.connection.send(Opcode::binary, "bytes", start);
  EXPECT_EQ(client.said(), "text Hello; binary bytes; idle");
  EXPECT_EQ(client.connection.queued_bytes(), 0U);
}

TEST(WebSocketConnection, hands_out_messages) {
  Client client;
  EXPECT_EQ(client.hears(raw({0x81, "Hello"})), Event::message);
  EXPECT_TRUE(client.connection.text());
  EXPECT_EQ(client.connection.take_message(), "Hello");
  EXPECT_EQ(client.hears(""), Event::need_more);
}

TEST(WebSocketConnection, has_room_until_the_queue_is_full) {
  Client client({.send_queue_bytes = 100});
  client.connection.send(Opcode::text, std::string(90, 'x'), start);  // and 6 of header
  EXPECT_TRUE(client.connection.has_room());
  client.connection.send(Opcode::text, "x", start);
  EXPECT_FALSE(client.connection.has_room());
  client.connection.sent(4, start);
  EXPECT_TRUE(client.connection.has_room());
}

TEST(WebSocketConnection, output_goes_on_where_it_stopped) {
  Client client;
  client.connection.send(Opcode::text, "first", start);
  const std::string first(client.connection.output().substr(0, 7));
  client.connection.sent(7, start);
  client.connection.send(Opcode::text, "second", start);
  const std::string rest(client.connection.output());
  EXPECT_EQ(transcript({first, rest}, {.role = Role::server}), "text first; text second; idle");
}

// --- PING and PONG

TEST(WebSocketConnection, answers_a_ping_with_its_payload) {
  Client client;
  EXPECT_EQ(client.hears(raw({0x89, "one"})), Event::need_more);
  EXPECT_EQ(client.said(), "pong one; idle");
}

TEST(WebSocketConnection, keeps_one_pong_queued_and_answers_the_latest_ping_next) {
  Client client;
  for (int i = 0; i < 1000; ++i) client.hears(raw({0x89, "ping " + std::to_string(i)}));
  EXPECT_LT(client.connection.queued_bytes(), 140U);
  const std::string first(client.connection.output());
  EXPECT_EQ(transcript({first}, {.role = Role::server}), "pong ping 0; idle");
  client.connection.sent(first.size() - 1, start);
  client.hears(raw({0x89, "ping 1000"}));
  client.connection.sent(1, start);
  EXPECT_EQ(client.said(), "pong ping 1000; idle");
  EXPECT_EQ(client.said(), "idle");
}

TEST(WebSocketConnection, pings_after_silence_and_takes_any_byte_for_life) {
  Client client;
  EXPECT_EQ(client.connection.deadline(), at(30));
  EXPECT_EQ(client.connection.on_time(at(29)), Due::nothing);
  EXPECT_EQ(client.said(), "idle");
  EXPECT_EQ(client.connection.on_time(at(30)), Due::nothing);
  EXPECT_EQ(client.said(30), "ping ; idle");
  EXPECT_EQ(client.connection.deadline(), at(40));
  client.hears(raw({0x8A, ""}), 39);
  EXPECT_EQ(client.connection.deadline(), at(69));
  client.hears("\x81", 50);  // half a header
  EXPECT_EQ(client.connection.deadline(), at(80));
}

TEST(WebSocketConnection, gives_a_peer_up_that_does_not_answer) {
  Client client;
  client.connection.on_time(at(30));
  client.said(30);
  EXPECT_EQ(client.connection.on_time(at(39)), Due::nothing);
  EXPECT_EQ(client.connection.on_time(at(40)), Due::peer_silent);
}

TEST(WebSocketConnection, does_not_blame_the_peer_for_a_ping_that_still_stands_behind_a_long_message) {
  Client client;
  client.connection.send(Opcode::binary, std::string(1000, 'x'), at(29));
  client.connection.on_time(at(30));
  for (int second = 31; client.connection.queued_bytes() > 0; second += 9) {
    EXPECT_EQ(client.connection.on_time(at(second)), Due::nothing) << second;
    client.connection.sent(std::min<std::size_t>(100, client.connection.queued_bytes()), at(second));
    ASSERT_LT(second, 200);
  }
  // 1,000 bytes and two heads have left in eleven steps, the last at 121 s: from there the answer is due.
  EXPECT_EQ(client.connection.deadline(), at(131));
  EXPECT_EQ(client.connection.on_time(at(131)), Due::peer_silent);
}

TEST(WebSocketConnection, does_not_blame_the_peer_while_nobody_reads) {
  Client client;
  client.connection.on_time(at(30));
  client.said(30);
  client.connection.pause_reading();
  EXPECT_EQ(client.connection.deadline(), never);
  EXPECT_EQ(client.connection.on_time(at(500)), Due::nothing);
  client.connection.resume_reading(at(500));
  EXPECT_EQ(client.connection.deadline(), at(530));
}

TEST(WebSocketConnection, never_pings_where_that_is_off) {
  Client no_interval({.ping_after = seconds(0)});
  EXPECT_EQ(no_interval.connection.deadline(), never);
  Client no_timeout({.ping_timeout = seconds(0)});
  EXPECT_EQ(no_timeout.connection.deadline(), never);
}

TEST(WebSocketConnection, gives_a_peer_up_that_takes_no_bytes) {
  Client client({.ping_after = seconds(0)});
  client.connection.send(Opcode::text, "0123456789", at(5));
  EXPECT_EQ(client.connection.deadline(), at(35));
  client.connection.sent(3, at(20));  // it moves
  EXPECT_EQ(client.connection.on_time(at(49)), Due::nothing);
  EXPECT_EQ(client.connection.on_time(at(50)), Due::peer_stuck);
  client.said(50);
  EXPECT_EQ(client.connection.deadline(), never);
}

// --- closing

TEST(WebSocketConnection, answers_close_with_close_and_is_over_when_that_is_written) {
  Client client;
  EXPECT_EQ(client.hears(raw({0x88, "\x0F\xA0why"})), Event::closed);
  EXPECT_EQ(client.connection.close_code(), 4000);
  EXPECT_EQ(client.connection.close_reason(), "why");
  EXPECT_FALSE(client.connection.may_send());
  EXPECT_FALSE(client.connection.over());
  EXPECT_EQ(client.said(), "close 4000 ");
  EXPECT_TRUE(client.connection.over());
}

TEST(WebSocketConnection, answers_a_close_without_a_code_without_one) {
  Client client;
  client.hears(raw({0x88, ""}));
  EXPECT_EQ(client.connection.close_code(), no_status);
  EXPECT_EQ(client.said(), "close 1005 ");
}

TEST(WebSocketConnection, closes_once_and_goes_on_reading_until_the_peer_closes_too) {
  Client client;
  client.connection.send(Opcode::text, "last words", start);
  client.connection.close(normal_closure, "bye", start);
  client.connection.close(going_away, "again", start);
  EXPECT_FALSE(client.connection.may_send());
  EXPECT_EQ(client.said(), "text last words; close 1000 bye");
  EXPECT_EQ(client.hears(raw({0x81, "one more"})), Event::message);
  client.hears(raw({0x89, "ping"}));
  EXPECT_EQ(client.connection.queued_bytes(), 0U) << "nothing follows a close frame";
  EXPECT_FALSE(client.connection.over());
  EXPECT_EQ(client.hears(raw({0x88, "\x03\xE8"})), Event::closed);
  EXPECT_TRUE(client.connection.over());
  EXPECT_EQ(client.said(), "idle");
}

TEST(WebSocketConnection, waits_for_the_end_only_so_long) {
  Client client;
  client.connection.close(normal_closure, "", at(10));
  client.said(10);
  EXPECT_EQ(client.connection.on_time(at(14)), Due::nothing);
  EXPECT_EQ(client.connection.on_time(at(15)), Due::close_late);
}

TEST(WebSocketConnection, waits_for_the_end_from_when_its_close_frame_has_left) {
  Client client;
  client.connection.send(Opcode::binary, std::string(100'000, 'x'), start);
  client.connection.close(normal_closure, "", start);
  for (int second = 4; client.connection.queued_bytes() > 0; second += 4) {
    EXPECT_EQ(client.connection.on_time(at(second)), Due::nothing) << second;
    client.connection.sent(std::min<std::size_t>(20'000, client.connection.queued_bytes()), at(second));
    ASSERT_LT(second, 100);
  }
  // 100,000 bytes and two heads have left in six steps.
  EXPECT_EQ(client.connection.deadline(), at(29));
  EXPECT_EQ(client.connection.on_time(at(29)), Due::close_late);
}

TEST(WebSocketConnection, a_peer_that_takes_a_byte_now_and_then_does_not_hold_the_close_for_ever) {
  Client client;
  client.connection.send(Opcode::binary, std::string(40'000, 'x'), start);
  client.connection.close(normal_closure, "", start);
  int second = 0;
  for (; client.connection.on_time(at(second)) == Due::nothing; second += 4) {
    client.connection.sent(1, at(second));
    ASSERT_LT(second, 100);
  }
  EXPECT_EQ(second, 16) << "five seconds, and one for each 4 KiB: 14";
}

TEST(WebSocketConnection, a_queued_pong_does_not_follow_a_close) {
  Client client;
  client.hears(raw({0x89, "one"}));
  client.hears(raw({0x89, "two"}));
  client.connection.close(normal_closure, "", start);
  EXPECT_EQ(client.said(), "pong one; close 1000 ");
  EXPECT_EQ(client.connection.queued_bytes(), 0U);
}

TEST(WebSocketConnection, says_why_when_the_peer_breaks_the_rules) {
  Client client;
  EXPECT_EQ(client.hears(raw({0x81, "\xFF"})), Event::failed);
  EXPECT_EQ(client.connection.failure().close_code, invalid_payload);
  EXPECT_EQ(client.said(), "close 1007 ");
}

TEST(WebSocketConnection, two_ends_speak_compressed_and_close) {
  const DeflateParameters deflate{.keep_our_window = true, .keep_peer_window = true};
  Connection client(Role::client, {}, deflate, start);
  Connection server(Role::server, {}, deflate, start);
  const std::string message(10'000, 'm');
  for (int i = 0; i < 3; ++i) {
    client.send(Opcode::text, message, start);
    EXPECT_LT(client.queued_bytes(), 200U);
    const std::string wire(client.output());
    client.sent(wire.size(), start);
    std::string_view input = wire;
    ASSERT_EQ(server.next(input, start), Event::message);
    EXPECT_EQ(server.take_message(), message);
  }
}

TEST(WebSocketConnection, is_small_while_it_is_idle) { EXPECT_LE(sizeof(Connection), 416U); }

}  // namespace connection_test
}  // namespace trunkline::websocket
