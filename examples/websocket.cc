// What docs/websocket.md shows, as a program: websocket URL, of a server that echoes. tests/examples_test.py runs it.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <optional>
#include <string>

#include <trunkline/trunkline.hpp>

using namespace trunkline;
using namespace std::chrono_literals;

namespace {

Result<void> say_hello(const Client& client, const std::string& url) {
  Result<WebSocket> socket = client.connect_websocket(url);  // "wss://chat.example/room"
  if (!socket) return socket.error();
  if (auto sent = socket->send_text("hello"); !sent) return sent;
  const Result<WebSocketMessage> reply = socket->receive(10s);
  if (!reply) return reply.error();
  if (reply->kind == WebSocketMessage::closed) return {};  // in order; close_code and data say why
  std::printf("%s\n", reply->data.c_str());
  return socket->close();
}

Result<void> with_settings(const std::string& url) {
  Options options;
  options.proxy = "direct";  // or "socks5h://user:password@proxy.example": see docs/proxies.md
  options.timeouts.tls = 5s;
  WebSocketOptions websocket;
  websocket.subprotocols = {"chat"};
  websocket.message_bytes = 1024 * 1024;  // a longer message ends it with an error
  websocket.ping_after = 15s;             // of silence
  Request request = get(url).header("Authorization", "Bearer token");
  Result<WebSocket> socket = Client(options).connect_websocket(std::move(request), websocket);
  if (!socket) return socket.error();
  std::printf("speaks %s\n", socket->subprotocol().c_str());
  return socket->close(1000, "done");
}

void with_callbacks(const Client& client, const std::string& url) {
  std::promise<void> over;
  std::optional<WebSocket> socket;
  client.start_websocket(get(url), WebSocketOptions(), [&](Result<WebSocket> opened) {
    if (!opened) return over.set_value();
    socket.emplace(*std::move(opened));
    socket->start_receive([&](const Result<WebSocketMessage>& reply) {
      if (reply) std::printf("%s\n", reply->data.c_str());
      over.set_value();
    });
    socket->start_send_text("by callbacks", [](const Result<void>&) {});
  });
  over.get_future().wait();
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return std::fprintf(stderr, "usage: websocket URL\n"), EXIT_FAILURE;
  const Client client;
  for (const Result<void>& done : {say_hello(client, arguments[1]), with_settings(arguments[1])}) {
    if (!done) return std::fprintf(stderr, "%s\n", done.error().describe().c_str()), EXIT_FAILURE;
  }
  with_callbacks(client, arguments[1]);
  return EXIT_SUCCESS;
}
