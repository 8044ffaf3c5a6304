// What hostile and slow clients meet: each limit of the server, the answer that says so, and the gauges afterwards.
#include <future>
#include <map>

#include "support/serving.h"

namespace trunkline::test {
namespace server_limits_test {

using server::BodyWriter;
using server::ConnectionEnd;
using server::Exchange;
using server::Request;
using server::Settings;

class ServerLimitsTest : public ServingTest {};

constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

// A request that a test answers in its own time.
struct Kept {
  server::RequestBody body;
  Exchange exchange;
};

void say_hello(Request, Exchange exchange) { exchange.respond({200, "text/plain", "hello"}); }

void echo(Request request, Exchange exchange) {
  auto answer = std::make_shared<Exchange>(std::move(exchange));
  request.body.read_all(1024 * 1024, [answer](Result<std::string> body) {
    if (body) answer->respond({200, "text/plain", *std::move(body)});
  });
}

TEST_F(ServerLimitsTest, says_what_was_too_much) {
  Settings settings = quick();
  settings.limits.request_line_bytes = 100;
  settings.limits.header_bytes = 200;
  settings.limits.header_count = 5;
  settings.limits.body_bytes = 10;
  serve(echo, settings);
  const std::string many = "a: b\r\na: b\r\na: b\r\na: b\r\na: b\r\n";
  const std::vector<std::pair<int, std::string>> cases{
      {414, "GET /" + std::string(100, 'x') + " HTTP/1.1\r\nHost: x\r\n\r\n"},
      {431, "GET / HTTP/1.1\r\nHost: x\r\nA: " + std::string(300, 'x') + "\r\n\r\n"},
      {431, "GET / HTTP/1.1\r\nHost: x\r\n" + many + "\r\n"},
      {413, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n"},
      {413, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n12345678901\r\n0\r\n\r\n"},
      {505, "GET / HTTP/2.0\r\nHost: x\r\n\r\n"},
  };
  for (const auto& [status, request] : cases) {
    Raw client(port());
    const std::string response = client.send(request).rest();
    EXPECT_EQ(status_of(response), status) << request;
    EXPECT_EQ(field_of(response, "Connection"), "close");
    EXPECT_EQ(response.find("then reset"), std::string::npos) << response;
  }
  EXPECT_TRUE(at_rest());
  EXPECT_EQ(gauges().ended_for(ConnectionEnd::protocol_error), cases.size());
}

TEST_F(ServerLimitsTest, refuses_what_two_programs_could_read_in_two_ways_and_closes) {
  std::atomic<int> served{0};
  serve([&](Request, Exchange exchange) {
    ++served;
    exchange.respond(server::Response(200));
  });
  const std::vector<std::string> cases{
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
      "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: x\r\n A: b\r\n\r\n",
      "\x16\x03\x01\x02\x01\x01",  // TLS, at a port in clear
  };
  for (const std::string& request : cases) {
    Raw client(port());
    EXPECT_EQ(status_of(client.send(request + "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n").rest()), 400) << request;
  }
  EXPECT_EQ(served, 0);
}

TEST_F(ServerLimitsTest, gives_a_head_so_much_time_and_no_more) {
  Settings settings = quick();
  settings.timeouts.header = milliseconds(50);
  serve(say_hello, settings);
  Raw client(port());
  EXPECT_EQ(status_of(client.send("GET / HTTP/1.1\r\nHo").rest()), 408);
  Raw silent_after_one(port());
  EXPECT_EQ(status_of(silent_after_one.ask(get)), 200);
  EXPECT_EQ(status_of(silent_after_one.send("G").rest()), 408);
  EXPECT_TRUE(ended_for(ConnectionEnd::timed_out, 2));
}

TEST_F(ServerLimitsTest, a_head_that_trickles_is_not_given_more_time_for_each_byte) {
  Settings settings = quick();
  settings.timeouts.header = milliseconds(200);
  serve(say_hello, settings);
  Raw client(port());
  // A byte every few milliseconds until the answer has come: were the time counted from the last byte, it never would.
  std::promise<void> answered;
  std::thread trickle([&, end = answered.get_future()] {
    for (int i = 0; i < 3000 && end.wait_for(milliseconds(5)) == std::future_status::timeout; ++i) client.send("G");
  });
  EXPECT_EQ(status_of(client.rest()), 408);
  answered.set_value();
  trickle.join();
}

TEST_F(ServerLimitsTest, closes_what_is_idle) {
  Settings settings = quick();
  settings.timeouts.idle = milliseconds(50);
  serve(say_hello, settings);
  Raw fresh(port());
  EXPECT_EQ(fresh.rest(), "");
  Raw used(port());
  EXPECT_EQ(status_of(used.ask(get)), 200);
  EXPECT_EQ(used.rest(), "");
  EXPECT_TRUE(ended_for(ConnectionEnd::idle, 2));
}

TEST_F(ServerLimitsTest, does_not_take_a_slow_handler_for_an_idle_client) {
  Settings settings = quick();
  settings.loops = 1;
  settings.timeouts.idle = settings.timeouts.header = settings.timeouts.progress = milliseconds(200);
  std::promise<std::shared_ptr<Exchange>> arrived;
  serve([&](Request, Exchange exchange) { arrived.set_value(std::make_shared<Exchange>(std::move(exchange))); },
        settings);
  Raw client(port());
  client.send(get);
  const auto kept = arrived.get_future().get();
  EXPECT_TRUE(header_time_runs_out());
  kept->respond({200, "text/plain", "late"});
  EXPECT_EQ(body_of(client.response()), "late");
}

TEST_F(ServerLimitsTest, a_body_that_stops_coming_is_given_up) {
  Settings settings = quick();
  settings.timeouts.progress = milliseconds(50);
  serve(echo, settings);
  Raw client(port());
  EXPECT_EQ(status_of(client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na").rest()), 408);
  EXPECT_TRUE(ended_for(ConnectionEnd::timed_out, 1));
}

TEST_F(ServerLimitsTest, a_handler_that_reads_slowly_is_not_held_against_the_client) {
  Settings settings = quick();
  settings.loops = 1;
  settings.timeouts.progress = settings.timeouts.header = milliseconds(50);
  settings.limits.body_ahead_bytes = 1000;
  std::promise<std::shared_ptr<Kept>> arrived;
  serve(
      [&](Request request, Exchange exchange) {
        arrived.set_value(std::make_shared<Kept>(Kept{std::move(request.body), std::move(exchange)}));
      },
      settings);
  Raw client(port());
  constexpr std::size_t size = 2 * 1024 * 1024;
  std::thread sender([&] {
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" +
                std::string(size, 'x'));
  });
  const auto kept = arrived.get_future().get();
  EXPECT_TRUE(header_time_runs_out());
  kept->body.read_all(size, [kept](Result<std::string> body) {
    kept->exchange.respond({200, "text/plain", body ? std::to_string(body->size()) : body.error().message});
  });
  sender.join();
  EXPECT_EQ(body_of(client.response()), std::to_string(size));
}

TEST_F(ServerLimitsTest, a_client_that_takes_nothing_is_cut) {
  Settings settings = quick();
  settings.timeouts.progress = milliseconds(50);
  serve([](Request, Exchange exchange) { exchange.respond({200, "text/plain", std::string(16 * 1024 * 1024, 'x')}); },
        settings);
  Raw client(port(), 4096);
  client.send(get);
  EXPECT_TRUE(ended_for(ConnectionEnd::timed_out, 1));
  EXPECT_EQ(gauges().requests_cancelled + gauges().requests_completed, 1u);
}

TEST_F(ServerLimitsTest, answers_503_beyond_its_connections_and_serves_again_when_one_has_gone) {
  Settings settings = quick();
  settings.limits.connections = 2;
  serve(say_hello, settings);
  auto first = std::make_unique<Raw>(port());
  Raw second(port());
  EXPECT_EQ(status_of(first->ask(get)), 200);
  EXPECT_EQ(status_of(second.ask(get)), 200);
  const std::string refused = Raw(port()).rest();
  EXPECT_EQ(status_of(refused), 503);
  EXPECT_NE(field_of(refused, "Retry-After"), "");
  first.reset();
  ASSERT_TRUE(eventually([&] { return gauges().connections == 1; }));
  Raw third(port());
  EXPECT_EQ(status_of(third.ask(get)), 200);
  EXPECT_EQ(gauges().ended_for(ConnectionEnd::over_limit), 1u);
}

TEST_F(ServerLimitsTest, closes_in_order_after_so_many_requests) {
  Settings settings = quick();
  settings.limits.requests_per_connection = 2;
  serve(say_hello, settings);
  Raw client(port());
  EXPECT_EQ(field_of(client.ask(get), "Connection"), "");
  EXPECT_EQ(field_of(client.ask(get), "Connection"), "close");
  EXPECT_EQ(client.rest(), "");
  EXPECT_TRUE(ended_for(ConnectionEnd::last_request, 1));
}

TEST_F(ServerLimitsTest, drains_idle_connections_at_once_and_busy_ones_when_they_are_done) {
  Settings settings = quick();
  settings.loops = 1;  // so that both hear of the drain at once
  std::promise<std::shared_ptr<Exchange>> arrived;
  serve(
      [&](Request request, Exchange exchange) {
        if (request.path == "/") {
          say_hello(std::move(request), std::move(exchange));
        } else {
          arrived.set_value(std::make_shared<Exchange>(std::move(exchange)));
        }
      },
      settings);
  Raw idle(port());
  EXPECT_EQ(status_of(idle.ask(get)), 200);
  Raw busy(port());
  busy.send("GET /busy HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto kept = arrived.get_future().get();
  EXPECT_TRUE(server().ready());
  auto drained = std::async(std::launch::async, [&] { return server().drain(seconds(20)); });
  EXPECT_EQ(idle.rest(), "");
  EXPECT_FALSE(server().ready());
  EXPECT_ANY_THROW(Raw{port()});  // nobody listens
  kept->respond({200, "text/plain", "done"});
  const std::string last = busy.rest();
  EXPECT_EQ(body_of(last), "done");
  EXPECT_EQ(field_of(last, "Connection"), "close");
  EXPECT_TRUE(drained.get());
  EXPECT_EQ(gauges().ended_for(ConnectionEnd::drained), 2u);
  EXPECT_TRUE(gauges().quiet() && gauges().adds_up()) << gauges().describe();
}

// Two handlers hold the loop: while the first does, the drain cannot begin; the second is in its turn when the loop has
// stopped listening, and hears of the drain at its end.
TEST_F(ServerLimitsTest, a_drain_still_serves_the_request_that_has_come_and_was_not_read) {
  Settings settings = quick();
  settings.loops = 1;
  struct Hold {
    std::promise<void> arrived;
    std::promise<void> may_go_on;
  };
  std::map<std::string, Hold, std::less<>> holds;
  for (const char* path : {"/first", "/second"}) holds[path];
  serve(
      [&](Request request, Exchange exchange) {
        if (const auto hold = holds.find(request.path); hold != holds.end()) {
          hold->second.arrived.set_value();
          hold->second.may_go_on.get_future().wait();
        }
        say_hello(std::move(request), std::move(exchange));
      },
      settings);
  Raw reuses(port());
  EXPECT_EQ(status_of(reuses.ask(get)), 200);
  Raw first(port());
  Raw second(port());
  EXPECT_EQ(status_of(second.ask(get)), 200);
  first.send("GET /first HTTP/1.1\r\nHost: x\r\n\r\n");
  holds["/first"].arrived.get_future().wait();
  second.send("GET /second HTTP/1.1\r\nHost: x\r\n\r\n");
  auto drained = std::async(std::launch::async, [&] { return server().drain(seconds(20)); });
  EXPECT_TRUE(eventually([&] { return !server().ready(); }));
  holds["/first"].may_go_on.set_value();
  holds["/second"].arrived.get_future().wait();
  reuses.send(get);
  holds["/second"].may_go_on.set_value();
  const std::string last = reuses.rest();
  EXPECT_EQ(status_of(last), 200);
  EXPECT_EQ(field_of(last, "Connection"), "close");
  EXPECT_TRUE(drained.get());
}

TEST_F(ServerLimitsTest, cuts_what_is_not_done_when_the_time_for_draining_is_over) {
  std::promise<std::shared_ptr<Exchange>> arrived;
  serve([&](Request, Exchange exchange) { arrived.set_value(std::make_shared<Exchange>(std::move(exchange))); });
  Raw busy(port());
  busy.send(get);
  const auto kept = arrived.get_future().get();
  EXPECT_FALSE(server().drain(milliseconds(20)));
  EXPECT_TRUE(gauges().quiet() && gauges().adds_up()) << gauges().describe();
  EXPECT_EQ(gauges().ended_for(ConnectionEnd::stopped), 1u);
  EXPECT_EQ(gauges().requests_cancelled, 1u);
}

TEST_F(ServerLimitsTest, handles_that_outlive_the_server_are_harmless) {
  std::promise<std::shared_ptr<Exchange>> arrived;
  serve([&](Request, Exchange exchange) { arrived.set_value(std::make_shared<Exchange>(std::move(exchange))); });
  Raw busy(port());
  busy.send(get);
  auto kept = arrived.get_future().get();
  TearDown();
  BodyWriter writer = kept->start(200, {});
  EXPECT_EQ(writer.write("x"), BodyWriter::Sent::gone);
}

}  // namespace server_limits_test
}  // namespace trunkline::test
