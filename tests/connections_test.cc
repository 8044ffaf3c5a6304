// Transport::connections(): the life of each connection, compared with what the server at its other end knows of it.
#include <deque>
#include <future>

#include "support/certificates.h"
#include "support/h2_test.h"
#include "support/serving.h"

namespace trunkline::test {
namespace {

using server::Exchange;
using server::Request;

// A server that answers when it is told to, and remembers whom it has spoken to.
class ConnectionsTest : public ServingTest {
 protected:
  void begin(server::Settings settings = quick()) {
    serve(
        [this](Request request, Exchange exchange) {
          const std::lock_guard lock(mutex_);
          peers_.insert(request.peer);
          if (request.wants_websocket) {
            exchange.accept_websocket({}, {});
          } else if (request.path == "/hold") {
            held_.push_back(std::move(exchange));
          } else {
            exchange.respond({200, "text/plain", "hello"});
          }
        },
        std::move(settings));
  }
  void TearDown() override {
    release();
    ServingTest::TearDown();
  }
  std::vector<H2Call> hold(const Client& client, std::size_t count) {
    std::vector<H2Call> calls;
    for (std::size_t i = 0; i < count; ++i) calls.push_back(test::start(client, get(url("/hold"))));
    EXPECT_TRUE(eventually([&] {
      const std::lock_guard lock(mutex_);
      return held_.size() == count;
    }));
    return calls;
  }
  void release() {
    const std::lock_guard lock(mutex_);
    for (Exchange& exchange : held_) exchange.respond({200, "text/plain", "at last"});
    held_.clear();
  }
  std::set<std::string> peers() {
    const std::lock_guard lock(mutex_);
    return peers_;
  }
  std::string address() const { return server_address(url("")); }
  static std::string server_address(const std::string& url) { return url.substr(url.find("//") + 2); }

  static std::set<std::string> local_ends(const ConnectionList& list) {
    std::set<std::string> ends;
    for (const ConnectionStats& connection : list.connections) ends.insert(connection.local);
    return ends;
  }

