#include "metrics/number.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>

#include "base/characters.h"

namespace trunkline::metrics {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// `small` is in small letters.
bool is_word(std::string_view text, std::string_view small) {
  return text.size() == small.size() &&
         std::equal(text.begin(), text.end(), small.begin(), [](char a, char b) { return (a | 0x20) == b; });
}

// "12", "+3", "-4" and no more; what has many digits stays at a bound that is out of any double's range.
std::optional<int> parse_exponent(std::string_view text) {
  bool negative = false;
  if (text.starts_with('+') || text.starts_with('-')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (text.empty()) return std::nullopt;
  int value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return std::nullopt;
    value = std::min(value * 10 + (c - '0'), 1'000'000);
  }
  return negative ? -value : value;
}

// Behind "0x". All digits beyond those of a double only have to be remembered as not zero, for the rounding.
std::optional<double> parse_hexadecimal(std::string_view text) {
  const std::size_t p = text.find_first_of("pP");
  if (p == std::string_view::npos) return std::nullopt;
  const std::optional<int> exponent = parse_exponent(text.substr(p + 1));
  if (!exponent) return std::nullopt;
  std::uint64_t mantissa = 0;
  int shift = 0;
  bool seen_point = false;
  bool seen_digit = false;
  bool after_digit_or_prefix = true;  // an underscore may follow
  for (const char c : text.substr(0, p)) {
    if (c == '_' && after_digit_or_prefix) {
      after_digit_or_prefix = false;
      continue;
    }
    if (c == '.' && !seen_point && (after_digit_or_prefix || !seen_digit)) {
      seen_point = true;
      after_digit_or_prefix = false;
      continue;
    }
    const int digit = hex_value(c);
    if (digit < 0) return std::nullopt;
    seen_digit = after_digit_or_prefix = true;
    if (mantissa >> 59 == 0) {
      mantissa = mantissa << 4 | static_cast<std::uint64_t>(digit);
      shift -= seen_point ? 4 : 0;
    } else {
      mantissa |= digit != 0 ? 1 : 0;
      shift = std::min(shift + (seen_point ? 0 : 4), 1'000'000);
    }
  }
  if (!seen_digit || (!after_digit_or_prefix && !seen_point)) return std::nullopt;
  // One rounding only: the integer is cut to what the result can hold (with the rest as a sticky bit) before ldexp.
  const double value = std::ldexp(static_cast<double>(mantissa), *exponent + shift);
  return std::isinf(value) ? std::nullopt : std::optional<double>(value);
}

// from_chars says only that it is out of range. The place of the first digit that counts says on which side.
bool is_tiny(std::string_view text) {
  const std::size_t e = text.find_first_of("eE");
  const std::string_view digits = text.substr(0, e);
  const std::size_t point = std::min(digits.find('.'), digits.size());
  const std::size_t first = digits.find_first_not_of("0.");
  const std::optional<int> exponent = e == std::string_view::npos ? 0 : parse_exponent(text.substr(e + 1));
  if (first == std::string_view::npos || !exponent) return true;
  const auto place = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first);
  return place + *exponent < 0;
}

}  // namespace

std::optional<double> parse_number(std::string_view text, bool hexadecimal) {
  std::string_view digits = text;
  const bool is_signed = text.starts_with('+') || text.starts_with('-');
  const bool negative = text.starts_with('-');
  if (is_signed) digits.remove_prefix(1);
  if (digits.empty()) return std::nullopt;

  double value = 0;
  if (is_digit(digits.front()) || digits.front() == '.') {
    if (digits.size() > 2 && digits[0] == '0' && (digits[1] | 0x20) == 'x') {
      if (!hexadecimal) return std::nullopt;
      const std::optional<double> hex = parse_hexadecimal(digits.substr(2));
      if (!hex) return std::nullopt;
      value = *hex;
    } else {
      const char* const end = digits.data() + digits.size();
      const auto [stop, failure] = std::from_chars(digits.data(), end, value);
      if (stop != end || failure == std::errc::invalid_argument) return std::nullopt;
      if (failure == std::errc::result_out_of_range) {
        if (!is_tiny(digits)) return std::nullopt;
        value = 0;
      }
    }
  } else if (is_word(digits, "inf") || is_word(digits, "infinity")) {
    value = infinity;
  } else if (!is_signed && is_word(digits, "nan")) {
    return std::numeric_limits<double>::quiet_NaN();
  } else {
    return std::nullopt;
  }
  return negative ? -value : value;
}

void append_number(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else {
    char buffer[32];
    out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
  }
}

}  // namespace trunkline::metrics
