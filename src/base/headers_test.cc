#include <trunkline/headers.hpp>

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace trunkline {
namespace {

std::string listed(const Headers& headers) {
  std::string out;
  for (const auto field : headers) out += std::string(field.name) + "=" + std::string(field.value) + ";";
  return out;
}

TEST(Headers, keeps_order_spelling_and_repetitions) {
  Headers headers{{"B", "1"}, {"a", ""}};
  headers.add("b", "2");
  EXPECT_EQ(listed(headers), "B=1;a=;b=2;");
  EXPECT_EQ(headers.size(), 3U);
  EXPECT_EQ(headers[2].value, "2");
}

TEST(Headers, finds_names_without_case) {
  const Headers headers{{"Set-Cookie", "a"}, {"X", "1"}, {"set-cookie", "b"}};
  EXPECT_EQ(headers.get("SET-COOKIE"), "a");
  EXPECT_EQ(headers.get_all("set-cookie"), (std::vector<std::string_view>{"a", "b"}));
  EXPECT_TRUE(headers.contains("x"));
  EXPECT_FALSE(headers.contains("y"));
  EXPECT_EQ(headers.get(""), std::nullopt);
}

TEST(Headers, set_replaces_all_of_that_name) {
  Headers headers{{"A", "1"}, {"B", "2"}, {"a", "3"}};
  headers.set("A", "4");
  EXPECT_EQ(listed(headers), "B=2;A=4;");
  headers.remove("b");
  EXPECT_EQ(listed(headers), "A=4;");
  headers.clear();
  EXPECT_TRUE(headers.empty());
}

TEST(Headers, adds_and_sets_from_its_own_fields) {
  Headers headers{{"A", "a value that is longer than a short string"}};
  for (int i = 0; i < 20; ++i) headers.add("B", *headers.get("A"));
  EXPECT_EQ(headers[20].value, "a value that is longer than a short string");
  headers.set("B", *headers.get("B"));
  EXPECT_EQ(listed(headers),
            "A=a value that is longer than a short string;B=a value that is longer than a short string;");
  headers.remove(headers[0].name);
  EXPECT_EQ(headers.size(), 1U);
}

TEST(Headers, stays_right_when_set_many_times) {
  Headers headers{{"A", "1"}};
  for (int i = 0; i < 10'000; ++i) headers.set("B", std::string(100, static_cast<char>('a' + i % 26)));
  EXPECT_EQ(headers.get("A"), "1");
  EXPECT_EQ(headers.get("B"), std::string(100, static_cast<char>('a' + 9'999 % 26)));
}

TEST(Headers, copies_are_independent) {
  Headers headers{{"A", "1"}};
  const Headers copy = headers;
  headers.set("A", "2");
  EXPECT_EQ(listed(copy), "A=1;");
}

TEST(Headers, adopts_bytes_of_a_codec) {
  const std::array<Headers::Slot, 2> slots{{{0, 1, 3, 1}, {6, 1, 9, 0}}};
  Headers headers = Headers::adopt("X: y\r\nZ: \r\n", slots);
  EXPECT_EQ(listed(headers), "X=y;Z=;");
  headers.add("A", "b");
  EXPECT_EQ(listed(headers), "X=y;Z=;A=b;");
  const Headers taken = std::move(headers);
  EXPECT_EQ(listed(taken), "X=y;Z=;A=b;");
  EXPECT_TRUE(headers.empty());  // NOLINT: moved from on purpose, and still in order
  headers.add("C", "d");
  EXPECT_EQ(listed(headers), "C=d;");
}

TEST(Headers, compares_ascii_without_case_and_nothing_else) {
  EXPECT_TRUE(equals_ignore_case("aZ-09", "Az-09"));
  EXPECT_FALSE(equals_ignore_case("a", "ab"));
  EXPECT_FALSE(equals_ignore_case("@", "`"));
  EXPECT_FALSE(equals_ignore_case("[", "{"));
  EXPECT_FALSE(equals_ignore_case("\xC4", "\xE4"));
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const bool a_is_capital = a >= 'A' && a <= 'Z';
      const bool b_is_capital = b >= 'A' && b <= 'Z';
      const bool same = (a_is_capital ? a + 32 : a) == (b_is_capital ? b + 32 : b);
      for (const std::size_t before : {0, 2, 7, 12}) {
        const std::string left = std::string(before, 'x') + static_cast<char>(a) + "yz";
        const std::string right = std::string(before, 'X') + static_cast<char>(b) + "Yz";
        ASSERT_EQ(equals_ignore_case(left, right), same) << a << " " << b;
      }
    }
  }
  EXPECT_FALSE(equals_ignore_case("K", "\xE2\x84\xAA")) << "the Kelvin sign";
}

}  // namespace
}  // namespace trunkline