 private:
  std::mutex mutex_;
  std::deque<Exchange> held_;
  std::set<std::string> peers_;
};

TEST_F(ConnectionsTest, tells_the_life_of_each_as_the_server_saw_it) {
  begin();
  const auto transport = Transport::create(test_options());
  const Client client(transport);
  EXPECT_TRUE(transport->connections().connections.empty());
  const TimePoint before = Clock::now();
  std::vector<H2Call> calls = hold(client, 2);

  ConnectionList list = transport->connections();
  ASSERT_EQ(list.connections.size(), 2U);
  EXPECT_EQ(local_ends(list), peers());
  for (const ConnectionStats& connection : list.connections) {
    EXPECT_EQ(connection.route, url(""));
    EXPECT_EQ(connection.key, transport->stats().routes.at(0).key);
    EXPECT_EQ(connection.protocol, "http/1.1");
    EXPECT_EQ(connection.state, ConnectionState::active);
    EXPECT_EQ(connection.remote, address());
    EXPECT_EQ(connection.requests, 1U);
    EXPECT_EQ(connection.streams, 1U);
    EXPECT_EQ(connection.streams_allowed, 1U);
    EXPECT_LE(connection.age, Clock::now() - before);
    EXPECT_GT(connection.age, Duration(0));
    EXPECT_EQ(connection.idle_for, Duration(0));
    EXPECT_EQ(connection.tls, "");
    EXPECT_EQ(connection.proxy, "");
  }
  EXPECT_EQ(list.connections[0].dial_reason, DialReason::first);
  EXPECT_EQ(list.connections[1].dial_reason, DialReason::busy);
  EXPECT_NE(list.connections[0].id, list.connections[1].id);
  EXPECT_GE(list.connections[0].age, list.connections[1].age);

  release();
  for (H2Call& call : calls) ASSERT_STATUS(call.reply.get(), 200);
  for (int i = 0; i < 3; ++i) ASSERT_STATUS(client.get(url()), 200);
  list = transport->connections();
  ASSERT_EQ(list.connections.size(), 2U);
  EXPECT_EQ(list.connections[0].requests + list.connections[1].requests, 5U);
  for (const ConnectionStats& connection : list.connections) {
    EXPECT_EQ(connection.state, ConnectionState::idle);
    EXPECT_EQ(connection.streams, 0U);
    EXPECT_GT(connection.idle_for, Duration(0));
    EXPECT_LE(connection.idle_for, connection.age);
  }
  transport->drain(seconds(5));
  EXPECT_TRUE(transport->connections().connections.empty());
}

TEST_F(ConnectionsTest, tells_how_many_requests_a_shared_one_carries_and_may_carry) {
  server::Settings settings = secure();
  settings.limits.streams_per_connection = 7;
  begin(settings);
  const auto transport = Transport::create(h2_options());
  const Client client(transport);
  ASSERT_STATUS(client.get(url()), 200);  // now the server's limit is known
  std::vector<H2Call> calls = hold(client, 5);
  const ConnectionList list = transport->connections();
  ASSERT_EQ(list.connections.size(), 1U);
  const ConnectionStats& connection = list.connections[0];
  EXPECT_EQ(connection.protocol, "h2");
  EXPECT_EQ(connection.state, ConnectionState::active);
  EXPECT_EQ(connection.streams, 5U);
  EXPECT_EQ(connection.streams_allowed, 7U);
  EXPECT_EQ(connection.requests, 6U);
  EXPECT_TRUE(connection.tls.starts_with("TLSv1.3 ")) << connection.tls;
  EXPECT_EQ(local_ends(list), peers());
  transport->invalidate();
  EXPECT_EQ(transport->connections().connections.at(0).state, ConnectionState::retiring);
  release();
  for (H2Call& call : calls) ASSERT_STATUS(call.reply.get(), 200);
}

TEST_F(ConnectionsTest, shows_a_websocket_as_upgraded) {
  begin();
  const auto transport = Transport::create(test_options());
  auto socket = Client(transport).connect_websocket(url());
  ASSERT_GOOD(socket);
  const ConnectionList list = transport->connections();
  ASSERT_EQ(list.connections.size(), 1U);
  EXPECT_EQ(list.connections[0].state, ConnectionState::upgraded);
  EXPECT_EQ(list.connections[0].streams, 1U);
  EXPECT_EQ(local_ends(list), peers());
  EXPECT_GOOD(socket->close());
  EXPECT_TRUE(eventually([&] { return transport->connections().connections.empty(); }));
}

TEST_F(ConnectionsTest, lists_only_what_is_asked_for_and_counts_the_rest) {
  begin();
  const auto transport = Transport::create(test_options());
  const Client client(transport);
  const std::string by_name = "http://localhost:" + std::to_string(port());
  ASSERT_STATUS(client.get(by_name + "/"), 200);
  std::vector<H2Call> calls = hold(client, 3);

  ConnectionQuery query;
  query.most = 2;
  EXPECT_EQ(transport->connections(query).connections.size(), 2U);
  EXPECT_EQ(transport->connections(query).left_out, 2U);
  query.route = by_name;
  ASSERT_EQ(transport->connections(query).connections.size(), 1U);
  EXPECT_EQ(transport->connections(query).left_out, 0U);
  EXPECT_EQ(transport->connections(query).connections[0].route, by_name);
  query.key = "another";
  EXPECT_TRUE(transport->connections(query).connections.empty());
  release();
  for (H2Call& call : calls) ASSERT_STATUS(call.reply.get(), 200);
}

TEST_F(ConnectionsTest, the_shared_pool_is_asked_without_a_transport_in_hand) {
  begin();
  ASSERT_STATUS(Client(test_options()).get(url()), 200);
  ConnectionQuery query;
  query.route = url("");
  const ConnectionList list = Transport::shared_connections(query);
  ASSERT_EQ(list.connections.size(), 1U);
  EXPECT_EQ(local_ends(list), peers());
  EXPECT_TRUE(Transport::create(test_options())->connections().connections.empty()) << "an isolated pool is its own";
  Transport::shared(test_options())->drain(seconds(5));
}

// Under ThreadSanitizer this is the point: connections come and go while they are listed.
TEST_F(ConnectionsTest, may_be_asked_while_connections_come_and_go) {
  server::Settings settings = quick();
  settings.limits.requests_per_connection = 3;
  begin(settings);
  const auto transport = Transport::create(test_options());
  std::atomic<bool> done{false};
  std::atomic<std::size_t> listed{0};
  auto asking = in_background([&] {
    while (!done) {
      const ConnectionList list = transport->connections();
      for (const ConnectionStats& connection : list.connections) {
        EXPECT_EQ(connection.remote, address());
        EXPECT_NE(connection.local, "");
      }
      listed += list.connections.size();
    }
  });
  on_threads(4, [&](int) {
    for (int i = 0; i < scaled(300, 60); ++i) ASSERT_STATUS(Client(transport).get(url()), 200);
  });
  std::vector<H2Call> calls = hold(Client(transport), 1);
  listed = 0;
  EXPECT_TRUE(eventually([&] { return listed > 0; }));
  done = true;
  asking.get();
  release();
  ASSERT_STATUS(calls[0].reply.get(), 200);
}

class RouteLatencyTest : public HttpTest {};

TEST_F(RouteLatencyTest, is_that_of_whole_answers_in_every_protocol) {
  const auto delay = milliseconds(20);
  const CountingServer& http1 = count({.delay = delay});
  const H2Server& http2 = serve_h2({.delay = delay});
  for (const bool shared : {false, true}) {
    const auto transport = make_transport(shared ? h2c_options() : test_options());
    const std::string url = shared ? http2.url("/") : http1.url("/");
    const TimePoint before = Clock::now();
    for (int i = 0; i < 5; ++i) ASSERT_STATUS(Client(transport).get(url), 200);
    const double longest = std::chrono::duration<double>(Clock::now() - before).count();
    const RouteStats route = transport->stats().routes.at(0);
    EXPECT_EQ(route.latency_samples, 5U) << url;
    EXPECT_GE(route.p50_seconds, 0.018) << url;
    EXPECT_GE(route.p99_seconds, route.p50_seconds) << url;
    EXPECT_LE(route.p99_seconds, longest) << url;
  }
}

class ProxiedConnectionsTest : public HttpTest {};

TEST_F(ProxiedConnectionsTest, names_the_proxy_without_its_password) {
  Listener& proxy = serve({.scenario = "proxy"});
  const std::string place = "127.0.0.1:" + std::to_string(proxy.port());
  const Options options = test_options().derive([&](Options& o) { o.proxy = "http://user:s3cret@" + place; });
  ASSERT_STATUS(make_client(options).get("http://origin.example:8080/path"), 200);
  const ConnectionList list = transport()->connections();
  ASSERT_EQ(list.connections.size(), 1U);
  EXPECT_EQ(list.connections[0].proxy, "http://" + place);
  EXPECT_EQ(list.connections[0].remote, place);
  EXPECT_EQ(list.connections[0].route, "http://origin.example:8080 via http://" + place);
}

}  // namespace
}  // namespace trunkline::test
