#include "services/console/guard.h"

#include <gtest/gtest.h>

namespace trunkline::console {
namespace {

TEST(ConsoleGuard, knows_loopback_and_addresses_and_no_other_names) {
  for (const char* host : {"localhost", "localhost:9600", "LOCALHOST:1", "a.localhost:9600", "127.0.0.1:9600",
                           "[::1]:9600", "10.1.2.3", "[fe80::1]:80"}) {
    EXPECT_TRUE(host_allowed(host, {})) << host;
  }
  for (const char* host : {"", "evil.example", "evil.example:9600", "127.0.0.1.evil.example", "localhost.evil.example",
                           "notlocalhost", "evil.example@localhost", "localhost/evil", "localhost?x", "localhost:x"}) {
    EXPECT_FALSE(host_allowed(host, {})) << host;
  }
}

TEST(ConsoleGuard, knows_the_names_that_are_configured) {
  EXPECT_TRUE(host_allowed("console.internal:9600", {"console.internal"}));
  EXPECT_TRUE(host_allowed("Console.Internal", {"console.internal:443"}));
  EXPECT_FALSE(host_allowed("x.console.internal", {"console.internal"}));
  EXPECT_FALSE(host_allowed("evil.example", {"console.internal", ""}));
}

TEST(ConsoleGuard, refuses_pages_of_other_sites) {
  EXPECT_TRUE(same_site({}, "localhost:9600"));  // no browser
  EXPECT_TRUE(same_site({{"Sec-Fetch-Site", "same-origin"}}, "localhost:9600"));
  EXPECT_TRUE(same_site({{"Sec-Fetch-Site", "none"}}, "localhost:9600"));
  EXPECT_TRUE(same_site({{"Origin", "http://localhost:9600"}}, "localhost:9600"));
  EXPECT_FALSE(same_site({{"Sec-Fetch-Site", "cross-site"}}, "localhost:9600"));
  EXPECT_FALSE(same_site({{"Sec-Fetch-Site", "same-site"}}, "localhost:9600"));
  EXPECT_FALSE(same_site({{"Origin", "https://evil.example"}}, "localhost:9600"));
  EXPECT_FALSE(same_site({{"Origin", "http://localhost:9601"}}, "localhost:9600"));
  EXPECT_FALSE(same_site({{"Origin", "null"}}, "localhost:9600"));
}

TEST(ConsoleGuard, lets_a_page_load_from_here_alone) {
  Headers headers;
  protect(headers);
  const std::string policy(headers.get("content-security-policy").value_or(""));
  EXPECT_EQ(policy.find("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"), 0U) << policy;
  EXPECT_EQ(policy.find("unsafe"), std::string::npos);
  EXPECT_NE(policy.find("frame-ancestors 'none'"), std::string::npos);
  EXPECT_EQ(headers.get("x-content-type-options"), "nosniff");
  EXPECT_EQ(headers.get("referrer-policy"), "no-referrer");
}

}  // namespace
}  // namespace trunkline::console
