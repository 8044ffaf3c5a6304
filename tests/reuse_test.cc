// One pool for everybody, however clients are made, and the limits that keep it small. The server's accepts decide.
// F1, F2, F21, F30 of the catalogue in README.md, and the first line of "Done when".
#include <set>
#include <thread>

#include "support/http_test.h"

namespace trunkline::test {
namespace {

class ReuseTest : public HttpTest {
 protected:
  // Where there are more routes than statistics list.
  void expect_totals_agree(const CountingServer& server) {
    do_not_compare(server);
    EXPECT_EQ(server.accepts(), static_cast<std::int64_t>(stats().pool.dials_succeeded));
    EXPECT_TRUE(eventually([&] { return server.open() == stats().pool.open; }));
  }
};

// This first one teaches the kit: serve, ask, look at what the client says, look at what the server saw.
TEST_F(ReuseTest, sends_the_second_request_on_the_connection_of_the_first) {
  Listener& server = serve();
  const Client client = make_client();

  const Result<Response> first = client.get(server.url("/one"));
  ASSERT_STATUS(first, 200);
  EXPECT_EQ(first->body, "/one");
  EXPECT_FALSE(first->connection.reused);
  EXPECT_EQ(first->connection.reuse_miss, ReuseMiss::first_for_key);
  EXPECT_EQ(first->connection.dial_reason, DialReason::first);
  EXPECT_EQ(first->connection.requests, 1U);
  EXPECT_EQ(first->connection.address, "127.0.0.1:" + std::to_string(server.port()));
  EXPECT_EQ(first->connection.protocol, "http/1.1");
  EXPECT_EQ(first->connection.tls, "");

  const Result<Response> second = client.get(server.url("/two"));
  ASSERT_STATUS(second, 200);
  EXPECT_TRUE(second->connection.reused);
  EXPECT_EQ(second->connection.reuse_miss, ReuseMiss::none);
  EXPECT_EQ(second->connection.id, first->connection.id);
  EXPECT_EQ(second->connection.requests, 2U);
  EXPECT_EQ(second->times.connect, Duration::zero());

  const ServerLog log = server.log();
  EXPECT_EQ(log.accepts, 1);
  ASSERT_EQ(log.requests.size(), 2U);
  EXPECT_EQ(log.requests[1].number, 2);
}

TEST_F(ReuseTest, opens_a_connection_ahead_of_the_request_that_will_need_it) {
  Listener& server = serve();
  const auto transport = make_transport();
  EXPECT_TRUE(transport->warm(server.url("/whatever")));
  EXPECT_FALSE(transport->warm(server.url("/another"))) << "one is on its way";
  ASSERT_TRUE(eventually([&] { return transport->stats().pool.idle == 1; }));
  EXPECT_FALSE(transport->warm(server.url("/whatever"))) << "one is there";
  EXPECT_TRUE(eventually([&] { return server.log().accepts == 1; }));
  EXPECT_TRUE(server.log().requests.empty());

  const Result<Response> first = Client(transport).get(server.url("/one"));
  ASSERT_STATUS(first, 200);
  EXPECT_TRUE(first->connection.reused);
  EXPECT_EQ(first->connection.requests, 1U);
  EXPECT_EQ(first->times.connect, Duration::zero());
  EXPECT_EQ(server.log().accepts, 1);
  EXPECT_EQ(transport->stats().requests.completed, 1U) << "opening one is no request";
}

TEST_F(ReuseTest, what_cannot_be_opened_ahead_fails_nobody) {
  const auto transport = make_transport();
  EXPECT_FALSE(transport->warm("no url"));
  EXPECT_TRUE(transport->warm("http://127.0.0.1:1/"));
  ASSERT_TRUE(eventually([&] { return transport->stats().pool.dials_failed == 1; }));
  EXPECT_TRUE(transport->drain(seconds(5)));
  EXPECT_FALSE(transport->warm("http://127.0.0.1:1/")) << "it is closed";
}

// --- F1 and F2: clients that are made anew for every call

struct Herd {
  int clients = 1000;
  int rounds = 20;
  int threads = 8;
};

// Every thread makes its share of the clients of each round, and one request with each.
template <class MakeTransport>
std::set<std::string> run_herd(const Herd& herd, const CountingServer& server, MakeTransport make_transport) {
  std::mutex mutex;
  std::set<std::string> fingerprints;
  std::atomic<int> failures{0};
  for (int round = 0; round < herd.rounds; ++round) {
    std::vector<std::thread> threads;
    for (int t = 0; t < herd.threads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = t; i < herd.clients; i += herd.threads) {
          const std::shared_ptr<Transport> transport = make_transport(i);
          const std::string target = "/" + std::to_string(i);
          const Result<Response> reply = Client(transport).get(server.url(target));
          if (!reply || reply->body != target) {
            if (++failures < 5) ADD_FAILURE() << describe(reply);
          }
          std::ostringstream pointer;
          pointer << transport.get();
          std::lock_guard lock(mutex);
          fingerprints.insert(transport->fingerprint());
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(failures, 0);
  return fingerprints;
}

TEST_F(ReuseTest, F1_a_thousand_clients_from_equal_tls_options_use_at_most_eight_connections) {
  CountingServer& server = count({.certificate = &server_certificate()});
  const Options options = tls_options();
  const Herd herd{.rounds = scaled(20, 4)};
  const std::shared_ptr<Transport> one = shared_transport(options);
  std::atomic<int> others{0};
  const std::set<std::string> fingerprints = run_herd(herd, server, [&](int) {
    std::shared_ptr<Transport> transport = Transport::shared(options);
    others += transport != one;
    return transport;
  });
  EXPECT_EQ(others, 0) << "equal options gave another transport";
  EXPECT_EQ(fingerprints.size(), 1U);
  EXPECT_EQ(server.requests(), herd.clients * herd.rounds);
  EXPECT_LE(server.accepts(), 8);
}

TEST_F(ReuseTest, F2_clients_that_differ_in_a_timeout_are_two_transports_on_the_same_sockets) {
  CountingServer& server = count({.certificate = &server_certificate()});
  const Options patient = tls_options();
  const Options hasty = patient.derive([](Options& o) { o.timeouts.total = seconds(44); });
  const std::shared_ptr<Transport> a = shared_transport(patient);
  const std::shared_ptr<Transport> b = shared_transport(hasty);
  EXPECT_NE(a, b);
  EXPECT_NE(a->fingerprint(), b->fingerprint());
  EXPECT_TRUE(compare(patient, hasty).wire.empty());
  EXPECT_EQ(compare(patient, hasty).handle, std::vector<std::string>{"timeouts.total"});

  const Herd herd{.rounds = scaled(20, 2)};
  const std::set<std::string> fingerprints =
      run_herd(herd, server, [&](int i) { return Transport::shared(i % 2 == 0 ? patient : hasty); });
  EXPECT_EQ(fingerprints.size(), 2U);
  EXPECT_LE(server.accepts(), 8);
  EXPECT_EQ(route_of(a->stats(), server.port()).key, route_of(b->stats(), server.port()).key);
}

TEST_F(ReuseTest, isolated_transports_dial_for_every_client_which_is_the_bug) {
  CountingServer& server = count({.certificate = &server_certificate()});
  const Options options = tls_options();
  const Herd herd{.rounds = scaled(20, 1)};
  do_not_compare(server);  // those transports are gone
  run_herd(herd, server, [&](int) { return Transport::create(options); });
  EXPECT_EQ(server.accepts(), herd.clients * herd.rounds);
  EXPECT_TRUE(eventually([&] { return server.open() == 0; })) << server.open() << " sockets left behind";
}

TEST_F(ReuseTest, F1_concurrent_calls_dial_no_more_than_their_number) {
  CountingServer& server = count({.delay = milliseconds(2)});
  const Client client = make_client();
  constexpr int concurrency = 16;
  std::vector<std::thread> threads;
  for (int t = 0; t < concurrency; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) EXPECT_STATUS(client.get(server.url()), 200);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(server.accepts(), concurrency);
}

// The server's TLS 1.3 tickets come right behind its first response, when the connection is already idle again.
TEST_F(ReuseTest, F1_tickets_that_come_after_the_handshake_cause_no_second_dial) {
  CountingServer& server = count({.certificate = &server_certificate()});
  const int rounds = scaled(60, 20);
  for (int round = 0; round < rounds; ++round) {
    const Client client(Transport::create(tls_options()));
    for (int i = 0; i < 20; ++i) ASSERT_STATUS(client.get(server.url()), 200);
  }
  do_not_compare(server);  // those transports are gone
  EXPECT_EQ(server.accepts(), rounds) << "one caller at a time needs one connection";
}

// --- limits

TEST_F(ReuseTest, never_opens_more_connections_to_a_host_than_allowed) {
  CountingServer& server = count({.delay = milliseconds(1)});
  const Client client = make_client(test_options().derive([](Options& o) { o.limits.open_per_host = 3; }));
  std::vector<std::thread> threads;
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) EXPECT_STATUS(client.get(server.url()), 200);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(server.most_open(), 3);
  EXPECT_LE(server.accepts(), 3);
  EXPECT_GT(stats().pool.queued, 0U);
}

// As many connections as calls, which are all held by the server until they are let go.
void burst(const Client& client, const Listener& server, int calls) {
  std::vector<std::future<int>> pending;
  for (int i = 0; i < calls; ++i) {
    pending.push_back(in_background([&client, &server] {
      const Result<Response> reply = client.get(server.scenario("hold"));
      return reply ? reply->status : 0;
    }));
  }
  ASSERT_TRUE(server.wait_for("held", calls));
  server.release(calls);
  for (std::future<int>& each : pending) EXPECT_EQ(each.get(), 200);
}

TEST_F(ReuseTest, keeps_no_more_idle_connections_to_a_host_than_allowed) {
  Listener& server = serve();
  const Client client = make_client(test_options().derive([](Options& o) { o.limits.idle_per_host = 2; }));
  burst(client, server, 8);
  EXPECT_TRUE(server.wait_for_exactly("open", 2));
  EXPECT_EQ(stats().pool.idle, 2);
  EXPECT_TRUE(closed_for(CloseReason::evicted_host, 6));
}

TEST_F(ReuseTest, keeps_no_more_idle_connections_in_all_than_allowed) {
  CountingServer& server = count({.any_address = true});
  const Client client = make_client(test_options().derive([](Options& o) { o.limits.idle_total = 5; }));
  for (int i = 1; i <= 20; ++i) ASSERT_STATUS(client.get(server.url("127.0.2." + std::to_string(i), "/")), 200);
  EXPECT_TRUE(eventually([&] { return server.open() <= 5; })) << server.open();
  EXPECT_LE(stats().pool.idle, 5);
  EXPECT_TRUE(closed_for(CloseReason::evicted_total, 15));
}

TEST_F(ReuseTest, replaces_a_connection_that_has_carried_its_share_of_requests) {
  Listener& server = serve();
  const Client client = make_client(test_options().derive([](Options& o) { o.limits.requests_per_connection = 10; }));
  for (int i = 0; i < 50; ++i) ASSERT_STATUS(client.get(server.url()), 200);
  const ServerLog log = server.log();
  EXPECT_GE(log.accepts, 4);
  EXPECT_LE(log.accepts, 6);
  EXPECT_GE(count_of(stats().pool.closed_by_reason, CloseReason::max_requests), 4U);
  EXPECT_GE(count_of(stats().pool.misses, ReuseMiss::max_requests), 3U);
}

TEST_F(ReuseTest, replaces_a_connection_that_is_too_old) {
  Listener& server = serve();
  const Client client = make_client(test_options().derive([](Options& o) { o.limits.max_age = milliseconds(200); }));
  EXPECT_TRUE(eventually([&] {
    EXPECT_STATUS(client.get(server.url()), 200);
    return HasFailure() || count_of(stats().pool.closed_by_reason, CloseReason::max_age) >= 2;
  }));
  ASSERT_STATUS(client.get(server.url()), 200);
  EXPECT_GE(server.log().accepts, 3);
}

TEST_F(ReuseTest, closes_what_has_been_idle_for_too_long_without_being_asked) {
  Listener& server = serve();
  const Client client =
      make_client(test_options().derive([](Options& o) { o.limits.idle_timeout = milliseconds(100); }));
  ASSERT_STATUS(client.get(server.url()), 200);
  EXPECT_TRUE(server.wait_for_exactly("open", 0));
  EXPECT_TRUE(closed_for(CloseReason::idle_timeout, 1));
  const Result<Response> later = client.get(server.url());
  ASSERT_STATUS(later, 200);
  EXPECT_EQ(later->connection.reuse_miss, ReuseMiss::idle_expired);
  EXPECT_EQ(later->connection.dial_reason, DialReason::expired);
}

TEST_F(ReuseTest, dials_for_a_request_that_asks_for_a_connection_of_its_own) {
  Listener& server = serve();
  const Client client = make_client();
  ASSERT_STATUS(client.get(server.url()), 200);
  const Result<Response> own = client.send(get(server.url()).fresh_connection());
  ASSERT_STATUS(own, 200);
  EXPECT_FALSE(own->connection.reused);
  EXPECT_EQ(own->connection.reuse_miss, ReuseMiss::forced);
  EXPECT_EQ(own->connection.dial_reason, DialReason::forced);
  EXPECT_EQ(server.log().accepts, 2);
}

TEST_F(ReuseTest, does_not_reuse_after_connection_close_from_either_side) {
  Listener& server = serve();
  const Client client = make_client();
  ASSERT_STATUS(client.get(server.scenario("ok", "close=1")), 200);
  const Result<Response> second = client.send(get(server.url()).header("Connection", "close"));
  ASSERT_STATUS(second, 200);
  EXPECT_EQ(second->connection.reuse_miss, ReuseMiss::draining);
  ASSERT_STATUS(client.get(server.url()), 200);
  EXPECT_EQ(server.log().accepts, 3);
  EXPECT_TRUE(closed_for(CloseReason::connection_close, 2));
}

TEST_F(ReuseTest, reuses_http_1_0_only_when_the_server_says_keep_alive) {
  Listener& server = serve();
  const Client client = make_client();
  ASSERT_STATUS(client.get(server.raw("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")), 200);
  ASSERT_STATUS(client.get(server.raw("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok")),
                200);
  EXPECT_EQ(server.log().accepts, 2);
  ASSERT_STATUS(client.get(server.url()), 200);
  EXPECT_EQ(server.log().accepts, 2);
}

TEST_F(ReuseTest, invalidate_closes_idle_connections_and_lets_busy_ones_finish) {
  Listener& server = serve();
  const Client client = make_client();
  burst(client, server, 2);
  auto busy = in_background([&] { return client.get(server.scenario("hold")); });
  ASSERT_TRUE(server.wait_for("held", 1));
  transport()->invalidate();
  EXPECT_TRUE(server.wait_for_exactly("open", 1));
  server.release(1);
  EXPECT_STATUS(busy.get(), 200);
  EXPECT_TRUE(server.wait_for_exactly("open", 0));
  EXPECT_TRUE(closed_for(CloseReason::invalidated, 2));
}

TEST_F(ReuseTest, drain_waits_for_what_is_under_way_and_refuses_what_comes_later) {
  Listener& server = serve();
  const Client client = make_client();
  auto busy = in_background([&] { return client.get(server.scenario("hold")); });
  ASSERT_TRUE(server.wait_for("held", 1));
  auto drained = in_background([this] { return transport()->drain(seconds(30)); });
  ASSERT_TRUE(eventually([&] {
    const Result<Response> refused = client.get(server.url());
    return !refused && refused.error().code == ErrorCode::transport_closed;
  }));
  server.release();
  EXPECT_STATUS(busy.get(), 200);
  EXPECT_TRUE(drained.get());
  EXPECT_EQ(transport()->stats().pool.open, 0) << "its sockets are closed when drain() returns";
  EXPECT_TRUE(server.wait_for_exactly("open", 0));
}

// --- F30: a scan over more hosts than the idle cap must not reuse nothing, as strict LRU would

double reuse_of_cyclic_scan(const Client& client, const CountingServer& server, int hosts, int rounds) {
  int reused = 0;
  int asked = 0;
  for (int round = 0; round < rounds; ++round) {
    for (int host = 0; host < hosts; ++host) {
      const Result<Response> reply = client.get(server.url("127.0.3." + std::to_string(host + 1), "/"));
      EXPECT_GOOD(reply);
      if (!reply || round == 0) continue;
      ++asked;
      reused += reply->connection.reused ? 1 : 0;
    }
  }
  return static_cast<double>(reused) / asked;
}

TEST_F(ReuseTest, F30_a_cyclic_scan_of_101_hosts_with_room_for_100_still_reuses_90_percent) {
  CountingServer& server = count({.any_address = true});
  const Client client = make_client(test_options().derive([](Options& o) { o.limits.idle_total = 100; }));
  EXPECT_GE(reuse_of_cyclic_scan(client, server, 101, 20), 0.9);
  expect_totals_agree(server);
}

TEST_F(ReuseTest, F30_a_cyclic_scan_of_150_hosts_with_room_for_100_still_reuses_40_percent) {
  CountingServer& server = count({.any_address = true});
  const Client client = make_client(test_options().derive([](Options& o) { o.limits.idle_total = 100; }));
  EXPECT_GE(reuse_of_cyclic_scan(client, server, 150, 20), 0.4);
  expect_totals_agree(server);
}

TEST_F(ReuseTest, counts_the_requests_of_all_shared_transports_together_also_of_those_that_are_gone) {
  Listener& server = serve();
  do_not_compare(server);  // not all of these transports are kept until the end
  const auto completed = [] { return Transport::shared_stats().requests.completed; };
  const std::uint64_t before = completed();
  const auto with_timeout = [](int minutes) {
    return test_options().derive([&](Options& o) { o.timeouts.total = std::chrono::minutes(minutes); });
  };
  const std::shared_ptr<Transport> kept = shared_transport(with_timeout(7));
  ASSERT_STATUS(Client(kept).get(server.url()), 200);
  std::weak_ptr<Transport> gone;
  {
    const std::shared_ptr<Transport> other = Transport::shared(with_timeout(8));
    gone = other;
    ASSERT_STATUS(Client(other).get(server.url()), 200);
    EXPECT_TRUE(other->drain(seconds(10)));
  }
  EXPECT_TRUE(eventually([&] { return gone.expired(); }));
  EXPECT_EQ(completed(), before + 2);
  const Stats all = Transport::shared_stats();
  EXPECT_EQ(all.broken_law(), "");
  EXPECT_EQ(all.pool.dials_succeeded, kept->stats().pool.dials_succeeded);
  // A pool of one's own is nobody else's business.
  ASSERT_STATUS(make_client().get(server.url()), 200);
  EXPECT_EQ(completed(), before + 2);
}

// --- F21

TEST_F(ReuseTest, F21_closing_a_thousand_tls_connections_stalls_nobody_else) {
  CountingServer& crowded = count({.certificate = &server_certificate()});
  Listener& quiet = serve();
  const std::shared_ptr<Transport> transport = make_transport(tls_options().derive([](Options& o) {
    o.limits.open_per_host = o.limits.idle_per_host = 1000;
    o.limits.queue_per_host = 2000;
  }));
  const Client client(transport);
  const int wanted = std::min<int>(scaled(1000, 200), static_cast<int>(transport->stats().sockets_limit / 2));
  std::atomic<int> done{0};
  for (int i = 0; i < wanted; ++i) {
    client.start(get(crowded.url()).fresh_connection(), [&](const Result<Response>& reply) {
      EXPECT_GOOD(reply);
      ++done;
    });
  }
  ASSERT_TRUE(eventually([&] { return done == wanted; })) << done;
  EXPECT_GE(crowded.open(), wanted / 2);

  ASSERT_STATUS(client.get(quiet.url()), 200);
  std::atomic<bool> closing{true};
  auto slowest = in_background([&] {
    std::chrono::steady_clock::duration longest{0};
    while (closing) {
      const auto from = std::chrono::steady_clock::now();
      EXPECT_STATUS(client.get(quiet.url()), 200);
      longest = std::max(longest, std::chrono::steady_clock::now() - from);
    }
    return longest;
  });
  transport->invalidate("127.0.0.1");
  EXPECT_TRUE(eventually([&] { return crowded.open() == 0; })) << crowded.open();
  closing = false;
  EXPECT_LT(slowest.get(), seconds(2));
}

}  // namespace
}  // namespace trunkline::test
