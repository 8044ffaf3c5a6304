// Through an HTTP proxy: absolute-form for http, a CONNECT tunnel for https. What a proxy says is never taken for what
// the origin says.
#include "support/http_test.h"

namespace trunkline::test {
namespace {

class ProxyTest : public HttpTest {
 protected:
  static Options through(const Listener& proxy, const std::string& user = "") {
    return tls_options().derive(
        [&](Options& o) { o.proxy = "http://" + user + "127.0.0.1:" + std::to_string(proxy.port()); });
  }
};

TEST_F(ProxyTest, sends_http_in_absolute_form_with_the_origins_host) {
  Listener& proxy = serve({.scenario = "proxy"});
  const Client client = make_client(through(proxy, "user:p%40ss@"));
  const Result<Response> reply = client.get("http://origin.example:8080/path?q");
  ASSERT_STATUS(reply, 200);
  const LoggedRequest sent = proxy.log().requests.at(0);
  EXPECT_EQ(sent.target, "http://origin.example:8080/path?q");
  EXPECT_EQ(sent.field("Host"), "origin.example:8080");
  EXPECT_EQ(sent.field("Proxy-Authorization"), "Basic dXNlcjpwQHNz");
}

TEST_F(ProxyTest, tunnels_https_and_keeps_credentials_out_of_the_tunnel) {
  Listener& origin = serve({.certificate = &server_certificate()});
  do_not_compare(origin);  // the proxy dials it
  Listener& proxy = serve({.scenario = "proxy"});
  const Client client = make_client(through(proxy, "user:pass@"));
  for (int i = 0; i < 3; ++i) ASSERT_STATUS(client.get(origin.url("/inside")), 200);
  const ServerLog proxied = proxy.log();
  ASSERT_EQ(proxied.requests.size(), 1U);
  EXPECT_EQ(proxied.requests[0].method, "CONNECT");
  EXPECT_EQ(proxied.requests[0].target, "127.0.0.1:" + std::to_string(origin.port()));
  EXPECT_EQ(proxied.requests[0].field("Host"), proxied.requests[0].target);
  EXPECT_EQ(proxied.requests[0].field("Proxy-Authorization"), "Basic dXNlcjpwYXNz");
  const ServerLog log = origin.log();
  EXPECT_EQ(log.accepts, 1);
  ASSERT_EQ(log.requests.size(), 3U);
  EXPECT_EQ(log.requests[0].target, "/inside");
  EXPECT_EQ(log.requests[0].field("Proxy-Authorization"), "(none)");
}

TEST_F(ProxyTest, verifies_the_origin_inside_the_tunnel) {
  const Certificate bad = other_authority().issue();
  Listener& origin = serve({.certificate = &bad});
  do_not_compare(origin);  // the proxy dials it
  Listener& proxy = serve({.scenario = "proxy"});
  const Client client = make_client(through(proxy));
  EXPECT_FAILS(client.get(origin.url()), ErrorCode::tls_untrusted);
  EXPECT_TRUE(origin.log().requests.empty());
}

TEST_F(ProxyTest, F17_a_refused_connect_fails_the_request_and_its_socket_is_never_used_again) {
  for (const std::string status : {"401", "407", "403", "502", "302"}) {
    Listener& proxy = serve({.scenario = "proxy", .settings = {{"connect", "refuse"}, {"status", status}}});
    const Client client = make_client(through(proxy));
    for (int i = 0; i < 2; ++i) {
      const Result<Response> reply = client.send(get("https://origin.example/").header("Authorization", "s3cret"));
      ASSERT_FAILS(reply, status == "407" ? ErrorCode::proxy_auth : ErrorCode::proxy_failed);
      EXPECT_EQ(reply.error().phase, Phase::proxy);
      EXPECT_EQ(reply.error().maybe_processed, MaybeProcessed::no);
      EXPECT_NE(reply.error().message.find(status), std::string::npos) << reply.error().message;
    }
    EXPECT_TRUE(proxy.wait_for_exactly("open", 0));
    const ServerLog log = proxy.log();
    for (const LoggedRequest& request : log.requests) {
      EXPECT_EQ(request.number, 1);
      EXPECT_EQ(request.head.find("s3cret"), std::string::npos) << "sent in clear to the proxy";
    }
  }
}

TEST_F(ProxyTest, a_proxy_that_breaks_the_protocol_is_a_typed_error) {
  for (const std::string how : {"close", "garbage", "flood"}) {
    Listener& proxy = serve({.scenario = "proxy", .settings = {{"connect", how}}});
    const Client client = make_client(through(proxy));
    const Result<Response> reply = client.get("https://origin.example/");
    ASSERT_FAILS(reply, ErrorCode::proxy_failed);
    EXPECT_EQ(reply.error().phase, Phase::proxy);
  }
}

TEST_F(ProxyTest, ignores_a_content_length_in_the_answer_to_connect) {
  Listener& origin = serve({.certificate = &server_certificate()});
  do_not_compare(origin);  // the proxy dials it
  Listener& proxy = serve({.scenario = "proxy", .settings = {{"connect", "length"}}});
  const Client client = make_client(through(proxy));
  ASSERT_STATUS(client.get(origin.url()), 200);
}

TEST_F(ProxyTest, a_407_from_the_origin_is_an_ordinary_response) {
  Listener& origin = serve({.certificate = &server_certificate()});
  do_not_compare(origin);  // the proxy dials it
  Listener& proxy = serve({.scenario = "proxy"});
  const Client client = make_client(through(proxy, "user:pass@"));
  ASSERT_STATUS(client.get(origin.scenario("ok", "status=407")), 407);
  EXPECT_EQ(origin.log().requests.at(0).field("Proxy-Authorization"), "(none)");
  EXPECT_EQ(proxy.log().requests.size(), 1U);
}

TEST_F(ProxyTest, is_never_read_from_the_environment) {
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  setenv("HTTP_PROXY", "http://127.0.0.1:1", 1);
  setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
  Listener& server = serve();
  ASSERT_STATUS(make_client().get(server.url()), 200);
  for (const char* name : {"http_proxy", "HTTP_PROXY", "ALL_PROXY"}) unsetenv(name);
}

TEST_F(ProxyTest, refuses_proxies_that_it_does_not_speak) {
  for (const std::string proxy : {"socks4://127.0.0.1:1", "ftp://127.0.0.1:1", "nonsense", "http://", "socks5://"}) {
    const std::shared_ptr<Transport> transport =
        make_transport(test_options().derive([&](Options& o) { o.proxy = proxy; }));
    const Result<Response> reply = Client(transport).get("http://127.0.0.1:1/");
    ASSERT_FALSE(reply) << proxy;
    EXPECT_EQ(reply.error().kind, ErrorKind::rejected) << proxy << ": " << describe(reply);
    EXPECT_EQ(transport->stats().pool.dials_started, 0U);
  }
}

}  // namespace
}  // namespace trunkline::test
