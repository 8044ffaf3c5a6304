// A hop between our own processes: a POST is read whole, and 300 bytes answer it a millisecond later. HTTP/1.1 and h2c
// with prior knowledge on one port, one loop.
//   hop_server PORT
#include <cstdio>
#include <string>
#include <utility>

#include "net/loop.h"
#include "our_server.h"

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
  return bench::serve(argv[1], [](Request&& request, Exchange&& exchange) {
    RequestBody body = std::move(request.body);
    if (body.empty()) return Later::answer(std::move(exchange));
    body.read_all(64 * 1024, [exchange = std::move(exchange)](trunkline::Result<std::string> got) mutable {
      if (got) Later::answer(std::move(exchange));
    });
  });
}
