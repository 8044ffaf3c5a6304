// A hop between our own processes: a POST is read whole, and 300 bytes answer it a millisecond later. HTTP/1.1 and h2c
// with prior knowledge on one port, one loop.
//   hop_server PORT
#include <csignal>
#include <cstdio>
#include <string>
#include <utility>

#include "net/loop.h"
#include "server/server.h"

namespace {

using namespace trunkline::server;
using trunkline::net::Loop;

constexpr auto delay = std::chrono::milliseconds(1);
const std::string content(300, 'x');

// Answers when its time has come.
class Later final : trunkline::net::Timer {
 public:
  static void answer(Exchange exchange) { (new Later(std::move(exchange)))->start(); }

 private:
  explicit Later(Exchange exchange) : exchange_(std::move(exchange)) {}
  void start() { Loop::current()->set_timer(*this, Loop::current()->now() + delay); }
  void on_timer() override {
    Response response(200);
    response.headers.add("Content-Type", "text/plain");
    response.lasting_body = content;
    exchange_.respond(std::move(response));
    delete this;
  }

  Exchange exchange_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s PORT\n", argv[0]);
    return 2;
  }
  Settings settings;
  settings.listen = {{.address = std::string("127.0.0.1:") + argv[1]}};
  settings.loops = 1;
  settings.limits.requests_per_connection = 0;
  settings.limits.streams_per_connection = 250;
  settings.limits.connections = 20'000;
  settings.backlog = 65'535;
  auto server = Server::start(settings, [](Request&& request, Exchange&& exchange) {
    RequestBody body = std::move(request.body);
    if (body.empty()) return Later::answer(std::move(exchange));
    body.read_all(64 * 1024, [exchange = std::move(exchange)](trunkline::Result<std::string> got) mutable {
      if (got) Later::answer(std::move(exchange));
    });
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
