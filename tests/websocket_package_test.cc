// Our WebSocket client against the package ws of npm, which most servers that speak WebSocket run: in clear, over TLS,
// and with nginx in between. What ws noticed of us is in its own words.
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "support/http_test.h"
#include "support/nginx.h"
#include "support/node_packages.h"
#include "support/process.h"

namespace trunkline::test {
namespace {

using namespace std::string_literals;

class PackageWs {
 public:
  explicit PackageWs(const Certificate* certificate = nullptr)
      : process_(arguments(certificate)), port_(process_.read_line()) {
    if (port_.empty()) throw std::runtime_error("the package ws does not start");
  }
  const std::string& port() const { return port_; }
  // It has noticed that, or soon does. What it noticed before is forgotten.
  ::testing::AssertionResult tells(std::string_view line) {
    std::string seen;
    for (std::string said = process_.read_line(); !said.empty(); said = process_.read_line()) {
      if (said == line) return ::testing::AssertionSuccess();
      seen += said + "\n";
    }
    return ::testing::AssertionFailure() << "ws never told: " << line << "\nbut\n" << seen;
  }

 private:
  static std::vector<std::string> arguments(const Certificate* certificate) {
    std::vector<std::string> words{"node", node_program("ws_server.js")};
    if (certificate != nullptr) words.insert(words.end(), {certificate->certificate_file, certificate->key_file});
    return words;
  }
  Process process_;
  std::string port_;
};

// Random letters: a compressor finds nothing in them, unless it has seen them before.
std::string noise(std::size_t size) {
  std::mt19937 random(7);  // NOLINT: the same each time
  std::uniform_int_distribution<int> letter('!', '~');
  std::string text(size, ' ');
  for (char& c : text) c = static_cast<char>(letter(random));
  return text;
}

class WebSocketPackageTest : public HttpTest {
 protected:
  struct Way {
    std::string name;
    PackageWs* server;
    std::string url;
  };

  void SetUp() override {
    clear_ = std::make_unique<PackageWs>();
    secure_ = std::make_unique<PackageWs>(&server_certificate());
    ways_.push_back({"in clear", clear_.get(), "ws://127.0.0.1:" + clear_->port()});
    ways_.push_back({"over TLS", secure_.get(), "wss://127.0.0.1:" + secure_->port()});
    if (!Nginx::installed()) return;
    NginxOptions options;
    options.certificate = &server_certificate();
    options.server = "location / { proxy_pass http://127.0.0.1:" + clear_->port() +
                     "; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;"
                     " proxy_set_header Connection upgrade; }";
    nginx_ = std::make_unique<Nginx>(options);
    ways_.push_back({"with nginx in between", clear_.get(), "ws" + nginx_->url("").substr(4)});
  }

  const std::vector<Way>& ways() const { return ways_; }
  Result<WebSocket> open(const Way& way, const std::string& path, const WebSocketOptions& options = {}) {
    return make_client(tls_options()).connect_websocket(way.url + path, options);
  }
  static WebSocketOptions compressing(bool keep_windows) {
    WebSocketOptions options;
    options.deflate = true;
    options.keep_windows = keep_windows;
    return options;
  }

  static void expect_echo(WebSocket& socket, const std::string& message, WebSocketMessage::Kind kind) {
    const bool is_text = kind == WebSocketMessage::text;
    ASSERT_GOOD(is_text ? socket.send_text(message) : socket.send_binary(message));
    const Result<WebSocketMessage> reply = socket.receive(seconds(30));
    ASSERT_GOOD(reply);
    EXPECT_EQ(reply->kind, kind);
    EXPECT_TRUE(reply->data == message) << reply->data.size() << " bytes of " << message.size();
  }
  static std::string answer_to(WebSocket& socket, const std::string& request) {
    const Result<void> sent = socket.send_text(request);
    if (!sent) return describe(sent);
    const Result<WebSocketMessage> reply = socket.receive(seconds(30));
    return reply ? reply->data : describe(reply);
  }
  static void expect_closed(WebSocket& socket, int code, const std::string& reason) {
    const Result<WebSocketMessage> last = socket.receive(seconds(30));
    ASSERT_GOOD(last);
    EXPECT_EQ(last->kind, WebSocketMessage::closed);
    EXPECT_EQ(last->close_code, code);
    EXPECT_EQ(last->data, reason);
  }

