// The least WebSocket server, and the same for every client: one thread on epoll that sends each message back, one read
// and one write for it.   echo_server PORT
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "websocket_frames.h"

namespace {

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

struct Connection {
  int fd;
  bool open = false;    // the handshake is done
  std::string pending;  // an incomplete frame or request
};

std::string value_of(const std::string& request, const char* name) {
  const char* at = strcasestr(request.c_str(), name);
  if (at == nullptr) return {};
  std::string value(at + std::strlen(name), std::strcspn(at + std::strlen(name), "\r\n"));
  return value.substr(value.find_first_not_of(' '));
}

std::string answer_to(const std::string& request) {
  const std::string text = value_of(request, "\r\nSec-WebSocket-Key:") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char digest[SHA_DIGEST_LENGTH], accept[32];
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  EVP_EncodeBlock(accept, digest, sizeof digest);
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
         std::string(reinterpret_cast<char*>(accept)) + "\r\n\r\n";
}

// Moves the frames that are complete from the front of `bytes` to `out`, as echoes. False: the client has closed.
bool echo(std::string_view& bytes, std::string& out) {
  for (;;) {
    const bench::Frame frame = bench::frame_at(bytes);
    if (frame.head == 0) return true;
    std::uint32_t key = 0;
    std::memcpy(&key, bytes.data() + frame.head - sizeof key, sizeof key);
    const bool is_ping = frame.first == bench::final_ping;
    if (frame.first != bench::final_pong) {
      bench::append_head(out, is_ping ? bench::final_pong : frame.first, frame.payload, 0);
      const std::size_t at = out.size();
      out.append(bytes.substr(frame.head, frame.payload));
      bench::mask(out.data() + at, frame.payload, key);
    }
    bytes.remove_prefix(frame.head + frame.payload);
    if (frame.first == bench::final_close) return false;
  }
}

// False: the connection is over.
bool serve(Connection& connection, std::string_view bytes, std::string& out) {
  out.clear();
  if (!connection.pending.empty()) {
    connection.pending.append(bytes);
    bytes = connection.pending;
  }
  bool goes_on = true;
  if (connection.open) {
    goes_on = echo(bytes, out);
  } else if (bytes.ends_with("\r\n\r\n")) {
    out = answer_to(std::string(bytes));
    connection.open = true;
    bytes = {};
  }
  if (!out.empty() && write(connection.fd, out.data(), out.size()) != static_cast<ssize_t>(out.size())) return false;
  connection.pending = std::string(bytes);
  if (bytes.empty()) std::string().swap(connection.pending);
  return goes_on;
}

int listen_on(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) die("bind");
  if (listen(fd, 65535) != 0) die("listen");
  return fd;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: echo_server PORT\n"), 2;
  const int listener = listen_on(std::atoi(argv[1]));
  const int epoll = epoll_create1(0);
  const auto watch = [epoll](int fd, Connection* connection) {
    epoll_event event{EPOLLIN, {.ptr = connection}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  };
  watch(listener, nullptr);
  constexpr std::size_t buffer_size = 128 * 1024;
  const auto buffer = std::make_unique<char[]>(buffer_size);
  std::string out;
  epoll_event events[256];
  for (;;) {
    const int ready = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < ready; ++i) {
      auto* const connection = static_cast<Connection*>(events[i].data.ptr);
      if (connection == nullptr) {
        const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) continue;
        const int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        watch(fd, new Connection{fd, false, {}});
        continue;
      }
      const ssize_t got = read(connection->fd, buffer.get(), buffer_size);
      if (got > 0 && serve(*connection, {buffer.get(), static_cast<std::size_t>(got)}, out)) continue;
      close(connection->fd);
      delete connection;
    }
  }
}
