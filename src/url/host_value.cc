#include "url/host_value.h"

#include <algorithm>
#include <array>

#include "base/characters.h"

namespace trunkline {
namespace {

// What may stand outside brackets and before a port.
constexpr std::array<bool, 256> make_host_table() {
  std::array<bool, 256> table{};
  for (const char c : std::string_view("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._")) {
    table[static_cast<unsigned char>(c)] = true;
  }
  return table;
}
constexpr std::array<bool, 256> host_table = make_host_table();

bool is_host_char(char c) { return host_table[static_cast<unsigned char>(c)]; }

}  // namespace

bool is_host_value(std::string_view value) {
  if (value.empty()) return false;
  const char* at = value.data();
  const char* const end = at + value.size();
  if (*at == '[') {
    ++at;
    while (at != end && (is_host_char(*at) || *at == ':')) ++at;
    if (at == end || *at != ']' || at - value.data() < 3) return false;
    ++at;
  } else {
    while (at != end && is_host_char(*at)) ++at;
    if (at == value.data()) return false;
  }
  if (at == end) return true;
  if (*at != ':' || end - at < 2 || end - at > 6) return false;
  return std::all_of(at + 1, end, is_digit);
}

}  // namespace trunkline
