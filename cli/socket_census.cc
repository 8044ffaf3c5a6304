#include "socket_census.h"

#include <dirent.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>

namespace trunkline::cli {
namespace {

// Internet sockets only: stdout may be a socket as well, or a logger's.
bool is_connection(int fd) {
  int domain = 0;
  socklen_t size = sizeof domain;
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && (domain == AF_INET || domain == AF_INET6);
}

std::int64_t count_open() {
  DIR* directory = opendir("/proc/self/fd");
  if (!directory) return 0;
  std::int64_t count = 0;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.') count += is_connection(std::atoi(entry->d_name));
  }
  closedir(directory);
  return count;
}

std::int64_t count_time_wait(std::uint16_t port) {
  char wanted[8];
  std::snprintf(wanted, sizeof wanted, ":%04X", port);
  std::int64_t count = 0;
  for (const char* path : {"/proc/self/net/tcp", "/proc/self/net/tcp6"}) {
    std::ifstream table(path);
    std::string line;
    while (std::getline(table, line)) {
      char remote[64];
      char state[8];
      if (std::sscanf(line.c_str(), " %*s %*s %63s %7s", remote, state) != 2) continue;
      count += std::string_view(remote).ends_with(wanted) && std::string_view(state) == "06";
    }
  }
  return count;
}

}  // namespace

SocketCensus SocketCensus::take(std::uint16_t port) { return {count_open(), count_time_wait(port)}; }

SocketCensus SocketCensus::settled(std::uint16_t port, std::int64_t expected_open) {
  for (int i = 0; i < 50 && count_open() > expected_open; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return take(port);
}

SocketCensus operator-(SocketCensus after, const SocketCensus& before) {
  return {std::max<std::int64_t>(after.open - before.open, 0),
          std::max<std::int64_t>(after.time_wait - before.time_wait, 0)};
}

}  // namespace trunkline::cli
