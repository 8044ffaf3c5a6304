#include "server/route_table.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace trunkline::server {
namespace {

using Match = RouteTable::Match;

// "METHOD pattern", numbered from 0.
RouteTable table(const std::vector<std::pair<std::string, std::string>>& routes) {
  RouteTable made;
  int number = 0;
  for (const auto& [method, pattern] : routes) EXPECT_TRUE(made.add(method, pattern, number++)) << pattern;
  return made;
}

int route_of(const RouteTable& routes, const std::string& path, const std::string& method = "GET") {
  const Match match = routes.find(method, path);
  return match.kind == Match::found ? match.route : -1;
}

TEST(RouteTable, finds_literals_parameters_and_the_rest) {
  const RouteTable routes = table({{"GET", "/api/things"}, {"GET", "/api/things/{id}"}, {"GET", "/static/{path...}"}});
  EXPECT_EQ(route_of(routes, "/api/things"), 0);
  const Match one = routes.find("GET", "/api/things/a%20b");
  EXPECT_EQ(one.route, 1);
  EXPECT_EQ(one.parameters.get("id"), "a b");
  EXPECT_EQ(one.parameters.get("name"), "");
  const Match rest = routes.find("GET", "/static/css/main.css");
  EXPECT_EQ(rest.route, 2);
  EXPECT_EQ(rest.parameters.get("path"), "css/main.css");
}

TEST(RouteTable, prefers_the_more_literal_pattern_whatever_the_order) {
  std::vector<std::pair<std::string, std::string>> patterns{
      {"GET", "/{all...}"}, {"GET", "/{a}/x"}, {"GET", "/things/{b}"}, {"GET", "/things/x"}};
  std::sort(patterns.begin(), patterns.end());
  do {
    const RouteTable routes = table(patterns);
    const auto pattern_of = [&](const std::string& path) {
      return patterns[static_cast<std::size_t>(route_of(routes, path))].second;
    };
    EXPECT_EQ(pattern_of("/things/x"), "/things/x");
    EXPECT_EQ(pattern_of("/things/y"), "/things/{b}");
    EXPECT_EQ(pattern_of("/other/x"), "/{a}/x");
    EXPECT_EQ(pattern_of("/other/y"), "/{all...}");
  } while (std::next_permutation(patterns.begin(), patterns.end()));
}

TEST(RouteTable, goes_back_when_the_literal_way_is_a_dead_end) {
  const RouteTable routes = table({{"GET", "/a/b/c"}, {"GET", "/{x}/b/d"}});
  const Match match = routes.find("GET", "/a/b/d");
  EXPECT_EQ(match.route, 1);
  EXPECT_EQ(match.parameters.get("x"), "a");
  EXPECT_EQ(match.parameters.size(), 1u);
}

TEST(RouteTable, says_which_methods_there_are) {
  const RouteTable routes = table({{"GET", "/a"}, {"POST", "/a"}});
  const Match match = routes.find("DELETE", "/a");
  EXPECT_EQ(match.kind, Match::no_method);
  EXPECT_EQ(match.allow, "GET, HEAD, OPTIONS, POST");
  EXPECT_EQ(routes.find("OPTIONS", "/a").kind, Match::options);
  EXPECT_EQ(routes.find("GET", "/b").kind, Match::no_path);
}

TEST(RouteTable, answers_head_as_get_unless_it_has_a_route_of_its_own) {
  const RouteTable routes = table({{"GET", "/a"}, {"GET", "/b"}, {"HEAD", "/b"}, {"*", "/c"}, {"PUT", "/c"}});
  EXPECT_EQ(route_of(routes, "/a", "HEAD"), 0);
  EXPECT_EQ(route_of(routes, "/b", "HEAD"), 2);
  EXPECT_EQ(route_of(routes, "/c", "HEAD"), 3);
  EXPECT_EQ(route_of(routes, "/c", "PUT"), 4);
}

TEST(RouteTable, a_slash_at_the_end_makes_another_path_and_says_where_the_other_is) {
  const RouteTable routes = table({{"GET", "/a"}, {"GET", "/b/"}, {"GET", "/c/{x}"}, {"GET", "/"}});
  const Match with = routes.find("GET", "/a/");
  EXPECT_EQ(with.kind, Match::other_slash);
  EXPECT_EQ(with.moved_to, "/a");
  EXPECT_EQ(routes.find("GET", "/b").moved_to, "/b/");
  EXPECT_EQ(routes.find("GET", "/c/").kind, Match::no_path);
  EXPECT_EQ(route_of(routes, "/"), 3);
}

TEST(RouteTable, parameters_are_never_empty) {
  const RouteTable routes = table({{"GET", "/a/{x}"}, {"GET", "/s/{rest...}"}});
  EXPECT_EQ(routes.find("GET", "/a/").kind, Match::no_path);
  EXPECT_EQ(routes.find("GET", "/s/").kind, Match::no_path);
  EXPECT_EQ(routes.find("GET", "/s/a/").parameters.get("rest"), "a/");
}

TEST(RouteTable, refuses_paths_that_climb_before_it_looks_for_a_route) {
  const RouteTable routes = table({{"GET", "/static/{path...}"}});
  for (const char* path : {"/static/../secret", "/static/%2e%2e/secret", "/static/a%2f..%2fb", "/static//x"}) {
    EXPECT_EQ(routes.find("GET", path).kind, Match::bad_path) << path;
  }
}

TEST(RouteTable, refuses_patterns_that_it_cannot_keep_apart_or_never_match) {
  RouteTable routes = table({{"GET", "/a/{x}"}});
  for (const char* pattern :
       {"", "a", "/a/{y}", "/{x}/{x}", "/{x...}/b", "/a{x}", "/{}", "/{x y}", "//a", "/..", "/{x"}) {
    EXPECT_FALSE(routes.add("GET", pattern, 1)) << pattern;
  }
  EXPECT_FALSE(routes.add("", "/z", 1));
  EXPECT_TRUE(routes.add("POST", "/a/{y}", 1));
}

}  // namespace
}  // namespace trunkline::server
