// Floods of WebSocket frames against the whole server: what breaks a limit ends with the close code that says so, what
// breaks none is served for as long as it likes, and neither costs memory or anybody else's service.
#include <array>
#include <future>
#include <sstream>
#include <thread>
#include <vector>

#include "support/flood.h"
#include "websocket/deflate.h"
#include "websocket/frame.h"

namespace trunkline::test {
namespace {

using server::ConnectionEnd;
using server::Exchange;
using server::Request;
using server::Settings;
using websocket::FrameStart;
using websocket::Opcode;

constexpr std::size_t mebibyte = 1024 * 1024;

std::string client_frame(const FrameStart& start, std::string_view payload = {}) {
  std::string made;
  websocket::append_masked_frame(made, start, payload, 0);
  return made;
}

std::function<std::string(std::uint32_t)> always(std::string piece) {
  return [piece = std::move(piece)](std::uint32_t) { return piece; };
}

struct Heard {
  std::uint16_t close_code = websocket::abnormal_closure;  // 1006: there was no close frame
  std::size_t pongs = 0;
};

// The frames behind the server's 101.
Heard frames_in(std::string_view bytes) {
  const auto byte = [&bytes](std::size_t at) {
    return static_cast<std::size_t>(static_cast<unsigned char>(bytes[at]));
  };
  Heard heard;
  while (bytes.size() >= 2) {
    std::size_t head = 2;
    std::size_t size = byte(1);
    if (size >= 126) {
      const std::size_t wide = size == 126 ? 2 : 8;
      if (bytes.size() < 2 + wide) break;
      for (size = 0; head < 2 + wide; ++head) size = size << 8U | byte(head);
    }
    if (bytes.size() - head < size) break;
    const auto opcode = static_cast<Opcode>(byte(0) & 0x0FU);
    if (opcode == Opcode::pong) ++heard.pongs;
    if (opcode == Opcode::close && size >= 2) {
      heard.close_code = static_cast<std::uint16_t>(byte(head) << 8U | byte(head + 1));
    }
    bytes.remove_prefix(head + size);
  }
  return heard;
}

class ServerWebSocketFloodsTest : public ServingTest {
 protected:
  void SetUp() override {
    Settings settings = quick();
    settings.loops = 1;  // so that the others are served by the loop that is flooded
    serve([this](Request request, Exchange exchange) { accept(std::move(request), std::move(exchange)); }, settings);
  }

