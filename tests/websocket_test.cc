// WebSockets through the public API: against another implementation, with nginx or a proxy in between, and against a
// server that misbehaves.
#include <future>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/http_test.h"
#include "support/nginx.h"
#include "support/process.h"

#ifndef TRUNKLINE_TESTS_DIR
#error "TRUNKLINE_TESTS_DIR is where tests/ is"
#endif

namespace trunkline::test {
namespace {

using namespace std::string_literals;

// Debian's python3-websockets, in clear or over TLS.
class OtherServer {
 public:
  explicit OtherServer(const Certificate* certificate = nullptr)
      : secure_(certificate != nullptr), process_(arguments(certificate)), port_(process_.read_line()) {}
  std::string url(std::string_view path) const {
    return (secure_ ? "wss://127.0.0.1:" : "ws://127.0.0.1:") + port_ + std::string(path);
  }
  const std::string& port() const { return port_; }

 private:
  static std::vector<std::string> arguments(const Certificate* certificate) {
    std::vector<std::string> words{"/usr/bin/python3", TRUNKLINE_TESTS_DIR "/support/websocket_server.py"};
    if (certificate != nullptr) words.insert(words.end(), {certificate->certificate_file, certificate->key_file});
    return words;
  }
  bool secure_;
  Process process_;
  std::string port_;
};

class WebSocketTest : public HttpTest {
 protected:
  // A listener's /scenario/websocket that says `bytes`.
  static std::string saying(const Listener& server, std::string_view bytes, std::string_view more = "") {
    return server.scenario("websocket", "b64=" + base64url(bytes) + (more.empty() ? "" : "&") + std::string(more));
  }
  // What the client said, frame by frame.
  static std::string heard(const Listener& server) { return server.log().requests.back().body; }
  void expect_echo(WebSocket& socket, std::string_view text) {
    ASSERT_GOOD(socket.send_text(text));
    const Result<WebSocketMessage> reply = socket.receive(seconds(30));
    ASSERT_GOOD(reply);
    EXPECT_EQ(reply->kind, WebSocketMessage::text);
    EXPECT_TRUE(reply->data == text) << reply->data.size() << " bytes";
  }
  // The first thing that is received fails so.
  void expect_end(const std::string& url, ErrorCode code, const WebSocketOptions& options = {}) {
    Result<WebSocket> socket = make_client().connect_websocket(url, options);
    ASSERT_GOOD(socket);
    EXPECT_FAILS(socket->receive(seconds(30)), code);
    EXPECT_FAILS(socket->receive(seconds(30)), code);  // for ever
    EXPECT_FALSE(socket->send_text("too late"));
  }
};

// --- another implementation

TEST_F(WebSocketTest, exchanges_messages_of_every_length_with_another_implementation_and_closes) {
  const OtherServer plain;
  const OtherServer secure(&server_certificate());
  for (const OtherServer* server : {&plain, &secure}) {
    const Client client = make_client(tls_options());
    Result<WebSocket> socket = client.connect_websocket(server->url("/echo"));
    ASSERT_GOOD(socket);
    EXPECT_EQ(stats().pool.upgraded, 1);
    EXPECT_FALSE(socket->compressed());
    for (const std::size_t size : {0U, 1U, 125U, 126U, 65535U, 65536U, 1'000'000U}) {
      expect_echo(*socket, std::string(size, 'm'));
    }
    ASSERT_GOOD(socket->send_binary("\x00\xFF"s));
    const Result<WebSocketMessage> binary = socket->receive(seconds(30));
    ASSERT_GOOD(binary);
    EXPECT_EQ(binary->kind, WebSocketMessage::binary);
    EXPECT_EQ(binary->data, "\x00\xFF"s);
    ASSERT_GOOD(socket->close(4000, "enough"));
    const Result<WebSocketMessage> last = socket->receive();
    ASSERT_GOOD(last);
    EXPECT_EQ(last->kind, WebSocketMessage::closed);
    EXPECT_EQ(last->close_code, 4000);
    EXPECT_FAILS(socket->send_text("too late"), ErrorCode::connection_closed);
    ASSERT_GOOD(socket->close());
    EXPECT_TRUE(eventually([&] { return stats().pool.open == 0; }));
    EXPECT_EQ(count_of(stats().pool.closed_by_reason, CloseReason::upgraded), 1U);
  }
}

TEST_F(WebSocketTest, agrees_on_a_subprotocol_and_on_compression) {
  const OtherServer server;
  for (const bool keep : {false, true}) {
    WebSocketOptions options;
    options.subprotocols = {"other", "chat"};
    options.deflate = true;
    options.keep_windows = keep;
    Result<WebSocket> socket = make_client().connect_websocket(server.url("/echo"), options);
    ASSERT_GOOD(socket);
    EXPECT_EQ(socket->subprotocol(), "chat");
    EXPECT_TRUE(socket->compressed());
    std::string text(100'000, 'c');
    text += "\xC3\xA4";
    for (int i = 0; i < 3; ++i) expect_echo(*socket, text);
    expect_echo(*socket, "short");
    ASSERT_GOOD(socket->close());
  }
}

// A window that is kept remembers messages in the order in which they were compressed: all must travel in that order,
// whoever sends them, and whether they found room or had to wait.
TEST_F(WebSocketTest, compressed_messages_of_several_threads_share_a_window) {
  constexpr int senders = 4;
  constexpr int messages = 50;
  const OtherServer server;
  for (const bool keep : {false, true}) {
    WebSocketOptions options;
    options.deflate = true;
    options.keep_windows = keep;
    options.send_queue_bytes = 2000;
    Result<WebSocket> socket = make_client().connect_websocket(server.url("/echo"), options);
    ASSERT_GOOD(socket);
    std::multiset<std::string> expected;
    std::vector<std::thread> threads;
    for (int sender = 0; sender < senders; ++sender) {
      const auto text = [sender](int i) {
        std::string made;
        while (made.size() < 1000) made += std::to_string(sender * 7919 + i * 31 + static_cast<int>(made.size())) + ' ';
        return made;
      };
      for (int i = 0; i < messages; ++i) expected.insert(text(i));
      threads.emplace_back([&socket, text] {
        for (int i = 0; i < messages; ++i) EXPECT_GOOD(socket->send_text(text(i)));
      });
    }
    std::multiset<std::string> came;
    for (int i = 0; i < senders * messages; ++i) {
      Result<WebSocketMessage> message = socket->receive(seconds(30));
      EXPECT_GOOD(message);
      if (!message) break;
      came.insert(std::move(message->data));
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(came == expected);
    ASSERT_GOOD(socket->close());
  }
}

TEST_F(WebSocketTest, tells_that_the_peer_has_closed_and_why) {
  const OtherServer server;
  Result<WebSocket> socket = make_client().connect_websocket(server.url("/close?4321"));
  ASSERT_GOOD(socket);
  for (int i = 0; i < 2; ++i) {
    const Result<WebSocketMessage> last = socket->receive(seconds(30));
    ASSERT_GOOD(last);
    EXPECT_EQ(last->kind, WebSocketMessage::closed);
    EXPECT_EQ(last->close_code, 4321);
    EXPECT_EQ(last->data, "done");
  }
}

TEST_F(WebSocketTest, goes_through_nginx) {
  if (!Nginx::installed()) GTEST_SKIP() << "nginx is not installed";
  const OtherServer server;
  NginxOptions options;
  options.certificate = &server_certificate();
  options.server = "location /echo { proxy_pass http://127.0.0.1:" + server.port() +
                   "; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;"
                   " proxy_set_header Connection upgrade; }";
  const Nginx nginx(options);
  Result<WebSocket> socket = make_client(tls_options()).connect_websocket(nginx.url("/echo"));
  ASSERT_GOOD(socket);
  expect_echo(*socket, "through nginx");
  expect_echo(*socket, std::string(300'000, 'n'));
  ASSERT_GOOD(socket->close());
}

TEST_F(WebSocketTest, goes_through_a_proxy_in_a_tunnel_and_shares_none_of_its_other_connections) {
  const OtherServer server;
  Listener& proxy = serve({.scenario = "proxy"});
  const Client client = make_client(test_options().derive([&](Options& o) { o.proxy = proxy.url(); }));
  const std::string same_host = "http" + server.url("/echo").substr(2);
  ASSERT_STATUS(client.get(same_host), 200);  // answered by the proxy itself
  Result<WebSocket> socket = client.connect_websocket(same_host);
  ASSERT_GOOD(socket);
  expect_echo(*socket, "through a tunnel");
  EXPECT_EQ(proxy.log().requests.back().method, "CONNECT");
  EXPECT_EQ(proxy.log().accepts, 2);
  ASSERT_GOOD(socket->close());
}

// --- callbacks

TEST_F(WebSocketTest, speaks_by_callbacks_alone) {
  const OtherServer server;
  struct Conversation {
    std::optional<WebSocket> socket;
    int rounds = 0;
    std::promise<std::uint16_t> ended;
    void receive() {
      socket->start_receive([this](Result<WebSocketMessage> message) {
        if (!message || message->kind == WebSocketMessage::closed) {
          ended.set_value(message ? message->close_code : 0);
          return;
        }
        if (++rounds == 100) {
          socket->start_close(1000, "done", [](const Result<void>& closed) { EXPECT_TRUE(closed.has_value()); });
        } else {
          EXPECT_GOOD(socket->send_text("round " + std::to_string(rounds)));
        }
        receive();
      });
    }
  };
  Conversation conversation;
  make_client().start_websocket(get(server.url("/echo")), {}, [&](Result<WebSocket> socket) {
    ASSERT_GOOD(socket);
    conversation.socket.emplace(std::move(*socket));
    conversation.receive();
    EXPECT_GOOD(conversation.socket->send_text("round 0"));
    EXPECT_FAILS(conversation.socket->receive(), ErrorCode::invalid_request);  // it would block the loop
  });
  EXPECT_EQ(conversation.ended.get_future().get(), 1000);
  EXPECT_EQ(conversation.rounds, 100);
}

TEST_F(WebSocketTest, a_callback_may_hold_the_last_handle) {
  const OtherServer server;
  Result<WebSocket> opened = make_client().connect_websocket(server.url("/echo"));
  ASSERT_GOOD(opened);
  auto socket = std::make_shared<WebSocket>(std::move(*opened));
  std::promise<std::string> reply;
  socket->start_send_text("once", [held = socket, &reply](const Result<void>&) mutable {
    WebSocket& used = *held;
    used.start_receive([last = std::move(held), &reply](Result<WebSocketMessage> got) {
      reply.set_value(got ? got->data : got.error().describe());
    });
  });
  socket.reset();
  std::future<std::string> text = reply.get_future();
  ASSERT_EQ(text.wait_for(seconds(30)), std::future_status::ready);
  EXPECT_EQ(text.get(), "once");
  EXPECT_TRUE(eventually([&] { return stats().pool.open == 0; }));
}

TEST_F(WebSocketTest, many_threads_send_and_every_message_arrives_whole) {
  const OtherServer server;
  Result<WebSocket> socket = make_client().connect_websocket(server.url("/echo"));
  ASSERT_GOOD(socket);
  constexpr int threads = 4;
  const int each = scaled(500, 100);
  auto reader = in_background([&] {
    std::set<std::string> seen;
    while (static_cast<int>(seen.size()) < threads * each) {
      Result<WebSocketMessage> message = socket->receive(seconds(30));
      if (!message || message->kind == WebSocketMessage::closed) break;
      seen.insert(message->data.substr(0, message->data.find(' ')));
    }
    return seen.size();
  });
  on_threads(threads, [&](int thread) {
    for (int i = 0; i < each; ++i) {
      const std::string name = std::to_string(thread) + "." + std::to_string(i);
      EXPECT_GOOD(socket->send_text(name + " " + std::string(static_cast<std::size_t>(i % 7) * 1000, 'x')));
    }
  });
  EXPECT_EQ(reader.get(), static_cast<std::size_t>(threads * each));
  ASSERT_GOOD(socket->close());
}

TEST_F(WebSocketTest, a_receive_that_is_cut_off_by_the_end_of_the_handle_says_so) {
  Listener& server = serve();
  Result<WebSocket> opened = make_client().connect_websocket(saying(server, ""));
  ASSERT_GOOD(opened);
  std::promise<Result<WebSocketMessage>> received;
  opened->start_receive([&](Result<WebSocketMessage> message) { received.set_value(std::move(message)); });
  {
    const WebSocket dropped = std::move(*opened);
  }
  EXPECT_FAILS(received.get_future().get(), ErrorCode::cancelled);
  EXPECT_TRUE(server.wait_for("bodies", 1));
  EXPECT_EQ(heard(server), "close 1001\n");
}

// --- the handshake

TEST_F(WebSocketTest, asks_as_rfc_6455_says) {
  Listener& server = serve();
  WebSocketOptions options;
  options.subprotocols = {"a", "b"};
  const Client client = make_client();
  for (int i = 0; i < 2; ++i) {
    Result<WebSocket> socket =
        client.connect_websocket(get(saying(server, "", "protocol=b")).header("X-Mine", "yes"), options);
    ASSERT_GOOD(socket);
    EXPECT_EQ(socket->subprotocol(), "b");
  }
  const auto requests = server.log().requests;
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].field("Upgrade"), "websocket");
  EXPECT_EQ(requests[0].field("Sec-WebSocket-Version"), "13");
  EXPECT_EQ(requests[0].field("Sec-WebSocket-Protocol"), "a, b");
  EXPECT_EQ(requests[0].field("Sec-WebSocket-Extensions"), "(none)");
  EXPECT_EQ(requests[0].field("X-Mine"), "yes");
  EXPECT_NE(requests[0].field("Sec-WebSocket-Key"), requests[1].field("Sec-WebSocket-Key"));
}

TEST_F(WebSocketTest, an_answer_that_is_no_websocket_is_refused_and_costs_its_connection) {
  Listener& server = serve();
  const Client client = make_client();
  for (const auto* wrong : {"accept=bm90IG91cnM", "protocol=unasked", "extensions=permessage-deflate", "upgrade=h2c"}) {
    EXPECT_FAILS(client.connect_websocket(saying(server, "", wrong)), ErrorCode::invalid_response) << wrong;
    EXPECT_TRUE(server.wait_for_exactly("open", 0));
  }
}

TEST_F(WebSocketTest, a_refusal_tells_the_status_and_keeps_the_connection) {
  Listener& server = serve();
  const Client client = make_client();
  const Result<WebSocket> refused = client.connect_websocket(server.scenario("ok", "status=403"));
  ASSERT_FAILS(refused, ErrorCode::upgrade_refused);
  EXPECT_NE(refused.error().message.find("403"), std::string::npos) << refused.error().message;
  const Result<WebSocket> busy = client.connect_websocket(server.scenario("ok", "status=503"));
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().kind, ErrorKind::overloaded);
  ASSERT_STATUS(client.get(server.url()), 200);
  EXPECT_EQ(server.log().accepts, 1);
}

TEST_F(WebSocketTest, refuses_what_makes_no_sense_before_anything_is_sent) {
  Listener& server = serve();
  const Client client = make_client();
  EXPECT_FAILS(client.connect_websocket(post(server.url(), "body")), ErrorCode::invalid_request);
  WebSocketOptions options;
  options.subprotocols = {"not a token"};
  EXPECT_FAILS(client.connect_websocket(server.url(), options), ErrorCode::invalid_request);
  options = {};
  options.message_bytes = 0;
  EXPECT_FAILS(client.connect_websocket(server.url(), options), ErrorCode::invalid_options);
  options = {};
  options.ping_after = seconds(-1);
  EXPECT_FAILS(client.connect_websocket(server.url(), options), ErrorCode::invalid_options);
  std::promise<ErrorCode> code;
  client.start_websocket(get(server.url()), options,
                         [&](Result<WebSocket> socket) { code.set_value(socket.error().code); });
  EXPECT_EQ(code.get_future().get(), ErrorCode::invalid_options);
  EXPECT_EQ(server.log().accepts, 0);
  Result<WebSocket> socket = client.connect_websocket(saying(server, ""));
  ASSERT_GOOD(socket);
  EXPECT_FAILS(socket->send_text("\xFF"), ErrorCode::invalid_request);
  EXPECT_FAILS(socket->close(1005), ErrorCode::invalid_request);
  EXPECT_FAILS(socket->close(1000, std::string(124, 'x')), ErrorCode::invalid_request);
  ASSERT_GOOD(socket->close());
  EXPECT_EQ(heard(server), "close 1000\n");
}

// --- a server that misbehaves

TEST_F(WebSocketTest, reads_what_came_with_the_handshake_and_in_pieces) {
  Listener& server = serve();
  int frames = 0;
  for (const auto* how : {"glue=1", "split=1"}) {
    Result<WebSocket> socket = make_client().connect_websocket(saying(server, "\x01\x03Hel\x89\x01p\x80\x02lo", how));
    ASSERT_GOOD(socket);
    const Result<WebSocketMessage> message = socket->receive(seconds(30));
    ASSERT_GOOD(message);
    EXPECT_EQ(message->data, "Hello");
    EXPECT_TRUE(server.wait_for("bodies", ++frames));
    EXPECT_EQ(heard(server), "pong p\n");
    ASSERT_GOOD(socket->close());
    EXPECT_TRUE(server.wait_for("bodies", ++frames)) << "its close frame, before the next connection's are counted";
  }
}

TEST_F(WebSocketTest, a_peer_that_breaks_the_rules_is_told_and_left) {
  Listener& server = serve();
  const struct {
    std::string bytes;
    ErrorCode code;
    const char* told;
  } cases[] = {{"\x81\x81\x01\x02\x03\x04x", ErrorCode::invalid_frame, "close 1002\n"},  // masked
               {"\xC1\x01x", ErrorCode::invalid_frame, "close 1002\n"},                  // reserved bit
               {"\x83\x01x", ErrorCode::invalid_frame, "close 1002\n"},                  // opcode
               {"\x09\x01x", ErrorCode::invalid_frame, "close 1002\n"},                  // control in fragments
               {"\x81\x01\xFF", ErrorCode::invalid_frame, "close 1007\n"},               // UTF-8
               {"\x88\x02\x03\xED", ErrorCode::invalid_frame, "close 1002\n"},           // close code
               {"\x82\x7F\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", ErrorCode::limit_exceeded, "close 1009\n"}};
  int frames = 0;
  for (const auto& each : cases) {
    expect_end(saying(server, each.bytes), each.code);
    EXPECT_TRUE(server.wait_for("bodies", ++frames));
    EXPECT_EQ(heard(server), each.told);
    EXPECT_TRUE(server.wait_for_exactly("open", 0));
  }
}

TEST_F(WebSocketTest, bounds_messages_and_fragments) {
  Listener& server = serve();
  WebSocketOptions options;
  options.message_bytes = 10;
  expect_end(saying(server, "\x81\x0B" + std::string(11, 'x')), ErrorCode::limit_exceeded, options);
  options.fragments = 2;
  expect_end(saying(server, "\x01\x00\x00\x00\x00\x00"s), ErrorCode::limit_exceeded, options);
}

TEST_F(WebSocketTest, an_end_without_a_close_frame_is_an_error) {
  Listener& server = serve();
  expect_end(saying(server, "", "then=fin"), ErrorCode::connection_closed);
  expect_end(saying(server, "", "then=rst"), ErrorCode::connection_reset);
}

TEST_F(WebSocketTest, messages_before_the_end_are_still_received) {
  Listener& server = serve();
  Result<WebSocket> socket = make_client().connect_websocket(saying(server, "\x81\x01x\x81\x01y", "then=fin"));
  ASSERT_GOOD(socket);
  EXPECT_TRUE(server.wait_for_exactly("open", 0));
  for (const auto* expected : {"x", "y"}) {
    const Result<WebSocketMessage> message = socket->receive(seconds(30));
    ASSERT_GOOD(message);
    EXPECT_EQ(message->data, expected);
  }
  EXPECT_FAILS(socket->receive(seconds(30)), ErrorCode::connection_closed);
}

TEST_F(WebSocketTest, pings_a_silent_peer_and_gives_it_up) {
  Listener& server = serve();
  WebSocketOptions options;
  options.ping_after = milliseconds(20);
  options.ping_timeout = milliseconds(50);
  expect_end(saying(server, ""), ErrorCode::timeout_idle_read, options);
  EXPECT_TRUE(server.wait_for_exactly("open", 0));
  EXPECT_EQ(heard(server), "ping\n");
}

TEST_F(WebSocketTest, a_receive_with_a_limit_ends_and_the_websocket_goes_on) {
  Listener& server = serve();
  Result<WebSocket> socket = make_client().connect_websocket(saying(server, ""));
  ASSERT_GOOD(socket);
  EXPECT_FAILS(socket->receive(milliseconds(20)), ErrorCode::timeout_idle_read);
  ASSERT_GOOD(socket->send_text("still here"));
  ASSERT_GOOD(socket->close());
  EXPECT_EQ(heard(server), "text still here\nclose 1000\n");
}

TEST_F(WebSocketTest, closes_alone_when_the_peer_does_not_close_too) {
  Listener& server = serve();
  WebSocketOptions options;
  options.close_timeout = milliseconds(50);
  Result<WebSocket> socket = make_client().connect_websocket(saying(server, "", "silent=1"), options);
  ASSERT_GOOD(socket);
  EXPECT_FAILS(socket->close(), ErrorCode::timeout_idle_read);
  EXPECT_TRUE(server.wait_for_exactly("open", 0));
}

TEST_F(WebSocketTest, a_sender_waits_for_a_peer_that_reads_nothing_until_the_limit) {
  Listener& server = serve({.settings = {{"receive_buffer", "65536"}}});
  WebSocketOptions options;
  options.send_queue_bytes = 100'000;
  options.write_stall = milliseconds(300);
  Result<WebSocket> socket = make_client().connect_websocket(saying(server, "", "then=deaf"), options);
  ASSERT_GOOD(socket);
  const std::string message(100'000, 'x');
  Result<void> sent;
  int count = 0;
  for (; count < 1000 && sent; ++count) sent = socket->send_binary(message);
  EXPECT_FAILS(sent, ErrorCode::timeout_write);
  EXPECT_LT(count, 500) << "the kernel's buffers, and a queue of one message";
  server.release();
}

TEST_F(WebSocketTest, a_slow_reader_slows_the_peer_down_and_loses_nothing) {
  const OtherServer server;
  WebSocketOptions options;
  options.receive_queue_bytes = 50'000;
  Result<WebSocket> socket = make_client().connect_websocket(server.url("/echo"), options);
  ASSERT_GOOD(socket);
  constexpr int count = 50;
  auto sender = in_background([&] {
    for (int i = 0; i < count; ++i) {
      EXPECT_GOOD(socket->send_binary(std::to_string(i) + " " + std::string(20'000, 'x')));
    }
  });
  for (int i = 0; i < count; ++i) {
    const Result<WebSocketMessage> message = socket->receive(seconds(30));
    ASSERT_GOOD(message);
    ASSERT_EQ(message->data.substr(0, message->data.find(' ')), std::to_string(i));
    if (i % 10 == 0) std::this_thread::sleep_for(milliseconds(60));  // the slow reader itself
  }
  sender.get();
  ASSERT_GOOD(socket->close());
}

}  // namespace
}  // namespace trunkline::test
