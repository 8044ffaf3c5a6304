#include "support/flood.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <fstream>
#include <thread>

namespace trunkline::test {
namespace {

// False once the server has closed.
bool send_until(const Raw& client, std::string_view bytes, const std::atomic<bool>& ended) {
  while (!bytes.empty()) {
    if (ended) return false;
    if (!net::peers::wait_for(client.fd(), POLLOUT)) return false;
    const ssize_t size = ::send(client.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size < 0 && errno != EAGAIN) return false;
    bytes.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  }
  return true;
}

}  // namespace

std::string pour(Raw& client, const Flood& flood, const std::string& last) {
  std::atomic<bool> ended{false};
  std::string heard;
  std::thread reader;
  if (flood.reads) {
    reader = std::thread([&] {
      heard = client.rest();
      ended = true;
    });
  }
  bool open = true;
  for (std::uint32_t sent = 0; open && sent < flood.most && !ended;) {
    std::string batch;
    while (batch.size() < 16 * 1024 && sent < flood.most) batch += flood.piece(sent++);
    open = send_until(client, batch, ended);
  }
  if (open) send_until(client, last, ended);
  if (reader.joinable()) reader.join();
  if (!flood.reads) heard = client.rest();
  return heard;
}

std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t whole = 0;
  std::size_t resident = 0;
  file >> whole >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace trunkline::test
