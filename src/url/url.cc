// One pass from left to right; every refusal names the byte. Messages never quote userinfo, path or query: they may be
// secrets.
#include <trunkline/url.hpp>

#include <array>
#include <charconv>
#include <utility>

#include "base/text.h"

namespace trunkline {
namespace {

// Longer ones do not pass any server's request line anyway, and offsets stay small.
constexpr std::size_t url_limit_bytes = 64 * 1024;
constexpr std::size_t host_limit_bytes = 253;  // RFC 1035: 255 with the length bytes
constexpr std::size_t label_limit_bytes = 63;
constexpr std::size_t zone_limit_bytes = 63;

// What a byte may be. `.` is not in `path_plain`, so that the path loop stops there to look for dot segments.
enum : unsigned char {
  path_plain = 1,   // pchar and "/"
  query_plain = 2,  // pchar, "/", "?"
  encoded = 4,      // not allowed by RFC 3986, sent by browsers: we percent-encode it
  host_char = 8,    // letters, digits, "-", "_" (in names of containers and DNS-SD)
  upper_case = 16,
  userinfo_char = 32,  // unreserved, sub-delims, ":"
  hex_digit = 64,
};

constexpr std::array<unsigned char, 256> make_table() {
  std::array<unsigned char, 256> table{};
  const auto mark = [&table](std::string_view characters, unsigned flags) {
    for (const char c : characters) table[static_cast<unsigned char>(c)] |= static_cast<unsigned char>(flags);
  };
  mark("abcdefghijklmnopqrstuvwxyz0123456789", path_plain | query_plain | host_char | userinfo_char);
  mark("ABCDEFGHIJKLMNOPQRSTUVWXYZ", path_plain | query_plain | host_char | userinfo_char | upper_case);
  mark("-_", path_plain | query_plain | host_char | userinfo_char);
  mark("~!$&'()*+,;=:", path_plain | query_plain | userinfo_char);
  mark("@/", path_plain | query_plain);
  mark("?", query_plain);
  mark(".", query_plain | userinfo_char);
  mark("\"<>`{}|^[]", encoded);
  mark("0123456789abcdefABCDEF", hex_digit);
  return table;
}
constexpr std::array<unsigned char, 256> table = make_table();

bool is(char c, unsigned flags) { return (table[static_cast<unsigned char>(c)] & flags) != 0; }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

unsigned hex_value(char c) {
  return is_digit(c) ? static_cast<unsigned>(c - '0') : static_cast<unsigned>(lower(c) - 'a') + 10;
}

void append_encoded(std::string& out, std::string_view bytes) {
  constexpr char digits[] = "0123456789ABCDEF";
  for (const char c : bytes) {
    out += '%';
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[static_cast<unsigned char>(c) & 15];
  }
}

std::string name_of(char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (c == ' ') return "a space";
  if (c == '\\') return "a backslash";
  if (c == '%') return "a percent sign";
  if (byte < 0x20 || byte == 0x7F) return "a control character (" + printable({&c, 1}) + ")";
  if (byte >= 0x80) return "a non-ASCII character";
  return std::string("\"") + c + "\"";
}

std::uint16_t default_port(std::string_view scheme) { return scheme == "https" || scheme == "wss" ? 443 : 80; }

// "http" of "http:...", or nothing when there is no scheme.
std::string_view scheme_of(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size() &&
         (is_letter(text[length]) || (length > 0 && (is_digit(text[length]) || text[length] == '+' ||
                                                     text[length] == '-' || text[length] == '.')))) {
    ++length;
  }
  return length > 0 && length < text.size() && text[length] == ':' ? text.substr(0, length) : std::string_view();
}

// Four decimal numbers up to 255 without leading zeros: the only way of writing IPv4 that everybody reads alike.
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

using Ipv6Groups = std::array<std::uint16_t, 8>;

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
    while (digits < text.size() && is(text[digits], hex_digit)) {
      if (digits == 4) return false;
      value = value << 4 | hex_value(text[digits++]);
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

void append_number(std::string& out, unsigned value, int base) {
  std::array<char, 12> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, base);
  out.append(digits.data(), end.ptr);
}

// RFC 5952: no leading zeros, lower case, the first longest run of at least two zero groups as "::", mapped IPv4 dotted.
std::string print_ipv6(const Ipv6Groups& groups) {
  std::string text;
  const bool mapped =
      groups[0] == 0 && groups[1] == 0 && groups[2] == 0 && groups[3] == 0 && groups[4] == 0 && groups[5] == 0xFFFF;
  if (mapped) {
    text = "::ffff:";
    for (std::size_t i = 6; i < 8; ++i) {
      append_number(text, groups[i] >> 8, 10);
      text += '.';
      append_number(text, groups[i] & 0xFFU, 10);
      if (i == 6) text += '.';
    }
    return text;
  }
  std::size_t run_start = 0;
  std::size_t run_length = 1;
  for (std::size_t i = 0; i < groups.size();) {
    std::size_t end = i;
    while (end < groups.size() && groups[end] == 0) ++end;
    if (end - i > run_length) {
      run_start = i;
      run_length = end - i;
    }
    i = end + 1;
  }
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (run_length > 1 && i == run_start) {
      text += "::";
      i += run_length - 1;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    append_number(text, groups[i], 16);
  }
  return text;
}

// "example.1" or "1.2.0x3": some resolvers read these as IPv4, others as names.
bool looks_like_ipv4(std::string_view last_label) {
  if (last_label.size() >= 2 && last_label[0] == '0' && last_label[1] == 'x') {
    last_label.remove_prefix(2);
    for (const char c : last_label) {
      if (!is(c, hex_digit)) return false;
    }
    return true;
  }
  for (const char c : last_label) {
    if (!is_digit(c)) return false;
  }
  return true;
}

// "." is 1, ".." is 2, also when written %2e, as every browser and many servers read it; other segments 0.
int dots_of(std::string_view segment) {
  int dots = 0;
  while (!segment.empty()) {
    if (segment.front() == '.') {
      segment.remove_prefix(1);
    } else if (segment.size() >= 3 && segment[0] == '%' && segment[1] == '2' && lower(segment[2]) == 'e') {
      segment.remove_prefix(3);
    } else {
      return 0;
    }
    if (++dots > 2) return 0;
  }
  return dots;
}

std::string remove_dot_segments(std::string_view path) {
  std::string out;
  out.reserve(path.size());
  while (!path.empty()) {  // always at a "/"
    const std::size_t next = path.find('/', 1);
    const std::string_view segment = path.substr(1, next == std::string_view::npos ? next : next - 1);
    const bool last = next == std::string_view::npos;
    const int dots = dots_of(segment);
    if (dots == 2 && !out.empty()) out.resize(out.rfind('/'));
    if (dots == 0) {
      out += '/';
      out += segment;
    } else if (last) {
      out += '/';
    }
    path = last ? std::string_view() : path.substr(next);
  }
  return out;
}

}  // namespace

