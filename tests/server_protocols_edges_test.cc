// The server's HTTP/2, TLS and WebSockets where a peer or a handler does what nobody expects.
#include <openssl/ssl.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "net/tls_server.h"
#include "support/certificates.h"
#include "support/h2_test.h"
#include "support/process.h"
#include "support/serving.h"

namespace trunkline::test {
namespace server_protocols_edges_test {

using server::BodyWriter;
using server::ConnectionEnd;
using server::Exchange;
using server::Request;
using server::Settings;

class ServerProtocolsEdgesTest : public ServingTest {};

// HTTP/2, frame by frame.
std::string frame(std::uint8_t type, std::uint8_t flags, std::uint8_t stream, std::string_view payload) {
  const auto byte = [](std::size_t value) { return static_cast<char>(value & 0xFF); };
  std::string made{byte(payload.size() >> 16),
                   byte(payload.size() >> 8),
                   byte(payload.size()),
                   byte(type),
                   byte(flags),
                   0,
                   0,
                   0,
                   byte(stream)};
  return made.append(payload);
}

constexpr std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
// Of HPACK's static table: the method, http, "/"; and the authority "x".
const std::string head_of_get = "\x82\x86\x84\x41\x01x";
const std::string head_of_post = "\x83\x86\x84\x41\x01x";
constexpr std::uint8_t end_stream = 1;
constexpr std::uint8_t end_headers = 4;
std::string settings_frame(std::string_view payload = {}) { return frame(4, 0, 0, payload); }

TEST_F(ServerProtocolsEdgesTest, head_over_http2_on_a_route_that_streams_ends_with_its_head) {
  const auto gone = std::make_shared<std::atomic<int>>(0);  // it may be told twice, the second time after the test
  serve([gone](Request, Exchange exchange) {
    auto writer = std::make_shared<BodyWriter>(exchange.start(200, {}));
    const auto pump = [writer, gone] {
      BodyWriter::Sent sent = BodyWriter::Sent::taken;
      while (sent == BodyWriter::Sent::taken) sent = writer->write(std::string(10'000, 'x'));
      if (sent == BodyWriter::Sent::gone) ++*gone;
    };
    writer->on_room(pump);
    pump();
  });
  std::string output;
  Process curl({"curl", "-sI", "-m", "10", "--http2-prior-knowledge", url()});
  EXPECT_EQ(curl.wait(&output), 0);
  EXPECT_TRUE(output.starts_with("HTTP/2 200")) << output;
  EXPECT_TRUE(eventually([&] { return *gone > 0; }));
  EXPECT_TRUE(at_rest());
}

TEST_F(ServerProtocolsEdgesTest, a_client_with_a_window_of_nothing_does_not_escape_the_time_limit) {
  Settings settings = quick();
  settings.timeouts.progress = milliseconds(50);
  std::promise<void> cancelled;
  std::shared_ptr<BodyWriter> writer;
  serve(
      [&](Request, Exchange exchange) {
        exchange.on_cancelled([&] { cancelled.set_value(); });
        writer = std::make_shared<BodyWriter>(exchange.start(200, {}));
        writer->write(std::string(1000, 'x'));
      },
      settings);
  Raw client(port());
  client.send(preface).send(settings_frame({"\0\4\0\0\0\0", 6}));  // INITIAL_WINDOW_SIZE
  client.send(frame(1, end_stream | end_headers, 1, head_of_get));
  EXPECT_EQ(cancelled.get_future().wait_for(seconds(10)), std::future_status::ready);
}

TEST_F(ServerProtocolsEdgesTest, a_handler_that_pauses_in_a_body_is_not_held_against_its_client) {
  Settings settings = quick();
  settings.loops = 1;
  settings.timeouts.progress = settings.timeouts.header = milliseconds(50);
  std::promise<std::shared_ptr<server::RequestBody>> body;
  std::promise<int> read;
  std::shared_ptr<Exchange> kept;
  serve(
      [&](Request request, Exchange exchange) {
        kept = std::make_shared<Exchange>(std::move(exchange));
        body.set_value(std::make_shared<server::RequestBody>(std::move(request.body)));
      },
      settings);
  Raw client(port());
  client.send(preface).send(settings_frame()).send(frame(1, end_headers, 1, head_of_post));
  client.send(frame(0, 0, 1, "0123456789"));
  const auto paused = body.get_future().get();
  EXPECT_TRUE(header_time_runs_out());
  paused->read([&](Result<std::string> piece) { read.set_value(piece ? static_cast<int>(piece->size()) : -1); });
  EXPECT_EQ(read.get_future().get(), 10);
  kept->respond({200, "text/plain", "in his own time"});
  EXPECT_TRUE(client.until("in his own time").ends_with("in his own time"));
}

TEST_F(ServerProtocolsEdgesTest, permits_no_more_of_a_body_ahead_of_its_handler_than_the_limit) {
  Settings settings = quick();
  settings.limits.body_ahead_bytes = 0x1234;
  serve([](Request, Exchange exchange) { exchange.respond(server::Response(200)); }, settings);
  Raw client(port());
  const std::string window("\0\x04\0\0\x12\x34", 6);  // INITIAL_WINDOW_SIZE
  EXPECT_TRUE(client.send(preface).send(settings_frame()).until(window).ends_with(window));
}

TEST_F(ServerProtocolsEdgesTest, a_client_that_broke_http2_is_given_the_linger_and_no_more) {
  Settings settings = quick();
  settings.timeouts.linger = milliseconds(50);
  serve([](Request, Exchange exchange) { exchange.respond(server::Response(200)); }, settings);
  Raw client(port());
  client.send(preface).send(settings_frame()).send(frame(0, 0, 1, "data of no stream"));
  client.rest();
  EXPECT_TRUE(ended_for(ConnectionEnd::protocol_error, 1));
  EXPECT_TRUE(eventually([&] { return gauges().connections == 0; })) << gauges().describe();
}

TEST_F(ServerProtocolsEdgesTest, trailers_that_could_smuggle_are_not_sent) {
  for (const Headers& trailers : {Headers{{":status", "404"}}, Headers{{"X-Sum", "1\r\nX-Other: 2"}}}) {
    Settings settings = quick();
    std::promise<std::string> told;
    settings.on_trouble = [&](const std::string& sentence) { told.set_value(sentence); };
    serve(
        [&](Request, Exchange exchange) {
          BodyWriter writer = exchange.start(200, {});
          writer.write("hello");
          writer.finish(trailers);
        },
        settings);
    std::string output;
    Process curl({"curl", "-s", "-m", "10", "--http2-prior-knowledge", url()});
    EXPECT_EQ(curl.wait(&output), 0);
    EXPECT_EQ(output, "hello");
    EXPECT_TRUE(told.get_future().get().starts_with("a handler's trailers were not sent: "));
    ServingTest::TearDown();
  }
}

TEST_F(ServerProtocolsEdgesTest, drains_without_waiting_for_who_is_silent_behind_his_handshake) {
  serve([](Request, Exchange exchange) { exchange.respond(server::Response(200)); }, secure());
  Raw client(port());
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  const std::unique_ptr<SSL, void (*)(SSL*)> tls(SSL_new(context.get()), SSL_free);
  ASSERT_TRUE(eventually([&] { return gauges().connections == 1; }));
  auto drained = std::async(std::launch::async, [&] { return server().drain(seconds(10)); });
  ASSERT_TRUE(eventually([&] { return !server().ready(); }));
  SSL_set_fd(tls.get(), client.fd());
  [[maybe_unused]] const int done = SSL_connect(tls.get());  // a slow machine may have come too late
  EXPECT_TRUE(drained.get());
}

TEST_F(ServerProtocolsEdgesTest, certificates_that_could_not_be_read_are_tried_again_though_no_file_has_changed) {
  const TempDir folder;
  const Certificate made = authority().issue({.common_name = "made"});
  net::TlsServerSettings settings;
  settings.certificates = {{folder.write("cert.pem", made.certificate), folder.write("key.pem", made.key)}};
  const auto server = net::TlsServer::make(settings);
  ASSERT_GOOD(server);
  const auto put_key = [&](const std::string& key) {
    const std::filesystem::path file = folder.path() / "key.pem";
    std::ofstream(file) << key;  // the same file, of the same size and age
    std::filesystem::last_write_time(file, std::filesystem::file_time_type() + std::chrono::hours(1));
  };
  put_key(std::string(made.key.size(), 'x'));
  EXPECT_FALSE((*server)->reload_if_changed());
  put_key(made.key);
  const auto reloaded = (*server)->reload_if_changed();
  ASSERT_GOOD(reloaded);
  EXPECT_TRUE(*reloaded);
}

// --- WebSockets

const std::string handshake =
    "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const std::string no_mask(4, '\0');

TEST_F(ServerProtocolsEdgesTest, a_websocket_that_both_have_closed_ends_with_the_code_that_was_said) {
  std::promise<std::uint16_t> closed;
  serve([&](Request, Exchange exchange) {
    server::WebSocketEvents events;
    events.on_closed = [&](std::uint16_t code, std::string_view) { closed.set_value(code); };
    exchange.accept_websocket({}, std::move(events));
  });
  Raw client(port());
  EXPECT_EQ(status_of(client.send(handshake).until("\r\n\r\n")), 101);
  client.send("\x88\x82" + no_mask + "\x03\xe8");
  EXPECT_EQ(client.rest(), "\x88\x02\x03\xe8");
  EXPECT_EQ(closed.get_future().get(), 1000);
}

TEST_F(ServerProtocolsEdgesTest, a_websocket_that_is_paused_before_it_opens_reads_nothing) {
  std::promise<server::WebSocket> made;
  std::atomic<std::size_t> got{0};
  serve([&](Request, Exchange exchange) {
    server::WebSocketEvents events;
    events.on_message = [&](server::WebSocket&, std::string_view message, bool) { got += message.size(); };
    server::WebSocket socket = exchange.accept_websocket({}, std::move(events));
    socket.pause();
    made.set_value(socket);
  });
  Raw client(port());
  EXPECT_EQ(status_of(client.send(handshake).until("\r\n\r\n")), 101);
  const std::string message = "\x82\xfe" + std::string{'\x7f', '\xff'} + no_mask + std::string(0x7fff, 'x');
  constexpr std::size_t far_too_much = 100'000'000;
  std::size_t sent = 0;
  while (sent < far_too_much) {
    const std::size_t at = sent % message.size();
    const ssize_t size = ::send(client.fd(), message.data() + at, message.size() - at, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size > 0) {
      sent += static_cast<std::size_t>(size);
    } else {
      pollfd room{client.fd(), POLLOUT, 0};
      if (::poll(&room, 1, 500) == 0) break;
    }
  }
  EXPECT_LT(sent, far_too_much);
  EXPECT_EQ(got, 0u);
  made.get_future().get().resume();
  const std::size_t whole = sent / message.size();
  EXPECT_TRUE(eventually([&] { return got == whole * 0x7fff; }));
}

TEST_F(ServerProtocolsEdgesTest, a_websocket_that_says_goodbye_while_it_is_paused_hears_the_answer_and_nothing_else) {
  std::promise<std::uint16_t> closed;
  std::atomic<int> heard{0};
  serve([&](Request, Exchange exchange) {
    server::WebSocketSettings settings;
    settings.close_timeout = seconds(10);
    server::WebSocketEvents events;
    events.on_message = [&](server::WebSocket& socket, std::string_view, bool) {
      ++heard;
      socket.pause();
      socket.close(4000, "too much");
      socket.pause();
    };
    events.on_closed = [&](std::uint16_t code, std::string_view) { closed.set_value(code); };
    exchange.accept_websocket(settings, std::move(events));
  });
  Raw client(port());
  EXPECT_EQ(status_of(client.send(handshake).until("\r\n\r\n")), 101);
  const std::string message = "\x82\x81" + no_mask + "x";
  client.send(message + message);
  client.send("\x88\x82" + no_mask + "\x0f\xa0");
  EXPECT_EQ(client.rest(), "\x88\x0a\x0f\xa0too much");
  EXPECT_EQ(closed.get_future().get(), 4000);
  EXPECT_EQ(heard, 1);
}

TEST_F(ServerProtocolsEdgesTest, a_websocket_whose_callback_throws_is_closed_with_1011) {
  Settings settings = quick();
  std::promise<std::string> told;
  settings.on_trouble = [&](const std::string& sentence) { told.set_value(sentence); };
  serve(
      [](Request, Exchange exchange) {
        server::WebSocketEvents events;
        events.on_message = [](server::WebSocket&, std::string_view, bool) { throw std::runtime_error("bad message"); };
        exchange.accept_websocket({}, std::move(events));
      },
      settings);
  Raw client(port());
  EXPECT_EQ(status_of(client.send(handshake).until("\r\n\r\n")), 101);
  client.send("\x81\x81" + no_mask + "a");
  EXPECT_EQ(client.until("\xf3"), "\x88\x02\x03\xf3");
  EXPECT_EQ(told.get_future().get(), "a WebSocket's callback threw: bad message");
}

}  // namespace server_protocols_edges_test
}  // namespace trunkline::test
