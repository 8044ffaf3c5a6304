#include "websocket/frame.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <string>

namespace trunkline::websocket {
namespace {

using namespace std::string_literals;

std::string frame(const FrameStart& start, std::string_view payload) {
  std::string out;
  append_frame(out, Role::server, start, payload);
  return out;
}

TEST(WebSocketFrame, is_written_as_the_examples_of_rfc_6455) {
  EXPECT_EQ(frame({.opcode = Opcode::text}, "Hello"), "\x81\x05Hello");
  EXPECT_EQ(frame({.opcode = Opcode::text, .last = false}, "Hel"), "\x01\x03Hel");
  EXPECT_EQ(frame({.opcode = Opcode::continuation}, "lo"), "\x80\x02lo");
  EXPECT_EQ(frame({.opcode = Opcode::ping}, "Hello"), "\x89\x05Hello");
  EXPECT_EQ(frame({.opcode = Opcode::text, .compressed = true}, "x"), "\xC1\x01x");
  std::string masked;
  std::uint32_t key = 0;
  std::memcpy(&key, "\x37\xfa\x21\x3d", 4);
  append_masked_frame(masked, {.opcode = Opcode::text}, "Hello", key);
  EXPECT_EQ(masked, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
}

TEST(WebSocketFrame, writes_lengths_in_as_few_bytes_as_will_do) {
  EXPECT_EQ(frame({.opcode = Opcode::binary}, std::string(125, 'x')).substr(0, 3), "\x82\x7dx");
  EXPECT_EQ(frame({.opcode = Opcode::binary}, std::string(126, 'x')).substr(0, 5), "\x82\x7e\x00\x7ex"s);
  EXPECT_EQ(frame({.opcode = Opcode::binary}, std::string(65535, 'x')).substr(0, 5), "\x82\x7e\xff\xffx");
  EXPECT_EQ(frame({.opcode = Opcode::binary}, std::string(65536, 'x')).substr(0, 11),
            "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00x"s);
}

TEST(WebSocketFrame, of_a_client_has_a_key_of_its_own) {
  std::set<std::string> keys;
  for (int i = 0; i < 100; ++i) {
    std::string out;
    append_frame(out, Role::client, {}, "same");
    keys.insert(out.substr(2, 4));
  }
  EXPECT_GE(keys.size(), 99U);
}

TEST(WebSocketFrame, masking_agrees_with_the_definition_at_every_length_and_offset) {
  const std::uint32_t key = 0xA1B2C3D4;
  const auto* key_bytes = reinterpret_cast<const char*>(&key);
  for (std::size_t size = 0; size < 40; ++size) {
    for (std::size_t offset = 0; offset < 9; ++offset) {
      std::string bytes(size, 'q');
      apply_mask(bytes.data(), bytes.size(), key, offset);
      for (std::size_t i = 0; i < size; ++i) ASSERT_EQ(bytes[i], static_cast<char>('q' ^ key_bytes[(offset + i) % 4]));
    }
  }
}

TEST(WebSocketFrame, knows_which_close_codes_may_travel) {
  for (const int good : {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999}) {
    EXPECT_TRUE(may_be_on_the_wire(static_cast<std::uint16_t>(good))) << good;
  }
  for (const int bad : {0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535}) {
    EXPECT_FALSE(may_be_on_the_wire(static_cast<std::uint16_t>(bad))) << bad;
  }
  EXPECT_EQ(close_payload(1000, "bye"),
            "\x03\xe8"
            "bye");
  EXPECT_EQ(close_payload(no_status, ""), "");
}

}  // namespace
}  // namespace trunkline::websocket
