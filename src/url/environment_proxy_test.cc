#include <trunkline/environment_proxy.hpp>

#include <map>
#include <string>

#include <gtest/gtest.h>

namespace trunkline {
namespace {

std::string proxy(const std::string& url, const std::map<std::string, std::string>& variables) {
  const Result<Url> parsed = Url::parse(url);
  EXPECT_TRUE(parsed) << url;
  return environment_proxy(*parsed, [&variables](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(EnvironmentProxy, is_the_processs_own_unless_told_otherwise) {
  setenv("https_proxy", "http://proxy.example:3128", 1);
  EXPECT_EQ(environment_proxy(*Url::parse("https://far.example/")), "http://proxy.example:3128");
  unsetenv("https_proxy");
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

TEST(EnvironmentProxy, takes_lower_case_before_upper_case) {
  EXPECT_EQ(proxy("https://a/", {{"https_proxy", "lower:1"}, {"HTTPS_PROXY", "upper:1"}}), "http://lower:1");
  EXPECT_EQ(proxy("http://a/", {{"all_proxy", "lower:1"}, {"ALL_PROXY", "upper:1"}}), "http://lower:1");
}

TEST(EnvironmentProxy, passes_on_the_kind_even_one_that_cannot_be_used) {
  EXPECT_EQ(proxy("http://a/", {{"ALL_PROXY", "socks5h://user:pass@p:1"}}), "socks5h://user:pass@p:1");
  EXPECT_EQ(proxy("http://a/", {{"http_proxy", "nonsense://p:1"}}), "nonsense://p:1");
  EXPECT_EQ(proxy("http://a/", {{"http_proxy", "direct"}, {"all_proxy", "p:1"}}), "direct");
}

TEST(EnvironmentProxy, leaves_out_what_no_proxy_names) {
  const auto excepted = [](const std::string& url, const std::string& list) {
    return proxy(url, {{"http_proxy", "p:1"}, {"NO_PROXY", list}}).empty();
  };
  EXPECT_TRUE(excepted("http://b.a.example/", "x, .A.example"));
  EXPECT_TRUE(excepted("http://10.1.2.3/", "10.0.0.0/8"));
  EXPECT_FALSE(excepted("http://ba.example/", "a.example"));
  EXPECT_FALSE(excepted("http://a/", "10.0.0.0/99"));
  EXPECT_EQ(proxy("http://a/", {{"http_proxy", "p:1"}, {"no_proxy", "b"}, {"NO_PROXY", "a"}}), "http://p:1");
}

}  // namespace
}  // namespace trunkline
