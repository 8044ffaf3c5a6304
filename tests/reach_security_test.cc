// Lines of the security checklist that no other test covers; docs/security.md says which test covers which line.
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "support/http_test.h"
#include "support/namespace.h"
#include "support/proxies.h"

namespace trunkline::test {
namespace {

// Every kind of proxy that can carry a tunnel.
class ReachSecurityTest : public HttpTest {
 protected:
  std::vector<std::string> proxies() {
    const auto at = [](const std::string& kind, int port) {
      return kind + "://user:pass@127.0.0.1:" + std::to_string(port);
    };
    std::vector<std::string> all;
    if (Tinyproxy::installed()) {
      tinyproxy_ = std::make_unique<Tinyproxy>();
      all.push_back(at("http", tinyproxy_->port()));
    }
    if (Squid::installed()) {
      squid_ = std::make_unique<Squid>(server_certificate());
      all.push_back(at("https", squid_->tls_port()));
    }
    if (Microsocks::installed()) {
      microsocks_ = std::make_unique<Microsocks>();
      all.push_back(at("socks5", microsocks_->port()));
      all.push_back(at("socks5h", microsocks_->port()));
    }
    return all;
  }
  static Options through(const std::string& proxy) {
    return tls_options().derive([&](Options& o) {
      o.proxy = proxy;
      o.proxy_tls.ca_file = authority().file();
    });
  }
  Listener& proxied(const Serve& how) {
    Listener& server = serve(how);
    do_not_compare(server);  // the proxy dials it
    return server;
  }

