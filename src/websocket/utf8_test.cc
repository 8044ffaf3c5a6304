#include "websocket/utf8.h"

#include <gtest/gtest.h>

#include <string>

#include "base/text.h"

namespace trunkline::websocket {
namespace {

TEST(WebSocketUtf8, agrees_with_the_definition_on_every_character_of_up_to_three_bytes_and_their_neighbours) {
  const auto by_definition = [](std::string_view bytes) {
    while (!bytes.empty()) {
      const std::size_t length = utf8_length(bytes);
      if (length == 0) return false;
      bytes.remove_prefix(length);
    }
    return true;
  };
  for (unsigned first = 0; first < 256; ++first) {
    for (unsigned second = 0; second < 256; ++second) {
      for (const unsigned rest : {0x00U, 0x7FU, 0x80U, 0xBFU, 0xC0U}) {
        const std::string text{static_cast<char>(first), static_cast<char>(second), static_cast<char>(rest),
                               static_cast<char>(rest)};
        for (std::size_t size = 1; size <= 4; ++size) {
          const std::string_view cut = std::string_view(text).substr(0, size);
          ASSERT_EQ(is_utf8(cut), by_definition(cut)) << printable(cut);
        }
      }
    }
  }
}

TEST(WebSocketUtf8, says_the_same_wherever_the_text_is_cut) {
  const std::string text = "plain ascii of some length, \xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80 and more ascii behind it";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Utf8Validator validator;
    EXPECT_TRUE(validator.take(text.substr(0, cut)) && validator.take(text.substr(cut))) << cut;
    EXPECT_TRUE(validator.complete());
  }
}

TEST(WebSocketUtf8, finds_a_wrong_byte_when_it_comes_and_a_missing_one_at_the_end) {
  Utf8Validator validator;
  EXPECT_TRUE(validator.take("\xF4"));
  EXPECT_FALSE(validator.complete());
  EXPECT_FALSE(validator.take("\x90"));  // U+110000 and above
  EXPECT_FALSE(is_utf8("eight ascii bytes, then \xE2\x82"));
}

}  // namespace
}  // namespace trunkline::websocket
