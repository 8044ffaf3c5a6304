// What executors need that call providers through a proxy of each credential, and whose proxy is taken where several
// are named. Servers count; what they have not seen has not been sent.
#include <array>
#include <atomic>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "support/h2_test.h"
#include "support/http_test.h"
#include "support/proxies.h"

namespace trunkline::test {
namespace {

class ReachServicesTest : public HttpTest {
 protected:
  // A client as an executor makes one for each call. The fixture looks at the pool behind it when the test ends.
  Client for_call(const Way& way, const Options& options = tls_options()) { return Client(choose(way, options)); }
  void watch(const std::string& proxy, const Options& options = tls_options()) {
    shared_transport(options.derive([&](Options& o) { o.proxy = proxy; }));
  }
  template <class Server>
  Server& proxied(Server& server) {
    do_not_compare(server);  // the proxy dials it
    return server;
  }
  static std::string at(const std::string& kind, int port, const std::string& user = "") {
    return kind + "://" + user + "127.0.0.1:" + std::to_string(port);
  }
};

// --- 1: many calls, few connections

TEST_F(ReachServicesTest,
       T1_fifty_calls_through_a_credentials_or_a_global_proxy_use_one_h2_connection_or_one_per_caller) {
  if (!Microsocks::installed() || !Tinyproxy::installed()) GTEST_SKIP() << "needs tinyproxy and microsocks";
  constexpr int calls = 50;
  constexpr int callers = 5;
  for (const bool h2 : {true, false}) {
    for (const bool socks : {false, true}) {
      const Tinyproxy http_one, http_two;
      const Microsocks socks_one, socks_two;
      const auto& one = socks ? static_cast<const RealProxy&>(socks_one) : http_one;
      const auto& two = socks ? static_cast<const RealProxy&>(socks_two) : http_two;
      const std::string kind = socks ? "socks5h" : "http";
      const std::string credential = at(kind, one.port(), "user:pass@");
      const std::string configured = at(kind, two.port(), "user:pass@");
      const Way ways[] = {{credential, "", nullptr}, {"", configured, nullptr}, {credential, configured, nullptr}};
      for (const Way& way : ways) {
        SCOPED_TRACE(std::string(h2 ? "h2 " : "h1 ") + kind + (way.credential_proxy.empty() ? "" : ", credential's") +
                     (way.configured_proxy.empty() ? "" : ", configured"));
        const std::string& used = way.credential_proxy.empty() ? way.configured_proxy : way.credential_proxy;
        const RealProxy& proxy = way.credential_proxy.empty() ? two : one;
        const RealProxy& other = way.credential_proxy.empty() ? one : two;
        const int before = proxy.connections();
        const int others = other.connections();
        H2Server& multiplexed = proxied(serve_h2({.certificate = &server_certificate()}));
        CountingServer& plain = proxied(count({.certificate = &server_certificate()}));
        watch(used);
        on_threads(callers, [&](int caller) {
          for (int i = 0; i < calls / callers; ++i) {
            const std::string path = "/" + std::to_string(caller * calls + i);
            const Result<Response> reply = for_call(way).get(h2 ? multiplexed.url(path) : plain.url(path));
            EXPECT_STATUS(reply, 200);
            EXPECT_TRUE(reply && reply->body == path);
          }
        });
        EXPECT_TRUE(eventually([&] { return stats().pool.dialing == 0; })) << "dials that nobody waits for any more";
        const std::int64_t accepts = h2 ? multiplexed.accepts() : plain.accepts();
        EXPECT_EQ(h2 ? multiplexed.requests() : plain.requests(), calls);
        EXPECT_GE(accepts, 1);
        EXPECT_LE(accepts, h2 ? 1 : callers);
        EXPECT_TRUE(eventually([&] { return proxy.connections() - before == accepts; }))  // it writes its log late
            << "each was dialled through the proxy that was meant: " << proxy.connections() - before << " of "
            << accepts;
        EXPECT_EQ(other.connections(), others) << "and none through the other";
      }
    }
  }
}

// --- 2: a proxy that cannot be used

TEST_F(ReachServicesTest, T2_unparsable_refused_and_407_proxies_let_no_byte_reach_the_target) {
  CountingServer& clear = count();
  CountingServer& secure = count({.certificate = &server_certificate()});
  Listener& wants_login = proxied(serve({.scenario = "proxy", .settings = {{"connect", "refuse"}, {"status", "407"}}}));
  struct Row {
    std::string proxy;
    ErrorKind kind;
    bool answers_http;  // a request in absolute form is the proxy's to answer
  };
  const int nobody = free_port();
  std::vector<Row> rows{{"http://exa mple:3128", ErrorKind::rejected, false},
                        {"http://127.0.0.1:port", ErrorKind::rejected, false},
                        {"gopher://127.0.0.1:70", ErrorKind::rejected, false},
                        {"127.0.0.1", ErrorKind::rejected, false},
                        {at("http", nobody), ErrorKind::unreachable, false},
                        {at("https", nobody), ErrorKind::unreachable, false},
                        {at("socks5", nobody), ErrorKind::unreachable, false},
                        {at("socks5h", nobody), ErrorKind::unreachable, false},
                        {at("http", wants_login.port()), ErrorKind::unreachable, true}};
  std::unique_ptr<Microsocks> socks;
  if (Microsocks::installed()) {
    socks = std::make_unique<Microsocks>();
    rows.push_back({at("socks5h", socks->port(), "user:wrong@"), ErrorKind::unreachable, false});
  }
  for (const Row& row : rows) {
    SCOPED_TRACE(row.proxy);
    watch(row.proxy);
    // Neither the configured proxy's place nor a way of the caller's own takes over from a credential's that fails.
    const auto direct = make_transport();
    for (const Way& way : {Way{row.proxy, "", nullptr}, Way{"", row.proxy, nullptr}, Way{row.proxy, "direct", direct},
                           Way{"", row.proxy, direct}}) {
      const Client client = for_call(way);
      std::vector<std::string> urls{secure.url()};
      if (!row.answers_http) urls.push_back(clear.url());
      for (const std::string& url : urls) {
        const Result<Response> reply = client.send(get(url).header("Authorization", "s3cret"));
        ASSERT_FALSE(reply);
        EXPECT_EQ(reply.error().kind, row.kind) << describe(reply);
        EXPECT_EQ(reply.error().maybe_processed, MaybeProcessed::no);
      }
      const Result<WebSocket> socket = client.connect_websocket("ws" + clear.url().substr(4));
      EXPECT_FALSE(socket);
    }
  }
  EXPECT_EQ(clear.accepts(), 0);
  EXPECT_EQ(secure.accepts(), 0);
  for (const LoggedRequest& request : wants_login.log().requests) {
    EXPECT_EQ(request.head.find("s3cret"), std::string::npos) << "in clear to the proxy";
  }
}

TEST_F(ReachServicesTest, T2_a_407_to_a_request_in_clear_is_the_proxys_answer_and_the_target_sees_nothing) {
  if (!Squid::installed()) GTEST_SKIP() << "needs squid-openssl";
  const Squid proxy(server_certificate());
  CountingServer& target = count();
  const std::string wrong = at("http", proxy.port(), "user:wrong@");
  watch(wrong);
  EXPECT_STATUS(for_call({wrong, "", nullptr}).get(target.url()), 407);
  EXPECT_EQ(target.accepts(), 0);
}

// --- 3: isolation

TEST_F(ReachServicesTest, T3_two_credentials_share_a_connection_through_one_proxy_unless_they_are_isolated) {
  if (!Microsocks::installed() || !Tinyproxy::installed()) GTEST_SKIP() << "needs tinyproxy and microsocks";
  const Tinyproxy http_proxy;
  const Microsocks socks_proxy;
  for (const std::string& proxy :
       {std::string(), at("http", http_proxy.port(), "user:pass@"), at("socks5h", socks_proxy.port(), "user:pass@")}) {
    for (const bool isolated : {false, true}) {
      SCOPED_TRACE(proxy + (isolated ? ", isolated" : ", shared"));
      Listener& origin = proxied(serve({.certificate = &server_certificate()}));
      for (int round = 0; round < 3; ++round) {
        for (const std::string credential : {"alice", "bob"}) {
          const Options options = tls_options().derive([&](Options& o) {
            if (isolated) o.isolation = "credential " + credential;
          });
          watch(proxy, options);
          Request request = get(origin.url());
          request.header("Authorization", "Bearer " + credential);
          EXPECT_STATUS(for_call({proxy, "", nullptr}, options).send(std::move(request)), 200);
        }
      }
      const ServerLog log = origin.log();
      ASSERT_EQ(log.requests.size(), 6U);
      EXPECT_EQ(log.accepts, isolated ? 2 : 1);
      std::set<std::pair<int, std::string>> seen;  // connection and credential
      for (const LoggedRequest& request : log.requests) {
        seen.emplace(request.connection, request.field("Authorization"));
        EXPECT_EQ(request.head.find("credential "), std::string::npos) << "the tag is never sent";
      }
      EXPECT_EQ(seen.size(), 2U) << (isolated ? "one connection each" : "two on one connection");
    }
  }
}

// --- 19: a transport that goes away under a stream

TEST_F(ReachServicesTest, T19_a_stream_finishes_when_its_transport_is_evicted) {
  for (const bool h2 : {false, true}) {
    for (const std::string how : {"dropped", "invalidated", "drained", "nobody else's"}) {
      SCOPED_TRACE(how + (h2 ? ", h2" : ", h1"));
      Listener& plain = serve();
      H2Server& multiplexed = serve_h2();
      const Options options = test_options().derive([&](Options& o) {
        if (h2) o.protocol = Protocol::h2c;
        o.isolation = how + (h2 ? "2" : "1");
      });
      // Of its own, no cache has it either: only the stream is left to hold it.
      const bool own = how == "nobody else's";
      if (own) h2 ? do_not_compare(multiplexed) : do_not_compare(plain);  // its pool is not looked at
      std::shared_ptr<Transport> transport = own ? Transport::create(options) : Transport::shared(options);
      Result<ResponseStream> stream =
          Client(transport).open(get(h2 ? multiplexed.url("/head") : plain.scenario("hold", "after=head&token=first")));
      ASSERT_GOOD(stream);
      if (how == "invalidated") transport->invalidate();
      if (how == "drained") {
        EXPECT_FALSE(transport->drain(milliseconds(1))) << "the stream is under way";
      }
      transport.reset();
      // Whoever asks now gets a connection; of a transport that was drained, a new one.
      const std::shared_ptr<Transport> next = shared_transport(options);
      EXPECT_STATUS(Client(next).get(h2 ? multiplexed.url("/next") : plain.url("/next")), 200);

      h2 ? multiplexed.release() : plain.release();
      std::string body;
      std::array<char, 256> buffer;
      for (;;) {
        const Result<std::size_t> size = stream->read(buffer);
        ASSERT_GOOD(size);
        if (*size == 0) break;
        body.append(buffer.data(), *size);
      }
      EXPECT_EQ(body, h2 ? "/head" : "firstmore");
    }
  }
}

// --- S2: which way a call goes

TEST_F(ReachServicesTest, S2_the_credentials_proxy_comes_first_then_the_configured_then_the_callers_then_the_default) {
  Listener& credential = serve({.scenario = "proxy"});
  Listener& configured = serve({.scenario = "proxy"});
  Listener& own = serve({.scenario = "proxy"});
  Listener& target = serve();
  const auto supplied = make_transport(test_options().derive([&](Options& o) { o.proxy = own.url(); }));
  const std::string before = supplied->fingerprint();
  // All sixteen combinations; the answer is the log of whoever saw the request.
  for (int mask = 0; mask < 16; ++mask) {
    const bool direct = (mask & 8) != 0;  // the credential says so
    Way way;
    if ((mask & 1) != 0) way.credential_proxy = credential.url();
    if (direct) way.credential_proxy = "direct";
    if ((mask & 2) != 0) way.configured_proxy = configured.url();
    if ((mask & 4) != 0) way.round_tripper = supplied;
    const Listener& expected = direct            ? target
                               : (mask & 1) != 0 ? credential
                               : (mask & 2) != 0 ? configured
                               : (mask & 4) != 0 ? own
                                                 : target;
    watch(way.credential_proxy.empty() ? way.configured_proxy : way.credential_proxy, test_options());
    const std::string path = "/" + std::to_string(mask);
    EXPECT_STATUS(for_call(way, test_options()).get(target.url(path)), 200);
    for (const Listener* place : {&credential, &configured, &own, &target}) {
      int seen = 0;
      for (const LoggedRequest& request : place->log().requests) seen += request.target.ends_with(path);
      EXPECT_EQ(seen, place == &expected ? 1 : 0) << "mask " << mask;
    }
  }
  EXPECT_EQ(supplied->fingerprint(), before) << "what a caller supplies is used as it is";
}

TEST_F(ReachServicesTest, S2_a_thousand_calls_with_five_proxies_use_five_transports) {
  std::vector<Listener*> proxies;
  for (int i = 0; i < 5; ++i) {
    proxies.push_back(&serve({.scenario = "proxy"}));
    watch(proxies.back()->url(), test_options());
  }
  constexpr int callers = 4;
  const int calls = scaled(1000, 200);
  std::mutex mutex;
  std::set<RoundTripper*> transports;
  on_threads(callers, [&](int caller) {
    for (int i = caller; i < calls; i += callers) {
      const Way way{proxies[static_cast<std::size_t>(i) % proxies.size()]->url(), "", nullptr};
      const std::shared_ptr<RoundTripper> chosen = choose(way, test_options());
      {
        const std::lock_guard lock(mutex);
        transports.insert(chosen.get());
      }
      EXPECT_STATUS(Client(chosen).get("http://origin.example/"), 200);
    }
  });
  EXPECT_EQ(transports.size(), proxies.size());
  for (const Listener* proxy : proxies) {
    EXPECT_EQ(proxy->log().requests.size(), static_cast<std::size_t>(calls) / proxies.size());
    EXPECT_LE(proxy->log().accepts, callers);
  }
}

}  // namespace
}  // namespace trunkline::test
