// Our server as the benchmarks ask it: so many bytes at any path, and an echo for WebSockets, in one loop.
//   server_trunkline PORT [BYTES]
#include <cstdio>
#include <cstdlib>
#include <string>

#include "our_server.h"

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) {
    std::fprintf(stderr, "usage: %s PORT [BYTES]\n", argv[0]);
    return 2;
  }
  using namespace trunkline::server;
  const std::string content(argc == 3 ? std::strtoul(argv[2], nullptr, 10) : 1024, 'x');
  return bench::serve(argv[1], [&](Request&& request, Exchange&& exchange) {
    if (request.wants_websocket) {
      WebSocketEvents events;
      events.on_message = [](WebSocket& socket, std::string_view message, bool is_text) {
        is_text ? socket.send_text(message) : socket.send_binary(message);
      };
      exchange.accept_websocket({}, std::move(events));
      return;
    }
    Response response(200);
    response.headers.add("Content-Type", "text/plain");
    response.lasting_body = content;
    exchange.respond(std::move(response));
  });
}
