// Boost.Beast's WebSockets, on one thread of Asio.
//   callback  CONCURRENCY WebSockets, on each one message under way; the next is sent where its echo is received
//   idle      TOTAL WebSockets that wait for a message, and the memory they take
// Environment: SIZE (64), bytes of a message; WARM, HOLD.
#include <malloc.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>
#include <memory>

#include "measure.h"

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using bench::Clock;
using bench::Samples;

// Of ws://ADDRESS:PORT/PATH.
struct Target {
  std::string host, port, path;
  explicit Target(const std::string& url) {
    const auto start = url.find("://") + 3;
    const auto colon = url.find(':', start), slash = url.find('/', start);
    host = url.substr(start, colon - start);
    port = url.substr(colon + 1, slash - colon - 1);
    path = url.substr(slash);
  }
};

struct Socket {
  Socket(asio::io_context& loop, const Target& target) : stream(loop) {
    tcp::socket& socket = stream.next_layer();
    socket.connect(*tcp::resolver(loop).resolve(target.host, target.port).begin());
    socket.set_option(tcp::no_delay(true));
    stream.handshake(target.host + ":" + target.port, target.path);
    stream.binary(true);
  }

  beast::websocket::stream<tcp::socket> stream;
  beast::flat_buffer received;
  long number = 0;
  Clock::time_point started;
};
using Sockets = std::vector<std::unique_ptr<Socket>>;

class Echoes {
 public:
  Echoes(asio::io_context& loop, const std::string& message, Samples& samples)
      : loop_(loop), message_(message), samples_(samples) {}

  long run(const Sockets& sockets) {
    for (const auto& socket : sockets) send_next(*socket);
    loop_.restart();
    loop_.run();
    return errors_;
  }

 private:
  void send_next(Socket& socket) {
    if (next_ == samples_.total()) return;
    socket.number = next_++;
    socket.started = Clock::now();
    socket.stream.async_write(asio::buffer(message_), [this, &socket](beast::error_code error, std::size_t) {
      if (error) std::exit(1);
      socket.stream.async_read(socket.received, [this, &socket](beast::error_code failed, std::size_t size) {
        if (failed) std::exit(1);
        errors_ += size != message_.size();
        socket.received.consume(size);
        samples_.set(socket.number, socket.started);
        send_next(socket);
      });
    });
  }

  asio::io_context& loop_;
  const std::string& message_;
  Samples& samples_;
  long next_ = 0, errors_ = 0;
};

void measure_idle(asio::io_context& loop, const Target& target, long total) {
  Sockets sockets;
  const auto open = [&](long count) {
    for (long i = 0; i < count; ++i) {
      Socket& socket = *sockets.emplace_back(std::make_unique<Socket>(loop, target));
      socket.stream.async_read(socket.received, [](beast::error_code, std::size_t) {});
    }
    loop.restart();
    loop.poll();
  };
  sockets.reserve(static_cast<std::size_t>(total + 100));
  open(100);
  const long before_kb = bench::resident_kb();
  open(total);
  const long after_kb = bench::resident_kb();
  malloc_trim(0);
  bench::print_memory(total, 0, before_kb, after_kb, bench::resident_kb());
  bench::hold();
  std::_Exit(0);  // without ten thousand farewells
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Arguments arguments = bench::parse_arguments(argc, argv, "callback idle");
  const Target target(arguments.url);
  asio::io_context loop(1);
  if (arguments.mode == "idle") measure_idle(loop, target, arguments.total);
  const std::string message(static_cast<std::size_t>(bench::setting("SIZE", 64)), 'x');
  Sockets sockets;
  for (long i = 0; i < arguments.concurrency; ++i) sockets.push_back(std::make_unique<Socket>(loop, target));
  bench::measure(arguments.total, [&](Samples& samples) { return Echoes(loop, message, samples).run(sockets); });
  bench::hold();
}
