// Many clients that do whatever comes into their heads, sound and unsound, in three protocols at once. When they have
// gone every gauge stands at nought and every law holds: no path through the server forgets what it counted.
#include <condition_variable>
#include <deque>
#include <mutex>
#include <random>
#include <thread>

#include "support/serving.h"

namespace trunkline::test {
namespace {

using server::Exchange;
using server::Request;
using server::Settings;

// Answers what it is given, a little later and on its own thread.
class LateAnswers {
 public:
  LateAnswers() : thread_([this] { run(); }) {}
  ~LateAnswers() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    arrived_.notify_one();
    thread_.join();
  }
  void put(Exchange exchange) {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(exchange));
    arrived_.notify_one();
  }

 private:
  void run() {
    for (;;) {
      std::unique_lock lock(mutex_);
      arrived_.wait(lock, [this] { return over_ || !queue_.empty(); });
      if (queue_.empty()) return;
      Exchange exchange = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      exchange.respond({200, "text/plain", "late"});
    }
  }

  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Exchange> queue_;
  bool over_ = false;
  std::thread thread_;
};

class StormClient {
 public:
  StormClient(int port, unsigned seed) : port_(port), random_(seed) {}

  // One connection, from its first byte to its end, however that is.
  void visit() {
    Raw client(port_);
    switch (roll(4)) {
      case 0:
        return speak_http2(client);
      case 1:
        return speak_websocket(client);
      default:
        return speak_http1(client);
    }
  }

 private:
  unsigned roll(unsigned sides) { return std::uniform_int_distribution<unsigned>(0, sides - 1)(random_); }

