// Redirects from every origin to every other: what the servers have seen decides whether a credential has left its own.
#include <map>
#include <string>
#include <vector>

#include "support/http_test.h"

namespace trunkline::test {
namespace {

const char* const secrets[] = {"bearer-secret", "cookie-secret", "key-secret"};

Request with_credentials(Request request) {
  request.header("Authorization", "Bearer bearer-secret");
  request.header("Cookie", "sid=cookie-secret");
  request.header("X-Api-Key", "key-secret");
  return request;
}

RedirectPolicy keeping_secrets() {
  RedirectPolicy policy;
  policy.secret_headers = {"x-api-key"};
  policy.allow_downgrade = true;  // what crosses then is the question
  return policy;
}

std::string encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    char code[4];
    std::snprintf(code, sizeof code, "%%%02X", static_cast<unsigned char>(c));
    out += code;
  }
  return out;
}

std::string path_of_redirect(int status, const std::string& to, const std::string& mark) {
  return "/scenario/ok?status=" + std::to_string(status) + "&mark=" + mark + "&header=Location:" + encoded(to);
}

class ReachRedirectTest : public HttpTest {
 protected:
  Client following(const Options& options, const RedirectPolicy& policy = keeping_secrets()) {
    return Client(with_redirects(make_transport(options), policy));
  }
  static std::string redirect(const Listener& from, const std::string& to) {
    return from.url(path_of_redirect(302, to, "first"));
  }
};

// Two hosts, two ports, two schemes on each port: every pair of them, there and back.
TEST_F(ReachRedirectTest, no_credential_crosses_from_any_origin_to_any_other_nor_comes_back) {
  Listener* const ports[] = {&serve({.certificate = &server_certificate(), .tls_optional = true}),
                             &serve({.certificate = &server_certificate(), .tls_optional = true})};
  struct Origin {
    std::string text;
    const Listener* server;
  };
  std::vector<Origin> origins;
  for (const Listener* server : ports) {
    for (const std::string scheme : {"http", "https"}) {
      for (const std::string host : {"127.0.0.1", "localhost"}) {
        origins.push_back({scheme + "://" + host + ":" + std::to_string(server->port()), server});
      }
    }
  }
  const Client client = following(tls_options());
  struct Hop {
    std::string mark;
    bool may_have_them;
    std::string what;
  };
  std::map<const Listener*, std::vector<Hop>> expected;
  int number = 0;
  for (const int status : {302, 307}) {
    for (const Origin& from : origins) {
      for (const Origin& to : origins) {
        const std::string id = std::to_string(++number);
        const bool same = &from == &to;
        const std::string what = std::to_string(status) + " " + from.text + " -> " + to.text;
        const std::string back = from.text + "/back?mark=c" + id + "-";
        const std::string there = to.text + path_of_redirect(status, back, "b" + id + "-");
        const std::string start = from.text + path_of_redirect(status, there, "a" + id + "-");
        Request request = status == 302 ? get(start) : post(start, "body");
        ASSERT_STATUS(client.send(with_credentials(std::move(request))), 200) << what;
        expected[from.server].push_back({"mark=a" + id + "-", true, what + ": the first hop"});
        expected[to.server].push_back({"mark=b" + id + "-", same, what + ": the second hop"});
        expected[from.server].push_back({"mark=c" + id + "-", same, what + ": the way back"});
      }
    }
  }
  EXPECT_EQ(number, 2 * 8 * 8);
  for (const auto& [server, hops] : expected) {
    std::map<std::string, LoggedRequest> by_mark;
    for (LoggedRequest& request : server->log().requests) {
      const std::size_t at = request.target.find("mark=");
      ASSERT_NE(at, std::string::npos);
      const std::string mark = request.target.substr(at, request.target.find('-', at) + 1 - at);
      by_mark[mark] = std::move(request);
    }
    for (const Hop& hop : hops) {
      ASSERT_TRUE(by_mark.contains(hop.mark)) << hop.what;
      const LoggedRequest& seen = by_mark[hop.mark];
      for (const char* secret : secrets) {
        EXPECT_EQ(seen.head.find(secret) != std::string::npos, hop.may_have_them) << hop.what << ", " << secret;
      }
    }
  }
}

TEST_F(ReachRedirectTest, a_caller_cannot_send_a_proxys_credentials_to_an_origin_at_all) {
  Listener& server = serve();
  const Client client = following(test_options());
  EXPECT_FAILS(client.send(get(server.url()).header("Proxy-Authorization", "Basic cHJveHk=")),
               ErrorCode::invalid_request);
  EXPECT_EQ(server.log().accepts, 0);
}