class Url::Parser {
 public:
  // `added_bytes` stand before the user's text and do not count in offsets.
  explicit Parser(std::string_view text, std::size_t added_bytes = 0) : text_(text), added_bytes_(added_bytes) {}

  bool parse_absolute();
  bool parse_relative(const Url& base);

  Url& url() { return url_; }
  Error error() { return {ErrorCode::invalid_url, Phase::prepare, std::move(failure_)}; }

 private:
  enum class Component : unsigned char { path, query, fragment };

  bool fail(std::size_t offset, std::string_view what);
  bool parse_scheme();
  bool parse_authority();
  bool parse_userinfo(std::size_t begin, std::size_t end);
  bool decode_userinfo(std::size_t begin, std::size_t end, std::string& out);
  bool parse_name(std::size_t begin, std::size_t end);
  bool parse_ip_literal(std::size_t begin, std::size_t end);
  bool parse_port(std::size_t begin, std::size_t end);
  void set_authority();
  bool parse_tail();
  bool parse_component(Component component, std::string& out);

  std::string_view text_;
  std::size_t added_bytes_;
  std::size_t position_ = 0;
  bool saw_dot_segment_ = false;
  Url url_;
  std::string failure_;
};

bool Url::Parser::fail(std::size_t offset, std::string_view what) {
  failure_ = "invalid URL: ";
  failure_ += what;
  failure_ += " at byte ";
  failure_ += std::to_string(offset < added_bytes_ ? 0 : offset - added_bytes_);
  return false;
}