  void speak_http1(Raw& client) {
    static constexpr std::array<const char*, 4> paths{"/hello", "/late", "/dropped", "/missing"};
    for (unsigned left = roll(20); left > 0; --left) {
      const std::string path = paths[roll(4)];
      if (client.ask("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n").empty()) return;
    }
    switch (roll(8)) {
      case 0:
        client.send("GET /hello HT");
        break;
      case 1:
        client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nnot all of it");
        break;
      case 2:
        client.ask("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
        break;
      case 3:
        client.ask("GET /hello HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n");  // refused
        break;
      case 4:
        client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n").until("xxxx");
        break;
      case 5:
        for (unsigned i = roll(10); i > 0; --i) client.send("GET /late HTTP/1.1\r\nHost: x\r\n\r\n");
        break;
      case 6:
        client.ask("GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        break;
      default:
        break;
    }
    leave(client);
  }

  void speak_http2(Raw& client) {
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").send(frame(4, 0, 0, ""));
    const unsigned streams = roll(30);
    for (unsigned i = 0; i < streams; ++i) {
      const std::uint8_t id = static_cast<std::uint8_t>(2 * i + 1);
      static const std::array<std::string, 4> heads{"\x82\x86\x84\x41\x01x", "\x82\x86\x04\x05/late\x41\x01x",
                                                    "\x82\x86\x04\x07/stream\x41\x01x",
                                                    "\x83\x86\x04\x05/echo\x41\x01x"};
      const unsigned which = roll(4);
      client.send(frame(1, which == 3 ? 4 : 5, id, heads[which]));
      if (which == 3) client.send(frame(0, static_cast<std::uint8_t>(roll(2)), id, "body"));
      if (roll(6) == 0) client.send(frame(3, 0, id, std::string("\0\0\0\x08", 4)));
    }
    if (roll(6) == 0) client.send(frame(0, 0, 99, "of no stream"));
    if (roll(2) == 0) client.send(frame(6, 0, 0, "12345678")).until("12345678");
    leave(client);
  }

  void speak_websocket(Raw& client) {
    const std::string answer =
        client
            .send(
                "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
            .until("\r\n\r\n");
    if (status_of(answer) != 101) return;
    for (unsigned left = roll(10); left > 0; --left) client.send(std::string("\x82\x83\0\0\0\0abc", 9)).until("abc");
    switch (roll(4)) {
      case 0:
        client.send(std::string("\x88\x82\0\0\0\0\x03\xE8", 8)).rest();
        break;
      case 1:
        client.send("\x82\xFE");  // half a head
        break;
      case 2:
        client.send(std::string("\x82\x03", 2) + "abc").rest();  // not masked: refused
        break;
      default:
        break;
    }
    leave(client);
  }

  // By a FIN, a reset (what is unread makes the close one), or having read to the end.
  void leave(Raw& client) {
    if (roll(3) == 0) client.finish();
    client.reset();
  }

  static std::string frame(std::uint8_t kind, std::uint8_t flags, std::uint8_t stream, std::string_view payload) {
    std::string made(9, '\0');
    made[2] = static_cast<char>(payload.size());
    made[3] = static_cast<char>(kind);
    made[4] = static_cast<char>(flags);
    made[8] = static_cast<char>(stream);
    return made.append(payload);
  }

  int port_;
  std::mt19937 random_;
};

class ServerStormTest : public ServingTest {
 protected:
  void handle(Request request, Exchange exchange) {
    if (request.wants_websocket) {
      server::WebSocketEvents events;
      events.on_message = [](server::WebSocket& socket, std::string_view message, bool) {
        socket.send_binary(message);
      };
      exchange.accept_websocket({}, std::move(events));
      return;
    }
    if (request.path == "/hello" || request.path == "/") return exchange.respond({200, "text/plain", "hello"});
    if (request.path == "/late") return late_.put(std::move(exchange));
    if (request.path == "/dropped") return;  // a 500
    if (request.path == "/stream") return stream(std::move(exchange));
    if (request.path != "/echo") return exchange.respond(server::plain_response(404));
    auto answer = std::make_shared<Exchange>(std::move(exchange));
    request.body.read_all(64 * 1024, [answer](Result<std::string> body) {
      answer->respond(body ? server::Response(200, "text/plain", *std::move(body)) : server::plain_response(400));
    });
  }

  static void stream(Exchange exchange) {
    auto writer = std::make_shared<server::BodyWriter>(exchange.start(200, {}));
    auto left = std::make_shared<int>(20);
    const auto pump = [writer, left] {
      while (*left > 0 && writer->write(std::string(64 * 1024, 'x')) == server::BodyWriter::Sent::taken) {
        if (--*left == 0) writer->finish();
      }
    };
    writer->on_room(pump);
    pump();
  }

  LateAnswers late_;
};

TEST_F(ServerStormTest, every_gauge_comes_to_rest_and_every_law_holds_behind_clients_of_all_kinds) {
  const std::uint64_t goal = full_run() ? 1'000'000 : static_cast<std::uint64_t>(scaled(30'000, 3'000));
  Settings settings = quick();
  settings.timeouts.linger = milliseconds(100);
  serve([this](Request request, Exchange exchange) { handle(std::move(request), std::move(exchange)); }, settings);
  std::atomic<bool> over{false};
  std::vector<std::thread> crowd;
  for (unsigned seed = 1; seed <= 4; ++seed) {
    crowd.emplace_back([this, seed, goal, &over] {
      StormClient client(port(), seed);
      while (!over) {
        client.visit();
        if (gauges().requests_begun >= goal) over = true;
      }
    });
  }
  while (!over) {
    EXPECT_TRUE(gauges().adds_up()) << gauges().describe();  // in the middle of it too
    std::this_thread::sleep_for(milliseconds(1));
  }
  for (std::thread& each : crowd) each.join();
  EXPECT_TRUE(at_rest());
  const server::Gauges last = gauges();
  EXPECT_TRUE(last.adds_up()) << last.describe();
  EXPECT_EQ(last.requests_begun, last.requests_completed + last.requests_cancelled);
  EXPECT_EQ(last.websockets_opened, last.websockets_closed);
  EXPECT_GT(last.requests_cancelled, goal / 100) << "they did leave in the middle";
  EXPECT_GT(last.ended_for(server::ConnectionEnd::protocol_error), goal / 1000) << "and broke the rules";
  RecordProperty("gauges", last.describe());
}

}  // namespace
}  // namespace trunkline::test
