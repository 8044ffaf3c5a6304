// The server's HTTP/1.1 end to end: against sockets that say exactly what a test wants, and real clients.
#include <future>
#include <thread>

#include "server/access_log.h"
#include "support/process.h"
#include "support/serving.h"

namespace trunkline::test {
namespace server_test {

using server::BodyWriter;
using server::ConnectionEnd;
using server::Exchange;
using server::Gauges;
using server::Request;
using server::RequestBody;
using server::Router;
using server::Settings;

class ServerTest : public ServingTest {};

void say_hello(Request, Exchange exchange) { exchange.respond({200, "text/plain", "hello"}); }

// Reads the whole body and gives it back.
void echo(Request request, Exchange exchange) {
  auto answer = std::make_shared<Exchange>(std::move(exchange));
  request.body.read_all(1024 * 1024, [answer](Result<std::string> body) {
    answer->respond(body ? server::Response(200, "text/plain", *std::move(body))
                         : server::plain_response(400, body.error().message));
  });
}

constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

TEST_F(ServerTest, answers_requests_on_one_connection_one_after_the_other) {
  serve(say_hello);
  Raw client(port());
  for (int i = 0; i < 3; ++i) {
    const std::string response = client.ask(get);
    EXPECT_EQ(status_of(response), 200);
    EXPECT_EQ(body_of(response), "hello");
    EXPECT_EQ(field_of(response, "Content-Type"), "text/plain");
    EXPECT_EQ(field_of(response, "Date").size(), 29u);
  }
  EXPECT_EQ(gauges().accepted, 1u);
  EXPECT_TRUE(eventually([&] { return gauges().requests_completed == 3; }));
}

TEST_F(ServerTest, routes_by_method_and_path) {
  Router router;
  router.get("/things/{id}", [](Request request, Exchange exchange) {
    exchange.respond({200, "text/plain", std::string(request.parameters.get("id")) + "?" + request.query});
  });
  router.post("/things", say_hello);
  serve(std::move(router));
  Raw client(port());
  const auto ask = [&](const std::string& line) { return client.ask(line + " HTTP/1.1\r\nHost: x\r\n\r\n"); };
  EXPECT_EQ(body_of(ask("GET /things/a%20b?c=d")), "a b?c=d");
  EXPECT_EQ(body_of(ask("GET http://x/things/7")), "7?");
  EXPECT_EQ(status_of(ask("GET /nothing")), 404);
  const std::string refused = ask("DELETE /things");
  EXPECT_EQ(status_of(refused), 405);
  EXPECT_EQ(field_of(refused, "Allow"), "OPTIONS, POST");
  const std::string moved = ask("GET /things/?q");
  EXPECT_EQ(status_of(moved), 308);
  EXPECT_EQ(field_of(moved, "Location"), "/things?q");
  EXPECT_EQ(status_of(ask("GET /things/../x")), 400);
  EXPECT_EQ(status_of(ask("OPTIONS *")), 204);
}

TEST_F(ServerTest, answers_head_with_the_fields_of_get_and_no_body) {
  serve(say_hello);
  Raw client(port());
  client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string head = client.until("\r\n\r\n");
  EXPECT_EQ(field_of(head, "Content-Length"), "5");
  EXPECT_EQ(status_of(client.ask(get)), 200);  // nothing stood between them
}

TEST_F(ServerTest, answers_pipelined_requests_in_their_order) {
  serve([](Request request, Exchange exchange) {
    if (request.path == "/slow") {
      std::thread([exchange = std::make_shared<Exchange>(std::move(exchange))] {
        exchange->respond({200, "text/plain", "slow"});
      }).detach();
    } else {
      exchange.respond({200, "text/plain", request.path});
    }
  });
  Raw client(port());
  client.send(
      "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET /3 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(body_of(client.response()), "/1");
  EXPECT_EQ(body_of(client.response()), "slow");
  EXPECT_EQ(body_of(client.response()), "/3");
}

TEST_F(ServerTest, many_pipelined_requests_whose_answers_are_not_read_cost_bounded_memory_and_all_are_answered) {
  serve([](Request, Exchange exchange) { exchange.respond({200, "text/plain", std::string(10'000, 'x')}); });
  Raw client(port(), 4096);
  constexpr int count = 500;
  std::string all;
  for (int i = 0; i < count; ++i) all += get;
  client.send(all);
  for (int i = 0; i < count; ++i) ASSERT_EQ(body_of(client.response()).size(), 10'000u) << i;
}

TEST_F(ServerTest, reads_bodies_of_a_length_and_in_chunks) {
  serve(echo);
  Raw client(port());
  EXPECT_EQ(body_of(client.ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")), "abc");
  EXPECT_EQ(body_of(client.ask("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")),
            "abc");
}

TEST_F(ServerTest, reads_a_request_that_comes_byte_by_byte) {
  serve(echo);
  Raw client(port());
  for (const char byte : std::string_view("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")) {
    client.send({&byte, 1});
  }
  EXPECT_EQ(body_of(client.response()), "abc");
}

TEST_F(ServerTest, asks_for_the_body_only_when_the_handler_reads_it) {
  serve([](Request request, Exchange exchange) {
    if (request.path == "/no") {
      exchange.respond(server::plain_response(403));
    } else {
      echo(std::move(request), std::move(exchange));
    }
  });
  Raw client(port());
  client.send("PUT /yes HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(client.until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(body_of(client.ask("abc")), "abc");
  client.send("PUT /no HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  const std::string refused = client.rest();
  EXPECT_EQ(status_of(refused), 403);
  EXPECT_EQ(field_of(refused, "Connection"), "close");  // whether the body comes is not known
}

TEST_F(ServerTest, drops_a_short_body_that_nobody_reads_and_keeps_the_connection) {
  serve(say_hello);
  Raw client(port());
  EXPECT_EQ(status_of(client.ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")), 200);
  EXPECT_EQ(status_of(client.ask(get)), 200);
  EXPECT_EQ(gauges().accepted, 1u);
}

TEST_F(ServerTest, does_not_read_a_long_body_that_nobody_wants_and_the_answer_still_arrives) {
  serve([](Request, Exchange exchange) { exchange.respond(server::plain_response(403)); });
  Raw client(port());
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n" + std::string(100'000, 'x'));
  const std::string refused = client.response();
  EXPECT_EQ(status_of(refused), 403);
  EXPECT_EQ(field_of(refused, "Connection"), "close");
  client.finish();
  EXPECT_EQ(client.rest(), "");
}

TEST_F(ServerTest, streams_a_response_in_chunks_and_waits_for_a_slow_client) {
  constexpr std::size_t total = 8 * 1024 * 1024;
  std::atomic<std::size_t> written{0};
  std::atomic<int> waits{0};
  serve([&](Request request, Exchange exchange) {
    if (request.path == "/again") {  // its handler may still be at work when the test has ended
      say_hello(std::move(request), std::move(exchange));
      return;
    }
    auto writer = std::make_shared<BodyWriter>(exchange.start(200, {{"Content-Type", "text/plain"}}));
    auto pump = std::make_shared<std::function<void()>>();
    *pump = [&, writer] {
      while (written < total) {
        const auto sent = writer->write(std::string(10'000, 'x'));
        if (sent == BodyWriter::Sent::full) ++waits;
        if (sent != BodyWriter::Sent::taken) return;
        written += 10'000;
      }
      writer->finish();
    };
    writer->on_room([pump] { (*pump)(); });
    (*pump)();
  });
  Raw client(port(), 16 * 1024);
  client.send(get);
  ASSERT_TRUE(eventually([&] { return waits > 0; }));
  EXPECT_LT(written, total / 2);  // what waits is bounded
  EXPECT_NE(client.until("\r\n\r\n").find("Transfer-Encoding: chunked"), std::string::npos);
  std::size_t size = 0;
  for (;;) {
    const std::size_t chunk = std::stoull(client.until("\r\n"), nullptr, 16);
    if (chunk == 0) break;
    std::string bytes;
    while (bytes.size() < chunk + 2) bytes += client.until("\r\n");
    size += chunk;
  }
  EXPECT_EQ(size, written);
  EXPECT_EQ(client.until("\r\n"), "\r\n");
  EXPECT_EQ(status_of(client.ask("GET /again HTTP/1.1\r\nHost: x\r\n\r\n")), 200);  // it is still good
}

TEST_F(ServerTest, streams_to_http_1_0_until_the_connection_ends) {
  serve([](Request, Exchange exchange) {
    BodyWriter writer = exchange.start(200, {});
    writer.write("hello, ");
    writer.write("world");
    writer.finish();
  });
  Raw client(port());
  const std::string response = client.send("GET / HTTP/1.0\r\n\r\n").rest();
  EXPECT_EQ(status_of(response), 200);
  EXPECT_EQ(body_of(response), "hello, world");
}

TEST_F(ServerTest, cuts_off_a_body_that_its_handler_breaks_off_so_that_nobody_takes_it_for_whole) {
  serve([](Request request, Exchange exchange) {
    std::optional<std::uint64_t> length;
    if (request.path == "/short" || request.path == "/long") length = 6;
    BodyWriter writer = exchange.start(200, {}, length);
    writer.write(request.path == "/long" ? "1234567" : "12345");
    if (request.path == "/short") writer.finish();
  });
  for (const std::string path : {"/dropped", "/short", "/long"}) {
    Raw client(port());
    const std::string response = client.send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n").rest();
    EXPECT_EQ(response.find("0\r\n\r\n"), std::string::npos) << response;
  }
  EXPECT_TRUE(ended_for(ConnectionEnd::cut_off, 3));
  EXPECT_EQ(gauges().requests_cancelled, 3u);
}

TEST_F(ServerTest, answers_500_for_a_handler_that_does_not) {
  serve([](Request, Exchange) {});
  Raw client(port());
  EXPECT_EQ(status_of(client.ask(get)), 500);
  EXPECT_EQ(status_of(client.ask(get)), 500);
}

TEST_F(ServerTest, answers_500_for_a_handler_that_throws_and_says_what) {
  Settings settings = quick();
  std::promise<std::string> told;
  settings.on_trouble = [&](const std::string& sentence) { told.set_value(sentence); };
  serve([](Request, Exchange) { throw std::runtime_error("out of ideas"); }, settings);
  Raw client(port());
  EXPECT_EQ(status_of(client.ask(get)), 500);
  EXPECT_EQ(told.get_future().get(), "a handler threw: out of ideas");
}

TEST_F(ServerTest, answers_500_for_a_response_that_could_smuggle) {
  Settings settings = quick();
  std::promise<std::string> told;
  settings.on_trouble = [&](const std::string& sentence) { told.set_value(sentence); };
  serve(
      [](Request, Exchange exchange) {
        server::Response response(200);
        response.headers.set("X-Name", "a\r\nSet-Cookie: b");
        exchange.respond(std::move(response));
      },
      settings);
  Raw client(port());
  const std::string response = client.ask(get);
  EXPECT_EQ(status_of(response), 500);
  EXPECT_EQ(response.find("Set-Cookie"), std::string::npos);
  EXPECT_NE(told.get_future().get(), "");
}

TEST_F(ServerTest, takes_answers_from_any_thread) {
  serve([](Request request, Exchange exchange) {
    std::thread([exchange = std::make_shared<Exchange>(std::move(exchange)), path = request.path] {
      exchange->respond({200, "text/plain", path});
    }).detach();
  });
  Raw client(port());
  for (int i = 0; i < 50; ++i) {
    const std::string path = "/" + std::to_string(i);
    EXPECT_EQ(body_of(client.ask("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n")), path);
  }
}

TEST_F(ServerTest, tells_the_handler_when_the_client_leaves) {
  std::promise<void> arrived;
  std::promise<void> cancelled;
  std::shared_ptr<Exchange> kept;
  serve([&](Request, Exchange exchange) {
    kept = std::make_shared<Exchange>(std::move(exchange));
    kept->on_cancelled([&] { cancelled.set_value(); });
    arrived.set_value();
  });
  {
    Raw client(port());
    client.send(get);
    arrived.get_future().get();
    client.reset();
  }
  EXPECT_EQ(cancelled.get_future().wait_for(seconds(20)), std::future_status::ready);
  EXPECT_TRUE(at_rest());
  EXPECT_EQ(gauges().requests_cancelled, 1u);
  kept->respond(server::Response(200));  // nobody is there
}

TEST_F(ServerTest, answers_a_client_that_has_closed_only_its_own_side) {
  std::promise<std::shared_ptr<Exchange>> arrived;
  std::promise<void> cancelled;
  serve([&](Request, Exchange exchange) {
    auto kept = std::make_shared<Exchange>(std::move(exchange));
    kept->on_cancelled([&] { cancelled.set_value(); });
    arrived.set_value(kept);
  });
  Raw client(port());
  client.send(get);
  const auto kept = arrived.get_future().get();
  client.finish();
  ASSERT_EQ(cancelled.get_future().wait_for(seconds(20)), std::future_status::ready);
  kept->respond({200, "text/plain", "still"});
  EXPECT_EQ(body_of(client.rest()), "still");
}

TEST_F(ServerTest, tells_the_reader_of_a_body_that_the_client_left_in_the_middle) {
  std::promise<std::string> heard;
  serve([&](Request request, Exchange exchange) {
    auto kept = std::make_shared<Exchange>(std::move(exchange));
    request.body.read_all(1000, [&heard, kept](Result<std::string> body) {
      heard.set_value(body ? "all of it" : std::string(to_string(body.error().code)));
    });
  });
  {
    Raw client(port());
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab");
    ASSERT_TRUE(eventually([&] { return gauges().requests == 1; }));
  }
  EXPECT_EQ(heard.get_future().get(), "cancelled");
}

TEST_F(ServerTest, passes_request_ids_and_traces_on_and_logs_every_request) {
  Settings settings = quick();
  std::promise<std::string> logged;
  settings.on_request =
      server::make_access_log({}, [&](std::string_view line) { logged.set_value(std::string(line)); });
  serve(
      [](Request request, Exchange exchange) {
        exchange.respond({200, "text/plain", request.id + " " + request.traceparent + " " + request.peer});
      },
      settings);
  Raw client(port());
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const std::string body = body_of(
      client.ask("GET /?secret=1 HTTP/1.1\r\nHost: x\r\nX-Request-Id: mine\r\ntraceparent: " + trace + "\r\n\r\n"));
  EXPECT_EQ(body.substr(0, body.rfind(':')), "mine " + trace + " 127.0.0.1");
  const std::string line = logged.get_future().get();
  EXPECT_NE(line.find(R"("method":"GET","authority":"x","path":"/","status":200,"received":0,)"), std::string::npos)
      << line;
  EXPECT_NE(line.find(R"("request_id":"mine")"), std::string::npos) << line;
}

TEST_F(ServerTest, refuses_an_address_that_is_taken_and_one_that_is_none) {
  serve(say_hello);
  Settings settings = quick();
  settings.listen = {{.address = server().addresses().front()}};
  EXPECT_FALSE(server::Server::start(settings, say_hello));
  settings.listen = {{.address = ":8080"}};
  EXPECT_FALSE(server::Server::start(settings, say_hello));
}

TEST_F(ServerTest, serves_at_a_unix_socket) {
  const TempDir folder;
  Settings settings = quick();
  settings.listen.push_back({.address = "unix:" + (folder.path() / "it.sock").string()});
  serve([](Request request, Exchange exchange) { exchange.respond({200, "text/plain", request.peer}); }, settings);
  for (int i = 0; i < 3; ++i) {
    Process curl({"curl", "-s", "--unix-socket", folder.path() / "it.sock", "http://it/"});
    std::string output;
    EXPECT_EQ(curl.wait(&output), 0);
    EXPECT_EQ(output, "unix");
  }
}

TEST_F(ServerTest, serves_curl_and_our_own_client) {
  serve(echo);
  Process curl({"curl", "-s", "-d", "from curl", url()});
  std::string output;
  EXPECT_EQ(curl.wait(&output), 0);
  EXPECT_EQ(output, "from curl");
  const Client client(Transport::create(test_options()));
  const std::string large(500'000, 'x');
  for (int i = 0; i < 3; ++i) {
    const auto response = client.post(url(), large);
    ASSERT_STATUS(response, 200);
    EXPECT_EQ(response->body, large);
  }
}

}  // namespace server_test
}  // namespace trunkline::test
