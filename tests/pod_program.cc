// A pod that costs next to nothing, for tests with many: pod_program PORT FOLDER. It answers /metrics with the gauge
// `load`, which is what stands in FOLDER/load-PORT, or else in FOLDER/load, and whatever else is asked with 200. One
// thread that waits; SIGTERM ends it.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

int listen_on(std::uint16_t port) {
  const int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (bind(listening, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return -1;
  return listen(listening, 64) == 0 ? listening : -1;
}

std::string load_in(const std::string& folder, const std::string& port) {
  std::string load;
  if (std::ifstream own(folder + "/load-" + port); own && std::getline(own, load)) return load;
  std::ifstream all(folder + "/load");
  std::getline(all, load);
  return load;
}

// False when the connection is over. Requests come whole, as they are short.
bool answer(int connection, const std::string& folder, const std::string& port) {
  std::array<char, 4096> bytes{};
  const ssize_t got = read(connection, bytes.data(), bytes.size());
  if (got <= 0) return false;
  std::string body;
  if (std::string_view(bytes.data(), static_cast<std::size_t>(got)).starts_with("GET /metrics")) {
    body = "# TYPE load gauge\nload " + load_in(folder, port) + "\n";
  }
  const std::string response =
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: " + std::to_string(body.size()) +
      "\r\n\r\n" + body;
  return send(connection, response.data(), response.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(response.size());
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  const std::string port = arguments[1];
  const std::string folder = arguments[2];
  const int listening = listen_on(static_cast<std::uint16_t>(std::atoi(port.c_str())));
  if (listening < 0) return 1;
  std::vector<pollfd> open = {{.fd = listening, .events = POLLIN, .revents = 0}};
  for (;;) {
    poll(open.data(), open.size(), -1);
    for (std::size_t i = open.size(); i-- > 1;) {
      if (open[i].revents == 0 || answer(open[i].fd, folder, port)) continue;
      close(open[i].fd);
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (open.front().revents == 0) continue;
    const int accepted = accept(listening, nullptr, nullptr);
    if (accepted >= 0) open.push_back({.fd = accepted, .events = POLLIN, .revents = 0});
  }
}
