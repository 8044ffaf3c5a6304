#include "url/ip_literal.h"

#include "base/characters.h"

namespace trunkline {

bool parse_ipv4(std::string_view text, std::uint32_t& address) {
  address = 0;
  for (int part = 0; part < 4; ++part) {
    if (part > 0) {
      if (text.empty() || text.front() != '.') return false;
      text.remove_prefix(1);
    }
    unsigned value = 0;
    std::size_t digits = 0;
    while (digits < text.size() && is_digit(text[digits]) && digits < 4) {
      value = value * 10 + static_cast<unsigned>(text[digits] - '0');
      ++digits;
    }
    if (digits == 0 || digits > 3 || value > 255 || (digits > 1 && text.front() == '0')) return false;
    address = address << 8 | value;
    text.remove_prefix(digits);
  }
  return text.empty();
}

bool parse_ipv6(std::string_view text, Ipv6Groups& groups) {
  groups.fill(0);
  std::size_t count = 0;
  std::size_t gap = groups.size() + 1;  // index of "::"
  if (text.starts_with("::")) {
    gap = 0;
    text.remove_prefix(2);
  }
  while (!text.empty()) {
    if (count == groups.size()) return false;
    std::uint32_t ipv4 = 0;
    if (count <= 6 && text.find('.') != std::string_view::npos && text.find(':') == std::string_view::npos) {
      if (!parse_ipv4(text, ipv4)) return false;
      groups[count++] = static_cast<std::uint16_t>(ipv4 >> 16);
      groups[count++] = static_cast<std::uint16_t>(ipv4);
      break;
    }
    unsigned value = 0;
    std::size_t digits = 0;
    while (digits < text.size() && hex_value(text[digits]) >= 0) {
      if (digits == 4) return false;
      value = value << 4 | static_cast<unsigned>(hex_value(text[digits++]));
    }
    if (digits == 0) return false;
    groups[count++] = static_cast<std::uint16_t>(value);
    text.remove_prefix(digits);
    if (text.empty()) break;
    if (text.front() != ':') return false;
    text.remove_prefix(1);
    if (text.empty()) return false;  // a single ":" at the end
    if (text.front() == ':') {
      if (gap <= groups.size()) return false;  // a second "::"
      gap = count;
      text.remove_prefix(1);
    }
  }
  if (gap > groups.size()) return count == groups.size();
  if (count >= groups.size()) return false;  // "::" stands for at least one group
  const std::size_t moved = count - gap;
  for (std::size_t i = 0; i < moved; ++i) {
    groups[groups.size() - 1 - i] = groups[count - 1 - i];
    groups[count - 1 - i] = 0;
  }
  return true;
}

}  // namespace trunkline