bool Url::Parser::parse_absolute() {
  if (text_.size() > url_limit_bytes) return fail(url_limit_bytes, "longer than 65536 bytes");
  return parse_scheme() && parse_authority() && parse_tail();
}

bool Url::Parser::parse_scheme() {
  if (text_.empty()) return fail(0, "it is empty: the scheme is missing");
  if (is(text_[0], host_char) == false && text_[0] != '/') return fail(0, name_of(text_[0]) + " instead of a scheme");
  const std::string_view scheme = scheme_of(text_);
  if (scheme.empty()) return fail(0, "no scheme; write http:// or https:// in front");
  for (const std::string_view known : {"http", "https", "ws", "wss"}) {
    if (scheme.size() != known.size()) continue;
    bool same = true;
    for (std::size_t i = 0; i < known.size(); ++i) same = same && lower(scheme[i]) == known[i];
    if (same) url_.scheme_ = known;
  }
  if (url_.scheme_.empty()) return fail(0, "the scheme is not http, https, ws or wss");
  position_ = scheme.size() + 1;
  if (!text_.substr(position_).starts_with("//")) return fail(position_, "\"//\" is missing after the scheme");
  position_ += 2;
  return true;
}

bool Url::Parser::parse_authority() {
  const std::size_t begin = position_;
  std::size_t end = begin;
  std::size_t at = std::string_view::npos;
  for (; end < text_.size(); ++end) {
    const char c = text_[end];
    if (c == '/' || c == '?' || c == '#') break;
    if (c != '@') continue;
    if (at != std::string_view::npos) return fail(end, "a second \"@\" in the authority (write %40 in a password)");
    at = end;
  }
  position_ = end;
  std::size_t host_begin = begin;
  if (at != std::string_view::npos) {
    if (!parse_userinfo(begin, at)) return false;
    host_begin = at + 1;
  }
  std::size_t host_end = host_begin;
  if (host_begin < end && text_[host_begin] == '[') {
    while (host_end < end && text_[host_end] != ']') ++host_end;
    if (host_end == end) return fail(end, "\"]\" is missing after an IPv6 address");
    if (!parse_ip_literal(host_begin + 1, host_end)) return false;
    ++host_end;
    if (host_end < end && text_[host_end] != ':')
      return fail(host_end, "only a port may follow \"]\": found something");
  } else {
    while (host_end < end && text_[host_end] != ':') ++host_end;
    if (!parse_name(host_begin, host_end)) return false;
  }
  url_.port_ = default_port(url_.scheme_);
  if (host_end < end && !parse_port(host_end + 1, end)) return false;
  set_authority();
  return true;
}

bool Url::Parser::parse_userinfo(std::size_t begin, std::size_t end) {
  if (begin == end) return fail(begin, "an empty user before \"@\"");
  std::size_t colon = begin;
  while (colon < end && text_[colon] != ':') ++colon;
  url_.has_userinfo_ = true;
  return decode_userinfo(begin, colon, url_.user_) &&
         decode_userinfo(colon < end ? colon + 1 : end, end, url_.password_);
}

// The messages do not say which character is wrong: it may be part of a password.
bool Url::Parser::decode_userinfo(std::size_t begin, std::size_t end, std::string& out) {
  for (std::size_t i = begin; i < end; ++i) {
    char c = text_[i];
    if (c == '%') {
      if (end - i < 3 || !is(text_[i + 1], hex_digit) || !is(text_[i + 2], hex_digit)) {
        return fail(i, "bad percent-encoding in user or password");
      }
      c = static_cast<char>(hex_value(text_[i + 1]) << 4 | hex_value(text_[i + 2]));
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
        return fail(i, "an encoded control character in user or password");
      }
      i += 2;
    } else if (!is(c, userinfo_char)) {
      return fail(i, "a character that must be percent-encoded in user or password");
    }
    out += c;
  }
  return true;
}

