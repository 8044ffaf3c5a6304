// The character classes of RFC 9110 section 5.6.2 and 5.5, as table and word tricks: every byte of every head passes here.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace trunkline::http1 {

constexpr std::array<bool, 256> make_token_table() {
  std::array<bool, 256> table{};
  for (const char c :
       std::string_view("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")) {
    table[static_cast<unsigned char>(c)] = true;
  }
  return table;
}
inline constexpr std::array<bool, 256> token_table = make_token_table();

inline bool is_token_char(char c) { return token_table[static_cast<unsigned char>(c)]; }

// CR, LF, NUL, DEL and the other controls; tab too.
inline bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

// The first control character other than tab in [p, end), or end. Eight bytes at a time: this is half the cost of a head.
inline const char* find_control(const char* p, const char* end) {
  constexpr std::uint64_t ones = 0x0101010101010101;
  constexpr std::uint64_t high = 0x8080808080808080;
  for (;;) {
    while (end - p >= 8) {
      std::uint64_t word;
      std::memcpy(&word, p, 8);
      const std::uint64_t del = word ^ (ones * 0x7F);
      // Bytes below 0x20, and bytes equal to 0x7F. A borrow can only mark bytes after a true hit, so the first is exact.
      const std::uint64_t found = (((word - ones * 0x20) & ~word) | ((del - ones) & ~del)) & high;
      if (found != 0) {
        if constexpr (std::endian::native == std::endian::little) p += std::countr_zero(found) / 8;
        break;
      }
      p += 8;
    }
    while (p != end && !is_control(*p)) ++p;
    if (p == end || *p != '\t') return p;
    ++p;
  }
}

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Decimal digits only, below 2^64: the strict reading of Content-Length.
inline bool parse_decimal(std::string_view text, std::uint64_t& value) {
  if (text.empty()) return false;
  value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return false;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (UINT64_MAX - digit) / 10) return false;
    value = value * 10 + digit;
  }
  return true;
}

// The next element of a comma-separated list, without spaces around it; empty elements are skipped as RFC 9110 says.
inline bool next_element(std::string_view& list, std::string_view& element) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    element = list.substr(0, comma);
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
    while (!element.empty() && is_space(element.front())) element.remove_prefix(1);
    while (!element.empty() && is_space(element.back())) element.remove_suffix(1);
    if (!element.empty()) return true;
  }
  return false;
}

}  // namespace trunkline::http1
