#include "transport_options.h"

#include <gtest/gtest.h>

namespace trunkline::cli {
namespace {

using namespace std::chrono_literals;

Options good(const TransportFlags& flags) {
  Result<Options> options = options_from(flags);
  EXPECT_TRUE(options) << options.error().message;
  return options ? *options : Options();
}

std::string refusal(const TransportFlags& flags) {
  Result<Options> options = options_from(flags);
  EXPECT_FALSE(options);
  return options ? "" : options.error().message;
}

TEST(TransportOptions, starts_from_the_preset_and_changes_only_what_is_asked) {
  TransportFlags flags;
  flags.preset = "scrape";
  EXPECT_EQ(good(flags).limits.idle_per_host, Options::scrape().limits.idle_per_host);
  flags.max_connections = 100;
  EXPECT_EQ(good(flags).limits.open_per_host, 100);
  EXPECT_EQ(good(flags).limits.idle_total, Options::scrape().limits.idle_total);
}

TEST(TransportOptions, keeps_all_that_it_opens_when_the_preset_does) {
  TransportFlags flags;
  flags.max_connections = 2;
  EXPECT_EQ(good(flags).limits.open_per_host, 2);
  EXPECT_EQ(good(flags).limits.idle_per_host, 2);
}

TEST(TransportOptions, sets_times_and_limits) {
  TransportFlags flags;
  flags.max_time = "1.5s";
  flags.connect_timeout = "2";
  flags.idle_timeout = "500ms";
  flags.timeouts = {"first_byte=250ms", "tls=7s"};
  flags.limits = {"queue_per_host=3", "head_bytes=8KiB", "max_age=1m", "informational=2"};
  flags.max_body = "1MiB";
  flags.no_retry = true;
  flags.user_agent = "";
  const Options options = good(flags);
  EXPECT_EQ(options.timeouts.total, 1500ms);
  EXPECT_EQ(options.timeouts.resolve, 2s);
  EXPECT_EQ(options.timeouts.connect, 2s);
  EXPECT_EQ(options.timeouts.tls, 7s) << "the one with the name wins";
  EXPECT_EQ(options.timeouts.first_byte, 250ms);
  EXPECT_EQ(options.limits.idle_timeout, 500ms);
  EXPECT_EQ(options.limits.queue_per_host, 3);
  EXPECT_EQ(options.limits.max_age, 60s);
  EXPECT_EQ(options.response.head_bytes, 8192u);
  EXPECT_EQ(options.response.informational, 2);
  EXPECT_EQ(options.response.body_bytes, 1048576u);
  EXPECT_FALSE(options.retry_stale);
  EXPECT_EQ(options.user_agent, "");
}

TEST(TransportOptions, sets_tls) {
  TransportFlags flags;
  flags.insecure = true;
  flags.ca_file = "ca.pem";
  flags.certificate = "me.pem";
  flags.tls_1_3 = true;
  flags.no_session_resumption = true;
  const TlsOptions tls = good(flags).tls;
  EXPECT_TRUE(tls.insecure_skip_verify);
  EXPECT_EQ(tls.ca_file, "ca.pem");
  EXPECT_EQ(tls.key_file, "me.pem") << "one file may hold both";
  EXPECT_EQ(tls.minimum_version, TlsVersion::tls_1_3);
  EXPECT_FALSE(tls.session_resumption);
}

TEST(TransportOptions, reads_resolve_and_proxy) {
  TransportFlags flags;
  flags.resolve = {"example.org:443:127.0.0.1", "[::1]:80:[::2]"};
  flags.proxy = "127.0.0.1:3128";
  const Options options = good(flags);
  using Entry = std::pair<std::string, std::string>;
  EXPECT_EQ(options.resolve, (std::vector<Entry>{{"example.org:443", "127.0.0.1"}, {"[::1]:80", "::2"}}));
  EXPECT_EQ(options.proxy, "http://127.0.0.1:3128");
}

TEST(TransportOptions, reads_every_kind_of_proxy) {
  TransportFlags flags;
  flags.proxy = "socks5h://user:pass@127.0.0.1:9050";
  flags.no_proxy = "a.example,10.0.0.0/8";
  flags.proxy_insecure = true;
  flags.proxy_ca_file = "proxy.pem";
  const Options options = good(flags);
  EXPECT_EQ(options.proxy, flags.proxy);
  EXPECT_EQ(options.no_proxy, flags.no_proxy);
  EXPECT_TRUE(options.proxy_tls.insecure_skip_verify);
  EXPECT_EQ(options.proxy_tls.ca_file, "proxy.pem");
  EXPECT_FALSE(options.tls.insecure_skip_verify) << "the origin is verified all the same";
  EXPECT_EQ(options.tls.ca_file, "");
  flags = {};
  flags.proxy = "direct";
  EXPECT_EQ(good(flags).proxy, "direct");
  flags = {};
  flags.socks5 = "127.0.0.1:9050";
  EXPECT_EQ(good(flags).proxy, "socks5://127.0.0.1:9050");
  flags = {};
  flags.socks5_hostname = "user:pass@127.0.0.1";
  EXPECT_EQ(good(flags).proxy, "socks5h://user:pass@127.0.0.1");
  flags.proxy = "127.0.0.1:3128";
  EXPECT_NE(refusal(flags).find("exclude each other"), std::string::npos);
}

TEST(TransportOptions, names_what_is_wrong) {
  TransportFlags flags;
  flags.preset = "scrap";
  EXPECT_NE(refusal(flags).find("did you mean \"scrape\""), std::string::npos) << refusal(flags);
  for (const char* resolve :
       {"a", "a:b", "a:0:1.2.3.4", "a:99999:1.2.3.4", ":80:1.2.3.4", "a:80:", "[::1:80:1.2.3.4"}) {
    flags = {};
    flags.resolve = {resolve};
    EXPECT_NE(refusal(flags).find("HOST:PORT:ADDRESS"), std::string::npos) << resolve;
  }
  flags = {};
  flags.timeouts = {"firstbyte=1s"};
  EXPECT_NE(refusal(flags).find("first_byte"), std::string::npos);
  flags = {};
  flags.limits = {"idle_total=many"};
  EXPECT_NE(refusal(flags).find("idle_total"), std::string::npos);
  flags = {};
  flags.max_time = "-1s";
  EXPECT_NE(refusal(flags).find("--max-time"), std::string::npos);
  flags = {};
  flags.key = "me.key";
  EXPECT_NE(refusal(flags).find("--cert"), std::string::npos);
  flags = {};
  flags.http1 = flags.http2 = true;
  EXPECT_NE(refusal(flags).find("exclude"), std::string::npos);
}

}  // namespace
}  // namespace trunkline::cli
