// Our server as the benchmarks ask it: so many bytes at any path, and an echo for WebSockets, in one loop.
//   server_trunkline PORT [BYTES]
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "server/server.h"

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) {
    std::fprintf(stderr, "usage: %s PORT [BYTES]\n", argv[0]);
    return 2;
  }
  using namespace trunkline::server;
  Settings settings;
  settings.listen = {{.address = std::string("127.0.0.1:") + argv[1]}};
  settings.loops = 1;
  settings.limits.requests_per_connection = 0;
  settings.limits.streams_per_connection = 250;  // as the others have it
  settings.limits.connections = 20'000;
  settings.backlog = 65'535;
  const std::string content(argc == 3 ? std::strtoul(argv[2], nullptr, 10) : 1024, 'x');
  auto server = Server::start(settings, [&](Request&& request, Exchange&& exchange) {
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
  if (!server) {
    std::fprintf(stderr, "%s\n", server.error().message.c_str());
    return 1;
  }
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  int signal = 0;
  sigwait(&set, &signal);
  return 0;
}
