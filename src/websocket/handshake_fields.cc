#include "websocket/handshake_fields.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "base/characters.h"

namespace trunkline::websocket {

std::string_view next_part(std::string_view& rest, char separator) {
  const std::size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view part = trimmed(rest.substr(0, end));
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

bool lists(const Headers& headers, std::string_view name, std::string_view token) {
  for (std::string_view value : headers.get_all(name)) {
    while (!value.empty()) {
      if (equals_ignore_case(next_part(value, ','), token)) return true;
    }
  }
  return false;
}

int window_bits(std::string_view text) {
  text = trimmed(text);
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  int bits = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits);
  const bool is_number = error == std::errc() && end == text.data() + text.size() && text.front() != '0';
  return is_number && bits >= 8 && bits <= 15 ? bits : 0;
}

}  // namespace trunkline::websocket
