// Open responses through the layers around a transport: what is under way until it is dropped, what breaks off on its
// way, and whose connection the next try finds. The server counts.
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "support/h2_test.h"
#include "support/http_test.h"

namespace trunkline::test {
namespace {

class ReachPolicyTest : public HttpTest {
 protected:
  // Each test has a budget and a circuit of its own: policies of other figures share nothing.
  static BreakerPolicy breaker(int most_at_once = 0) {
    static int policies = 0;
    BreakerPolicy policy;
    policy.most_at_once = most_at_once;
    policy.least_requests = 1000 + ++policies;
    return policy;
  }
};

using Opened = Result<ResponseStream>;

// The same, blocking and with a callback.
template <class Test>
void both(Test test) {
  {
    SCOPED_TRACE("blocking");
    test([](RoundTripper& way, Request request) { return way.open(std::move(request)); });
  }
  SCOPED_TRACE("with a callback");
  test([](RoundTripper& way, Request request) {
    std::promise<Opened> promise;
    way.start_open(std::move(request), [&](Opened opened) { promise.set_value(std::move(opened)); });
    return promise.get_future().get();
  });
}

TEST_F(ReachPolicyTest, an_open_stream_is_under_way_until_it_is_dropped) {
  both([this](const auto& open) {
    Listener& server = serve();
    const auto way = with_breaker(make_transport(), breaker(1));
    Opened stream = open(*way, get(server.scenario("hold", "after=head")));
    ASSERT_TRUE(stream) << describe(stream);
    Opened second = open(*way, get(server.url()));
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::limit_reached);
    server.release();
    stream = Error(ErrorCode::cancelled, Phase::body, "dropped");
    second = open(*way, get(server.url()));
    ASSERT_TRUE(second) << describe(second);
    EXPECT_TRUE(second->read_all(1 << 20));
  });
}

TEST_F(ReachPolicyTest, a_websocket_is_under_way_until_it_is_closed) {
  Listener& server = serve();
  const auto way = with_breaker(make_transport(), breaker(1));
  const Client client(way);
  {
    Result<WebSocket> socket = client.connect_websocket(get(server.scenario("websocket")));
    ASSERT_TRUE(socket) << describe(socket);
    const Opened second = way->open(get(server.url()));
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::limit_reached);
  }
  EXPECT_TRUE(eventually([&] { return client.get(server.url()).has_value(); }));
}

TEST_F(ReachPolicyTest, bodies_that_break_off_open_the_circuit) {
  both([this](const auto& open) {
    Listener& server = serve();
    const auto way = with_breaker(make_transport(), breaker());
    for (int i = 0; i < 5; ++i) {
      Opened stream = open(*way, get(server.scenario("truncated")));
      ASSERT_TRUE(stream) << i << ": " << describe(stream);
      // However often it is asked, it has broken off once.
      for (int again = 0; again < 3; ++again) EXPECT_FALSE(stream->read_all(1 << 20));
    }
    const Opened refused = open(*way, get(server.url()));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::circuit_open);
  });
}

TEST_F(ReachPolicyTest, a_redirect_to_the_same_server_finds_the_connection_of_the_one_before) {
  both([this](const auto& open) {
    Listener& server = serve();
    const auto way = with_redirects(make_transport());
    const std::string moved = server.raw("HTTP/1.1 302 Found\r\nLocation: /here\r\nContent-Length: 5\r\n\r\nmoved");
    for (int i = 0; i < 5; ++i) {
      Opened stream = open(*way, get(moved));
      ASSERT_TRUE(stream) << describe(stream);
      EXPECT_EQ(stream->status(), 200);
      EXPECT_TRUE(stream->read_all(1 << 20));
    }
    EXPECT_EQ(server.log().accepts, 1);
  });
}

// What failed must not hold its connection while its layer waits for a better time.
TEST_F(ReachPolicyTest, a_try_that_pauses_has_given_its_connection_back) {
  class Pausing final : public Tracer {
   public:
    void on_event(const TraceEvent& event) override {
      if (event.kind == TraceEvent::retry && !std::exchange(told_, true)) begun.set_value();
    }
    std::promise<void> begun;

   private:
    bool told_ = false;
  };
  Listener& server = serve();
  const auto transport = make_transport(test_options().derive([](Options& o) {
    o.limits.open_per_host = 1;
    o.timeouts.queue = slowed(1000, 4000);
  }));
  RetryPolicy policy;
  policy.attempts = 2;
  policy.backoff = policy.shortest_backoff = policy.longest_backoff = 2 * slowed(1000, 4000);
  const auto pausing = std::make_shared<Pausing>();
  const std::string busy = server.raw("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy");
  std::future<Opened> retried =
      std::async(std::launch::async, [&] { return with_retries(transport, policy)->open(get(busy).trace(pausing)); });
  pausing->begun.get_future().wait();
  EXPECT_STATUS(Client(transport).get(server.url()), 200);
  EXPECT_EQ(retried.get()->status(), 503);
}

// Endless, and asked on the loop's thread; how often is what the test looks at.
class Endless final : public BodySource {
 public:
  Pull pull(std::span<char> into, Callback<void()>) override {
    ++pulls;
    std::fill(into.begin(), into.end(), 'x');
    return {.kind = Pull::bytes, .size = into.size()};
  }
  bool rewind() override { return true; }
  std::atomic<int> pulls{0};
};

TEST_F(ReachPolicyTest, an_upload_goes_no_further_than_the_final_status_over_http2) {
  H2Server& server = serve_h2();
  const auto transport = make_transport(h2c_options());
  const auto source = std::make_shared<Endless>();
  Request put("PUT", server.url("/refuse/503"));
  put.body(source);
  Opened refused = transport->open(std::move(put));
  ASSERT_TRUE(refused) << describe(refused);
  EXPECT_EQ(refused->status(), 503);
  const int pulls = source->pulls;
  // By now the server has taken what was sent, and given credit for more.
  for (int i = 0; i < 5; ++i) EXPECT_STATUS(Client(transport).get(server.url("/x")), 200);
  EXPECT_EQ(source->pulls, pulls) << "it could not be rewound safely";
  server.release();
  EXPECT_TRUE(refused->read_all(1 << 20));
}

TEST_F(ReachPolicyTest, a_dead_proxy_opens_no_circuit_of_the_server_behind_it) {
  Listener& server = serve();
  Listener& dead = serve({.scenario = "bound"});
  const BreakerPolicy policy = breaker();
  const auto direct = with_breaker(make_transport(), policy);
  const auto through = with_breaker(make_transport(test_options().derive([&](Options& o) {
                                      o.proxy = "http://127.0.0.1:" + std::to_string(dead.port());
                                    })),
                                    policy);
  ErrorCode last = ErrorCode::last_;
  for (int i = 0; i < 20 && last != ErrorCode::circuit_open; ++i) {
    const Result<Response> reply = through->send(get(server.url()));
    ASSERT_FALSE(reply);
    last = reply.error().code;
  }
  EXPECT_EQ(last, ErrorCode::circuit_open);
  EXPECT_STATUS(direct->send(get(server.url())), 200);
  bool found = false;
  for (const PolicyStats::Route& route : policy_stats().routes) {
    if (route.route.find(std::to_string(server.port()) + " via ") == std::string::npos) continue;
    found = true;
    EXPECT_EQ(route.circuit, "open");
  }
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace trunkline::test
