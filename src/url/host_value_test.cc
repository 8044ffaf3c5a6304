#include "url/host_value.h"

#include <gtest/gtest.h>

namespace trunkline {
namespace {

TEST(HostValue, is_one_host_with_or_without_a_port) {
  for (const std::string_view value : {"a", "A.b-c.d_e", "a:8080", "127.0.0.1", "127.0.0.1:65535", "[::1]", "[::]",
                                       "[::1]:80", "[fe80::1.2.3.4]:1", "a:00080"}) {
    EXPECT_TRUE(is_host_value(value)) << value;
  }
}

TEST(HostValue, is_nothing_that_could_be_read_in_two_ways) {
  for (const std::string_view value :
       {"",       "a b",  "a,b", "u@a", "a/b",  "a:",    "a:b",    "a:123456", "a:80:80", ":80",     "::1",
        "[::1",   "::1]", "[]",  "[:]", "[a",   "[[::1", "[::1]]", "[::1]x",   "[::1]:",  "[::1]:x", "[::1[]]",
        "a[::1]", "a\\b", "a?",  "a#b", "a%00", "[u@a]", "a\xc3",  "a\n",      " a",      "a:8 "}) {
    EXPECT_FALSE(is_host_value(value)) << value;
  }
}

}  // namespace
}  // namespace trunkline
