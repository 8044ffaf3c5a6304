// How many connections many calls cost: cold herds (F8), limits told late (F10), limits that change (F9), servers that
// say GOAWAY (F14). The server's accepts decide.
#include <chrono>
#include <thread>

#include "support/h2_test.h"

namespace trunkline::test {
namespace {

constexpr int herd = 200;

struct Cold {
  std::optional<std::uint32_t> limit;
  milliseconds delay{0};
  bool tls = false;
  std::int64_t most_accepts = 1;
  std::int64_t least_accepts = 1;
  bool strict = false;
};

class HerdTest : public HttpTest {
 protected:
  static Request request(const H2Server& server, int i) {
    return post(server.url(numbered(i)), "body").header("x-id", std::to_string(i));
  }
  // Cold clients, one after the other, each with two hundred requests at once.
  void expect_few_accepts(const Cold& cold) {
    H2Server& server = serve_h2(
        {.certificate = certificate_if(cold.tls), .limit = cold.limit, .strict = cold.strict, .delay = cold.delay});
    const int rounds = full_run() ? 100 : scaled(10, 3);
    for (int round = 0; round < rounds && !HasFailure(); ++round) {
      SCOPED_TRACE("round " + std::to_string(round));
      const std::int64_t before = server.accepts();
      const Client client = make_client(h2_options(cold.tls));
      expect_all_good(all_at_once(client, herd, [&](int i) { return get(server.url(numbered(i))); }), numbered);
      EXPECT_LE(server.accepts() - before, cold.most_accepts);
      EXPECT_GE(server.accepts() - before, cold.least_accepts);
    }
    EXPECT_EQ(server.processed(), server.requests()) << "some were refused";
    EXPECT_EQ(server.overshoots(), 0);
    if (cold.limit) {
      EXPECT_LE(server.most_streams(), *cold.limit);
    }
  }
};

TEST_F(HerdTest, F8_200_cold_requests_cost_at_most_2_connections_with_a_limit_of_100) {
  expect_few_accepts({.limit = 100, .most_accepts = 2});
}
TEST_F(HerdTest, F8_200_cold_requests_cost_at_most_2_connections_with_a_limit_of_100_and_a_slow_handler) {
  expect_few_accepts({.limit = 100, .delay = milliseconds(20), .most_accepts = 2});
}
TEST_F(HerdTest, F8_200_cold_requests_cost_at_most_2_connections_with_a_limit_of_100_over_tls) {
  expect_few_accepts({.limit = 100, .tls = true, .most_accepts = 2});
}
TEST_F(HerdTest, F8_200_cold_requests_cost_at_most_2_connections_with_a_limit_of_100_and_a_slow_handler_over_tls) {
  expect_few_accepts({.limit = 100, .delay = milliseconds(20), .tls = true, .most_accepts = 2});
}
TEST_F(HerdTest, F8_200_cold_requests_cost_exactly_1_connection_with_a_limit_of_250) {
  expect_few_accepts({.limit = 250});
}
TEST_F(HerdTest, F8_200_cold_requests_cost_exactly_1_connection_with_a_limit_of_250_and_a_slow_handler) {
  expect_few_accepts({.limit = 250, .delay = milliseconds(20)});
}
TEST_F(HerdTest, F8_200_cold_requests_cost_exactly_1_connection_with_a_limit_of_250_over_tls) {
  expect_few_accepts({.limit = 250, .tls = true});
}
TEST_F(HerdTest, F8_200_cold_requests_cost_exactly_1_connection_with_a_limit_of_250_and_a_slow_handler_over_tls) {
  expect_few_accepts({.limit = 250, .delay = milliseconds(20), .tls = true});
}
TEST_F(HerdTest, F8_200_cold_requests_cost_exactly_1_connection_when_no_limit_is_told) {
  expect_few_accepts({.limit = std::nullopt, .delay = milliseconds(20)});
}
TEST_F(HerdTest, F8_200_cold_requests_cost_at_most_20_connections_with_a_limit_of_10) {
  expect_few_accepts({.limit = 10, .most_accepts = 20});
}
TEST_F(HerdTest, F8_200_cold_requests_cost_at_most_20_connections_with_a_limit_of_10_and_a_slow_handler) {
  expect_few_accepts({.limit = 10, .delay = milliseconds(20), .most_accepts = 20});
}
TEST_F(HerdTest, F8_200_cold_requests_cost_at_most_20_connections_with_a_limit_of_10_over_tls) {
  expect_few_accepts({.limit = 10, .tls = true, .most_accepts = 20});
}
TEST_F(HerdTest, F8_200_cold_requests_cost_at_most_20_connections_with_a_limit_of_10_and_a_slow_handler_over_tls) {
  expect_few_accepts({.limit = 10, .delay = milliseconds(20), .tls = true, .most_accepts = 20});
}
TEST_F(HerdTest, F10_a_server_that_kills_whoever_exceeds_a_limit_of_1_before_it_was_told_never_has_to) {
  expect_few_accepts({.limit = 1, .most_accepts = 64, .strict = true});
}
TEST_F(HerdTest, F10_a_server_that_kills_whoever_exceeds_a_limit_of_8_never_has_to) {
  expect_few_accepts({.limit = 8, .delay = milliseconds(1), .tls = true, .most_accepts = 25, .strict = true});
}

TEST_F(HerdTest, F8_200_threads_that_block_cost_as_few) {
  H2Server& server = serve_h2({.limit = 250, .delay = milliseconds(1)});
  const Client client = make_client(h2c_options());
  on_threads(herd, [&](int t) {
    const Result<Response> reply = client.get(server.url(numbered(t)));
    ASSERT_STATUS(reply, 200);
    EXPECT_EQ(reply->body, numbered(t));
  });
  EXPECT_EQ(server.accepts(), 1);
}

TEST_F(HerdTest, F8_a_limit_of_2_is_kept_with_few_connections_allowed) {
  H2Server& server = serve_h2({.limit = 2, .strict = true});
  const Client client = make_client(h2c_options().derive([](Options& o) { o.limits.open_per_host = 3; }));
  expect_all_good(all_at_once(client, herd, [&](int i) { return request(server, i); }), numbered);
  EXPECT_LE(server.accepts(), 3);
  EXPECT_LE(server.most_streams(), 2);
  EXPECT_EQ(server.overshoots(), 0);
}

TEST_F(HerdTest, F8_automatic_dials_once_before_it_knows_and_then_as_many_as_http_1_1_needs) {
  for (const std::string alpn : {"http/1.1", ""}) {
    Listener& server = serve({.certificate = &server_certificate(), .alpn = alpn});
    const Client client = make_client(tls_options().derive([](Options& o) { o.limits.open_per_host = 16; }));
    const auto replies = all_at_once(client, 64, [&](int i) { return get(server.url(numbered(i))); });
    expect_all_good(replies, numbered);
    for (const auto& reply : replies) EXPECT_EQ(reply ? reply->connection.protocol : "", "http/1.1");
    EXPECT_LE(server.log().accepts, 16);
  }
}

TEST_F(HerdTest, F8_automatic_with_http_2_needs_one_connection) {
  H2Server& server = serve_h2({.certificate = &server_certificate(), .limit = 250, .delay = milliseconds(20)});
  const Client client = make_client(tls_options());
  expect_all_good(all_at_once(client, herd, [&](int i) { return get(server.url(numbered(i))); }), numbered);
  EXPECT_EQ(server.accepts(), 1);
}

TEST_F(HerdTest, F10_settings_that_come_late_are_waited_for) {
  H2Server& server = serve_h2({.limit = 8, .strict = true, .settings_on_word = true});
  const Client client = make_client(h2c_options());
  std::vector<H2Call> calls;
  for (int i = 0; i < 50; ++i) calls.push_back(start(client, request(server, i)));
  EXPECT_TRUE(eventually([&] { return server.streams() >= 1; }));
  server.send_settings();
  for (H2Call& call : calls) EXPECT_STATUS(call.reply.get(), 200);
  EXPECT_EQ(server.overshoots(), 0);
  EXPECT_LE(server.most_streams(), 8);
}

// The pool has a patience of its own for a server that has not said yet how many requests it takes.
TEST_F(HerdTest, F10_whoever_waits_for_settings_fails_when_his_own_time_is_up) {
  H2Server& server = serve_h2({.settings_on_word = true});
  const Client client = make_client(h2c_options().derive([](Options& o) {
    o.timeouts.connect = milliseconds(50);
    o.timeouts.queue = milliseconds(100);
  }));
  H2Call first = start(client, get(server.url("/first")));
  ASSERT_TRUE(eventually([&] { return server.streams() == 1; }));
  for (const bool blocking : {true, false}) {
    const auto send = [&](Request request) {
      return blocking ? client.send(std::move(request)) : start(client, std::move(request)).reply.get();
    };
    const Result<Response> queued = send(get(server.url("/queued")));
    ASSERT_TRUE(fails_as(queued, "timeout_queue")) << blocking;
    EXPECT_EQ(queued.error().phase, Phase::queue);
    EXPECT_NE(queued.error().message.find("SETTINGS"), std::string::npos) << describe(queued);
    EXPECT_EQ(queued.error().maybe_processed, MaybeProcessed::no);
    const Result<Response> hurried = send(get(server.url("/hurried")).total_timeout(milliseconds(50)));
    ASSERT_TRUE(fails_as(hurried, "timeout_total")) << blocking;
    EXPECT_EQ(hurried.error().maybe_processed, MaybeProcessed::no);
  }
  EXPECT_EQ(server.accepts(), 1) << "after a second somebody would have dialled once more";
  server.send_settings();
  EXPECT_STATUS(first.reply.get(), 200);
  EXPECT_EQ(server.requests(), 1) << "whoever has failed is not sent later";
}

// Others may find first that its time is up: its own timer is due, and the loop has not come to it.
TEST_F(HerdTest, F10_whose_total_time_is_up_is_told_so_by_the_pool_too) {
  H2Server& server = serve_h2({.settings_on_word = true});
  H2Server& other_server = serve_h2();
  const Client other = make_client(h2c_options());
  const Client client = make_client(h2c_options());
  H2Call first = start(client, get(server.url("/first")));
  ASSERT_TRUE(eventually([&] { return server.streams() == 1; }));
  H2Call queued = start(client, get(server.url("/queued")).total_timeout(milliseconds(500)));
  const auto until = std::chrono::steady_clock::now() + milliseconds(500);
  EXPECT_TRUE(eventually([&] { return stats().pool.queued >= 1; }));
  std::promise<void> begun;
  std::promise<void> end;
  other.start(get(other_server.url()), [&, ended = end.get_future().share()](const Result<Response>&) {
    begun.set_value();
    ended.wait();  // on the loop of both
  });
  begun.get_future().wait();
  std::this_thread::sleep_until(until);  // no event tells of it: that its time is over is what is tested
  const std::uint64_t waited = stats().pool.queued;
  auto behind = in_background([&] { return client.get(server.url("/behind")); });
  EXPECT_TRUE(eventually([&] { return stats().pool.queued == waited + 1; }));
  end.set_value();
  EXPECT_TRUE(fails_as(queued.reply.get(), "timeout_total"));
  server.send_settings();
  EXPECT_STATUS(first.reply.get(), 200);
  EXPECT_STATUS(behind.get(), 200);
}

TEST_F(HerdTest, the_limit_of_a_server_is_remembered_when_its_connection_is_gone) {
  H2Server& server = serve_h2({.limit = 50, .delay = milliseconds(5)});
  const Client client = make_client(h2c_options());
  ASSERT_STATUS(client.get(server.url()), 200);
  transport()->invalidate();
  ASSERT_TRUE(eventually([&] { return server.open() == 0; }));
  const std::int64_t before = server.accepts();
  expect_all_good(all_at_once(client, 50, [&](int i) { return request(server, i); }), numbered);
  EXPECT_EQ(server.accepts(), before + 1);
}

// --- limits that change

TEST_F(HerdTest, F9_a_limit_that_goes_100_1_0_5_in_flight_strands_nobody) {
  H2Server& server = serve_h2({.limit = 100});
  const Client client = make_client(h2c_options().derive([](Options& o) { o.limits.open_per_host = 1; }));
  ASSERT_STATUS(client.get(server.url()), 200);
  std::vector<H2Call> held;
  for (int i = 0; i < 100; ++i) held.push_back(start(client, get(server.url("/hold"))));
  ASSERT_TRUE(eventually([&] { return server.held() == 100; }));
  server.set_limit(1);
  std::vector<H2Call> more;
  const auto start_some = [&](int count) {
    for (int i = 0; i < count; ++i) more.push_back(start(client, request(server, i)));
  };
  start_some(50);
  server.set_limit(0);
  start_some(50);
  server.release();
  for (H2Call& call : held) EXPECT_STATUS(call.reply.get(), 200);
  EXPECT_TRUE(eventually([&] { return server.streams() == 0; }));
  start_some(50);
  server.set_limit(5);
  for (H2Call& call : more) EXPECT_STATUS(call.reply.get(), 200);
  const std::int64_t overshoots = server.overshoots();  // what was under way when the limit fell, and was refused
  start_some(50);
  for (std::size_t i = 150; i < more.size(); ++i) EXPECT_STATUS(more[i].reply.get(), 200);
  EXPECT_EQ(server.overshoots(), overshoots);
  EXPECT_LE(server.accepts(), 3) << "one more may be tried while the limit is 0, one at a time";
}

TEST_F(HerdTest, F9_a_limit_that_keeps_changing_under_load_strands_nobody) {
  for (const bool tls : {false, true}) {
    H2Server& server = serve_h2({.certificate = certificate_if(tls), .limit = 100});
    const Client client = make_client(h2_options(tls));
    std::atomic<bool> stop{false};
    auto changes = in_background([&] {
      std::int64_t before = server.processed();
      for (int i = 0; !stop; ++i) {
        server.set_limit(std::array<std::uint32_t, 6>{100, 1, 30, 0, 5, 2}[static_cast<std::size_t>(i % 6)]);
        eventually([&] { return stop || server.processed() >= before + 100 || i % 6 == 3; });
        before = server.processed();
      }
    });
    const int count = scaled(5000, 1000);
    const auto replies = keep_busy(client, 100, count, [&](int i) { return request(server, i); });
    stop = true;
    changes.get();
    expect_all_good(replies, numbered);
    EXPECT_EQ(server.processed_twice(), std::vector<std::string>());
    EXPECT_EQ(server.processed(), count);
  }
}

// A limit of 0 is legal: one waits, and fails with its own time limit if it lasts.
TEST_F(HerdTest, F9_a_limit_of_0_makes_requests_wait_until_it_is_raised) {
  H2Server& server = serve_h2({.limit = 0});
  const Client client = make_client(h2c_options().derive([](Options& o) { o.limits.open_per_host = 2; }));
  Timeouts hasty = test_options().timeouts;
  hasty.queue = milliseconds(300);
  H2Call patient = start(client, get(server.url("/patient")));
  const Result<Response> late = client.send(get(server.url("/late")).timeouts(hasty).total_timeout(seconds(10)));
  ASSERT_FAILS(late, ErrorCode::timeout_queue);
  EXPECT_EQ(late.error().maybe_processed, MaybeProcessed::no);
  server.set_limit(3);
  EXPECT_STATUS(patient.reply.get(), 200);
  EXPECT_LE(server.accepts(), 2);
}

// --- GOAWAY

class GoawayTest : public HerdTest {
 protected:
  void expect_no_error(H2Options options, bool tls) {
    options.certificate = certificate_if(tls);
    options.goaway_after = 100;
    H2Server& server = serve_h2(options);
    const Client client = make_client(h2_options(tls));
    const int count = full_run() ? 10000 : scaled(1000, 500);
    const auto replies = keep_busy(client, 50, count, [&](int i) { return request(server, i); });
    expect_all_good(replies, numbered);
    EXPECT_EQ(server.processed(), count);
    EXPECT_EQ(server.processed_twice(), std::vector<std::string>());
    EXPECT_GE(server.goaways_sent(), count / 200);
    EXPECT_EQ(stats().requests.failed_total(), 0U);
  }
};

TEST_F(GoawayTest, F14_goaway_every_100_requests_causes_no_error_and_no_request_is_processed_twice) {
  expect_no_error({}, false);
}
TEST_F(GoawayTest, F14_the_same_over_tls) { expect_no_error({}, true); }
TEST_F(GoawayTest, F14_the_same_with_a_slow_handler) { expect_no_error({.delay = milliseconds(2)}, false); }
TEST_F(GoawayTest, F14_the_same_with_a_warning_first) { expect_no_error({.warn = true}, false); }
TEST_F(GoawayTest, F14_the_same_with_a_warning_first_and_a_slow_handler_over_tls) {
  expect_no_error({.delay = milliseconds(2), .warn = true}, true);
}
TEST_F(GoawayTest, F14_the_same_with_a_limit_of_10) { expect_no_error({.limit = 10}, false); }

TEST_F(GoawayTest, F14_streams_under_way_finish_on_the_old_connection_and_new_ones_take_another) {
  H2Server& server = serve_h2();
  const Client client = make_client(h2c_options());
  H2Call old = start(client, get(server.url("/hold")));
  ASSERT_TRUE(eventually([&] { return server.held() == 1; }));
  server.goaway();
  ASSERT_TRUE(eventually([&] { return stats().pool.retiring == 1; }));
  const Result<Response> next = client.get(server.url("/next"));
  ASSERT_STATUS(next, 200);
  server.release();
  const Result<Response> reply = old.reply.get();
  ASSERT_STATUS(reply, 200);
  EXPECT_NE(reply->connection.id, next->connection.id);
  EXPECT_EQ(server.accepts(), 2);
  EXPECT_TRUE(eventually([&] { return server.open() == 1; }));
  EXPECT_TRUE(closed_for(CloseReason::goaway, 1));
}

TEST_F(GoawayTest, an_idle_connection_that_gets_goaway_is_closed_and_not_used_again) {
  H2Server& server = serve_h2({.certificate = &server_certificate()});
  const Client client = make_client(h2_options());
  for (int i = 0; i < 5; ++i) {
    ASSERT_STATUS(client.post(server.url(), "x"), 200);
    server.goaway();
    EXPECT_TRUE(eventually([&] { return server.open() == 0; }));
  }
  EXPECT_EQ(server.accepts(), 5);
  EXPECT_EQ(stats().requests.retries, 0U);
}

}  // namespace
}  // namespace trunkline::test
