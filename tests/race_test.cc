// Many threads at once: creators that race (S4), callers that must not feel each other
// (F3, S2), and everything together (F27). Run under ThreadSanitizer.
#include <barrier>
#include <random>
#include <set>
#include <thread>

#include "support/http_test.h"

namespace trunkline::test {
namespace {

class RaceTest : public HttpTest {};

TEST_F(RaceTest, S4_racing_creators_get_the_same_transport) {
  for (int round = 0; round < 50; ++round) {
    const Options options = tls_options().derive([&](Options& o) { o.user_agent = "round " + std::to_string(round); });
    std::barrier start(8);
    std::array<std::shared_ptr<Transport>, 8> made;
    on_threads(8, [&](int t) {
      start.arrive_and_wait();
      made[static_cast<std::size_t>(t)] = Transport::shared(options);
    });
    for (const auto& each : made) EXPECT_EQ(each, made[0]);
  }
}

TEST_F(RaceTest, S4_racing_first_requests_share_what_they_dial) {
  for (int round = 0; round < 10; ++round) {
    Listener& server = serve({.certificate = &server_certificate()});
    shared_transport(tls_options());
    std::barrier start(8);
    on_threads(8, [&](int) {
      start.arrive_and_wait();
      const Client client(tls_options());
      EXPECT_STATUS(client.get(server.url()), 200);
    });
    EXPECT_LE(server.log().accepts, 8);
  }
}

// --- F3, S2: nobody feels what another does

struct Snapshot {
  Options options;
  std::string fingerprint;
  std::uint64_t started = 0;
  std::uint64_t completed = 0;
  std::uint64_t dials = 0;
  std::int64_t idle = 0;
  std::string key;

