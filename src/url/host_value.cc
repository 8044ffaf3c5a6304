#include "url/host_value.h"

#include <algorithm>

#include "base/characters.h"

namespace trunkline {

bool is_host_value(std::string_view value) {
  if (value.empty()) return false;
  for (const char c : value) {
    const bool allowed = is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
                         c == '_' || c == ':' || c == '[' || c == ']';
    if (!allowed) return false;
  }
  std::string_view port;
  if (value.front() == '[') {
    const std::size_t end = value.find(']');
    if (end == std::string_view::npos || end < 3 || value.find_first_of("[]", 1) != end) return false;
    port = value.substr(end + 1);
  } else {
    if (value.find_first_of("[]") != std::string_view::npos || value.front() == ':') return false;
    port = value.substr(std::min(value.find(':'), value.size()));
  }
  if (port.empty()) return true;
  if (port.size() < 2 || port.size() > 6 || port.front() != ':') return false;
  return std::all_of(port.begin() + 1, port.end(), is_digit);
}

}  // namespace trunkline
