#include "environment_proxy.h"

#include <map>
#include <string>

#include <gtest/gtest.h>

namespace trunkline::cli {
namespace {

std::string proxy(const std::string& url, const std::map<std::string, std::string>& variables) {
  const Result<Url> parsed = Url::parse(url);
  EXPECT_TRUE(parsed) << url;
  return environment_proxy(*parsed, [&variables](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(EnvironmentProxy, goes_by_scheme) {
  const std::map<std::string, std::string> variables{{"http_proxy", "http://one:1"}, {"HTTPS_PROXY", "two:2"}};
  EXPECT_EQ(proxy("http://a/", variables), "http://one:1");
  EXPECT_EQ(proxy("https://a/", variables), "http://two:2");
  EXPECT_EQ(proxy("https://a/", {{"ALL_PROXY", "three:3"}}), "http://three:3");
  EXPECT_EQ(proxy("http://a/", {}), "");
  EXPECT_EQ(proxy("http://a/", {{"http_proxy", ""}}), "");
}

TEST(EnvironmentProxy, does_not_trust_a_variable_that_a_cgi_request_can_set) {
  EXPECT_EQ(proxy("http://a/", {{"HTTP_PROXY", "evil:1"}}), "");
}

TEST(EnvironmentProxy, leaves_out_what_no_proxy_names) {
  struct Row {
    const char* url;
    const char* no_proxy;
    bool excepted;
  };
  const Row rows[] = {
      {"http://a.example/", "a.example", true},
      {"http://b.a.example/", "a.example", true},
      {"http://ba.example/", "a.example", false},
      {"http://a.example/", ".a.example", true},
      {"http://b.a.example/", "*.a.example", true},
      {"http://A.Example/", "x, a.EXAMPLE", true},
      {"http://a.example:81/", "a.example:81", true},
      {"http://a.example:82/", "a.example:81", false},
      {"http://anything/", "*", true},
      {"http://127.0.0.1/", "127.0.0.1", true},
      {"http://1.127.0.0/", "127.0.0", false},
      {"http://[::1]:80/", "::1", true},
      {"http://[::1]:80/", "[::1]:80", true},
      {"http://a/", "", false},
      {"http://a/", " , ,", false},
      {"http://a/", ".", false},
      {"http://a/", ":80", false},
  };
  for (const Row& row : rows) {
    const std::string found = proxy(row.url, {{"http_proxy", "p:1"}, {"NO_PROXY", row.no_proxy}});
    EXPECT_EQ(found.empty(), row.excepted) << row.url << " " << row.no_proxy;
  }
}

}  // namespace
}  // namespace trunkline::cli