bool Url::Parser::parse_name(std::size_t begin, std::size_t end) {
  if (begin == end) return fail(begin, "the host is missing");
  std::size_t label = begin;
  unsigned seen = 0;
  for (std::size_t i = begin; i <= end; ++i) {
    if (i < end && text_[i] != '.') {
      const char c = text_[i];
      const unsigned flags = table[static_cast<unsigned char>(c)];
      seen |= flags;
      if ((flags & host_char) != 0) continue;
      if (static_cast<unsigned char>(c) >= 0x80) {
        return fail(i, "a non-ASCII host name (write it in punycode: xn--...)");
      }
      if (c == '%') return fail(i, "percent-encoding in the host");
      if (c == '[' || c == ']') return fail(i, "a stray bracket in the host");
      return fail(i, name_of(c) + " in the host");
    }
    if (i - label > label_limit_bytes) return fail(label, "a host label of more than 63 bytes");
    if (i == label && !(i == end && i > begin + 1)) return fail(i, "an empty label in the host");
    if (i < end) label = i + 1;
  }
  std::size_t length = end - begin;
  const bool trailing_dot = text_[end - 1] == '.';
  if (trailing_dot) --length;
  if (length > host_limit_bytes) return fail(begin, "a host of more than 253 bytes");
  url_.host_.assign(text_.substr(begin, length));
  if ((seen & upper_case) != 0) {
    for (char& c : url_.host_) c = lower(c);
  }
  const std::string_view host = url_.host_;
  if (!is_digit(host[host.rfind('.') + 1])) return true;  // npos + 1 is 0: the only label
  if (!looks_like_ipv4(host.substr(host.rfind('.') + 1))) return true;
  std::uint32_t address = 0;
  if (trailing_dot || !parse_ipv4(host, address)) {
    return fail(begin, "a host that ends in a number but is not a plain IPv4 address such as 127.0.0.1");
  }
  url_.ip_version_ = 4;
  return true;
}

bool Url::Parser::parse_ip_literal(std::size_t begin, std::size_t end) {
  std::string_view literal = text_.substr(begin, end - begin);
  const std::size_t percent = literal.find('%');
  if (percent != std::string_view::npos) {
    const std::string_view zone = literal.substr(percent);
    if (!zone.starts_with("%25")) return fail(begin + percent, "a zone that does not start with %25");
    url_.zone_ = zone.substr(3);
    literal = literal.substr(0, percent);
    for (std::size_t i = 3; i < zone.size(); ++i) {
      if (!is(zone[i], host_char) && zone[i] != '.' && zone[i] != '~') {
        return fail(begin + percent + i, name_of(zone[i]) + " in the zone");
      }
    }
    if (url_.zone_.empty() || url_.zone_.size() > zone_limit_bytes) {
      return fail(begin + percent, "a zone that is empty or longer than 63 bytes");
    }
  }
  Ipv6Groups groups;
  if (!parse_ipv6(literal, groups)) return fail(begin, "not an IPv6 address in brackets");
  url_.host_ = print_ipv6(groups);
  url_.ip_version_ = 6;
  return true;
}

bool Url::Parser::parse_port(std::size_t begin, std::size_t end) {
  if (begin == end) return fail(begin, "an empty port after \":\"");
  unsigned port = 0;
  for (std::size_t i = begin; i < end; ++i) {
    const char c = text_[i];
    if (c == ':') return fail(i, "a second \":\" (IPv6 addresses need brackets)");
    if (!is_digit(c)) return fail(i, "a port that is not a number");
    port = port * 10 + static_cast<unsigned>(c - '0');
    if (port > 65535) return fail(begin, "a port above 65535");
  }
  if (text_[begin] == '0') return fail(begin, "a port that is or starts with 0");
  url_.port_ = static_cast<std::uint16_t>(port);
  url_.has_explicit_port_ = true;
  return true;
}

// Without the zone, which means nothing to the other side (RFC 6874 section 1).
void Url::Parser::set_authority() {
  std::string& authority = url_.authority_;
  if (url_.ip_version_ == 6) {
    authority = "[";
    authority += url_.host_;
    authority += ']';
  } else {
    authority = url_.host_;
  }
  if (url_.port_ != default_port(url_.scheme_)) {
    authority += ':';
    append_number(authority, url_.port_, 10);
  }
}

bool Url::Parser::parse_relative(const Url& base) {
  if (text_.size() > url_limit_bytes) return fail(url_limit_bytes, "longer than 65536 bytes");
  url_ = base;
  url_.fragment_.clear();
  const bool keeps_path = text_.empty() || text_[0] == '?' || text_[0] == '#';
  if (keeps_path) {
    if (!text_.starts_with('?')) {
      if (text_.empty()) return true;
      position_ = 1;
      return parse_component(Component::fragment, url_.fragment_);
    }
    url_.target_.resize(base.path_length_);
  } else if (text_[0] == '/') {
    url_.target_.clear();
  } else {
    url_.target_.resize(base.path().rfind('/') + 1);
  }
  return parse_tail();
}

