#include "services/config/number.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

namespace trunkline::config {
namespace {

constexpr std::int64_t second = 1'000'000'000;

std::string_view digits_at(std::string_view text, std::size_t at) {
  const auto end = std::find_if(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(),
                                [](char c) { return c < '0' || c > '9'; });
  return text.substr(at, static_cast<std::size_t>(end - text.begin()) - at);
}

}  // namespace

bool is_number(std::string_view text) {
  std::size_t at = text.starts_with('-') ? 1 : 0;
  const std::string_view whole = digits_at(text, at);
  if (whole.empty() || (whole.size() > 1 && whole[0] == '0')) return false;
  at += whole.size();
  if (at < text.size() && text[at] == '.') {
    const std::string_view decimals = digits_at(text, at + 1);
    if (decimals.empty()) return false;
    at += 1 + decimals.size();
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const std::string_view exponent = digits_at(text, at);
    if (exponent.empty()) return false;
    at += exponent.size();
  }
  return at == text.size();
}

std::optional<double> read_number(std::string_view text) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  for (const std::string_view spelling : {"+Inf", "Inf", ".inf", "+.inf", "inf", "Infinity"}) {
    if (text == spelling) return inf;
  }
  for (const std::string_view spelling : {"-Inf", "-.inf", "-inf", "-Infinity"}) {
    if (text == spelling) return -inf;
  }
  if (text == "NaN" || text == ".nan" || text == "nan") return std::numeric_limits<double>::quiet_NaN();
  if (!is_number(text)) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) return std::nullopt;
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

std::optional<double> read_quantity(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, double>, 15> suffixes = {{
      {"Ki", 1024.0},
      {"Mi", 1048576.0},
      {"Gi", 1073741824.0},
      {"Ti", 1099511627776.0},
      {"Pi", 1125899906842624.0},
      {"Ei", 1152921504606846976.0},
      {"k", 1e3},
      {"M", 1e6},
      {"G", 1e9},
      {"T", 1e12},
      {"P", 1e15},
      {"E", 1e18},
      {"m", -3},
      {"u", -6},
      {"n", -9},
  }};
  if (text.starts_with('+')) text.remove_prefix(1);
  for (const auto& [suffix, factor] : suffixes) {
    if (!text.ends_with(suffix)) continue;
    const std::string_view mantissa = text.substr(0, text.size() - suffix.size());
    if (!is_number(mantissa)) return std::nullopt;
    // Small ones by the exponent of the text, so that "100m" is the very same number as "0.1".
    if (factor < 0) {
      if (mantissa.find_first_of("eE") != std::string_view::npos) return std::nullopt;
      return read_number(std::string(mantissa) + "e" + std::to_string(static_cast<int>(factor)));
    }
    const auto value = read_number(mantissa);
    return value ? std::optional(*value * factor) : std::nullopt;
  }
  return is_number(text) ? read_number(text) : std::nullopt;
}

std::string print_number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  if (value == std::floor(value) && std::abs(value) < 1e15) return std::to_string(static_cast<std::int64_t>(value));
  std::array<char, 64> buffer{};
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return error == std::errc() ? std::string(buffer.data(), end) : "0";
}

std::optional<std::chrono::nanoseconds> read_seconds(std::string_view text) {
  if (!is_number(text)) return std::nullopt;
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const std::string_view whole = digits_at(text, 0);
  std::int64_t seconds = 0;
  if (whole.size() > 10 || std::from_chars(whole.data(), whole.data() + whole.size(), seconds).ec != std::errc() ||
      seconds >= std::numeric_limits<std::int64_t>::max() / second) {
    return std::nullopt;
  }
  text.remove_prefix(whole.size());
  std::int64_t nanoseconds = 0;
  if (text.starts_with('.')) {
    const std::string_view decimals = digits_at(text, 1);
    text.remove_prefix(1 + decimals.size());
    std::string nine(decimals.substr(0, 9));  // what is below a nanosecond is cut off
    nine.resize(9, '0');
    std::from_chars(nine.data(), nine.data() + nine.size(), nanoseconds);
  }
  if (!text.empty()) return std::nullopt;  // an exponent
  const std::int64_t total = seconds * second + nanoseconds;
  return std::chrono::nanoseconds(negative ? -total : total);
}

std::string print_seconds(std::chrono::nanoseconds value) {
  const bool negative = value.count() < 0;
  const std::uint64_t total =
      negative ? 0 - static_cast<std::uint64_t>(value.count()) : static_cast<std::uint64_t>(value.count());
  std::string out = (negative ? "-" : "") + std::to_string(total / second);
  if (total % second == 0) return out;
  std::string decimals = std::to_string(total % second);
  decimals.insert(0, 9 - decimals.size(), '0');
  decimals.erase(decimals.find_last_not_of('0') + 1);
  return out + '.' + decimals;
}

}  // namespace trunkline::config
