// The server over HTTP/2, TLS and WebSockets: with our own client, curl, nghttp's h2load and python3-websockets.
#include <filesystem>
#include <future>

#include "support/certificates.h"
#include "support/h2_test.h"
#include "support/process.h"
#include "support/serving.h"

namespace trunkline::test {
namespace server_protocols_test {

using server::BodyWriter;
using server::ConnectionEnd;
using server::Exchange;
using server::Request;
using server::Settings;

class ServerProtocolsTest : public ServingTest {
 protected:
  Client client(Options options) {
    transport_ = Transport::create(options);
    return Client(transport_);
  }
  void TearDown() override {
    ServingTest::TearDown();
    transport_.reset();
  }

 private:
  std::shared_ptr<Transport> transport_;
};

void tell_path(Request request, Exchange exchange) {
  const std::string protocol(to_string(request.protocol));
  exchange.respond({200, "text/plain", protocol + " " + request.path});
}

void echo(Request request, Exchange exchange) {
  auto answer = std::make_shared<Exchange>(std::move(exchange));
  request.body.read_all(64 * 1024 * 1024, [answer](Result<std::string> body) {
    answer->respond(body ? server::Response(200, "text/plain", *std::move(body)) : server::plain_response(400));
  });
}

std::string output_of(std::vector<std::string> command) {
  Process process(std::move(command));
  std::string output;
  process.wait(&output);
  return output;
}

TEST_F(ServerProtocolsTest, speaks_http2_in_clear_to_whoever_begins_with_its_preface) {
  serve(tell_path);
  EXPECT_EQ(output_of({"curl", "-s", "--http2-prior-knowledge", url("/a")}), "HTTP/2 /a");
  EXPECT_EQ(output_of({"curl", "-s", url("/a")}), "HTTP/1.1 /a");
}

TEST_F(ServerProtocolsTest, speaks_what_alpn_agrees_on) {
  serve(tell_path, secure());
  const std::string ca = authority().file();
  EXPECT_EQ(output_of({"curl", "-s", "--cacert", ca, "--http2", url("/a")}), "HTTP/2 /a");
  EXPECT_EQ(output_of({"curl", "-s", "--cacert", ca, "--http1.1", url("/a")}), "HTTP/1.1 /a");
}

TEST_F(ServerProtocolsTest, answers_many_requests_at_once_on_few_connections) {
  serve(tell_path);
  const Client h2 = client(h2c_options());
  const auto replies = all_at_once(h2, 200, [&](int i) { return get(url(numbered(i))); });
  expect_all_good(replies, [](int i) { return "HTTP/2 " + numbered(i); });
  EXPECT_LE(gauges().accepted, 2u);  // a hundred streams on each
}

TEST_F(ServerProtocolsTest, carries_large_bodies_both_ways_under_flow_control) {
  serve(echo);
  const Client h2 = client(h2c_options());
  const std::string large(5'000'000, 'x');
  const auto response = h2.post(url(), large);
  ASSERT_STATUS(response, 200);
  EXPECT_EQ(response->body.size(), large.size());
}

TEST_F(ServerProtocolsTest, streams_over_http2_and_waits_for_the_client) {
  std::atomic<std::size_t> written{0};
  constexpr std::size_t total = 20'000'000;
  serve([&](Request, Exchange exchange) {
    auto writer = std::make_shared<BodyWriter>(exchange.start(200, {{"X-Kind", "stream"}}));
    auto pump = std::make_shared<std::function<void()>>();
    *pump = [&, writer] {
      while (written < total) {
        if (writer->write(std::string(10'000, 'x')) != BodyWriter::Sent::taken) return;
        written += 10'000;
      }
      writer->finish({{"X-Trailer", "last"}});
    };
    writer->on_room([pump] { (*pump)(); });
    (*pump)();
  });
  const Client h2 = client(h2c_options());
  auto stream = h2.open(get(url()));
  ASSERT_GOOD(stream);
  EXPECT_LT(written, total);
  std::size_t size = 0;
  std::vector<char> buffer(64 * 1024);
  for (;;) {
    const auto piece = stream->read(buffer);
    ASSERT_GOOD(piece);
    if (*piece == 0) break;
    size += *piece;
  }
  EXPECT_EQ(size, total);
}

TEST_F(ServerProtocolsTest, tells_the_handler_of_a_reset_stream) {
  std::promise<void> cancelled;
  std::shared_ptr<Exchange> kept;
  std::promise<void> arrived;
  serve([&](Request, Exchange exchange) {
    kept = std::make_shared<Exchange>(std::move(exchange));
    kept->on_cancelled([&] { cancelled.set_value(); });
    arrived.set_value();
  });
  const Client h2 = client(h2c_options());
  H2Call call = start(h2, get(url()));
  arrived.get_future().get();
  call.handle.cancel();
  EXPECT_EQ(cancelled.get_future().wait_for(seconds(20)), std::future_status::ready);
  EXPECT_TRUE(eventually([&] { return gauges().requests_cancelled == 1; }));
  EXPECT_EQ(gauges().connections, 1u);
}

TEST_F(ServerProtocolsTest, answers_early_and_tells_the_client_to_stop_sending) {
  serve([](Request, Exchange exchange) { exchange.respond(server::plain_response(403)); });
  const Client h2 = client(h2c_options());
  EXPECT_STATUS(h2.post(url(), std::string(10'000'000, 'x')), 403);
  EXPECT_STATUS(h2.get(url()), 403);
  EXPECT_EQ(gauges().accepted, 1u);
}

TEST_F(ServerProtocolsTest, answers_413_to_a_body_over_the_limit) {
  Settings settings = quick();
  settings.limits.body_bytes = 1000;
  serve(echo, settings);
  const Client h2 = client(h2c_options());
  EXPECT_STATUS(h2.post(url(), std::string(1001, 'x')), 413);
  EXPECT_STATUS(h2.post(url(), std::string(1000, 'x')), 200);
}

TEST_F(ServerProtocolsTest, drains_http2_so_that_what_is_under_way_is_finished) {
  std::promise<std::shared_ptr<Exchange>> arrived;
  serve([&](Request, Exchange exchange) { arrived.set_value(std::make_shared<Exchange>(std::move(exchange))); });
  const Client h2 = client(h2c_options());
  H2Call call = start(h2, get(url()));
  const auto kept = arrived.get_future().get();
  auto drained = std::async(std::launch::async, [&] { return server().drain(seconds(20)); });
  ASSERT_TRUE(eventually([&] { return !server().ready(); }));
  kept->respond({200, "text/plain", "done"});
  const auto reply = call.reply.get();
  ASSERT_STATUS(reply, 200);
  EXPECT_EQ(reply->body, "done");
  EXPECT_TRUE(drained.get());
  EXPECT_EQ(gauges().ended_for(ConnectionEnd::drained), 1u) << gauges().describe();
}

TEST_F(ServerProtocolsTest, serves_h2load) {
  serve(tell_path);
  const std::string report = output_of({"h2load", "-n", "2000", "-c", "4", "-m", "20", url("/x")});
  EXPECT_NE(report.find("2000 succeeded, 0 failed"), std::string::npos) << report;
}

TEST_F(ServerProtocolsTest, chooses_the_certificate_by_the_name_asked_for) {
  const Certificate one = authority().issue({.common_name = "one", .names = "DNS:one.test"});
  const Certificate any = authority().issue({.common_name = "any", .names = "DNS:*.any.test"});
  Settings settings = secure();
  settings.tls.certificates.push_back({one.certificate_file, one.key_file});
  settings.tls.certificates.push_back({any.certificate_file, any.key_file});
  serve([](Request request, Exchange exchange) { exchange.respond({200, "text/plain", request.tls->server_name}); },
        settings);
  const std::string at = ":" + std::to_string(port());
  for (const std::string name : {"one.test", "x.any.test", "localhost"}) {
    EXPECT_EQ(output_of({"curl", "-s", "--cacert", authority().file(), "--resolve", name + at + ":127.0.0.1",
                         "https://" + name + at + "/"}),
              name);
  }
  EXPECT_EQ(output_of({"curl", "-s", "--cacert", authority().file(), "--resolve", "two.test" + at + ":127.0.0.1",
                       "https://two.test" + at + "/"}),
            "");
}

TEST_F(ServerProtocolsTest, reloads_certificates_without_a_word_to_open_connections) {
  const TempDir folder;
  const Certificate before = authority().issue({.common_name = "before"});
  const Certificate after = authority().issue({.common_name = "after"});
  Settings settings = secure();
  settings.tls.watch_every = milliseconds(20);
  settings.tls.certificates = {{folder.write("cert.pem", before.certificate), folder.write("key.pem", before.key)}};
  std::promise<std::string> trouble;
  std::atomic<bool> told{false};
  settings.on_trouble = [&](const std::string& sentence) {
    if (!told.exchange(true)) trouble.set_value(sentence);
  };
  serve(tell_path, settings);
  const auto shown = [&] { return output_of({"curl", "-sv", "--stderr", "-", "--cacert", authority().file(), url()}); };
  EXPECT_NE(shown().find("CN=before"), std::string::npos);
  const Client open = client(h2_options());
  EXPECT_STATUS(open.get(url()), 200);

  folder.write("key.pem", after.key);  // half of the renewal: it fits to no certificate
  EXPECT_NE(trouble.get_future().get().find("key.pem"), std::string::npos);
  EXPECT_NE(shown().find("CN=before"), std::string::npos);
  folder.write("cert.pem", after.certificate);
  EXPECT_TRUE(eventually([&] { return shown().find("CN=after") != std::string::npos; }));
  const auto accepted = gauges().accepted;
  EXPECT_STATUS(open.get(url()), 200);
  EXPECT_EQ(gauges().accepted, accepted);
}

TEST_F(ServerProtocolsTest, asks_for_client_certificates_and_says_whose_they_are) {
  Settings settings = secure();
  settings.tls.client_ca_file = authority().file();
  serve(
      [](Request request, Exchange exchange) {
        exchange.respond({200, "text/plain",
                          request.tls->client_subject + " " + std::to_string(request.tls->client_fingerprint.size())});
      },
      settings);
  const std::string ca = authority().file();
  EXPECT_EQ(output_of({"curl", "-s", "--cacert", ca, url()}), "");
  EXPECT_EQ(output_of({"curl", "-s", "--cacert", ca, "--cert", client_certificate().certificate_file, "--key",
                       client_certificate().key_file, url()}),
            "CN=client 64");
  EXPECT_TRUE(ended_for(ConnectionEnd::tls_failed, 1));
}

TEST_F(ServerProtocolsTest, gives_up_a_handshake_that_does_not_come) {
  Settings settings = secure();
  settings.timeouts.tls_handshake = milliseconds(50);
  serve(tell_path, settings);
  Raw(port()).send("GET / HTTP/1.1\r\n\r\n").rest();
  Raw silent(port());
  EXPECT_EQ(silent.rest(), "");
  EXPECT_TRUE(ended_for(ConnectionEnd::timed_out, 1));
  EXPECT_TRUE(ended_for(ConnectionEnd::tls_failed, 1));
}

// --- WebSockets

void accept_echo(Request request, Exchange exchange) {
  if (!request.wants_websocket) {
    exchange.respond(server::plain_response(426));
    return;
  }
  server::WebSocketEvents events;
  events.on_message = [](server::WebSocket& socket, std::string_view message, bool is_text) {
    if (message == "close me") {
      socket.close(4000, "as you wish");
    } else if (is_text) {
      socket.send_text(message);
    } else {
      socket.send_binary(message);
    }
  };
  exchange.accept_websocket({}, std::move(events));
}

TEST_F(ServerProtocolsTest, echoes_over_websockets_and_counts_them) {
  for (const bool tls : {false, true}) {
    serve(accept_echo, tls ? secure() : quick());
    const Client dialler = client(tls ? tls_options() : test_options());
    auto socket = dialler.connect_websocket(url());
    ASSERT_GOOD(socket);
    EXPECT_TRUE(eventually([&] { return gauges().websockets == 1; }));
    for (const std::size_t size : {0, 5, 200, 100'000}) {
      ASSERT_GOOD(socket->send_text(std::string(size, 'x')));
      const auto echo_of = socket->receive(seconds(20));
      ASSERT_GOOD(echo_of);
      EXPECT_EQ(echo_of->data.size(), size);
    }
    EXPECT_GOOD(socket->close());
    EXPECT_TRUE(at_rest());
    EXPECT_EQ(gauges().websockets_closed, 1u);
    ServerProtocolsTest::TearDown();
  }
}

TEST_F(ServerProtocolsTest, compresses_websockets_where_both_want_it) {
  for (const bool serves : {false, true}) {
    serve([serves](Request, Exchange exchange) {
      server::WebSocketEvents events;
      events.on_message = [](server::WebSocket& socket, std::string_view message, bool) { socket.send_text(message); };
      server::WebSocketSettings settings;
      settings.deflate = serves;
      settings.keep_windows = true;
      exchange.accept_websocket(std::move(settings), std::move(events));
    });
    for (const bool offers : {false, true}) {
      WebSocketOptions options;
      options.deflate = offers;
      options.keep_windows = true;
      const Client dialler = client(test_options());
      auto socket = dialler.connect_websocket(url(), options);
      ASSERT_GOOD(socket);
      EXPECT_EQ(socket->compressed(), serves && offers);
      for (const std::size_t size : {0, 5, 200, 100'000, 100'000}) {
        ASSERT_GOOD(socket->send_text(std::string(size, 'x')));
        const auto echo_of = socket->receive(seconds(20));
        ASSERT_GOOD(echo_of);
        EXPECT_EQ(echo_of->data, std::string(size, 'x'));
      }
      EXPECT_GOOD(socket->close());
    }
    EXPECT_TRUE(at_rest());
    ServerProtocolsTest::TearDown();
  }
}

TEST_F(ServerProtocolsTest, closes_websockets_with_the_code_that_the_handler_gives) {
  serve(accept_echo);
  const Client dialler = client(test_options());
  auto socket = dialler.connect_websocket(url());
  ASSERT_GOOD(socket);
  ASSERT_GOOD(socket->send_text("close me"));
  const auto last = socket->receive(seconds(20));
  ASSERT_GOOD(last);
  EXPECT_EQ(last->close_code, 4000);
  EXPECT_EQ(last->data, "as you wish");
  EXPECT_TRUE(at_rest());
}

TEST_F(ServerProtocolsTest, closes_websockets_with_1001_when_it_drains) {
  serve(accept_echo);
  const Client dialler = client(test_options());
  auto socket = dialler.connect_websocket(url());
  ASSERT_GOOD(socket);
  auto drained = std::async(std::launch::async, [&] { return server().drain(seconds(20)); });
  const auto last = socket->receive(seconds(20));
  ASSERT_GOOD(last);
  EXPECT_EQ(last->close_code, 1001);
  EXPECT_TRUE(drained.get());
  EXPECT_EQ(gauges().ended_for(ConnectionEnd::drained), 1u) << gauges().describe();
}

TEST_F(ServerProtocolsTest, tells_the_handler_how_a_websocket_ended) {
  std::promise<std::uint16_t> closed;
  serve([&](Request, Exchange exchange) {
    server::WebSocketEvents events;
    events.on_closed = [&](std::uint16_t code, std::string_view) { closed.set_value(code); };
    exchange.accept_websocket({}, std::move(events));
  });
  const std::string handshake =
      "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  Raw unmasked(port());
  const std::string answer = unmasked.send(handshake).until("\r\n\r\n");
  EXPECT_EQ(status_of(answer), 101);
  EXPECT_EQ(field_of(answer, "Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  unmasked.send(
      std::string("\x81\x01"
                  "a",
                  3));  // a client masks
  EXPECT_EQ(unmasked.rest().substr(0, 4), std::string("\x88\x02\x03\xea", 4));
  EXPECT_EQ(closed.get_future().get(), 1002);
  closed = {};
  {
    Raw lost(port());
    EXPECT_EQ(status_of(lost.send(handshake).until("\r\n\r\n")), 101);
  }
  EXPECT_EQ(closed.get_future().get(), 1006);
  EXPECT_TRUE(at_rest());
}

TEST_F(ServerProtocolsTest, a_websocket_whose_client_reads_nothing_holds_its_sender_back) {
  std::promise<server::WebSocket> opened;
  std::promise<void> room;
  std::atomic<bool> had_room{false};
  serve([&](Request, Exchange exchange) {
    server::WebSocketSettings settings;
    settings.send_queue_bytes = 100'000;
    server::WebSocketEvents events;
    events.on_open = [&](server::WebSocket& socket) { opened.set_value(socket); };
    events.on_room = [&] {
      if (!had_room.exchange(true)) room.set_value();
    };
    exchange.accept_websocket(settings, std::move(events));
  });
  Raw client(port(), 4096);
  client.send(
      "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  server::WebSocket socket = opened.get_future().get();
  std::size_t taken = 0;
  while (socket.send_binary(std::string(10'000, 'x')) == server::WebSocket::Sent::taken) ++taken;
  ASSERT_LT(taken, 2000u);
  auto reading = std::async(std::launch::async, [&] { return client.rest().size(); });
  EXPECT_EQ(room.get_future().wait_for(seconds(20)), std::future_status::ready);
  socket.close();
  server().drain(milliseconds(500));
  EXPECT_GT(reading.get(), taken * 10'000);
}

}  // namespace server_protocols_test
}  // namespace trunkline::test
