// One run of requests through every kind of proxy, with and without a login. The proxy's own log says how often it was
// dialled: tunnels are pooled there as connections are anywhere. And what happens when a proxy is killed in the middle.
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "support/http_test.h"
#include "support/proxies.h"

namespace trunkline::test {
namespace {

constexpr int callers = 8;

// A kind of proxy, and what is asked for through it.
struct Row {
  const char* name;
  bool secure;  // the origin
  bool login;
  std::function<std::unique_ptr<RealProxy>(bool login)> make;
  std::function<std::string(const RealProxy&)> at;  // "http://127.0.0.1:3128", without a login
};

std::unique_ptr<RealProxy> tinyproxy(bool login) { return std::make_unique<Tinyproxy>(login); }
std::unique_ptr<RealProxy> squid(bool login) { return std::make_unique<Squid>(server_certificate(), login); }
std::unique_ptr<RealProxy> haproxy(bool login) { return std::make_unique<Haproxy>(server_certificate(), login); }
std::unique_ptr<RealProxy> microsocks(bool login) { return std::make_unique<Microsocks>(login); }
std::unique_ptr<RealProxy> dante(bool login) { return std::make_unique<Dante>(login); }

std::string at_port(const std::string& kind, int port) { return kind + "://127.0.0.1:" + std::to_string(port); }
std::string http_at(const RealProxy& proxy) { return at_port("http", proxy.port()); }
std::string https_at(const RealProxy& proxy) { return at_port("https", proxy.tls_port()); }
std::string socks5_at(const RealProxy& proxy) { return at_port("socks5", proxy.port()); }
std::string socks5h_at(const RealProxy& proxy) { return at_port("socks5h", proxy.port()); }

std::vector<Row> rows() {
  std::vector<Row> all;
  for (const bool login : {false, true}) {
    if (Squid::installed()) {
      all.push_back({"http in absolute form", false, login, squid, http_at});
      all.push_back({"http, CONNECT", true, login, squid, http_at});
      all.push_back({"https in absolute form", false, login, squid, https_at});
      all.push_back({"https, CONNECT", true, login, squid, https_at});
    }
    if (Tinyproxy::installed()) all.push_back({"tinyproxy, CONNECT", true, login, tinyproxy, http_at});
    if (Haproxy::installed()) {
      all.push_back({"HAProxy in absolute form", false, login, haproxy, http_at});
      all.push_back({"HAProxy in TLS in absolute form", false, login, haproxy, https_at});
      all.push_back({"HAProxy in TLS, CONNECT", true, login, haproxy, https_at});
    }
    for (const bool secure : {false, true}) {
      if (Microsocks::installed()) {
        all.push_back({"socks5", secure, login, microsocks, socks5_at});
        all.push_back({"socks5h", secure, login, microsocks, socks5h_at});
      }
      if (Dante::installed()) all.push_back({"dante, socks5h", secure, login, dante, socks5h_at});
    }
  }
  return all;
}

class ReachRunTest : public HttpTest {
 protected:
  static Options through(const Row& row, const RealProxy& proxy) {
    return tls_options().derive([&](Options& o) {
      o.proxy = row.at(proxy);
      if (row.login) o.proxy.insert(o.proxy.find("//") + 2, "user:pass@");
      o.proxy_tls.ca_file = authority().file();
    });
  }
  CountingServer& origin(bool secure) {
    CountingServer& server = count({.certificate = secure ? &server_certificate() : nullptr});
    do_not_compare(server);  // the proxy dials it
    return server;
  }
};

TEST_F(ReachRunTest, the_same_run_goes_through_every_proxy_on_as_many_connections_as_callers) {
  if (rows().empty()) GTEST_SKIP() << "needs tinyproxy, squid-openssl, haproxy, microsocks or dante";
  const int each = scaled(2000, 200) / callers;
  for (const Row& row : rows()) {
    SCOPED_TRACE(std::string(row.name) + (row.secure ? " to https" : " to http") + (row.login ? ", with login" : ""));
    const std::unique_ptr<RealProxy> proxy = row.make(row.login);
    CountingServer& server = origin(row.secure);
    const Client client = make_client(through(row, *proxy));
    std::atomic<int> good{0};
    on_threads(callers, [&](int caller) {
      for (int i = 0; i < each; ++i) {
        const std::string path = "/" + std::to_string(caller) + "/" + std::to_string(i);
        const Result<Response> reply = client.get(server.url("localhost", path));
        EXPECT_STATUS(reply, 200);
        // In absolute form the proxy may shorten the target; it is the origin's own answer either way.
        good += reply && reply->body == path;
      }
    });
    EXPECT_EQ(good, callers * each);
    EXPECT_EQ(server.requests(), callers * each);
    // A dial for somebody who got another connection meanwhile may still be under way.
    EXPECT_TRUE(eventually([&] { return stats().pool.dialing == 0; }));
    const PoolCounters pool = stats().pool;
    EXPECT_GE(pool.dials_succeeded, 1U);
    EXPECT_LE(pool.dials_succeeded, static_cast<std::uint64_t>(callers));
    int used = 0;  // one that came too late carried nothing, and without a tunnel a proxy may say nothing of it
    for (const ConnectionStats& line : transport()->connections().connections) used += line.requests > 0;
    transport()->invalidate();  // a tunnel is in the log when it is over
    EXPECT_TRUE(eventually([&] { return proxy->connections() >= used; }));
    EXPECT_LE(proxy->connections(), static_cast<int>(pool.dials_succeeded)) << "the proxy's log disagrees";
    EXPECT_GE(used, 1);
  }
}

// The proxy dies with all tunnels through it. Another proxy's calls and direct ones notice nothing. Those through the
// dead one fail, and none of them reaches the origin another way; when it is back they go on through it.
TEST_F(ReachRunTest, a_proxys_death_fails_only_what_used_it_and_heals) {
  if (!Microsocks::installed() || !Tinyproxy::installed()) GTEST_SKIP() << "needs tinyproxy and microsocks";
  std::vector<Row> victims{{"http, CONNECT", true, true, tinyproxy, http_at},
                           {"socks5h", false, true, microsocks, socks5h_at}};
  if (Squid::installed()) victims.push_back({"https, CONNECT", true, true, squid, https_at});
  if (Haproxy::installed()) victims.push_back({"HAProxy in TLS, CONNECT", true, true, haproxy, https_at});
  if (Dante::installed()) victims.push_back({"dante, socks5h", true, true, dante, socks5h_at});
  for (const Row& row : victims) {
    SCOPED_TRACE(row.name);
    const std::unique_ptr<RealProxy> dying = row.make(true);
    const Microsocks living;
    CountingServer& its_origin = origin(row.secure);  // asked for through the dying one only
    CountingServer& others_origin = origin(false);
    const Client through_dying = make_client(through(row, *dying));
    const Row other{"socks5h", false, true, microsocks, socks5h_at};
    const Client through_living = make_client(through(other, living));
    const Client direct = make_client();

    std::atomic<bool> stop{false};
    std::atomic<int> good{0}, failed{0}, others{0};
    const auto ask_on = [&](const Client& client, const CountingServer& server, std::atomic<int>& count) {
      while (!stop) {
        const Result<Response> reply = client.get(server.url());
        EXPECT_STATUS(reply, 200);
        ++count;
      }
    };
    std::thread one([&] { ask_on(through_living, others_origin, others); });
    std::thread two([&] { ask_on(direct, others_origin, others); });
    std::thread three([&] {
      while (!stop) {
        const Result<Response> reply = through_dying.get(its_origin.url());
        if (reply) {
          ++good;
          continue;
        }
        ++failed;
        EXPECT_TRUE(reply.error().kind == ErrorKind::unreachable || reply.error().kind == ErrorKind::disconnected)
            << describe(reply);
      }
    });
    EXPECT_TRUE(eventually([&] { return good > 20; }));
    dying->kill();
    EXPECT_TRUE(eventually([&] { return failed > 3; }));
    const std::int64_t reached = its_origin.accepts();
    const int others_then = others;
    EXPECT_TRUE(eventually([&] { return others > others_then + 20; })) << "what did not use it goes on";
    EXPECT_TRUE(eventually([&] { return failed > 10; }));
    EXPECT_EQ(its_origin.accepts(), reached) << "nothing goes direct while the proxy is dead";
    const int good_then = good;
    dying->restart();
    EXPECT_TRUE(eventually([&] { return good > good_then + 20; })) << "it heals";
    stop = true;
    one.join();
    two.join();
    three.join();
  }
}

}  // namespace
}  // namespace trunkline::test
