// The least program that sends WebSocket messages and waits for their echoes: frames are built and masked, sent with
// one write and received with one read, and that is all: no limits, no time limits, no checks of what comes.
//   epoll     one thread, CONCURRENCY connections, on each one message under way
//   blocking  CONCURRENCY threads, each with its own connection, write and read in place
// Environment: SIZE (64), bytes of a message; WARM, HOLD.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <random>
#include <thread>

#include "measure.h"
#include "websocket_frames.h"

namespace {

using bench::Clock;
using bench::Samples;

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

// A connection of ws://ADDRESS:PORT/PATH, an IPv4 address and nothing else, after its handshake.
int open_websocket(const std::string& url) {
  const auto host = url.find("://") + 3;
  const auto colon = url.find(':', host), slash = url.find('/', host);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(url.substr(colon + 1))));
  if (inet_pton(AF_INET, url.substr(host, colon - host).c_str(), &address.sin_addr) != 1) die("address");
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) die("connect");
  const std::string request = "GET " + url.substr(slash) + " HTTP/1.1\r\nHost: " + url.substr(host, slash - host) +
                              "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                              "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n";
  if (write(fd, request.data(), request.size()) < 0) die("write");
  std::string answer;
  char byte = 0;
  while (!answer.ends_with("\r\n\r\n") && read(fd, &byte, 1) == 1) answer += byte;
  if (!answer.starts_with("HTTP/1.1 101 ")) die("handshake");
  return fd;
}

class Connection {
 public:
  Connection(const std::string& url, const std::string& message) : fd(open_websocket(url)), message_(message) {}

  void send() {
    const auto key = static_cast<std::uint32_t>(keys_());
    out_.clear();
    bench::append_head(out_, bench::final_binary, message_.size(), bench::masked);
    out_.append(reinterpret_cast<const char*>(&key), sizeof key);
    const std::size_t at = out_.size();
    out_.append(message_);
    bench::mask(out_.data() + at, message_.size(), key);
    if (write(fd, out_.data(), out_.size()) != static_cast<ssize_t>(out_.size())) die("write");
  }
  // True: the whole echo is there.
  bool receive(char* buffer, std::size_t size) {
    const ssize_t got = read(fd, buffer, size);
    if (got < 0 && errno == EAGAIN) return false;
    if (got <= 0) die("read");
    std::string_view bytes(buffer, static_cast<std::size_t>(got));
    if (!in_.empty()) bytes = in_.append(bytes);
    const bench::Frame frame = bench::frame_at(bytes);
    if (frame.head == 0) {
      if (in_.empty()) in_ = bytes;
      return false;
    }
    ok = frame.first == bench::final_binary && frame.payload == message_.size();
    in_.clear();
    return true;
  }

  int fd;
  bool ok = true;
  long number = 0;
  Clock::time_point started;

 private:
  const std::string& message_;
  std::minstd_rand keys_;
  std::string out_, in_;
};

using Connections = std::vector<std::unique_ptr<Connection>>;
constexpr std::size_t buffer_size = 64 * 1024;

long run_epoll(const Connections& connections, int epoll, Samples& samples) {
  static const auto buffer = std::make_unique<char[]>(buffer_size);
  long started = 0, done = 0, errors = 0;
  const auto start = [&](Connection& connection) {
    if (started == samples.total()) return;
    connection.number = started++;
    connection.started = Clock::now();
    connection.send();
  };
  for (const auto& connection : connections) start(*connection);
  epoll_event events[256];
  while (done < samples.total()) {
    const int ready = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < ready; ++i) {
      auto& connection = *static_cast<Connection*>(events[i].data.ptr);
      if (!connection.receive(buffer.get(), buffer_size)) continue;
      samples.set(connection.number, connection.started);
      errors += !connection.ok;
      ++done;
      start(connection);
    }
  }
  return errors;
}

long run_blocking(const Connections& connections, Samples& samples) {
  std::atomic<long> next{0}, errors{0};
  std::vector<std::thread> callers;
  for (const auto& connection : connections) {
    callers.emplace_back([&, &connection = *connection] {
      const auto buffer = std::make_unique<char[]>(buffer_size);
      for (long number; (number = next++) < samples.total();) {
        const auto started = Clock::now();
        connection.send();
        while (!connection.receive(buffer.get(), buffer_size)) {
        }
        if (!connection.ok) ++errors;
        samples.set(number, started);
      }
    });
  }
  for (auto& caller : callers) caller.join();
  return errors;
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Arguments arguments = bench::parse_arguments(argc, argv, "epoll blocking");
  const std::string message(static_cast<std::size_t>(bench::setting("SIZE", 64)), 'x');
  const bool blocking = arguments.mode == "blocking";
  const int epoll = epoll_create1(0);
  Connections connections;
  for (long i = 0; i < arguments.concurrency; ++i) {
    Connection& connection = *connections.emplace_back(std::make_unique<Connection>(arguments.url, message));
    if (blocking) continue;
    fcntl(connection.fd, F_SETFL, O_NONBLOCK);
    epoll_event event{EPOLLIN | EPOLLET, {.ptr = &connection}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, connection.fd, &event);
  }
  bench::measure(arguments.total, [&](Samples& samples) {
    return blocking ? run_blocking(connections, samples) : run_epoll(connections, epoll, samples);
  });
  bench::hold();
}
