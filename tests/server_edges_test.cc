// The server's HTTP/1.1 where two things come at once: answers that wait for each other, clients that leave in the
// middle of something, handlers that throw.
#include <sys/socket.h>

#include <future>
#include <thread>

#include "support/serving.h"

namespace trunkline::test {
namespace server_edges_test {

using server::BodyWriter;
using server::ConnectionEnd;
using server::Exchange;
using server::Request;
using server::Settings;

class ServerEdgesTest : public ServingTest {};

constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

void say_hello(Request, Exchange exchange) { exchange.respond({200, "text/plain", "hello"}); }

// Writes for ever, whenever there is room.
void write_for_ever(Exchange exchange, const std::function<void()>& gone) {
  auto writer = std::make_shared<BodyWriter>(exchange.start(200, {}));
  auto pump = [writer, gone] {
    BodyWriter::Sent sent = BodyWriter::Sent::taken;
    while (sent == BodyWriter::Sent::taken) sent = writer->write(std::string(10'000, 'x'));
    if (sent == BodyWriter::Sent::gone) gone();
  };
  writer->on_room(pump);
  pump();
}

TEST_F(ServerEdgesTest, a_large_last_answer_behind_a_pipelined_one_arrives_whole) {
  constexpr std::size_t size = 20'000'000;
  serve([](Request request, Exchange exchange) {
    exchange.respond({200, "text/plain", std::string(request.path == "/large" ? size : 5, 'x')});
  });
  Raw client(port(), 4096);
  client.send(
      "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
      "GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(body_of(client.response()).size(), 5u);
  EXPECT_EQ(body_of(client.rest()).size(), size);
}

TEST_F(ServerEdgesTest, a_streamed_response_that_begins_while_answers_are_held_together_goes_on) {
  serve([](Request request, Exchange exchange) {
    if (request.path != "/stream") {
      say_hello(std::move(request), std::move(exchange));
      return;
    }
    BodyWriter writer = exchange.start(200, {}, 200'000);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(writer.write(std::string(10'000, 'x')), BodyWriter::Sent::taken);
    writer.finish();
  });
  Raw client(port());
  client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(body_of(client.response()).size(), 200'000u);
  EXPECT_EQ(body_of(client.response()), "hello");
}

TEST_F(ServerEdgesTest, the_answer_behind_a_streamed_one_leaves_with_it) {
  std::promise<std::shared_ptr<BodyWriter>> started;
  serve([&](Request request, Exchange exchange) {
    if (request.path == "/stream") {
      started.set_value(std::make_shared<BodyWriter>(exchange.start(200, {}, 5)));
    } else {
      say_hello(std::move(request), std::move(exchange));
    }
  });
  Raw client(port());
  client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n").send(get);
  const auto writer = started.get_future().get();
  EXPECT_EQ(status_of(client.until("\r\n\r\n")), 200);
  writer->write("12345");
  writer->finish();
  EXPECT_EQ(client.until("12345"), "12345");
  EXPECT_EQ(body_of(client.response()), "hello");
}

TEST_F(ServerEdgesTest, a_writer_that_dies_with_the_handler_that_threw_cuts_the_response_off) {
  Settings settings = quick();
  std::promise<std::string> told;
  settings.on_trouble = [&](const std::string& sentence) { told.set_value(sentence); };
  serve(
      [](Request, Exchange exchange) {
        BodyWriter writer = exchange.start(200, {});
        writer.write("half");
        throw std::runtime_error("out of ideas");
      },
      settings);
  Raw client(port());
  EXPECT_EQ(client.send(get).rest().find("0\r\n\r\n"), std::string::npos);
  EXPECT_EQ(told.get_future().get(), "a handler threw: out of ideas");
  EXPECT_TRUE(ended_for(ConnectionEnd::cut_off, 1));
}

TEST_F(ServerEdgesTest, head_on_a_route_that_streams_ends_with_its_head_and_the_writer_hears_so) {
  const auto gone = std::make_shared<std::atomic<int>>(0);  // it may be told twice, the second time after the test
  serve([gone](Request request, Exchange exchange) {
    if (request.path == "/stream") {
      write_for_ever(std::move(exchange), [gone] { ++*gone; });
    } else if (request.path == "/none") {
      BodyWriter writer = exchange.start(204, {});
      EXPECT_EQ(writer.write("x"), BodyWriter::Sent::gone);
    } else {
      say_hello(std::move(request), std::move(exchange));
    }
  });
  Raw client(port());
  EXPECT_EQ(status_of(client.send("HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n").until("\r\n\r\n")), 200);
  EXPECT_EQ(status_of(client.send("GET /none HTTP/1.1\r\nHost: x\r\n\r\n").until("\r\n\r\n")), 204);
  EXPECT_EQ(body_of(client.ask(get)), "hello");
  EXPECT_TRUE(eventually([&] { return *gone > 0; }));
  EXPECT_TRUE(eventually([&] { return gauges().requests_completed == 3; })) << gauges().describe();
}

TEST_F(ServerEdgesTest, a_client_that_closes_its_side_and_then_resets_is_forgotten_at_the_next_byte) {
  std::promise<std::shared_ptr<BodyWriter>> started;
  std::promise<void> cancelled;
  serve([&](Request, Exchange exchange) {
    exchange.on_cancelled([&] { cancelled.set_value(); });
    started.set_value(std::make_shared<BodyWriter>(exchange.start(200, {})));
  });
  std::shared_ptr<BodyWriter> writer;
  {
    Raw client(port());
    client.send(get).finish();
    writer = started.get_future().get();
    ASSERT_EQ(cancelled.get_future().wait_for(seconds(20)), std::future_status::ready);
    const linger at_once{1, 0};
    ASSERT_EQ(::setsockopt(client.fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
  }
  EXPECT_TRUE(eventually([&] { return writer->write("x") == BodyWriter::Sent::gone; }));
  EXPECT_TRUE(at_rest());
}

TEST_F(ServerEdgesTest, an_end_that_comes_together_with_the_request_is_noticed) {
  std::promise<void> cancelled;
  std::shared_ptr<Exchange> kept;
  serve([&](Request, Exchange exchange) {
    kept = std::make_shared<Exchange>(std::move(exchange));
    kept->on_cancelled([&] { cancelled.set_value(); });
  });
  Raw client(port());
  ASSERT_EQ(::send(client.fd(), get.data(), get.size(), MSG_MORE), static_cast<ssize_t>(get.size()));
  client.finish();  // one segment carries both
  EXPECT_EQ(cancelled.get_future().wait_for(seconds(20)), std::future_status::ready);
  kept->respond({200, "text/plain", "still"});
  EXPECT_EQ(body_of(client.rest()), "still");
}

TEST_F(ServerEdgesTest, a_handler_that_asks_for_the_body_late_is_not_held_against_a_client_that_waits_for_100) {
  Settings settings = quick();
  settings.loops = 1;
  settings.timeouts.progress = settings.timeouts.header = milliseconds(50);
  std::promise<std::function<void()>> arrived;
  serve(
      [&](Request request, Exchange exchange) {
        auto body = std::make_shared<server::RequestBody>(std::move(request.body));
        auto answer = std::make_shared<Exchange>(std::move(exchange));
        arrived.set_value([body, answer] {
          body->read_all(1000, [body, answer](Result<std::string> all) {
            answer->respond(all ? server::Response(200, "text/plain", *std::move(all)) : server::plain_response(400));
          });
        });
      },
      settings);
  Raw client(port());
  client.send("PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  const auto ask_for_the_body = arrived.get_future().get();
  EXPECT_TRUE(header_time_runs_out());
  ask_for_the_body();
  EXPECT_EQ(client.until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(body_of(client.ask("abc")), "abc");
}

TEST_F(ServerEdgesTest, answers_500_when_a_callback_throws_and_says_what) {
  Settings settings = quick();
  std::promise<std::string> told;
  settings.on_trouble = [&](const std::string& sentence) { told.set_value(sentence); };
  serve(
      [](Request request, Exchange exchange) {
        auto answer = std::make_shared<Exchange>(std::move(exchange));
        request.body.read_all(1000, [answer](const Result<std::string>&) { throw std::runtime_error("bad body"); });
      },
      settings);
  Raw client(port());
  EXPECT_EQ(status_of(client.ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")), 500);
  EXPECT_EQ(told.get_future().get(), "a handler's callback threw: bad body");
}

TEST_F(ServerEdgesTest, an_answer_before_its_body_was_read_lets_the_rest_come_and_keeps_the_connection) {
  Settings settings = quick();
  settings.limits.body_ahead_bytes = 1000;
  std::promise<std::shared_ptr<Exchange>> arrived;
  std::promise<std::shared_ptr<server::RequestBody>> body;
  serve(
      [&](Request request, Exchange exchange) {
        if (request.method == "GET") {
          say_hello(std::move(request), std::move(exchange));
          return;
        }
        body.set_value(std::make_shared<server::RequestBody>(std::move(request.body)));
        arrived.set_value(std::make_shared<Exchange>(std::move(exchange)));
      },
      settings);
  Raw client(port());
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + std::string(100'000, 'x'));
  const auto kept = arrived.get_future().get();
  const auto unread = body.get_future().get();
  kept->respond({200, "text/plain", "early"});
  EXPECT_EQ(body_of(client.response()), "early");
  client.send(std::string(100'000, 'x'));
  EXPECT_EQ(body_of(client.ask(get)), "hello");
}

TEST_F(ServerEdgesTest, a_body_until_the_close_that_is_cut_off_ends_with_a_reset) {
  std::promise<std::shared_ptr<BodyWriter>> started;
  serve([&](Request, Exchange exchange) { started.set_value(std::make_shared<BodyWriter>(exchange.start(200, {}))); });
  Raw client(port());
  client.send("GET / HTTP/1.0\r\n\r\n");
  auto writer = started.get_future().get();
  writer->write("half");
  client.until("half");
  writer.reset();
  EXPECT_EQ(client.rest(), ", then reset");
}

TEST_F(ServerEdgesTest, refuses_a_name_that_no_field_can_carry) {
  Settings settings = quick();
  settings.name = "mine\r\nX: y";
  EXPECT_FALSE(server::Server::start(settings, say_hello));
}

}  // namespace server_edges_test
}  // namespace trunkline::test
