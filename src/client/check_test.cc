#include "client/check.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "client/option_fields.h"

namespace trunkline {
namespace {

using Change = std::function<void(Options&)>;

void expect_accepted(const Change& change) {
  const auto result = check(Options().derive(change));
  EXPECT_TRUE(result) << (result ? "" : result.error().message);
}

// The whole message, so that the list reads as what a user gets to see.
void expect_refused(const Change& change, const std::string& message, ErrorCode code = ErrorCode::invalid_options) {
  const auto result = check(Options().derive(change));
  ASSERT_FALSE(result) << "accepted, instead of: " << message;
  EXPECT_EQ(result.error().message, message);
  EXPECT_EQ(result.error().code, code);
  EXPECT_EQ(result.error().kind, ErrorKind::rejected);
  EXPECT_EQ(result.error().phase, Phase::prepare);
}

TEST(CheckOptions, accepts_the_presets) {
  for (const Options& options : {Options::standard(), Options::scrape(), Options::executor(), Options::internal()}) {
    EXPECT_TRUE(check(options));
  }
}

TEST(CheckOptions, refuses_every_negative_number_and_duration) {
  int tried = 0;
  for (const OptionField& field : option_fields()) {
    Options options;
    if (const auto* number = std::get_if<FieldAccess<int>>(&field.access)) {
      number->write(options) = -1;
    } else if (const auto* duration = std::get_if<FieldAccess<Duration>>(&field.access)) {
      duration->write(options) = -std::chrono::seconds(1);
    } else {
      continue;
    }
    ++tried;
    const auto result = check(options);
    ASSERT_FALSE(result) << field.name;
    EXPECT_TRUE(result.error().message.starts_with(field.name)) << result.error().message;
    EXPECT_TRUE(result.error().message.ends_with("is negative")) << result.error().message;
  }
  EXPECT_EQ(tried, 20);
}

TEST(CheckOptions, accepts_zero_for_every_duration) {
  for (const OptionField& field : option_fields()) {
    Options options;
    if (const auto* duration = std::get_if<FieldAccess<Duration>>(&field.access)) {
      duration->write(options) = Duration::zero();
      EXPECT_TRUE(check(options)) << field.name;
    }
  }
}

TEST(CheckOptions, refuses_limits_that_would_let_nothing_through) {
  expect_refused([](Options& o) { o.limits.open_per_host = 0; },
                 "limits.open_per_host: 0 would let no request through");
  expect_refused([](Options& o) { o.limits.queue_per_host = 0; },
                 "limits.queue_per_host: 0 would let no request wait for its connection to be dialled");
  expect_refused([](Options& o) { o.response.head_bytes = 0; }, "response.head_bytes: 0 would let no response through");
  expect_refused([](Options& o) { o.response.header_count = 0; },
                 "response.header_count: 0 would let no response through");
  expect_accepted([](Options& o) { o.limits.idle_per_host = o.limits.idle_total = 0; });
  expect_accepted([](Options& o) { o.limits.requests_per_connection = 0; });
  expect_accepted([](Options& o) { o.response.body_bytes = 0; });
  expect_accepted([](Options& o) { o.response.informational = 0; });
}

TEST(CheckOptions, refuses_windows_that_http2_does_not_have) {
  expect_refused([](Options& o) { o.http2.stream_window = 65'534; },
                 "http2.stream_window: less than 64KiB - 1, HTTP/2's own");
  expect_refused([](Options& o) { o.http2.stream_window = o.http2.connection_window = 1UL << 31; },
                 "http2.stream_window: more than 2GiB - 1");
  expect_refused([](Options& o) { o.http2.connection_window = o.http2.stream_window - 1; },
                 "http2.connection_window: less than http2.stream_window, which would never be used");
  expect_refused([](Options& o) { o.http2.connection_window = 1UL << 31; },
                 "http2.connection_window: more than 2GiB - 1");
  expect_accepted([](Options& o) { o.http2.stream_window = o.http2.connection_window = 65'535; });
}

TEST(CheckOptions, refuses_durations_that_would_overflow) {
  expect_refused([](Options& o) { o.timeouts.total = Duration::max(); },
                 "timeouts.total: longer than ten years; where there shall be no limit write 0");
}

TEST(CheckOptions, a_certificate_needs_its_key_and_comes_from_one_place) {
  expect_accepted([](Options& o) { o.tls.certificate_file = "a", o.tls.key_file = "b"; });
  expect_accepted([](Options& o) { o.tls.certificate_pem = "a", o.tls.key_file = "b"; });
  expect_accepted([](Options& o) { o.tls.certificate_file = "a", o.tls.key_pem = "b"; });
  expect_refused([](Options& o) { o.tls.certificate_file = "a"; },
                 "tls.certificate_file: a certificate without its key; set tls.key_file or tls.key_pem");
  expect_refused([](Options& o) { o.tls.certificate_pem = "a"; },
                 "tls.certificate_pem: a certificate without its key; set tls.key_file or tls.key_pem");
  expect_refused([](Options& o) { o.tls.key_pem = "a"; },
                 "tls.key_pem: a key without its certificate; set tls.certificate_file or tls.certificate_pem");
  expect_refused([](Options& o) { o.tls.certificate_file = "a", o.tls.certificate_pem = "b", o.tls.key_pem = "c"; },
                 "tls.certificate_file: tls.certificate_pem is given too; only one can be shown");
  expect_refused([](Options& o) { o.tls.certificate_file = "a", o.tls.key_file = "b", o.tls.key_pem = "c"; },
                 "tls.key_file: tls.key_pem is given too; a certificate has one key");
}

TEST(CheckOptions, several_authorities_are_fine) {
  expect_accepted([](Options& o) { o.tls.ca_file = "a", o.tls.ca_directory = "b", o.tls.ca_pem = "c"; });
}

TEST(CheckOptions, server_name_is_a_host_name_or_an_address) {
  for (const char* name : {"example.org", "a_b.internal", "127.0.0.1", "::1", "localhost."}) {
    expect_accepted([&](Options& o) { o.tls.server_name = name; });
  }
  expect_refused([](Options& o) { o.tls.server_name = "example.org:443"; },
                 "tls.server_name: \"example.org:443\" is neither a host name nor an IP address");
  expect_refused([](Options& o) { o.tls.server_name = std::string("a\0.evil", 7); },
                 "tls.server_name: \"a\\x00.evil\" is neither a host name nor an IP address");
}

TEST(CheckOptions, speaks_to_http_and_socks5_proxies) {
  for (const char* proxy :
       {"http://proxy:3128", "HTTP://proxy", "http://user:password@proxy:3128/", "http://[::1]:3128", "https://proxy",
        "socks5://user:password@proxy:1080", "socks5h://proxy", "direct"}) {
    expect_accepted([&](Options& o) { o.proxy = proxy; });
  }
  expect_refused([](Options& o) { o.proxy = "socks4://user:password@proxy:1080"; },
                 "proxy: socks4:// proxies are not supported, only socks5:// and socks5h://", ErrorCode::unsupported);
  expect_refused([](Options& o) { o.proxy = "proxy:3128"; }, "proxy: the kind is missing; write http:// in front");
  expect_refused([](Options& o) { o.proxy = "ftp://proxy"; },
                 "proxy: the kind is unknown; http, https, socks5 and socks5h are supported");
  expect_refused([](Options& o) { o.proxy = "http://proxy/path"; },
                 "proxy: a proxy is a host and a port; something follows them");
  expect_refused([](Options& o) { o.proxy = "http://user%3Aname:password@proxy"; },
                 "proxy: a user name with a colon cannot be sent (RFC 7617)");
}

TEST(CheckOptions, tls_with_the_proxy_obeys_the_rules_of_tls) {
  expect_accepted([](Options& o) { o.proxy_tls.certificate_file = "a", o.proxy_tls.key_file = "b"; });
  expect_refused([](Options& o) { o.proxy_tls.certificate_pem = "a"; },
                 "proxy_tls.certificate_pem: a certificate without its key; set proxy_tls.key_file or "
                 "proxy_tls.key_pem");
  expect_refused([](Options& o) { o.proxy_tls.server_name = "a b"; },
                 "proxy_tls.server_name: \"a b\" is neither a host name nor an IP address");
}

TEST(CheckOptions, no_proxy_is_a_list_that_can_be_read) {
  expect_accepted([](Options& o) { o.no_proxy = "a.example, .b.example:80 10.0.0.0/8,[::1]:443 *"; });
  expect_refused([](Options& o) { o.no_proxy = "a.example,10.0.0.0/33"; },
                 "no_proxy: \"10.0.0.0/33\" is not a name, an address, address/bits or one of them with a port");
}

TEST(CheckOptions, never_repeats_what_may_be_a_password) {
  for (const char* proxy :
       {"http://user:hunter2@", "user:hunter2@proxy:3128", "http://user:hunter2/@proxy", "http://user:hunter2 @proxy",
        "http://user:hunter2@proxy:port", "socks4://user:hunter2@proxy", "hunter2://proxy", "http://a:hunter2@b@c",
        "http://user:\"hunter2\"@proxy", "http://user:hunter2#@proxy", "http://user:hunter2?@proxy"}) {
    const auto result = check(Options().derive([&](Options& o) { o.proxy = proxy; }));
    ASSERT_FALSE(result) << proxy;
    EXPECT_EQ(result.error().describe().find("hunter2"), std::string::npos) << result.error().describe();
  }
}

TEST(CheckOptions, overrides_are_host_and_port_to_an_address) {
  expect_accepted([](Options& o) { o.resolve = {{"example.org:443", "192.0.2.1"}, {"[::1]:80", "::2"}}; });
  expect_refused([](Options& o) { o.resolve = {{"010.0.0.1:80", "192.0.2.1"}}; },
                 "resolve: \"010.0.0.1:80\" is not host:port");
  expect_refused([](Options& o) { o.resolve = {{"example.org", "192.0.2.1"}}; },
                 "resolve: \"example.org\" is not host:port");
  expect_refused([](Options& o) { o.resolve = {{"example.org:0", "192.0.2.1"}}; },
                 "resolve: \"example.org:0\" is not host:port");
  expect_refused([](Options& o) { o.resolve = {{"example.org:65536", "192.0.2.1"}}; },
                 "resolve: \"example.org:65536\" is not host:port");
  expect_refused([](Options& o) { o.resolve = {{"::1:80", "192.0.2.1"}}; }, "resolve: \"::1:80\" is not host:port");
  expect_refused([](Options& o) { o.resolve = {{"example.org:443", "other.example"}}; },
                 "resolve: \"other.example\", for example.org:443, is not an IP address");
}

TEST(CheckOptions, bind_address_is_an_address) {
  expect_accepted([](Options& o) { o.bind_address = "192.0.2.1"; });
  expect_accepted([](Options& o) { o.bind_address = "2001:db8::1"; });
  expect_refused([](Options& o) { o.bind_address = "eth0"; }, "bind_address: \"eth0\" is not an IP address");
  expect_refused([](Options& o) { o.bind_address = "192.0.2.1:80"; },
                 "bind_address: \"192.0.2.1:80\" is not an IP address");
}

TEST(CheckOptions, a_user_agent_cannot_smuggle_a_header) {
  expect_accepted([](Options& o) { o.user_agent = ""; });
  expect_refused([](Options& o) { o.user_agent = "a\r\nX-Admin: 1"; }, "user_agent: it holds a control character");
}

}  // namespace
}  // namespace trunkline