TEST_F(ReachRedirectTest, the_proxy_and_its_credentials_are_chosen_anew_for_each_hop) {
  Listener& proxy = serve({.scenario = "proxy"});
  Listener& direct = serve();
  const Client client = following(test_options().derive([&](Options& o) {
    o.proxy = "http://user:proxy-secret@127.0.0.1:" + std::to_string(proxy.port());
    o.no_proxy = "127.0.0.1:" + std::to_string(direct.port());
  }));
  // Through the proxy, then direct, then through the proxy again; and the other way round.
  const std::string far = "http://origin.example";
  const std::string then = direct.url(path_of_redirect(302, far + "/end", "x"));
  ASSERT_STATUS(client.send(with_credentials(get(far + path_of_redirect(302, then, "x")))), 200);
  const std::string away = far + path_of_redirect(302, direct.url("/end"), "x");
  ASSERT_STATUS(client.send(with_credentials(get(direct.url(path_of_redirect(302, away, "x"))))), 200);

  const ServerLog proxied = proxy.log();
  ASSERT_EQ(proxied.requests.size(), 3U);
  for (const LoggedRequest& request : proxied.requests) EXPECT_NE(request.field("Proxy-Authorization"), "(none)");
  const ServerLog seen = direct.log();
  ASSERT_EQ(seen.requests.size(), 3U);
  for (const LoggedRequest& request : seen.requests) {
    EXPECT_EQ(request.field("Proxy-Authorization"), "(none)");
    EXPECT_TRUE(request.target.starts_with("/")) << "no absolute form where there is no proxy";
  }
  EXPECT_NE(seen.requests[1].head.find("bearer-secret"), std::string::npos) << "the second request began here";
  EXPECT_EQ(seen.requests[0].head.find("bearer-secret"), std::string::npos);
  EXPECT_EQ(seen.requests[2].head.find("bearer-secret"), std::string::npos);
}

TEST_F(ReachRedirectTest, the_origin_is_verified_behind_a_redirect_through_a_proxy) {
  const Certificate bad = other_authority().issue();
  Listener& impostor = serve({.certificate = &bad});
  do_not_compare(impostor);  // the proxy dials it
  Listener& proxy = serve({.scenario = "proxy"});
  const Client client = following(tls_options().derive([&](Options& o) { o.proxy = proxy.url(); }));
  const std::string start = "http://origin.example" + path_of_redirect(302, impostor.url("/"), "x");
  EXPECT_FAILS(client.get(start), ErrorCode::tls_untrusted);
  EXPECT_TRUE(impostor.log().requests.empty());
}

TEST_F(ReachRedirectTest, a_client_certificate_is_shown_to_the_origin_it_was_meant_for_only) {
  const std::string clients = authority().file();
  Listener& home = serve({.certificate = &server_certificate(), .client_ca = clients});
  Listener& stranger = serve({.certificate = &server_certificate(), .client_ca = clients, .version = "1.2"});
  do_not_compare(stranger);  // another transport dials it
  const Options options = tls_options().derive([](Options& o) {
    o.tls.certificate_file = client_certificate().certificate_file;
    o.tls.key_file = client_certificate().key_file;
  });
  // Also with other layers between the redirects and the transport.
  const std::shared_ptr<RoundTripper> transport = make_transport(options);
  RetryPolicy once;
  once.attempts = 1;
  for (const auto& way : {transport, with_retries(transport, once), with_breaker(with_retries(transport, once))}) {
    const Client client(with_redirects(way, keeping_secrets()));
    ASSERT_STATUS(client.get(home.url()), 200);
    EXPECT_FALSE(client.get(redirect(home, stranger.url()))) << "it asks for a certificate and gets none";
  }
  EXPECT_TRUE(stranger.log().requests.empty());
  for (const LoggedConnection& connection : stranger.log().connections) EXPECT_EQ(connection.client, "");
}

// Whoever may make us fetch a URL must not be able to send us inside by a redirect.
TEST_F(ReachRedirectTest, the_address_guard_is_asked_on_every_hop) {
  class RefuseOne final : public AddressGuard {
   public:
    bool permits(std::string_view ip) const override { return ip != "127.0.0.2"; }
    std::string name() const override { return "all but 127.0.0.2"; }
  };
  Listener& outside = serve();
  CountingServer& inside = count({.any_address = true});
  const Client client =
      following(test_options().derive([](Options& o) { o.address_guard = std::make_shared<const RefuseOne>(); }));
  ASSERT_STATUS(client.get(redirect(outside, outside.url("/fine"))), 200);
  const Result<Response> reply = client.get(redirect(outside, inside.url("127.0.0.2", "/metadata")));
  ASSERT_FAILS(reply, ErrorCode::address_refused);
  EXPECT_EQ(reply.error().maybe_processed, MaybeProcessed::yes) << "by the first server";
  EXPECT_EQ(inside.accepts(), 0);
}

TEST_F(ReachRedirectTest, goes_nowhere_but_to_http_and_https_and_not_down_nor_on_for_ever) {
  Listener& server = serve({.certificate = &server_certificate(), .tls_optional = true});
  const Client client = following(tls_options(), RedirectPolicy());
  for (const std::string there : {"file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1:70/", "unix:/x",
                                  "javascript:alert(1)", "ws://127.0.0.1/"}) {
    const Result<Response> reply = client.get(redirect(server, there));
    ASSERT_FALSE(reply) << there;
    EXPECT_EQ(reply.error().phase, Phase::done) << describe(reply);
  }
  const std::string in_clear = "http://127.0.0.1:" + std::to_string(server.port()) + "/clear";
  EXPECT_FAILS(client.get(redirect(server, in_clear)), ErrorCode::invalid_request);
  const std::size_t before = server.log().requests.size();
  std::string chain = server.url("/end");
  for (int i = 0; i < 3; ++i) chain = server.url(path_of_redirect(302, chain, "chain"));
  RedirectPolicy two;
  two.most = 2;
  EXPECT_FAILS(following(tls_options(), two).get(chain), ErrorCode::limit_exceeded);
  EXPECT_EQ(server.log().requests.size() - before, 3U);
}

}  // namespace
}  // namespace trunkline::test