  explicit Snapshot(const Transport& transport, int port)
      : options(transport.options()), fingerprint(transport.fingerprint()) {
    const Stats stats = transport.stats();
    started = stats.requests.started;
    completed = stats.requests.completed;
    const RouteStats route = route_of(stats, port);
    dials = route.counters.dials_started;
    idle = route.counters.idle;
    key = route.key;
  }
};

TEST_F(RaceTest, F3_S2_an_unrelated_caller_is_untouched_by_anything_another_caller_does) {
  Listener& mine = serve();
  Listener& theirs = serve({.certificate = &server_certificate()});
  Listener& proxy = serve({.scenario = "proxy"});
  const std::shared_ptr<Transport> plain =
      shared_transport(Options().derive([](Options& o) { o.user_agent = "bystander"; }));
  ASSERT_STATUS(Client(plain).get(mine.url()), 200);
  const Snapshot before(*plain, mine.port());
  const Options defaults_before = Options();

  on_threads(6, [&](int t) {
    for (int i = 0; i < 20; ++i) {
      Options options = t % 2 == 0 ? Options::executor() : Options::scrape();
      options.tls.insecure_skip_verify = true;
      options.timeouts.total = seconds(20 + t);
      options.limits.idle_per_host = t + 1;
      options.limits.open_per_host = t + 1;
      options.user_agent = "caller " + std::to_string(i);
      if (t % 3 == 0)
        options.proxy = "http://caller" + std::to_string(i) + ":s3cret@127.0.0.1:" + std::to_string(proxy.port());
      const std::shared_ptr<Transport> own = Transport::shared(options);
      const std::string url = t % 3 == 0 ? "http://origin.example/" : theirs.url();
      EXPECT_STATUS(Client(own).get(url), 200);
      if (i % 5 == 0) own->invalidate("origin.example");
      if (i % 7 == 0) own->drain(seconds(20));
    }
  });

  const Snapshot after(*plain, mine.port());
  EXPECT_TRUE(compare(before.options, after.options).handle.empty());
  EXPECT_TRUE(compare(before.options, after.options).wire.empty());
  EXPECT_TRUE(compare(defaults_before, Options()).handle.empty()) << "the defaults have changed";
  EXPECT_TRUE(compare(defaults_before, Options()).wire.empty());
  EXPECT_EQ(before.fingerprint, after.fingerprint);
  EXPECT_EQ(before.started, after.started);
  EXPECT_EQ(before.completed, after.completed);
  EXPECT_EQ(before.dials, after.dials);
  EXPECT_EQ(before.idle, after.idle);
  EXPECT_EQ(before.key, after.key);
  const Result<Response> reply = Client(plain).get(mine.url());
  ASSERT_STATUS(reply, 200);
  EXPECT_TRUE(reply->connection.reused) << "its idle connection has gone";
  EXPECT_EQ(mine.log().accepts, 1);
  do_not_compare(theirs);  // of transports that have gone
  do_not_compare(proxy);
}

TEST_F(RaceTest, S2_a_round_tripper_that_the_caller_supplies_is_used_as_it_is) {
  struct Recorder : RoundTripper {
    int sends = 0;
    int opens = 0;
    int starts = 0;
    std::string url;
    Result<ResponseStream> open(Request&&) override {
      ++opens;
      return Error(ErrorCode::unsupported, Phase::prepare, "recorded");
    }
    Result<Response> send(Request&& request) override {
      ++sends;
      url = request.url();
      Response response;
      response.status = 299;
      return response;
    }
    CallHandle start(Request&&, Callback<void(Result<Response>)>&& done) override {
      ++starts;
      done(Response());
      return {};
    }
    CallHandle start_open(Request&&, Callback<void(Result<ResponseStream>)>&&) override { return {}; }
  };
  const auto recorder = std::make_shared<Recorder>();
  const Client client{std::shared_ptr<RoundTripper>(recorder)};
  EXPECT_EQ(client.round_tripper(), recorder);
  EXPECT_STATUS(client.get("not even a url"), 299);
  EXPECT_EQ(recorder->url, "not even a url");
  EXPECT_FAILS(client.open(get("x")), ErrorCode::unsupported);
  client.start(get("x"), [](const Result<Response>&) {});
  EXPECT_EQ(recorder->sends, 1);
  EXPECT_EQ(recorder->opens, 1);
  EXPECT_EQ(recorder->starts, 1);
  EXPECT_EQ(recorder.use_count(), 2) << "it was copied or kept elsewhere";
}

TEST_F(RaceTest, a_transport_that_is_dropped_under_its_calls_lets_them_finish) {
  Listener& server = serve();
  std::atomic<int> good{0};
  {
    const std::shared_ptr<Transport> short_lived = Transport::create(test_options());
    for (int i = 0; i < 8; ++i) {
      short_lived->start(get(server.scenario("hold")), [&](const Result<Response>& reply) { good += reply ? 1 : 0; });
    }
    ASSERT_TRUE(server.wait_for("held", 8));
  }
  server.release();
  EXPECT_TRUE(eventually([&] { return good == 8; })) << good;
  EXPECT_TRUE(server.wait_for_exactly("open", 0));
  do_not_compare(server);
}

TEST_F(RaceTest, statistics_can_be_read_at_any_time_and_always_add_up) {
  CountingServer& server = count();
  const Client client = make_client();
  std::atomic<bool> stop{false};
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t) {
    callers.emplace_back([&] {
      while (!stop) EXPECT_STATUS(client.get(server.url()), 200);
    });
  }
  for (int i = 0; i < 200; ++i) {
    const Stats now = stats();
    EXPECT_EQ(now.broken_law(), "");
    EXPECT_FALSE(now.to_json().empty());
    if (i % 20 == 0) transport()->invalidate();
  }
  stop = true;
  for (std::thread& caller : callers) caller.join();
}

// --- F27: everything at once, and at the end all gauges stand at zero

TEST_F(RaceTest, F27_after_chaos_all_gauges_are_zero_and_the_sums_match_the_servers_log) {
  allow_malformed_requests();
  Listener& server = serve({.settings = {{"idle", "0.05"}}});
  const std::shared_ptr<Transport> transport = make_transport(test_options().derive([](Options& o) {
    o.limits.open_per_host = 8;
    o.limits.idle_per_host = 4;
    o.limits.requests_per_connection = 20;
    o.timeouts.first_byte = milliseconds(300);
    o.timeouts.idle_read = milliseconds(300);
    o.timeouts.expect_continue = milliseconds(20);
  }));
  const Client client(transport);
  const std::vector<std::string> urls{
      server.url("/plain"),
      server.scenario("ok", "size=5000"),
      server.scenario("ok", "close=1"),
      server.scenario("ok", "status=204"),
      server.scenario("big", "size=300000&coding=chunked"),
      server.scenario("big", "size=3000000"),
      server.scenario("hold"),
      server.scenario("hold", "after=head"),
      server.scenario("unanswered", "on=reused"),
      server.scenario("unanswered", "end=rst"),
      server.scenario("truncated", "coding=chunked&end=fin"),
      server.scenario("stray"),
      server.scenario("informational", "n=12"),
      server.scenario("continue", "reply=refuse"),
      server.scenario("early", "read=0&end=rst"),
      server.raw("nonsense\r\n\r\n"),
  };
  std::atomic<std::uint64_t> answered{0};
  std::atomic<std::uint64_t> failed{0};
  std::atomic<std::uint64_t> asked{0};
  const auto count = [&](bool good) { ++(good ? answered : failed); };
  on_threads(6, [&](int t) {
    std::mt19937 random(static_cast<unsigned>(t) + 100);
    std::vector<CallHandle> handles;
    for (int i = 0; i < scaled(150, 60); ++i) {
      const std::string& url = urls[random() % urls.size()];
      ++asked;
      Request request = random() % 3 == 0 ? post(url, std::string(random() % 50000, 'p')) : get(url);
      if (url.find("continue") != std::string::npos && request.has_body()) request.expect_continue();
      if (random() % 5 == 0) request.total_timeout(std::chrono::microseconds(random() % 20000 + 1));
      switch (random() % 4) {
        case 0:
          count(client.send(std::move(request)).has_value());
          break;
        case 1: {  // looked at and dropped
          const Result<ResponseStream> stream = client.open(std::move(request));
          count(stream.has_value());
          break;
        }
        case 2:
          client.start(std::move(request), [&](const Result<Response>& reply) { count(reply.has_value()); });
          break;
        default:
          handles.push_back(
              client.start(std::move(request), [&](const Result<Response>& reply) { count(reply.has_value()); }));
          if (random() % 2 == 0) handles[random() % handles.size()].cancel();
      }
      if (random() % 50 == 0) transport->invalidate();
    }
  });
  EXPECT_TRUE(eventually([&] { return answered + failed == asked; })) << answered << " + " << failed << " of " << asked;
  const auto quiet = [&] {
    const Stats now = transport->stats();
    return now.requests.in_flight + now.pool.active + now.pool.waiting + now.pool.dialing + now.pool.draining == 0;
  };
  EXPECT_TRUE(eventually(quiet)) << transport->stats().to_json();
  const Stats now = transport->stats();
  EXPECT_EQ(now.broken_law(), "");
  EXPECT_EQ(now.requests.started, asked);
  // The server has seen at most what was granted a connection.
  EXPECT_LE(server.log().requests.size(), now.pool.granted);
  // TearDown compares accepts and open sockets.
}

}  // namespace
}  // namespace trunkline::test