  // Connects to `path`, sends the flood and then closes in order, while a neighbour's WebSocket echoes on.
  Heard run(const std::string& path, const Flood& flood) {
    Raw client(port());
    const std::string answer = client
                                   .send("GET " + path +
                                         " HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                         "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
                                   .until("\r\n\r\n");
    EXPECT_EQ(status_of(answer), 101);
    const Client others = Client(Transport::create(test_options()));
    Result<WebSocket> neighbour = others.connect_websocket(url("/"));
    EXPECT_GOOD(neighbour);
    if (!neighbour) return {};
    expect_echo(*neighbour);  // what a first one costs is not the flood's
    const std::size_t before = resident_bytes();
    std::atomic<bool> over{false};
    std::thread bystander([&] {
      while (!over) expect_echo(*neighbour);
    });
    const std::string last = client_frame({.opcode = Opcode::close}, websocket::close_payload(1000, {}));
    const std::string heard = pour(client, flood, last);
    client.reset();
    over = true;
    bystander.join();
    if (!sanitized()) {
      // The test itself keeps what it has heard.
      EXPECT_LT(resident_bytes(), before + 2 * heard.capacity() + 24 * mebibyte);
    }
    expect_echo(*neighbour);
    EXPECT_GOOD(neighbour->close());
    EXPECT_TRUE(at_rest());
    return frames_in(heard);
  }
  std::uint64_t ended(ConnectionEnd reason) const { return gauges().ended_for(reason); }

  std::atomic<std::uint64_t> messages_{0};

 private:
  static void expect_echo(WebSocket& socket) {
    ASSERT_GOOD(socket.send_text("still here?"));
    const Result<WebSocketMessage> reply = socket.receive(seconds(20));
    ASSERT_GOOD(reply);
    EXPECT_EQ(reply->data, "still here?");
  }

  void accept(Request request, Exchange exchange) {
    server::WebSocketSettings settings;
    settings.deflate = true;
    const bool echoes = request.path != "/silent";
    // The limit that ends who reads nothing; the others' is one that a busy machine does not reach.
    settings.write_stall = request.path == "/stalled" ? Duration(milliseconds(300)) : Duration(seconds(30));
    server::WebSocketEvents events;
    events.on_message = [this, echoes](server::WebSocket& socket, std::string_view message, bool) {
      ++messages_;
      if (echoes) socket.send_text(message);  // one that has no room is dropped
    };
    exchange.accept_websocket(std::move(settings), std::move(events));
  }
};

TEST_F(ServerWebSocketFloodsTest, a_message_of_fragments_without_end_ends_with_1008_even_if_they_hold_nothing) {
  for (const char* payload : {"", "x"}) {
    const auto piece = [&](std::uint32_t number) {
      return client_frame({.opcode = number == 0 ? Opcode::text : Opcode::continuation, .last = false}, payload);
    };
    EXPECT_EQ(run("/", {.piece = piece}).close_code, websocket::policy_violation);
  }
  EXPECT_EQ(ended(ConnectionEnd::protocol_error), 2U);
}

TEST_F(ServerWebSocketFloodsTest, a_message_that_grows_without_end_ends_with_1009) {
  const std::string part(60'000, 'x');
  for (const Opcode kind : {Opcode::text, Opcode::binary}) {
    const auto piece = [&](std::uint32_t number) {
      return client_frame({.opcode = number == 0 ? kind : Opcode::continuation, .last = false}, part);
    };
    EXPECT_EQ(run("/", {.piece = piece}).close_code, websocket::message_too_big);
  }
}

TEST_F(ServerWebSocketFloodsTest, a_giant_frame_ends_with_1009_before_its_bytes_have_come) {
  const std::string head("\x82\xFF\x00\x00\x00\x7F\xFF\xFF\xFF\xFF\x00\x00\x00\x00", 14);
  EXPECT_EQ(run("/", {.piece = always(head), .most = 1}).close_code, websocket::message_too_big);
}

TEST_F(ServerWebSocketFloodsTest, a_compressed_bomb_ends_with_1009) {
  const std::string bomb = websocket::Deflater({}).compress(std::string(64 * mebibyte, 'x'));
  ASSERT_LT(bomb.size(), 100'000U);
  const std::string whole = client_frame({.opcode = Opcode::text, .compressed = true}, bomb);
  EXPECT_EQ(run("/", {.piece = always(whole), .most = 1}).close_code, websocket::message_too_big);
  // The same cut into fragments of a hundred bytes.
  const auto piece = [&](std::uint32_t number) {
    const bool first = number == 0;
    return client_frame({.opcode = first ? Opcode::text : Opcode::continuation, .last = false, .compressed = first},
                        std::string_view(bomb).substr(std::size_t{100} * number, 100));
  };
  EXPECT_EQ(run("/", {.piece = piece, .most = 500}).close_code, websocket::message_too_big);
}

// Each is within its limit. They are served one after the other, and the memory of one is used for the next.
TEST_F(ServerWebSocketFloodsTest, compressed_messages_at_the_limit_without_end_cost_the_memory_of_one) {
  const std::string packed = websocket::Deflater({}).compress(std::string(mebibyte, 'x'));
  const std::string message = client_frame({.opcode = Opcode::text, .compressed = true}, packed);
  const auto count = static_cast<std::uint32_t>(scaled(100, 20));
  EXPECT_EQ(run("/silent", {.piece = always(message), .most = count}).close_code, 1000);
  EXPECT_GE(messages_, count);
}

// Of the PINGs that come together the last is answered (RFC 6455 section 5.5.3), so the answers are fewer by far, and
// whether anybody reads them makes no difference.
TEST_F(ServerWebSocketFloodsTest, pings_without_end_are_answered_in_part_and_nothing_is_kept) {
  const std::string ping = client_frame({.opcode = Opcode::ping}, std::string(125, 'p'));
  for (const bool reads : {true, false}) {
    const std::uint32_t count = 300'000;
    const Heard heard = run("/", {.piece = always(ping), .most = count, .reads = reads});
    EXPECT_EQ(heard.close_code, 1000);
    EXPECT_GE(heard.pongs, 1U);
    EXPECT_LT(heard.pongs, count / 10);
  }
  EXPECT_EQ(ended(ConnectionEnd::protocol_error), 0U);
}

TEST_F(ServerWebSocketFloodsTest, empty_messages_whose_echoes_nobody_reads_are_not_kept_and_end_at_the_write_stall) {
  const std::string empty = client_frame({.opcode = Opcode::text});
  run("/stalled", {.piece = always(empty), .most = 20'000'000, .reads = false});
  EXPECT_EQ(ended(ConnectionEnd::timed_out), 1U);
}

// One loop serves all. /flood stops in its first message until the test lets it go on; / answers how many of that one's
// messages have been heard by then; /windows sends from several threads.
class ServerWebSocketTurnsTest : public ServingTest {
 protected:
  void SetUp() override {
    Settings settings = quick();
    settings.loops = 1;
    serve([this](Request request, Exchange exchange) { accept(request, std::move(exchange)); }, settings);
  }
  void TearDown() override {
    ServingTest::TearDown();
    for (std::thread& sender : senders_) sender.join();
  }

  void flood(const std::string& path);

  std::atomic<int> heard_{0};
  std::promise<void> first_heard_;
  std::promise<void> may_go_on_;

 private:
  void accept(const Request& request, Exchange exchange) {
    server::WebSocketSettings settings;
    settings.deflate = true;
    server::WebSocketEvents events;
    if (request.path.starts_with("/flood")) {
      events.on_message = [this, pauses = request.path == "/flood-paused"](server::WebSocket& socket,
                                                                           std::string_view message, bool) {
        EXPECT_EQ(message.size(), mebibyte);
        if (pauses) {
          socket.pause();
          socket.resume();
        }
        if (++heard_ > 1) return;
        first_heard_.set_value();
        may_go_on_.get_future().wait();
      };
    } else if (request.path == "/windows") {
      settings.keep_windows = true;
      settings.send_queue_bytes = 64 * mebibyte;
      events.on_open = [this](server::WebSocket& socket) {
        for (int sender = 0; sender < 4; ++sender) {
          senders_.emplace_back([socket, sender]() mutable {
            for (int i = 0; i < 100; ++i) {
              const std::string head = std::to_string(sender) + ' ' + std::to_string(i) + ' ';
              EXPECT_EQ(socket.send_text(head + std::string(5000, static_cast<char>('a' + sender))),
                        server::WebSocket::Sent::taken);
            }
          });
        }
      };
    } else {
      events.on_message = [this](server::WebSocket& socket, std::string_view, bool) {
        socket.send_text(std::to_string(heard_));
      };
    }
    exchange.accept_websocket(std::move(settings), std::move(events));
  }

  std::vector<std::thread> senders_;
};

TEST_F(ServerWebSocketTurnsTest, messages_that_one_read_holds_and_that_grow_large_do_not_hold_up_the_others) {
  flood("/flood");
}

TEST_F(ServerWebSocketTurnsTest, nor_where_their_handler_pauses_and_goes_on_with_each) { flood("/flood-paused"); }

void ServerWebSocketTurnsTest::flood(const std::string& path) {
  constexpr int count = 50;
  Raw client(port());
  client
      .send("GET " + path +
            " HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
      .until("\r\n\r\n");
  Result<WebSocket> neighbour = Client(Transport::create(test_options())).connect_websocket(url("/"));
  ASSERT_GOOD(neighbour);
  const std::string packed = websocket::Deflater({}).compress(std::string(mebibyte, 'x'));
  std::string flood;
  for (int i = 0; i < count; ++i) flood += client_frame({.opcode = Opcode::binary, .compressed = true}, packed);
  ASSERT_LT(flood.size(), 64U * 1024) << "which is one read";
  client.send(flood);
  first_heard_.get_future().wait();
  EXPECT_GOOD(neighbour->send_text("how many?"));
  may_go_on_.set_value();
  const Result<WebSocketMessage> reply = neighbour->receive(seconds(20));
  ASSERT_GOOD(reply);
  EXPECT_LE(std::stoi(reply->data), 4) << "one in each turn, and a turn or two before the neighbour's bytes are seen";
  EXPECT_TRUE(eventually([&] { return heard_ == count; })) << heard_;
  EXPECT_GOOD(neighbour->close());
  client.reset();
  EXPECT_TRUE(at_rest());
}

// In any other order the client could not take them apart: each refers to those that were compressed before it.
TEST_F(ServerWebSocketTurnsTest, messages_of_several_threads_travel_in_the_order_in_which_they_were_compressed) {
  WebSocketOptions options;
  options.deflate = true;
  options.keep_windows = true;
  Result<WebSocket> socket = Client(Transport::create(test_options())).connect_websocket(url("/windows"), options);
  ASSERT_GOOD(socket);
  ASSERT_TRUE(socket->compressed());
  std::array<int, 4> next{};
  for (int i = 0; i < 400; ++i) {
    const Result<WebSocketMessage> message = socket->receive(seconds(20));
    ASSERT_GOOD(message);
    ASSERT_EQ(message->kind, WebSocketMessage::text) << message->close_code << message->data;
    std::size_t sender = 0;
    int number = 0;
    std::istringstream(message->data) >> sender >> number;
    ASSERT_LT(sender, next.size());
    EXPECT_EQ(number, next[sender]++);
  }
  EXPECT_GOOD(socket->close());
}

}  // namespace
}  // namespace trunkline::test