// Path, query and fragment from the position on; the path is appended to what the target holds already.
bool Url::Parser::parse_tail() {
  std::string& target = url_.target_;
  if (target.empty()) {
    target.reserve(text_.size() - position_ + 1);
    if (position_ == text_.size() || text_[position_] != '/') target = "/";
  }
  if (!parse_component(Component::path, target)) return false;
  if (saw_dot_segment_) target = remove_dot_segments(target);
  url_.path_length_ = target.size();
  if (position_ < text_.size() && text_[position_] == '?') {
    ++position_;
    target += '?';
    if (!parse_component(Component::query, target)) return false;
  }
  if (target.size() > url_limit_bytes) return fail(text_.size(), "longer than 65536 bytes when percent-encoded");
  if (position_ == text_.size()) return true;
  ++position_;  // "#"
  return parse_component(Component::fragment, url_.fragment_);
}

bool Url::Parser::parse_component(Component component, std::string& out) {
  const unsigned plain = component == Component::path ? path_plain : query_plain;
  const std::size_t size = text_.size();
  const std::size_t begin = position_;
  std::size_t copied = begin;  // everything before it is in `out`
  std::size_t i = begin;
  for (;;) {
    while (i < size && is(text_[i], plain)) ++i;
    if (i == size) break;
    const char c = text_[i];
    if (c == '.') {  // of a path only
      saw_dot_segment_ = saw_dot_segment_ || i == begin || text_[i - 1] == '/';
      ++i;
      continue;
    }
    if (component == Component::path && c == '?') break;
    if (component != Component::fragment && c == '#') break;
    if (c == '%') {
      if (size - i < 3 || !is(text_[i + 1], hex_digit) || !is(text_[i + 2], hex_digit)) {
        return fail(i, "a percent sign that is not followed by two hex digits (write %25)");
      }
      saw_dot_segment_ = saw_dot_segment_ || (component == Component::path && dots_of(text_.substr(i, 3)) == 1);
      i += 3;
      continue;
    }
    std::size_t length = 1;
    if (static_cast<unsigned char>(c) >= 0x80) {
      length = utf8_length(text_.substr(i));
      if (length == 0) return fail(i, "bytes that are not UTF-8");
    } else if (!is(c, encoded) && c != '#') {
      return fail(i, name_of(c));
    }
    out.append(text_, copied, i - copied);
    append_encoded(out, text_.substr(i, length));
    i += length;
    copied = i;
  }
  out.append(text_, copied, i - copied);
  position_ = i;
  return true;
}

Result<Url> Url::parse(std::string_view text) {
  Parser parser(text);
  if (!parser.parse_absolute()) return parser.error();
  return std::move(parser.url());
}

Result<Url> Url::resolve(std::string_view reference) const {
  if (!scheme_of(reference).empty()) return parse(reference);
  if (reference.starts_with("//")) {
    const std::string absolute = scheme_ + ":" + std::string(reference);
    Parser parser(absolute, scheme_.size() + 1);
    if (!parser.parse_absolute()) return parser.error();
    return std::move(parser.url());
  }
  Parser parser(reference);
  if (!parser.parse_relative(*this)) return parser.error();
  return std::move(parser.url());
}

std::string_view Url::query() const {
  return has_query() ? std::string_view(target_).substr(path_length_ + 1) : std::string_view();
}

std::string Url::origin() const {
  std::string text = scheme_ + "://";
  if (ip_version_ == 6) {
    text += '[';
    text += host_;
    if (!zone_.empty()) text += "%25" + zone_;
    text += ']';
  } else {
    text += host_;
  }
  text += ':';
  append_number(text, port_, 10);
  return text;
}

std::string Url::text() const {
  std::string text = scheme_ + "://";
  if (zone_.empty()) {
    text += authority_;
  } else {
    text += '[' + host_ + "%25" + zone_;
    text += std::string_view(authority_).substr(authority_.find(']'));
  }
  text += target_;
  if (!fragment_.empty()) {
    text += '#';
    text += fragment_;
  }
  return text;
}

}  // namespace trunkline