  struct Traffic {
    long up = 0;
    long down = 0;
  };
  static Traffic traffic(WebSocket& socket) {
    Traffic bytes;
    std::istringstream(answer_to(socket, "do count")) >> bytes.up >> bytes.down;
    return bytes;
  }

 private:
  std::unique_ptr<PackageWs> clear_;
  std::unique_ptr<PackageWs> secure_;
  std::unique_ptr<Nginx> nginx_;
  std::vector<Way> ways_;
};

TEST_F(WebSocketPackageTest, text_and_bytes_of_every_length_come_back) {
  for (const Way& way : ways()) {
    for (const bool deflate : {false, true}) {
      SCOPED_TRACE(way.name + (deflate ? ", compressed" : ""));
      Result<WebSocket> socket = deflate ? open(way, "/deflate", compressing(true)) : open(way, "/plain");
      ASSERT_GOOD(socket);
      EXPECT_EQ(socket->compressed(), deflate);
      for (const std::size_t size : {0U, 1U, 125U, 126U, 65'535U, 65'536U, 1'000'000U}) {
        expect_echo(*socket, std::string(size, 'm'), WebSocketMessage::text);
        expect_echo(*socket, std::string(size, '\xFF'), WebSocketMessage::binary);
      }
      expect_echo(*socket, noise(300'000), WebSocketMessage::text);
      expect_echo(*socket,
                  "Gr\xC3\xBC\xC3\x9F"
                  "e",
                  WebSocketMessage::text);
      ASSERT_GOOD(socket->close());
      EXPECT_TRUE(way.server->tells("closed 1000 "));
    }
  }
}

TEST_F(WebSocketPackageTest, a_message_in_fragments_is_one_message_and_a_ping_between_them_is_answered) {
  const std::string letters = "in_many_pieces";
  for (const Way& way : ways()) {
    for (const char* path : {"/plain", "/deflate"}) {
      SCOPED_TRACE(way.name + path);
      Result<WebSocket> socket = open(way, path, compressing(true));
      ASSERT_GOOD(socket);
      EXPECT_EQ(answer_to(*socket, "do fragments " + letters), letters);
      EXPECT_TRUE(way.server->tells("pong between"));
      EXPECT_EQ(answer_to(*socket, "do fragments " + letters), letters);
      ASSERT_GOOD(socket->close());
    }
  }
}

// Whoever keeps a window sends what it has sent before in a few bytes, and whoever does not sends it whole again.
TEST_F(WebSocketPackageTest, windows_are_kept_by_whom_both_agreed_on) {
  const struct {
    const char* path;
    bool offered;
    bool we_keep;
    bool ws_keeps;
  } rows[] = {{"/deflate", true, true, true},
              {"/deflate", false, false, false},
              {"/server-forgets", true, true, false},
              {"/client-forgets", true, false, true},
              {"/small-window", true, true, false}};  // its window holds 512 bytes
  const std::string message = noise(4000);
  constexpr long few = 200;
  constexpr long most_of_it = 3000;
  for (const Way& way : ways()) {
    if (way.name == "over TLS") continue;  // where node counts other bytes
    for (const auto& row : rows) {
      SCOPED_TRACE(way.name + row.path + (row.offered ? ", windows offered" : ""));
      Result<WebSocket> socket = open(way, row.path, compressing(row.offered));
      ASSERT_GOOD(socket);
      ASSERT_TRUE(socket->compressed());
      expect_echo(*socket, message, WebSocketMessage::text);
      const Traffic before = traffic(*socket);
      expect_echo(*socket, message, WebSocketMessage::text);
      const Traffic after = traffic(*socket);
      EXPECT_GT(after.up, before.up);
      if (row.we_keep) {
        EXPECT_LT(after.up - before.up, few);
      } else {
        EXPECT_GT(after.up - before.up, most_of_it);
      }
      if (row.ws_keeps) {
        EXPECT_LT(after.down - before.down, few);
      } else {
        EXPECT_GT(after.down - before.down, most_of_it);
      }
      ASSERT_GOOD(socket->close());
    }
  }
}

TEST_F(WebSocketPackageTest, pings_go_both_ways) {
  for (const Way& way : ways()) {
    SCOPED_TRACE(way.name);
    WebSocketOptions options;
    options.ping_after = milliseconds(10);
    Result<WebSocket> socket = open(way, "/plain", options);
    ASSERT_GOOD(socket);
    EXPECT_TRUE(way.server->tells("ping")) << "after a silence";
    ASSERT_GOOD(socket->send_text("do ping alive?"));
    EXPECT_TRUE(way.server->tells("pong alive?"));
    expect_echo(*socket, "goes on", WebSocketMessage::text);
    ASSERT_GOOD(socket->close());
  }
}

TEST_F(WebSocketPackageTest, a_server_that_answers_no_ping_is_given_up) {
  for (const Way& way : ways()) {
    SCOPED_TRACE(way.name);
    WebSocketOptions options;
    options.ping_after = milliseconds(10);
    options.ping_timeout = milliseconds(50);
    Result<WebSocket> socket = open(way, "/mute", options);
    ASSERT_GOOD(socket);
    EXPECT_FAILS(socket->receive(seconds(30)), ErrorCode::timeout_idle_read);
    EXPECT_TRUE(way.server->tells("ping"));
    EXPECT_TRUE(way.server->tells("closed 1006 ")) << "the connection is not kept";
  }
}

TEST_F(WebSocketPackageTest, whoever_closes_tells_the_other_the_code_and_the_reason) {
  for (const Way& way : ways()) {
    SCOPED_TRACE(way.name);
    Result<WebSocket> first = open(way, "/plain");
    ASSERT_GOOD(first);
    ASSERT_GOOD(first->close(4321, "enough"));
    EXPECT_TRUE(way.server->tells("closed 4321 enough"));
    const struct {
      const char* order;
      int code;
      const char* reason;
    } rows[] = {{"do close 1000", 1000, ""},
                {"do close 1012 back in a moment", 1012, "back in a moment"},
                {"do close 4999 as you wish", 4999, "as you wish"},
                {"do close", 1005, ""}};
    for (const auto& row : rows) {
      SCOPED_TRACE(row.order);
      Result<WebSocket> socket = open(way, "/plain");
      ASSERT_GOOD(socket);
      ASSERT_GOOD(socket->send_text(row.order));
      expect_closed(*socket, row.code, row.reason);
      EXPECT_TRUE(way.server->tells("closed " + std::to_string(row.code) + " ")) << "our answer has the same code";
    }
    Result<WebSocket> last = open(way, "/plain");
    ASSERT_GOOD(last);
    ASSERT_GOOD(last->send_text("do vanish"));
    const Result<WebSocketMessage> nothing = last->receive(seconds(30));
    ASSERT_FALSE(nothing);
    EXPECT_EQ(nothing.error().kind, ErrorKind::disconnected) << describe(nothing);
  }
}

TEST_F(WebSocketPackageTest, a_message_over_the_limit_ends_it_with_1009_whoever_sent_it) {
  WebSocketOptions ours = compressing(true);
  ours.message_bytes = 1000;
  for (const Way& way : ways()) {
    for (const char* path : {"/limited", "/limited-deflate"}) {
      SCOPED_TRACE(way.name + path);
      Result<WebSocket> too_much = open(way, path, compressing(true));
      ASSERT_GOOD(too_much);
      expect_echo(*too_much, std::string(1000, 'x'), WebSocketMessage::text);
      ASSERT_GOOD(too_much->send_text(std::string(1001, 'x')));
      expect_closed(*too_much, 1009, "");
      EXPECT_TRUE(way.server->tells("error WS_ERR_UNSUPPORTED_MESSAGE_LENGTH"));
    }
    for (const char* path : {"/plain", "/deflate"}) {
      SCOPED_TRACE(way.name + path);
      Result<WebSocket> bounded = open(way, path, ours);
      ASSERT_GOOD(bounded);
      ASSERT_GOOD(bounded->send_text("do say 1000"));
      const Result<WebSocketMessage> just_fits = bounded->receive(seconds(30));
      ASSERT_GOOD(just_fits);
      EXPECT_EQ(just_fits->data, std::string(1000, '\0'));
      ASSERT_GOOD(bounded->send_text("do say 1001"));
      EXPECT_FAILS(bounded->receive(seconds(30)), ErrorCode::limit_exceeded);
      EXPECT_TRUE(way.server->tells("closed 1009 "));
    }
  }
}

}  // namespace
}  // namespace trunkline::test
