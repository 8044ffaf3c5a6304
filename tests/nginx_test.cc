// Against a real nginx: plain, TLS 1.2 and 1.3, client certificates, limits per connection (F23), idle limits, reloads
// under load. Its access log says which connection carried what.
#include <set>
#include <thread>

#include "support/http_test.h"
#include "support/nginx.h"

namespace trunkline::test {
namespace {

class NginxTest : public HttpTest {
 protected:
  void SetUp() override {
    if (!Nginx::installed()) GTEST_SKIP() << "there is no /usr/sbin/nginx";
  }
  static std::set<long> connections(const std::vector<Nginx::Line>& lines) {
    std::set<long> all;
    for (const Nginx::Line& line : lines) all.insert(line.connection);
    return all;
  }
  // From `threads` threads; all must succeed.
  static void load(const Client& client, const std::string& url, int threads, int each) {
    std::vector<std::thread> callers;
    for (int t = 0; t < threads; ++t) {
      callers.emplace_back([&] {
        for (int i = 0; i < each; ++i) EXPECT_STATUS(client.get(url), 200);
      });
    }
    for (std::thread& caller : callers) caller.join();
  }
};

TEST_F(NginxTest, one_connection_carries_everything_one_caller_asks) {
  const Nginx nginx;
  const Client client = make_client();
  for (int i = 0; i < 100; ++i) {
    const Result<Response> reply = client.get(nginx.url("/small"));
    ASSERT_STATUS(reply, 200);
    EXPECT_EQ(reply->body, "small");
  }
  const Result<Response> large = client.get(nginx.url("/large"));
  ASSERT_STATUS(large, 200);
  EXPECT_EQ(large->body, std::string(1 << 20, 'n'));
  EXPECT_STATUS(client.get(nginx.url("/missing")), 404);
  EXPECT_STATUS(client.send(head(nginx.url("/large"))), 200);
  EXPECT_STATUS(client.post(nginx.url("/small"), std::string(100000, 'p')), 200);
  const auto lines = nginx.log(104);
  EXPECT_EQ(connections(lines).size(), 1U);
  EXPECT_EQ(lines.back().request, 104);
}

TEST_F(NginxTest, concurrent_callers_cost_no_more_connections_than_callers) {
  const Nginx nginx({.server = "keepalive_requests 100000;"});
  const Client client = make_client();
  load(client, nginx.url("/small"), 8, scaled(500, 100));
  EXPECT_LE(connections(nginx.log(static_cast<std::size_t>(8 * scaled(500, 100)))).size(), 8U);
}

TEST_F(NginxTest, F23_keepalive_requests_10_causes_no_error_over_a_thousand_requests) {
  const Nginx nginx({.server = "keepalive_requests 10;"});
  const Client client = make_client();
  load(client, nginx.url("/small"), 4, 250);
  const Stats now = stats();
  EXPECT_EQ(now.requests.failed_total(), 0U);
  const auto lines = nginx.log(1000);
  EXPECT_EQ(lines.size(), 1000U) << "a request was sent twice";
  // What is open may have been dialled for a waiter who was served otherwise, and is counted as unused when it closes.
  const std::uint64_t used = now.pool.dials_succeeded - now.pool.dials_unused;
  EXPECT_LE(connections(lines).size(), used);
  EXPECT_GE(connections(lines).size() + static_cast<std::uint64_t>(now.pool.open), used);
  for (const Nginx::Line& line : lines) EXPECT_LE(line.request, 10);
}

TEST_F(NginxTest, F5_keepalive_timeout_and_its_hint_are_stayed_under) {
  const Nginx nginx({.server = "keepalive_timeout 3s 1s;"});
  const Client client = make_client();
  for (std::uint64_t i = 1; i <= (full_run() ? 40 : 4); ++i) {
    ASSERT_STATUS(client.get(nginx.url("/small")), 200);
    ASSERT_TRUE(closed_for(CloseReason::learned_idle, i));  // by us, before it would
  }
  EXPECT_EQ(count_of(stats().pool.closed_by_reason, CloseReason::peer_closed_idle), 0U);
  EXPECT_EQ(route_of(stats(), nginx.port()).hinted_idle_seconds, 1.0);
}

TEST_F(NginxTest, speaks_tls_1_2_and_1_3_and_resumes) {
  for (const std::string version : {"TLSv1.2", "TLSv1.3"}) {
    const Nginx nginx(
        {.server = "ssl_session_cache shared:S:1m;", .certificate = &server_certificate(), .protocols = version});
    const Client client = make_client(tls_options());
    load(client, nginx.url("/small"), 4, 50);
    ASSERT_STATUS(client.send(get(nginx.url("/large")).fresh_connection()), 200);
    const auto lines = nginx.log(201);
    ASSERT_EQ(lines.size(), 201U);
    EXPECT_LE(connections(lines).size(), 5U);
    for (const Nginx::Line& line : lines) EXPECT_EQ(line.protocol, version);
    EXPECT_EQ(lines.back().resumed, "r");
  }
}

TEST_F(NginxTest, shows_the_client_certificate_that_it_requires) {
  const Nginx nginx({.certificate = &server_certificate(), .client_ca = authority().file()});
  Options options = tls_options();
  options.tls.certificate_file = client_certificate().certificate_file;
  options.tls.key_file = client_certificate().key_file;
  EXPECT_STATUS(make_client(options).get(nginx.url("/small")), 200);
  EXPECT_EQ(nginx.log(1).at(0).client, "CN=client");
  EXPECT_STATUS(make_client(tls_options()).get(nginx.url("/small")), 400);  // nginx's own way to refuse
}

TEST_F(NginxTest, reloads_under_load_cause_no_error) {
  for (const bool tls : {false, true}) {
    NginxOptions options{.server = "keepalive_requests 100000;", .master = true};
    if (tls) options.certificate = &server_certificate();
    const Nginx nginx(options);
    const Client client = make_client(tls_options());
    std::atomic<bool> stop{false};
    std::atomic<int> asked{0};
    std::vector<std::thread> callers;
    for (int t = 0; t < 4; ++t) {
      callers.emplace_back([&] {
        while (!stop) {
          EXPECT_STATUS(client.get(nginx.url("/small")), 200);
          ++asked;
        }
      });
    }
    for (int i = 0; i < 4; ++i) {
      int before = asked;
      EXPECT_TRUE(eventually([&] { return asked > before + 50; }));
      before = asked;
      nginx.reload();
      EXPECT_TRUE(eventually([&] { return asked > before + 50; })) << "it stands still after a reload";
    }
    stop = true;
    for (std::thread& caller : callers) caller.join();
    EXPECT_EQ(stats().requests.failed_total(), 0U);
  }
}

}  // namespace
}  // namespace trunkline::test
