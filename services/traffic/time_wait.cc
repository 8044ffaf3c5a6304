#include "services/traffic/time_wait.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

namespace trunkline::traffic {
namespace {

constexpr std::string_view time_wait_state = "06";

std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(word.size());
  return word;
}

// "0100007F:1F90" has port 8080.
std::optional<std::uint16_t> port_of(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view digits = address.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), port, 16);
  if (problem != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return port;
}

}  // namespace

std::uint64_t count_time_wait(std::string_view table, std::uint16_t first_port, std::uint16_t last_port) {
  const auto is_ours = [&](std::string_view address) {
    const std::optional<std::uint16_t> port = port_of(address);
    return port && *port >= first_port && *port <= last_port;
  };
  std::uint64_t count = 0;
  while (!table.empty()) {
    std::string_view line = table.substr(0, table.find('\n'));
    table.remove_prefix(std::min(line.size() + 1, table.size()));
    take_word(line);  // its number
    const std::string_view local = take_word(line);
    const std::string_view remote = take_word(line);
    if (take_word(line) == time_wait_state && (is_ours(local) || is_ours(remote))) ++count;
  }
  return count;
}

std::uint64_t time_wait_now(std::uint16_t first_port, std::uint16_t last_port) {
  std::uint64_t count = 0;
  for (const char* path : {"/proc/self/net/tcp", "/proc/self/net/tcp6"}) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    count += count_time_wait(text.view(), first_port, last_port);
  }
  return count;
}

}  // namespace trunkline::traffic
