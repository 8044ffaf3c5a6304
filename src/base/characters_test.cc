#include "base/characters.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace trunkline {
namespace {

// Every length that is looked at in another way, with each byte at each place. From memory of exactly that size, so
// that AddressSanitizer sees what is read beyond.
template <class Test, class Permitted>
void expect_as_byte_by_byte(const Test& test, const Permitted& permitted) {
  for (std::size_t size = 1; size <= 40; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        const auto text = std::make_unique<char[]>(size);
        std::memset(text.get(), 'a', size);
        text[at] = static_cast<char>(byte);
        const bool plain = test(std::string_view(text.get(), size));
        if (plain) {
          ASSERT_TRUE(permitted(text[at])) << size << ' ' << at << ' ' << byte;
        } else {
          ASSERT_TRUE(size < 4 || !permitted(text[at])) << size << ' ' << at << ' ' << byte;
        }
      }
    }
  }
}

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

#if defined(__SSE2__)
TEST(Characters, plain_names_are_of_letters_digits_and_dashes) { expect_as_byte_by_byte(is_plain_name, is_name_char); }

TEST(Characters, plain_values_are_printable_ascii) {
  expect_as_byte_by_byte(is_plain_value, [](char c) { return c >= ' ' && c <= '~'; });
}
#endif

TEST(Characters, nothing_short_is_called_plain_unseen) {
  EXPECT_FALSE(is_plain_name(""));
  EXPECT_FALSE(is_plain_name("\x01"));
  EXPECT_FALSE(is_plain_value("\n"));
}

TEST(Characters, a_token_is_not_empty_and_of_token_characters_only) {
  EXPECT_TRUE(is_token("X-a_1"));
  EXPECT_FALSE(is_token(""));
  EXPECT_FALSE(is_token("a b"));
  for (std::size_t size = 1; size <= 40; ++size) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string text(size, 'a');
      text[size / 2] = static_cast<char>(byte);
      ASSERT_EQ(is_token(text), is_token_char(text[size / 2])) << text;
    }
  }
}

TEST(Characters, a_hexadecimal_digit_has_its_value) {
  for (int byte = 0; byte < 256; ++byte) {
    const auto at = std::string_view("0123456789abcdefABCDEF").find(static_cast<char>(byte));
    const int value = at == std::string_view::npos ? -1 : static_cast<int>(at < 16 ? at : at - 6);
    ASSERT_EQ(hex_value(static_cast<char>(byte)), value) << byte;
  }
}

TEST(Characters, blanks_are_cut_at_both_ends_only) {
  EXPECT_EQ(trimmed(" \t a b\t "), "a b");
  EXPECT_EQ(trimmed("\ra\n"), "\ra\n");
  EXPECT_EQ(trimmed(" \t"), "");
}

}  // namespace
}  // namespace trunkline
