#include "url/proxy_url.h"

#include <gtest/gtest.h>

namespace trunkline {
namespace {

ProxyUrl parsed(std::string_view text) {
  const auto proxy = parse_proxy_url(text);
  EXPECT_TRUE(proxy) << text << ": " << (proxy ? "" : proxy.error().message);
  EXPECT_TRUE(!proxy || *proxy) << text << " is read as direct";
  return proxy && *proxy ? **proxy : ProxyUrl();
}

TEST(ProxyUrl, reads_every_kind_with_the_port_that_curl_would_use) {
  EXPECT_EQ(parsed("http://proxy").origin(), "http://proxy:1080");
  EXPECT_EQ(parsed("https://proxy").origin(), "https://proxy:443");
  EXPECT_EQ(parsed("socks5://proxy").origin(), "socks5://proxy:1080");
  EXPECT_EQ(parsed("SOCKS5H://Proxy.Example./").origin(), "socks5h://proxy.example:1080");
  EXPECT_EQ(parsed("http://proxy:80").origin(), "http://proxy:80");
  EXPECT_EQ(parsed("https://proxy:1080").origin(), "https://proxy:1080");
  EXPECT_EQ(parsed("socks5://[::1]:9050").origin(), "socks5://[::1]:9050");
  EXPECT_EQ(parsed("http://[fe80::1%25eth0]:8080").zone, "eth0");
}

TEST(ProxyUrl, decodes_user_and_password) {
  const ProxyUrl proxy = parsed("socks5://us%3Aer:p%40ss%2F@proxy:1");
  EXPECT_TRUE(proxy.has_credentials);
  EXPECT_EQ(proxy.user, "us:er");
  EXPECT_EQ(proxy.password, "p@ss/");
  EXPECT_EQ(proxy.origin(), "socks5://proxy:1");
  EXPECT_FALSE(parsed("http://proxy:1").has_credentials);
  EXPECT_EQ(parsed("http://:token@proxy:1").password, "token");
}

TEST(ProxyUrl, reads_direct_and_nothing_as_no_proxy) {
  for (const char* text : {"", "direct", "DIRECT"}) {
    const auto proxy = parse_proxy_url(text);
    ASSERT_TRUE(proxy) << text;
    EXPECT_FALSE(proxy->has_value()) << text;
  }
}

TEST(ProxyUrl, says_what_is_wrong_and_never_repeats_the_text) {
  struct Row {
    std::string text;
    const char* says;
    ErrorCode code = ErrorCode::invalid_options;
  };
  const std::string hunter2 = "hunter2";
  const Row rows[] = {
      {"proxy:3128", "the kind is missing; write http:// in front"},
      {"user:hunter2@proxy", "the kind is missing; write http:// in front"},
      {"hunter2://proxy", "the kind is unknown; http, https, socks5 and socks5h are supported"},
      {"://proxy", "the kind is unknown; http, https, socks5 and socks5h are supported"},
      {" http://proxy", "the kind is unknown; http, https, socks5 and socks5h are supported"},
      {"socks4://u:hunter2@proxy", "socks4:// proxies are not supported, only socks5:// and socks5h://",
       ErrorCode::unsupported},
      {"socks://proxy", "socks:// proxies are not supported, only socks5:// and socks5h://", ErrorCode::unsupported},
      {"http://", "the host is missing"},
      {"socks5h://u:hunter2@", "the host is missing"},
      {"http://proxy/path", "a proxy is a host and a port; something follows them"},
      {"http://u:hunter2/@proxy", "a port that is not a number"},
      {"http://u:hunter2@proxy?x", "a proxy is a host and a port; something follows them"},
      {"http://u:hunter2@proxy#x", "a proxy is a host and a port; something follows them"},
      {"http://proxy:0", "a port that is or starts with 0"},
      {"http://proxy:65536", "a port above 65535"},
      {"http://a:hunter2@b@c", "a second \"@\" in the authority (write %40 in a password)"},
      {"http://u:hunter2%0d%0aX@proxy", "an encoded control character in user or password"},
      {"socks5://u:hunter2%00@proxy", "an encoded control character in user or password"},
      {"http://u%3Av:hunter2@proxy", "a user name with a colon cannot be sent (RFC 7617)"},
      {"socks5://:hunter2@proxy", "SOCKS5 takes no password without a user name"},
      {"socks5://u:" + hunter2 + std::string(249, 'x') + "@proxy",
       "SOCKS5 takes a user and a password of at most 255 bytes each (RFC 1929)"},
      {"socks5h://" + std::string(256, 'x') + "@proxy",
       "SOCKS5 takes a user and a password of at most 255 bytes each (RFC 1929)"},
      {"https://u:" + hunter2 + std::string(4096, 'x') + "@proxy", "user and password are longer than 4096 bytes"},
      {"http://pr oxy", "a space in the host"},
      {"http://pr%6Fxy", "percent-encoding in the host"},
  };
  for (const Row& row : rows) {
    const auto proxy = parse_proxy_url(row.text);
    ASSERT_FALSE(proxy) << row.text;
    EXPECT_EQ(proxy.error().message, row.says) << row.text;
    EXPECT_EQ(proxy.error().code, row.code) << row.text;
  }
  EXPECT_TRUE(parse_proxy_url("socks5://" + std::string(255, 'u') + ":" + std::string(255, 'p') + "@proxy"));
}

}  // namespace
}  // namespace trunkline
