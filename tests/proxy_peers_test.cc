// Through real proxies: tinyproxy, squid and HAProxy in clear and in TLS, microsocks, dante. Every one carries http and
// https, its tunnels are pooled, and credentials that are wrong fail the request; nothing ever goes direct instead.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "support/http_test.h"
#include "support/proxies.h"

namespace trunkline::test {
namespace {

class ProxyPeersTest : public HttpTest {
 protected:
  static Options through(const std::string& proxy) {
    return tls_options().derive([&](Options& o) { o.proxy = proxy; });
  }
  static std::string at(const std::string& kind, int port, const std::string& user = "user:pass@") {
    return kind + "://" + user + "127.0.0.1:" + std::to_string(port);
  }

  // Three requests each in clear and in TLS; `name` is how the origin is called.
  void expect_carries(const Options& options, const std::string& name) {
    Listener& clear = serve();
    Listener& secure = serve({.certificate = &server_certificate()});
    do_not_compare(clear);  // the proxy dials them
    do_not_compare(secure);
    const Client client = make_client(options);
    for (int i = 0; i < 3; ++i) {
      ASSERT_STATUS(client.get(clear.url(name, "/clear?q")), 200);
      ASSERT_STATUS(client.get(secure.url(name, "/secure?q")), 200);
    }
    // The tunnel is pooled, so the origin was dialled once, by the proxy.
    const ServerLog log = secure.log();
    EXPECT_EQ(log.accepts, 1);
    ASSERT_EQ(log.requests.size(), 3U);
    EXPECT_EQ(route_of(stats(), secure.port()).counters.dials_started, 1U);
    for (const LoggedRequest& request : log.requests) {
      EXPECT_EQ(request.target, "/secure?q");
      EXPECT_EQ(request.field("Proxy-Authorization"), "(none)");
    }
    for (const LoggedRequest& request : clear.log().requests) {
      EXPECT_EQ(request.field("Proxy-Authorization"), "(none)") << "the proxy's own";
    }
  }

