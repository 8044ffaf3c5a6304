// The least HTTP/1.1 server: one thread on epoll; for each request that has come whole, the same 1 KiB. It looks for
// the empty line and at nothing else: no limits, no time limits, no routing, no logging.   server_floor PORT
#include <unistd.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "server_listen.h"

namespace {

struct Connection {
  int fd;
  std::string kept;  // the beginning of a request that is not whole yet
};

// Appends an answer for each whole request, and takes them off.
void answer(std::string_view& bytes, const std::string& response, std::string& out) {
  std::size_t end = 0;
  while ((end = bytes.find("\r\n\r\n")) != bytes.npos) {
    out += response;
    bytes.remove_prefix(end + 4);
  }
}

// False: the client has gone.
bool serve(Connection& connection, const std::string& response, std::string& out) {
  static std::array<char, 65536> buffer;
  const ssize_t size = recv(connection.fd, buffer.data(), buffer.size(), 0);
  if (size <= 0) return false;
  std::string_view bytes(buffer.data(), static_cast<std::size_t>(size));
  if (!connection.kept.empty()) bytes = connection.kept.append(bytes);
  out.clear();
  answer(bytes, response, out);
  connection.kept = std::string(bytes);
  return out.empty() || send(connection.fd, out.data(), out.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(out.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const int listener = bench::listen_at(argv[1]);
  const int epoll = epoll_create1(0);
  bench::watch(epoll, listener, nullptr);
  const std::string response =
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: "
      "1024\r\n\r\n" +
      std::string(1024, 'x');
  std::array<epoll_event, 256> events{};
  std::string out;
  for (;;) {
    const int count = epoll_wait(epoll, events.data(), events.size(), -1);
    for (int i = 0; i < count; ++i) {
      auto* connection = static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (connection == nullptr) {
        for (int fd = 0; (fd = bench::accept_one(listener)) >= 0;) bench::watch(epoll, fd, new Connection{fd, {}});
      } else if (!serve(*connection, response, out)) {
        close(connection->fd);
        delete connection;
      }
    }
  }
}
