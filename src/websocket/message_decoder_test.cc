#include "websocket/message_decoder.h"

#include <gtest/gtest.h>

#include <string>

#include "base/byte_by_byte.h"
#include "websocket/transcript.h"

namespace trunkline::websocket {
namespace {

using namespace std::string_literals;

std::string reading(const std::string& bytes, const TranscriptSetup& setup = {}) { return transcript({bytes}, setup); }

bool refuses(const std::string& bytes, int code, const std::string& why, const TranscriptSetup& setup = {}) {
  const std::string said = reading(bytes, setup);
  const bool good = said.starts_with("error " + std::to_string(code)) && said.find(why) != std::string::npos;
  if (!good) ADD_FAILURE() << said;
  return good;
}

constexpr TranscriptSetup as_server{.role = Role::server};

TEST(WebSocketDecoder, reads_messages_of_one_frame) {
  EXPECT_EQ(reading(raw({0x81, "Hello"}) + raw({0x82, "\x01\xFF"}) + raw({0x81, ""})),
            "text Hello; binary \x01\xFF; text ; idle");
}

TEST(WebSocketDecoder, joins_fragments_and_lets_control_frames_come_between_them) {
  EXPECT_EQ(reading(raw({0x01, "Hel"}) + raw({0x89, "are you there"}) + raw({0x00, ""}) + raw({0x8A, ""}) +
                    raw({0x80, "lo"})),
            "ping are you there; pong ; text Hello; idle");
}

TEST(WebSocketDecoder, as_server_takes_the_mask_off) {
  EXPECT_EQ(
      reading(raw({0x01, "Hello", 0x3d21fa37}) + raw({0x89, "ping", 1}) + raw({0x80, " world", 0xFFEEDDCC}), as_server),
      "ping ping; text Hello world; idle");
}

TEST(WebSocketDecoder, refuses_masking_that_does_not_fit_the_role) {
  EXPECT_TRUE(refuses(raw({0x81, "x", 7}), 1002, "masked"));
  EXPECT_TRUE(refuses(raw({0x81, "x"}), 1002, "not masked", as_server));
}

TEST(WebSocketDecoder, refuses_reserved_bits_and_unknown_opcodes) {
  for (const unsigned first : {0xC1U, 0xA1U, 0x91U}) EXPECT_TRUE(refuses(raw({first, "x"}), 1002, "reserved bit"));
  for (const unsigned opcode : {3U, 4U, 5U, 6U, 7U, 11U, 12U, 13U, 14U, 15U}) {
    EXPECT_TRUE(refuses(raw({0x80U | opcode, "x"}), 1002, "unknown opcode " + std::to_string(opcode)));
  }
}

TEST(WebSocketDecoder, refuses_control_frames_that_are_fragmented_or_long) {
  for (const unsigned opcode : {8U, 9U, 10U}) {
    EXPECT_TRUE(refuses(raw({opcode, ""}), 1002, "in fragments"));
    EXPECT_TRUE(refuses(raw({0x80U | opcode, std::string(126, 'x')}), 1002, "125"));
  }
  EXPECT_EQ(reading(raw({0x89, std::string(125, 'x')})), "ping " + std::string(125, 'x') + "; idle");
}

TEST(WebSocketDecoder, refuses_lengths_that_are_not_minimal_or_have_the_top_bit) {
  EXPECT_TRUE(refuses(raw({.first = 0x82, .length = 125, .length_bytes = 2}), 1002, "more bytes than it needs"));
  EXPECT_TRUE(refuses(raw({.first = 0x82, .length = 65535, .length_bytes = 8}), 1002, "more bytes than it needs"));
  EXPECT_TRUE(refuses(raw({.first = 0x82, .length = 1ULL << 63U, .length_bytes = 8}), 1002, "highest bit"));
}

TEST(WebSocketDecoder, refuses_messages_inside_each_other_and_continuations_of_nothing) {
  EXPECT_TRUE(refuses(raw({0x01, "a"}) + raw({0x81, "b"}), 1002, "inside another"));
  EXPECT_TRUE(refuses(raw({0x80, "a"}), 1002, "had not begun"));
  EXPECT_EQ(reading(raw({0x81, "a"}) + raw({0x00, "b"})).substr(0, 20), "text a; error 1002 t");
}

TEST(WebSocketDecoder, refuses_text_that_is_not_utf8_as_soon_as_it_shows) {
  EXPECT_TRUE(refuses(raw({0x81, "\xFF"}), 1007, "UTF-8"));
  EXPECT_TRUE(refuses(raw({0x81, "\xC3"}), 1007, "inside a character"));
  EXPECT_EQ(reading(raw({0x01, "\xC3"}) + raw({0x80, "\xA4"})), "text \xC3\xA4; idle");
  // Its frame announces more, but nothing that could still come would help.
  EXPECT_TRUE(refuses(raw({.first = 0x81, .payload = "ok \xC0", .length = 100}), 1007, "UTF-8"));
  EXPECT_EQ(reading(raw({0x82, "\xFF"})), "binary \xFF; idle");
}

TEST(WebSocketDecoder, reads_close_frames) {
  EXPECT_EQ(reading(raw({0x88, ""}) + "whatever"), "close 1005 ");
  EXPECT_EQ(reading(raw({0x88, "\x03\xE8"})), "close 1000 ");
  EXPECT_EQ(reading(raw({0x88,
                         "\x0F\xA0"
                         "going"})),
            "close 4000 going");
}

TEST(WebSocketDecoder, refuses_close_frames_that_say_nothing_sensible) {
  EXPECT_TRUE(refuses(raw({0x88, "\x03"}), 1002, "half a code"));
  EXPECT_TRUE(refuses(raw({0x88, "\x03\xED"}), 1002, "1005"));
  EXPECT_TRUE(refuses(raw({0x88, "\x00\x00"s}), 1002, "nobody may send"));
  EXPECT_TRUE(refuses(raw({0x88, "\x03\xE8\xFF"}), 1007, "reason"));
}

TEST(WebSocketDecoder, reads_nothing_behind_a_close_frame_or_an_error) {
  for (const std::string& last : {raw({0x88, ""}), raw({0x83, ""})}) {
    MessageDecoder decoder(Role::client, {});
    std::string_view input = last;
    decoder.next(input);
    const std::string message = raw({0x81, "late"});
    input = message;
    EXPECT_NE(decoder.next(input), MessageDecoder::Event::message);
  }
}

TEST(WebSocketDecoder, bounds_frames_messages_and_fragments) {
  const TranscriptSetup small{.limits = {.frame_bytes = 10, .message_bytes = 15, .fragments = 3}};
  EXPECT_EQ(reading(raw({0x82, "0123456789"}), small), "binary 0123456789; idle");
  EXPECT_TRUE(refuses(raw({.first = 0x82, .length = 11}), 1009, "frame of 11 bytes", small));
  EXPECT_EQ(reading(raw({0x02, "0123456789"}) + raw({0x80, "abcde"}), small), "binary 0123456789abcde; idle");
  EXPECT_TRUE(refuses(raw({0x02, "0123456789"}) + raw({.first = 0x80, .length = 6}), 1009, "limit of 15", small));
  EXPECT_EQ(reading(raw({0x02, ""}) + raw({0x00, ""}) + raw({0x80, ""}), small), "binary ; idle");
  EXPECT_TRUE(
      refuses(raw({0x02, ""}) + raw({0x00, ""}) + raw({0x00, ""}) + raw({0x80, ""}), 1008, "3 fragments", small));
  // The bound is each message's, not the connection's.
  EXPECT_EQ(reading(raw({0x82, "0123456789"}) + raw({0x82, "0123456789"}), small),
            "binary 0123456789; binary 0123456789; idle");
}

TEST(WebSocketDecoder, refuses_a_giant_frame_by_its_header_alone) {
  EXPECT_TRUE(refuses(raw({.first = 0x82, .length = (1ULL << 62U)}), 1009, "frame of"));
}

TEST(WebSocketDecoder, says_the_same_wherever_the_bytes_are_cut) {
  const std::string story = raw({0x01, "\xC3"}) + raw({0x89, "p"}) + raw({0x80, "\xA4"}) +
                            raw({0x82, std::string(300, 'b')}) +
                            raw({0x88,
                                 "\x03\xE8"
                                 "bye"});
  const std::string whole = reading(story);
  EXPECT_EQ(whole, transcript(byte_by_byte(story)));
  for (std::size_t cut = 0; cut <= story.size(); ++cut) {
    EXPECT_EQ(whole, transcript({std::string_view(story).substr(0, cut), std::string_view(story).substr(cut)}));
  }
}

}  // namespace
}  // namespace trunkline::websocket
