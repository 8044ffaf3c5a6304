#include "server/path.h"

#include <gtest/gtest.h>

namespace trunkline::server {
namespace {

using Segments = std::vector<std::string>;

TEST(PathSegments, decodes_each_segment_by_itself) {
  EXPECT_EQ(path_segments("/a/b%20c/d"), (Segments{"a", "b c", "d"}));
  EXPECT_EQ(path_segments("/%2541"), Segments{"%41"});  // once, not twice
}

TEST(PathSegments, tells_a_trailing_slash_from_none) {
  EXPECT_EQ(path_segments("/"), Segments{""});
  EXPECT_EQ(path_segments("/a"), Segments{"a"});
  EXPECT_EQ(path_segments("/a/"), (Segments{"a", ""}));
}

TEST(PathSegments, refuses_whatever_could_leave_its_folder_or_be_read_in_two_ways) {
  for (const char* path :
       {"",    "a",     "*",    "/..",   "/a/../b", "/./a", "/%2e%2e/a", "/%2E./a", "/a%2fb", "/a%5cb", "/a\\b",
        "//a", "/a//b", "/a//", "/a%00", "/%0a",    "/%7f", "/%",        "/%4",     "/%4g",   "/%g4"}) {
    EXPECT_EQ(path_segments(path), std::nullopt) << path;
  }
}

TEST(PathSegments, leaves_dots_in_names_alone) {
  EXPECT_EQ(path_segments("/.well-known/...x/a.b"), (Segments{".well-known", "...x", "a.b"}));
}

TEST(QueryPairs, decodes_names_and_values_in_their_order) {
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(query_pairs("b=x%20y+z&a&c=1=2&&=v"), (Pairs{{"b", "x y z"}, {"a", ""}, {"c", "1=2"}, {"", "v"}}));
  EXPECT_EQ(query_pairs("a=100%"), (Pairs{{"a", "100%"}}));
  EXPECT_TRUE(query_pairs("").empty());
}

TEST(QueryPairs, stops_at_the_limit) { EXPECT_EQ(query_pairs("a&b&c", 2).size(), 2u); }

}  // namespace
}  // namespace trunkline::server