  // Neither origin is ever reached.
  void expect_refuses(const Options& options, ErrorCode code, Phase phase = Phase::proxy) {
    Listener& clear = serve();
    Listener& secure = serve({.certificate = &server_certificate()});
    const Client client = make_client(options);
    const bool is_socks = options.proxy.starts_with("socks");
    for (const std::string& url : {secure.url("/"), is_socks ? clear.url("/") : secure.url("/again")}) {
      const Result<Response> reply = client.send(get(url).header("Authorization", "s3cret"));
      ASSERT_FAILS(reply, code);
      EXPECT_EQ(reply.error().phase, phase);
      EXPECT_EQ(reply.error().maybe_processed, MaybeProcessed::no);
      EXPECT_EQ(reply.error().describe().find("wrong"), std::string::npos) << reply.error().describe();
    }
    EXPECT_EQ(clear.log().accepts, 0);
    EXPECT_EQ(secure.log().accepts, 0);
  }
};

TEST_F(ProxyPeersTest, tinyproxy_carries_http_and_https) {
  if (!Tinyproxy::installed()) GTEST_SKIP() << "needs tinyproxy";
  const Tinyproxy proxy;
  expect_carries(through(at("http", proxy.port())), "127.0.0.1");
  expect_refuses(through(at("http", proxy.port(), "user:wrong@")), ErrorCode::proxy_failed);  // it answers 401
  expect_refuses(through(at("http", proxy.port(), "")), ErrorCode::proxy_auth);
}

TEST_F(ProxyPeersTest, squid_carries_http_and_https_in_clear_and_in_tls) {
  if (!Squid::installed()) GTEST_SKIP() << "needs squid-openssl";
  const Squid proxy(server_certificate());
  expect_carries(through(at("http", proxy.port())), "127.0.0.1");
  Options in_tls = through(at("https", proxy.tls_port()));
  in_tls.proxy_tls.ca_file = authority().file();
  expect_carries(in_tls, "127.0.0.1");
  expect_refuses(in_tls.derive([&](Options& o) { o.proxy = at("https", proxy.tls_port(), "user:wrong@"); }),
                 ErrorCode::proxy_auth);
}

TEST_F(ProxyPeersTest, squid_is_verified_with_its_own_settings) {
  if (!Squid::installed()) GTEST_SKIP() << "needs squid-openssl";
  const Certificate other = other_authority().issue();
  const Squid proxy(other);
  // What `tls` trusts, or does not, is the origin's affair.
  const Options of_origin = through(at("https", proxy.tls_port()));
  expect_refuses(of_origin, ErrorCode::tls_untrusted);
  expect_refuses(of_origin.derive([](Options& o) { o.tls.insecure_skip_verify = true; }), ErrorCode::tls_untrusted);
  Listener& origin = serve({.certificate = &other});
  do_not_compare(origin);
  const Client client =
      make_client(of_origin.derive([](Options& o) { o.proxy_tls.ca_file = other_authority().file(); }));
  EXPECT_FAILS(client.get(origin.url()), ErrorCode::tls_untrusted);
  EXPECT_TRUE(origin.log().requests.empty()) << "trusting the proxy is not trusting the origin";
}

TEST_F(ProxyPeersTest, squid_sees_one_tunnel_for_many_requests_and_one_for_each_identity) {
  if (!Squid::installed()) GTEST_SKIP() << "needs squid-openssl";
  const Squid proxy(server_certificate());
  Listener& origin = serve({.certificate = &server_certificate()});
  do_not_compare(origin);
  std::vector<std::shared_ptr<Transport>> used;
  const auto ask = [&](const Options& options) {
    for (int i = 0; i < 4; ++i) EXPECT_STATUS(Client(shared_transport(options)).get(origin.url()), 200);
    used.push_back(transport());
  };
  Options in_tls = through(at("https", proxy.tls_port()));
  in_tls.proxy_tls.ca_file = authority().file();
  ask(through(at("http", proxy.port())));
  ask(in_tls);
  ask(in_tls.derive([](Options& o) { o.proxy_tls.minimum_version = TlsVersion::tls_1_3; }));
  EXPECT_EQ(origin.log().accepts, 3) << "another kind of proxy, another TLS with it: another connection";
  for (const auto& each : used) each->invalidate();  // squid writes its line when a tunnel is over
  const std::vector<std::string> lines = proxy.log(3);
  EXPECT_EQ(std::count_if(lines.begin(), lines.end(), [](const auto& line) { return line.starts_with("CONNECT "); }),
            3);
}

TEST_F(ProxyPeersTest, haproxy_in_front_carries_http_and_https_in_clear_and_in_tls) {
  if (!Haproxy::installed()) GTEST_SKIP() << "needs haproxy and tinyproxy";
  const Haproxy proxy(server_certificate());
  expect_carries(through(at("http", proxy.port())), "127.0.0.1");
  Options in_tls = through(at("https", proxy.tls_port()));
  in_tls.proxy_tls.ca_file = authority().file();
  expect_carries(in_tls, "127.0.0.1");
  for (const char* user : {"user:wrong@", ""}) {
    expect_refuses(in_tls.derive([&](Options& o) { o.proxy = at("https", proxy.tls_port(), user); }),
                   ErrorCode::proxy_auth);
  }
}

TEST_F(ProxyPeersTest, dante_carries_http_and_https_for_who_logs_in) {
  if (!Dante::installed()) GTEST_SKIP() << "needs dante-server, and namespaces";
  const Dante proxy;
  for (const char* kind : {"socks5", "socks5h"}) {
    for (const char* name : {"localhost", "127.0.0.1"}) expect_carries(through(at(kind, proxy.port())), name);
  }
  expect_refuses(through(at("socks5h", proxy.port(), "user:wrong@")), ErrorCode::proxy_auth);
  expect_refuses(through(at("socks5h", proxy.port(), "")), ErrorCode::proxy_auth);
}

TEST_F(ProxyPeersTest, microsocks_carries_http_and_https_by_name_and_by_address) {
  if (!Microsocks::installed()) GTEST_SKIP() << "needs microsocks";
  const Microsocks proxy;
  for (const char* kind : {"socks5", "socks5h"}) {
    for (const char* name : {"localhost", "127.0.0.1"}) expect_carries(through(at(kind, proxy.port())), name);
  }
}

TEST_F(ProxyPeersTest, microsocks_refuses_who_does_not_log_in) {
  if (!Microsocks::installed()) GTEST_SKIP() << "needs microsocks";
  const Microsocks proxy;
  expect_refuses(through(at("socks5h", proxy.port(), "user:wrong@")), ErrorCode::proxy_auth);
  expect_refuses(through(at("socks5h", proxy.port(), "")), ErrorCode::proxy_auth);
}

TEST_F(ProxyPeersTest, microsocks_connections_are_kept_apart_by_credentials_and_kind) {
  if (!Microsocks::installed()) GTEST_SKIP() << "needs microsocks";
  const Microsocks proxy(false);
  Listener& origin = serve();
  do_not_compare(origin);
  for (const std::string& url : {at("socks5", proxy.port(), ""), at("socks5h", proxy.port(), ""),
                                 at("socks5h", proxy.port(), "a:b@"), at("socks5h", proxy.port(), "a:c@")}) {
    for (int i = 0; i < 2; ++i) EXPECT_STATUS(Client(shared_transport(through(url))).get(origin.url()), 200) << url;
  }
  const ServerLog log = origin.log();
  EXPECT_EQ(log.accepts, 4);
  for (const LoggedRequest& request : log.requests) {
    EXPECT_EQ(request.target, "/") << "origin-form: SOCKS is no HTTP proxy";
    EXPECT_EQ(request.field("Proxy-Authorization"), "(none)");
  }
}

TEST_F(ProxyPeersTest, what_a_socks_proxy_cannot_reach_is_a_typed_error) {
  if (!Microsocks::installed()) GTEST_SKIP() << "needs microsocks";
  const Microsocks proxy;
  const Client client = make_client(through(at("socks5h", proxy.port())));
  const Result<Response> reply = client.get("http://127.0.0.1:" + std::to_string(free_port()) + "/");
  ASSERT_FAILS(reply, ErrorCode::proxy_failed);
  EXPECT_NE(reply.error().message.find("refused the proxy's connection"), std::string::npos) << reply.error().message;
}

TEST_F(ProxyPeersTest, a_proxy_that_is_down_fails_the_request_and_nothing_goes_direct) {
  const int nobody = free_port();
  for (const char* kind : {"http", "https", "socks5", "socks5h"}) {
    expect_refuses(through(at(kind, nobody)), ErrorCode::connect_failed, Phase::connect);
  }
}

TEST_F(ProxyPeersTest, no_proxy_goes_direct_for_those_it_names_only) {
  const int nobody = free_port();
  Listener& origin = serve();
  const Options options = through(at("socks5h", nobody)).derive([&](Options& o) {
    o.no_proxy = "127.0.0.1:" + std::to_string(origin.port());
  });
  const Client client = make_client(options);
  ASSERT_STATUS(client.get(origin.url()), 200);
  EXPECT_EQ(origin.log().requests.at(0).target, "/");
  EXPECT_FAILS(client.get("http://127.0.0.1:1/"), ErrorCode::connect_failed);
  EXPECT_FAILS(client.get("http://localhost:" + std::to_string(origin.port()) + "/"), ErrorCode::connect_failed);
  const Result<Response> zone = client.get("http://[::1%25lo]:1/");
  ASSERT_FAILS(zone, ErrorCode::unsupported);
}

}  // namespace
}  // namespace trunkline::test
