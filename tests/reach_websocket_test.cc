// WebSockets through every kind of proxy, in clear and in TLS, against another implementation.
#include <memory>
#include <string>
#include <vector>

#include "support/http_test.h"
#include "support/proxies.h"

namespace trunkline::test {
namespace {

// Debian's python3-websockets.
class EchoServer {
 public:
  explicit EchoServer(const Certificate* certificate)
      : secure_(certificate != nullptr), process_(arguments(certificate)), port_(process_.read_line()) {}
  std::string url(std::string_view host = "127.0.0.1") const {
    return (secure_ ? "wss://" : "ws://") + std::string(host) + ":" + port_ + "/echo";
  }

 private:
  static std::vector<std::string> arguments(const Certificate* certificate) {
    std::vector<std::string> words{"/usr/bin/python3", TRUNKLINE_TESTS_DIR "/support/websocket_server.py"};
    if (certificate != nullptr) words.insert(words.end(), {certificate->certificate_file, certificate->key_file});
    return words;
  }
  bool secure_;
  Process process_;
  std::string port_;
};

struct Proxied {
  std::string url;
  const RealProxy* proxy;
};

class ReachWebSocketTest : public HttpTest {
 protected:
  void SetUp() override {
    if (!Squid::installed() || !Tinyproxy::installed() || !Microsocks::installed()) {
      GTEST_SKIP() << "needs tinyproxy, squid-openssl and microsocks";
    }
    tinyproxy_ = std::make_unique<Tinyproxy>();
    squid_ = std::make_unique<Squid>(server_certificate());
    microsocks_ = std::make_unique<Microsocks>();
  }
  static std::string at(const std::string& kind, int port, const std::string& login = "user:pass") {
    return kind + "://" + login + "@127.0.0.1:" + std::to_string(port);
  }
  std::vector<Proxied> proxies() const {
    return {{at("http", tinyproxy_->port()), tinyproxy_.get()},
            {at("http", squid_->port()), squid_.get()},
            {at("https", squid_->tls_port()), squid_.get()},
            {at("socks5", microsocks_->port()), microsocks_.get()},
            {at("socks5h", microsocks_->port()), microsocks_.get()}};
  }
  static Options through(const std::string& proxy) {
    return tls_options().derive([&](Options& o) {
      o.proxy = proxy;
      o.proxy_tls.ca_file = authority().file();
    });
  }

  std::unique_ptr<Tinyproxy> tinyproxy_;
  std::unique_ptr<Squid> squid_;
  std::unique_ptr<Microsocks> microsocks_;
};

TEST_F(ReachWebSocketTest, ws_and_wss_echo_through_every_kind_of_proxy) {
  const EchoServer clear(nullptr);
  const EchoServer secure(&server_certificate());
  const std::string long_text(300'000, 'x');
  for (const Proxied& way : proxies()) {
    for (const EchoServer* server : {&clear, &secure}) {
      SCOPED_TRACE(way.url + " to " + server->url());
      const int before = way.proxy->connections();
      const Client client = make_client(through(way.url));
      constexpr int sockets = 2;
      for (int i = 0; i < sockets; ++i) {
        Result<WebSocket> socket = client.connect_websocket(server->url("localhost"));
        ASSERT_GOOD(socket);
        for (const std::string& text : {std::string("hello"), long_text}) {
          ASSERT_GOOD(socket->send_text(text));
          const Result<WebSocketMessage> reply = socket->receive(seconds(30));
          ASSERT_GOOD(reply);
          EXPECT_TRUE(reply->data == text) << reply->data.size() << " bytes";
        }
        // The one before ends with the server's FIN, which may come behind its close frame.
        EXPECT_TRUE(eventually([&] { return stats().pool.upgraded == 1; }));
        ASSERT_GOOD(socket->close());
      }
      EXPECT_TRUE(eventually([&] { return way.proxy->connections() - before >= sockets; }));
      EXPECT_EQ(way.proxy->connections() - before, sockets) << "each through a tunnel of its own";
    }
  }
  for (const std::string& line : squid_->log(0)) {
    EXPECT_TRUE(line.starts_with("CONNECT localhost:")) << "the proxy saw more than a tunnel: " << line;
  }
}

// What httpcore and undici got wrong: wss in clear, or with nobody's settings, because a proxy lies in between.
TEST_F(ReachWebSocketTest, wss_verifies_the_server_with_the_callers_settings_behind_every_kind_of_proxy) {
  const Certificate untrusted = other_authority().issue();
  Listener& impostor = serve({.certificate = &untrusted});
  do_not_compare(impostor);  // the proxy dials it
  Listener& clear = serve();
  do_not_compare(clear);
  for (const Proxied& way : proxies()) {
    SCOPED_TRACE(way.url);
    const Client client = make_client(through(way.url));
    const auto wss = [](const Listener& server) { return "wss://127.0.0.1:" + std::to_string(server.port()) + "/"; };
    EXPECT_FAILS(client.connect_websocket(wss(impostor)), ErrorCode::tls_untrusted);
    // It waits for a request in clear, and we for its part of the handshake.
    const Client hasty = make_client(through(way.url).derive([](Options& o) { o.timeouts.tls = milliseconds(200); }));
    const Result<WebSocket> in_clear = hasty.connect_websocket(wss(clear));
    ASSERT_FALSE(in_clear);
    EXPECT_EQ(in_clear.error().phase, Phase::tls) << describe(in_clear);
  }
  EXPECT_TRUE(impostor.log().requests.empty());
  for (const LoggedRequest& request : clear.log().requests) ADD_FAILURE() << "sent in clear: " << request.head;
}

TEST_F(ReachWebSocketTest, a_proxy_that_refuses_fails_it_and_nothing_goes_direct) {
  Listener& server = serve();
  const std::string url = "ws" + server.url("/").substr(4);
  for (const std::string& proxy :
       {at("http", squid_->port(), "user:wrong"), at("https", squid_->tls_port(), "user:wrong"),
        at("socks5", microsocks_->port(), "user:wrong"), at("socks5h", microsocks_->port(), "user:wrong")}) {
    EXPECT_FAILS(make_client(through(proxy)).connect_websocket(url), ErrorCode::proxy_auth) << proxy;
  }
  EXPECT_FAILS(make_client(through(at("http", free_port()))).connect_websocket(url), ErrorCode::connect_failed);
  EXPECT_EQ(server.log().accepts, 0);
}

}  // namespace
}  // namespace trunkline::test