  std::unique_ptr<Tinyproxy> tinyproxy_;
  std::unique_ptr<Squid> squid_;
  std::unique_ptr<Microsocks> microsocks_;
};

// undici CVE-2026-9697, httpcore2 PYSEC-2026-3844: a proxy in between, and the caller's TLS settings are forgotten.
TEST_F(ReachSecurityTest, the_callers_tls_settings_hold_in_every_kind_of_tunnel) {
  Listener& wants_certificate =
      proxied({.certificate = &server_certificate(), .client_ca = authority().file(), .version = "1.2"});
  Listener& untrusted = proxied({.certificate = &server_certificate()});
  for (const std::string& proxy : proxies()) {
    SCOPED_TRACE(proxy);
    const Options plain = through(proxy);
    const Options with_certificate = plain.derive([](Options& o) {
      o.tls.certificate_file = client_certificate().certificate_file;
      o.tls.key_file = client_certificate().key_file;
    });
    wants_certificate.reset();
    ASSERT_STATUS(make_client(with_certificate).get(wants_certificate.url()), 200);
    EXPECT_EQ(wants_certificate.log().connections.back().client, "client");
    EXPECT_FALSE(make_client(plain).get(wants_certificate.url())) << "without a certificate";
    EXPECT_FALSE(make_client(with_certificate.derive([](Options& o) {
                   o.tls.minimum_version = TlsVersion::tls_1_3;
                 })).get(wants_certificate.url()))
        << "it speaks 1.2 only";
    EXPECT_FAILS(
        make_client(plain.derive([](Options& o) { o.tls.ca_file = other_authority().file(); })).get(untrusted.url()),
        ErrorCode::tls_untrusted);
    EXPECT_FAILS(make_client(plain.derive([](Options& o) { o.tls.server_name = "else.test"; })).get(untrusted.url()),
                 ErrorCode::tls_untrusted);
  }
  EXPECT_TRUE(untrusted.log().requests.empty());
}

// AHC CVE-2026-85719: over SOCKS, and within a tunnel, a 407 is the origin's and gets no credentials.
TEST_F(ReachSecurityTest, a_407_through_any_tunnel_is_the_origins_response) {
  Listener& origin = proxied({.certificate = &server_certificate()});
  Listener& clear = proxied({});
  for (const std::string& proxy : proxies()) {
    SCOPED_TRACE(proxy);
    const Client client = make_client(through(proxy));
    origin.reset();
    clear.reset();
    EXPECT_STATUS(client.get(origin.scenario("ok", "status=407&header=Proxy-Authenticate:Basic")), 407);
    EXPECT_EQ(origin.log().requests.size(), 1U) << "not asked again";
    EXPECT_EQ(origin.log().requests.at(0).field("Proxy-Authorization"), "(none)");
    if (!proxy.starts_with("socks")) continue;
    EXPECT_STATUS(client.get(clear.scenario("ok", "status=407&header=Proxy-Authenticate:Basic")), 407);
    EXPECT_EQ(clear.log().requests.size(), 1U);
    EXPECT_EQ(clear.log().requests.at(0).field("Proxy-Authorization"), "(none)");
  }
}

// The guard judges what it can see: addresses in the URL, and those that are resolved here. A name that a proxy
// resolves is the proxy's to judge.
TEST_F(ReachSecurityTest, the_address_guard_holds_through_proxies_for_all_that_is_resolved_here) {
  Listener& inside = serve();
  Listener& inside_tls = serve({.certificate = &server_certificate()});
  for (const std::string& proxy : proxies()) {
    SCOPED_TRACE(proxy);
    const Client client =
        make_client(through(proxy).derive([](Options& o) { o.address_guard = refuse_private_addresses(); }));
    std::vector<std::string> hosts{"127.0.0.1", "[::ffff:127.0.0.1]"};
    if (proxy.starts_with("socks5://")) hosts.emplace_back("localhost");
    for (const std::string& host : hosts) {
      EXPECT_FAILS(client.get(inside.url(host, "/")), ErrorCode::address_refused) << host;
      EXPECT_FAILS(client.get(inside_tls.url(host, "/")), ErrorCode::address_refused) << host;
      EXPECT_FALSE(client.connect_websocket("ws" + inside.url(host, "/").substr(4))) << host;
    }
  }
  EXPECT_EQ(inside.log().accepts + inside_tls.log().accepts, 0);
}

// Names that mean this machine or its network, in whatever form the resolver gives it.
TEST_F(ReachSecurityTest, the_address_guard_judges_what_a_name_resolves_to) {
  if (!inside_namespace("f=$(mktemp) && printf '%s\\n' '0.0.0.0 zero.test' '127.0.0.1 loopback.test' "
                        "'::ffff:127.0.0.1 mapped.test' '169.254.169.254 metadata.test' ':: zero6.test' >$f && "
                        "mount --bind $f /etc/hosts && rm $f",
                        true)) {
    return;
  }
  CountingServer& inside = count({.any_address = true});
  const Client trusting = make_client();
  for (const char* host : {"zero.test", "loopback.test", "mapped.test"}) {
    EXPECT_STATUS(trusting.get(inside.url(host, "/")), 200) << host << " does lead here";
  }
  const Client client =
      make_client(test_options().derive([](Options& o) { o.address_guard = refuse_private_addresses(); }));
  for (const char* host : {"zero.test", "zero6.test", "loopback.test", "mapped.test", "metadata.test"}) {
    EXPECT_FAILS(client.get(inside.url(host, "/")), ErrorCode::address_refused) << host;
  }
  EXPECT_EQ(inside.accepts(), 3) << "none but those of the trusting client";
}

TEST_F(ReachSecurityTest, no_host_smuggles_anything_into_what_a_proxy_is_told) {
  Listener& proxy = serve({.scenario = "proxy"});
  const std::string hosts[] = {"far\r\nX-A: b", "far\nx", "far x",   std::string("far\0x", 5),
                               "far%0d%0aX",    "far%00", "far%20x", "far\tx"};
  for (const std::string& kind : {std::string("http"), std::string("socks5h")}) {
    const std::shared_ptr<Transport> transport = make_transport(
        test_options().derive([&](Options& o) { o.proxy = kind + "://127.0.0.1:" + std::to_string(proxy.port()); }));
    for (const std::string& host : hosts) {
      for (const std::string& scheme : {std::string("https"), std::string("wss")}) {
        const Client client(transport);
        const std::string url = scheme + "://" + host + ":443/";
        const bool websocket = scheme == "wss";
        EXPECT_FALSE(websocket ? client.connect_websocket(url).has_value() : client.get(url).has_value()) << url;
      }
    }
    EXPECT_EQ(transport->stats().pool.dials_started, 0U);
  }
  EXPECT_EQ(proxy.log().accepts, 0);
}

// One level of a name, and never all of a top-level domain.
TEST_F(ReachSecurityTest, a_wildcard_for_a_whole_top_level_domain_is_not_trusted) {
  const Certificate wide = authority().issue({.common_name = "x", .names = "DNS:*.test"});
  Listener& server = serve({.certificate = &wide});
  const Client client = make_client(tls_options().derive(
      [&](Options& o) { o.resolve.emplace_back("victim.test:" + std::to_string(server.port()), "127.0.0.1"); }));
  EXPECT_FAILS(client.get(server.url("victim.test", "/")), ErrorCode::tls_untrusted);
}

// curl CVE-2025-5399: a peer that neither reads nor says anything must not keep a processor busy.
TEST_F(ReachSecurityTest, a_websocket_that_can_neither_send_nor_receive_costs_no_cpu) {
  Listener& server = serve({.settings = {{"receive_buffer", "65536"}}});
  WebSocketOptions options;
  options.send_queue_bytes = 1 << 20;
  options.close_timeout = milliseconds(100);
  Result<WebSocket> socket = make_client().connect_websocket(server.scenario("websocket", "then=deaf"), options);
  ASSERT_GOOD(socket);
  // Its buffers are full, and ours hold more.
  socket->start_send_binary(std::string(16 << 20, 'x'), [](const Result<void>&) {});
  const auto cpu = [] {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
  };
  const auto before = cpu();
  EXPECT_FAILS(socket->receive(milliseconds(500)), ErrorCode::timeout_idle_read);
  EXPECT_LT(cpu() - before, slowed(150, 400)) << "of 500 ms in which nothing could be done";
  server.release();
}

}  // namespace
}  // namespace trunkline::test
