#include "base/text.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

TEST(Duration, reads_what_people_write) {
  struct Case {
    std::string_view text;
    nanoseconds expected;
  };
  for (const Case& c : std::vector<Case>{{"500ms", 500ms},
                                         {"30s", 30s},
                                         {"5m", 5min},
                                         {"1h", 1h},
                                         {"1.5s", 1500ms},
                                         {"2d", 48h},
                                         {"30", 30s},
                                         {"0", 0s},
                                         {"0.25", 250ms},
                                         {"1h30m", 90min},
                                         {"1h 30m 5s", 5405s},
                                         {" 5 s ", 5s},
                                         {"250us", 250us},
                                         {"7ns", 7ns},
                                         {"1.000000001s", 1000000001ns},
                                         {"0.5d", 12h},
                                         {"1.5h", 90min},
                                         {"3\xC2\xB5s", 3us}}) {
    const auto duration = parse_duration(c.text);
    ASSERT_TRUE(duration) << c.text << ": " << duration.error().message;
    EXPECT_EQ(*duration, c.expected) << c.text;
  }
}

TEST(Duration, refuses_the_rest_with_an_example) {
  for (const std::string_view text :
       {"",    " ",  "s",   "-1s",  "+1s",           "1x",    "1S",   "1sec", "1m1h", "1s1s", "1s 5", "5 5",
        ".5s", "1.", "1.s", "1e3s", "1.0000000001s", "1..5s", "soon", "1s,",  "0x1s", "5s\n"}) {
    const auto duration = parse_duration(text);
    ASSERT_FALSE(duration) << text;
    EXPECT_EQ(duration.error().code, ErrorCode::invalid_options);
    EXPECT_NE(duration.error().message.find("500ms"), std::string::npos) << duration.error().message;
  }
  EXPECT_NE(parse_duration("99999999999d").error().message.find("too long"), std::string::npos);
  EXPECT_FALSE(parse_duration("99999999999999999999999"));
  EXPECT_FALSE(parse_duration("106751d 24h"));
  EXPECT_TRUE(parse_duration("106751d 23h"));
}

TEST(Duration, prints_what_it_reads) {
  struct Case {
    nanoseconds duration;
    std::string_view expected;
  };
  for (const Case& c : std::vector<Case>{{0s, "0s"},
                                         {500ms, "500ms"},
                                         {1500ms, "1.5s"},
                                         {30s, "30s"},
                                         {90min, "90m"},
                                         {2h, "2h"},
                                         {48h, "2d"},
                                         {1us, "1us"},
                                         {1234us, "1.234ms"},
                                         {999ns, "999ns"},
                                         {61s, "61s"},
                                         {-1500ms, "-1.5s"}}) {
    EXPECT_EQ(print_duration(c.duration), c.expected);
    if (c.duration < 0s) continue;
    EXPECT_EQ(*parse_duration(print_duration(c.duration)), c.duration);
  }
  for (const nanoseconds extreme : {nanoseconds::max(), 123456789123456789ns, 86400000000001ns}) {
    EXPECT_EQ(*parse_duration(print_duration(extreme)), extreme);
  }
  EXPECT_EQ(print_duration(nanoseconds::min()).front(), '-');
}

TEST(Size, reads_what_people_write) {
  struct Case {
    std::string_view text;
    std::uint64_t expected;
  };
  for (const Case& c : std::vector<Case>{{"512", 512},
                                         {"0", 0},
                                         {"64KiB", 65536},
                                         {"64 kib", 65536},
                                         {"1MB", 1'000'000},
                                         {"16k", 16384},
                                         {"16K", 16384},
                                         {"1m", 1048576},
                                         {"1.5GiB", 1610612736},
                                         {"64Mi", 67108864},
                                         {"0.5k", 512},
                                         {"100B", 100},
                                         {"2TB", 2'000'000'000'000},
                                         {"1.1kB", 1100},
                                         {"18446744073709551615", UINT64_MAX}}) {
    const auto size = parse_size(c.text);
    ASSERT_TRUE(size) << c.text << ": " << size.error().message;
    EXPECT_EQ(*size, c.expected) << c.text;
  }
}

TEST(Size, refuses_the_rest) {
  for (const std::string_view text : {"", "k", "-1", "+1", "1.5", "1x", "1 k b", "1KiBs", "18446744073709551616",
                                      "99999999TiB", "16777216TiB", "1e6", "0x10", "1,5k", "1k 5"}) {
    const auto size = parse_size(text);
    ASSERT_FALSE(size) << text;
    EXPECT_EQ(size.error().code, ErrorCode::invalid_options) << text;
  }
}

TEST(Size, prints_what_it_reads) {
  for (const std::uint64_t size :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1000}, std::uint64_t{65536}, std::uint64_t{1} << 40,
        std::uint64_t{1} << 63, std::numeric_limits<std::uint64_t>::max()}) {
    EXPECT_EQ(*parse_size(print_size(size)), size) << print_size(size);
  }
  EXPECT_EQ(print_size(65536), "64KiB");
  EXPECT_EQ(print_size(1000), "1000B");
}

TEST(Text, encodes_base64_as_rfc_4648) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("Aladdin:open sesame"), "QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  EXPECT_EQ(base64("\xFB\xFF\xFE"), "+//+");
}

TEST(Text, makes_json_strings_of_any_bytes) {
  EXPECT_EQ(json_string("a\"b\\c/"), R"("a\"b\\c/")");
  EXPECT_EQ(json_string("\n\r\t\x01\x1F\x7F"), R"("\n\r\t\u0001\u001f\u007f")");
  EXPECT_EQ(json_string(std::string_view("\0", 1)), R"("\u0000")");
  EXPECT_EQ(json_string("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"), "\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\"");
  for (const std::string_view bad :
       {"\xFF", "\x80", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x82", "\xC3"}) {
    EXPECT_EQ(json_string(bad).substr(0, 4), "\"\xEF\xBF\xBD") << printable(bad);
  }
  EXPECT_EQ(json_string("\xC3\"x"), "\"\xEF\xBF\xBD\\\"x\"") << "a cut character does not swallow the next";
}

TEST(Text, prints_unsafe_bytes_escaped_and_cut) {
  EXPECT_EQ(printable("a\x1B[2J\r\n\t\xC3\x7F"), "a\\x1b[2J\\r\\n\\t\\xc3\\x7f");
  EXPECT_EQ(printable(std::string_view("\0", 1)), "\\x00");
  EXPECT_EQ(printable("abcdef", 3), "abc...");
  EXPECT_EQ(printable("abc", 3), "abc");
}

}  // namespace
}  // namespace trunkline
