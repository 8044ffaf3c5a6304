#include "base/text.h"

#include <array>
#include <limits>
#include <utility>

#include "base/characters.h"

namespace trunkline {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

Error bad_option(std::string_view text, std::string_view why) {
  std::string message = "\"";
  message += printable(text, 40);
  message += "\" ";
  message += why;
  return {ErrorCode::invalid_options, Phase::prepare, std::move(message)};
}

// "12" or "1.5" taken from the front of `text`: whole part, and the decimals as a fraction of 10^9.
struct Number {
  std::uint64_t whole = 0;
  std::uint64_t billionths = 0;
  bool fits = true;
};

bool take_number(std::string_view& text, Number& number) {
  if (text.empty() || !is_digit(text.front())) return false;
  while (!text.empty() && is_digit(text.front())) {
    const auto digit = static_cast<std::uint64_t>(text.front() - '0');
    if (number.whole > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) {
      number.fits = false;
    } else {
      number.whole = number.whole * 10 + digit;
    }
    text.remove_prefix(1);
  }
  if (text.empty() || text.front() != '.') return true;
  text.remove_prefix(1);
  if (text.empty() || !is_digit(text.front())) return false;
  std::uint64_t scale = 100'000'000;
  while (!text.empty() && is_digit(text.front())) {
    if (scale == 0) return false;  // more than nine decimals: finer than any unit needs
    number.billionths += static_cast<std::uint64_t>(text.front() - '0') * scale;
    scale /= 10;
    text.remove_prefix(1);
  }
  return true;
}

// number * scale, or false when it does not fit below `limit`. Rounds down what is finer than one.
bool multiply(const Number& number, std::uint64_t scale, std::uint64_t limit, std::uint64_t& product) {
  if (!number.fits || number.whole > limit / scale) return false;
  // Split, so that a fraction of a tebibyte or a day does not overflow 64 bits.
  constexpr std::uint64_t billion = 1'000'000'000;
  const std::uint64_t fraction =
      number.billionths * (scale / billion) + number.billionths * (scale % billion) / billion;
  product = number.whole * scale;
  if (fraction > limit - product) return false;
  product += fraction;
  return true;
}

using Unit = std::pair<std::string_view, std::uint64_t>;

constexpr std::array<Unit, 8> duration_units{{
    {"d", 86'400'000'000'000},
    {"h", 3'600'000'000'000},
    {"m", 60'000'000'000},
    {"s", 1'000'000'000},
    {"ms", 1'000'000},
    {"us", 1'000},
    {"\xC2\xB5s", 1'000},  // the micro sign
    {"ns", 1},
}};

constexpr std::uint64_t kibi = 1024;
constexpr std::array<Unit, 18> size_units{{
    {"", 1},
    {"b", 1},
    {"k", kibi},
    {"kib", kibi},
    {"ki", kibi},
    {"kb", 1000},
    {"m", kibi* kibi},
    {"mib", kibi* kibi},
    {"mi", kibi* kibi},
    {"mb", 1'000'000},
    {"g", kibi* kibi* kibi},
    {"gib", kibi* kibi* kibi},
    {"gi", kibi* kibi* kibi},
    {"gb", 1'000'000'000},
    {"t", kibi* kibi* kibi* kibi},
    {"tib", kibi* kibi* kibi* kibi},
    {"ti", kibi* kibi* kibi* kibi},
    {"tb", 1'000'000'000'000},
}};

template <std::size_t N>
std::uint64_t scale_of(const std::array<Unit, N>& units, std::string_view name) {
  for (const auto& [unit, scale] : units) {
    if (unit == name) return scale;
  }
  return 0;
}

constexpr char hex_digits[] = "0123456789abcdef";

// "1.5" for 1500 in thousandths: `value` in units of `scale`, without trailing zeros.
std::string decimal(std::uint64_t value, std::uint64_t scale) {
  std::string text = std::to_string(value / scale);
  std::uint64_t rest = value % scale;
  if (rest == 0) return text;
  text += '.';
  while (rest != 0) {
    rest *= 10;
    text += static_cast<char>('0' + rest / scale);
    rest %= scale;
  }
  return text;
}

}  // namespace

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  constexpr std::string_view how = "is not a duration; write for example 500ms, 30s, 5m or 1h30m";
  constexpr auto longest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  std::string_view rest = trimmed(text);
  if (rest.empty()) return bad_option(text, how);
  std::uint64_t total = 0;
  std::uint64_t previous_scale = std::numeric_limits<std::uint64_t>::max();
  bool first = true;
  while (!rest.empty()) {
    Number number;
    if (!take_number(rest, number)) return bad_option(text, how);
    while (!rest.empty() && is_blank(rest.front())) rest.remove_prefix(1);
    std::size_t length = 0;
    while (length < rest.size() && !is_digit(rest[length]) && !is_blank(rest[length]) && rest[length] != '.') ++length;
    const bool bare = first && length == 0 && rest.empty();
    const std::uint64_t scale = bare ? 1'000'000'000 : scale_of(duration_units, rest.substr(0, length));
    if (scale == 0 || scale >= previous_scale) return bad_option(text, how);
    std::uint64_t part = 0;
    if (!multiply(number, scale, longest - total, part)) return bad_option(text, "is too long a duration");
    total += part;
    previous_scale = scale;
    first = false;
    rest.remove_prefix(length);
    while (!rest.empty() && is_blank(rest.front())) rest.remove_prefix(1);
  }
  return std::chrono::nanoseconds(static_cast<std::int64_t>(total));
}

std::string print_duration(std::chrono::nanoseconds duration) {
  const std::int64_t count = duration.count();
  const auto value =
      count < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(count) : static_cast<std::uint64_t>(count);
  const std::string sign = count < 0 ? "-" : "";
  if (value == 0) return "0s";
  for (const auto& [unit, scale] : duration_units) {
    const bool whole = value % scale == 0;
    const bool may_be_fraction = scale <= 1'000'000'000;  // "1.5s" reads well; "0.025h" does not
    if (value >= scale && (whole || may_be_fraction)) return sign + decimal(value, scale) + std::string(unit);
  }
  return sign + std::to_string(value) + "ns";
}

Result<std::uint64_t> parse_size(std::string_view text) {
  std::string_view rest = trimmed(text);
  Number number;
  if (!take_number(rest, number)) return bad_option(text, "is not a size; write for example 512, 64KiB or 1MB");
  const std::uint64_t scale = scale_of(size_units, in_small_letters(trimmed(rest)));
  if (scale == 0) return bad_option(text, "has an unknown unit; write for example 512, 64KiB or 1MB");
  if (scale == 1 && number.billionths != 0) return bad_option(text, "is a fraction of a byte");
  std::uint64_t bytes = 0;
  if (!multiply(number, scale, std::numeric_limits<std::uint64_t>::max(), bytes)) {
    return bad_option(text, "is too large a size");
  }
  return bytes;
}

std::string print_size(std::uint64_t bytes) {
  constexpr std::array<Unit, 4> binary{
      {{"TiB", kibi * kibi * kibi * kibi}, {"GiB", kibi * kibi * kibi}, {"MiB", kibi * kibi}, {"KiB", kibi}}};
  for (const auto& [unit, scale] : binary) {
    if (bytes >= scale && bytes % scale == 0) return std::to_string(bytes / scale) + std::string(unit);
  }
  return std::to_string(bytes) + "B";
}

std::string base64(std::string_view bytes) {
  constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  const auto at = [&](std::size_t i) -> unsigned {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0;
  };
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const unsigned group = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    text += alphabet[group >> 18];
    text += alphabet[group >> 12 & 63];
    text += i + 1 < bytes.size() ? alphabet[group >> 6 & 63] : '=';
    text += i + 2 < bytes.size() ? alphabet[group & 63] : '=';
  }
  return text;
}

std::size_t utf8_length(std::string_view bytes) {
  const auto at = [&](std::size_t i) -> unsigned {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0;
  };
  const auto continues = [&](std::size_t i) { return (at(i) & 0xC0) == 0x80; };
  const unsigned first = at(0);
  if (bytes.empty()) return 0;
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    // Not over-long (E0 80..9F) and no surrogates (ED A0..BF).
    const bool allowed = !(first == 0xE0 && at(1) < 0xA0) && !(first == 0xED && at(1) > 0x9F);
    return allowed && continues(1) && continues(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool allowed = !(first == 0xF0 && at(1) < 0x90) && !(first == 0xF4 && at(1) > 0x8F);
    return allowed && continues(1) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

void append_json_string(std::string& out, std::string_view bytes) {
  out += '"';
  while (!bytes.empty()) {
    const char c = bytes.front();
    const std::size_t length = utf8_length(bytes);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (length == 1 && (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)) {
      out += "\\u00";
      out += hex_digits[static_cast<unsigned char>(c) >> 4];
      out += hex_digits[static_cast<unsigned char>(c) & 15];
    } else {
      out += bytes.substr(0, length);
    }
    bytes.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
}

std::string json_string(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() + 2);
  append_json_string(out, bytes);
  return out;
}

std::string printable(std::string_view bytes, std::size_t limit_bytes) {
  std::string out;
  const std::string_view shown = bytes.substr(0, limit_bytes);
  out.reserve(shown.size());
  for (const char c : shown) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7F) {
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else {
      out += "\\x";
      out += hex_digits[byte >> 4];
      out += hex_digits[byte & 15];
    }
  }
  if (shown.size() < bytes.size()) out += "...";
  return out;
}

std::string in_small_letters(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower(c);
  return out;
}

}  // namespace trunkline
