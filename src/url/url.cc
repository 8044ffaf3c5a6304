// One pass from left to right; every refusal names the byte. Messages never quote userinfo, path or query: they may be
// secrets.
#include <trunkline/url.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <trunkline/headers.hpp>

#include "base/characters.h"
#include "base/text.h"
#include "url/ip_literal.h"

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
  authority_plain = 128,  // neither ends an authority nor divides it
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
  for (std::size_t byte = 0; byte < table.size(); ++byte) {
    const char c = static_cast<char>(byte);
    if (c != '/' && c != '?' && c != '#' && c != '@' && c != ':') table[byte] |= authority_plain;
  }
  return table;
}
constexpr std::array<unsigned char, 256> table = make_table();

bool is(char c, unsigned flags) { return (table[static_cast<unsigned char>(c)] & flags) != 0; }

// The first position from `i` on whose byte has none of the flags. Four at a time: most of a URL goes through here.
std::size_t skip(std::string_view text, std::size_t i, unsigned flags) {
  const char* const p = text.data();
  for (; text.size() - i >= 4; i += 4) {
    if (!is(p[i], flags)) return i;
    if (!is(p[i + 1], flags)) return i + 1;
    if (!is(p[i + 2], flags)) return i + 2;
    if (!is(p[i + 3], flags)) return i + 3;
  }
  while (i < text.size() && is(p[i], flags)) ++i;
  return i;
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

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

void append_number(std::string& out, unsigned value, int base) {
  std::array<char, 12> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, base);
  out.append(digits.data(), end.ptr);
}

// RFC 5952: no leading zeros, lower case, the first longest run of at least two zero groups as "::", mapped IPv4
// dotted.
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

}  // namespace

// Writes the normalised URL from left to right into url_.bytes_; zone and userinfo wait for the end.
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
  bool fail_host(std::size_t offset);
  bool parse_scheme();
  bool parse_authority();
  bool parse_userinfo(std::size_t begin, std::size_t end);
  bool decode_userinfo(std::size_t begin, std::size_t end);
  bool parse_name(std::size_t begin, std::size_t end);
  bool parse_ip_literal(std::size_t begin, std::size_t end);
  bool parse_port(std::size_t begin, std::size_t end);
  void append_host(std::string_view host, int ip_version);
  bool parse_tail();
  bool parse_component(Component component);
  bool parse_fragment();
  void remove_dot_segments(std::size_t path_start);
  std::size_t written() const { return url_.bytes_.size() + (position_ - copied_); }
  void copy();
  bool finish();

  std::string_view text_;
  std::size_t added_bytes_;
  std::size_t position_ = 0;
  std::size_t copied_ = 0;  // the text of path, query and fragment before it is in url_.bytes_
  bool saw_dot_segment_ = false;
  Url url_;
  std::string userinfo_;  // user and password, decoded
  std::string_view zone_;
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
  url_.bytes_.reserve(text_.size() + 1);  // the "/" of an empty path; only percent-encoding makes it longer
  return parse_scheme() && parse_authority() && parse_tail() && finish();
}

bool Url::Parser::parse_scheme() {
  const auto begins_with = [this](std::string_view known) {
    return text_.starts_with(known) || equals_ignore_case(text_.substr(0, known.size()), known);
  };
  const auto take = [this](std::string_view known, bool secure) {
    position_ = known.size();
    url_.bytes_ += known;
    url_.scheme_length_ = static_cast<std::uint8_t>(known.size() - 3);
    url_.secure_ = secure;
    return true;
  };
  if (begins_with("http://")) return take("http://", false);
  if (begins_with("https://")) return take("https://", true);
  if (begins_with("ws://")) return take("ws://", false);
  if (begins_with("wss://")) return take("wss://", true);
  if (text_.empty()) return fail(0, "it is empty: the scheme is missing");
  if (!is(text_[0], host_char) && text_[0] != '/') return fail(0, name_of(text_[0]) + " instead of a scheme");
  const std::string_view scheme = scheme_of(text_);
  if (scheme.empty()) return fail(0, "no scheme; write http:// or https:// in front");
  for (const std::string_view known : {"http", "https", "ws", "wss"}) {
    if (equals_ignore_case(scheme, known)) return fail(scheme.size() + 1, "\"//\" is missing after the scheme");
  }
  const std::string_view rest = text_.substr(scheme.size() + 1);
  if (!rest.empty() && is_digit(rest.front())) {  // "localhost:8080"
    return fail(0, "no scheme; write http:// or https:// in front");
  }
  return fail(0, "the scheme is not http, https, ws or wss");
}

bool Url::Parser::parse_authority() {
  const std::size_t begin = position_;
  std::size_t host_begin = begin;
  std::size_t host_end = std::string_view::npos;  // at the ":" of a port
  std::size_t end = begin;
  for (;; ++end) {
    end = skip(text_, end, authority_plain);
    if (end == text_.size() || text_[end] == '/' || text_[end] == '?' || text_[end] == '#') break;
    if (text_[end] == ':' && host_end == std::string_view::npos) host_end = end;
    if (text_[end] != '@') continue;
    if (host_begin != begin) return fail(end, "a second \"@\" in the authority (write %40 in a password)");
    host_begin = end + 1;
    host_end = std::string_view::npos;
  }
  position_ = end;
  if (host_begin != begin && !parse_userinfo(begin, host_begin - 1)) return false;
  host_end = std::min(host_end, end);
  const bool bracketed = host_begin < end && text_[host_begin] == '[';
  if (bracketed) {
    host_end = std::min(text_.find(']', host_begin), end);
    if (host_end == end) return fail(end, "\"]\" is missing after an IPv6 address");
    ++host_end;
    if (host_end < end && text_[host_end] != ':')
      return fail(host_end, "only a port may follow \"]\": found something");
  }
  // The port first: its message is the helpful one for an IPv6 address without brackets.
  const std::uint16_t default_port = url_.secure_ ? 443 : 80;
  url_.port_ = default_port;
  if (host_end < end && !parse_port(host_end + 1, end)) return false;
  if (!(bracketed ? parse_ip_literal(host_begin + 1, host_end - 1) : parse_name(host_begin, host_end))) return false;
  if (url_.port_ != default_port) {
    url_.bytes_ += ':';
    append_number(url_.bytes_, url_.port_, 10);
  }
  url_.authority_length_ = static_cast<std::uint16_t>(url_.bytes_.size() - url_.authority_start());
  return true;
}

bool Url::Parser::parse_userinfo(std::size_t begin, std::size_t end) {
  std::size_t colon = begin;
  while (colon < end && text_[colon] != ':') ++colon;
  if (!decode_userinfo(begin, colon)) return false;
  url_.user_length_ = static_cast<std::uint32_t>(userinfo_.size());
  if (colon < end && !decode_userinfo(colon + 1, end)) return false;
  url_.password_length_ = static_cast<std::uint32_t>(userinfo_.size()) - url_.user_length_;
  return userinfo_.empty() ? fail(begin, "an empty user before \"@\"") : true;
}

// The messages do not say which character is wrong: it may be part of a password.
bool Url::Parser::decode_userinfo(std::size_t begin, std::size_t end) {
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
    userinfo_ += c;
  }
  return true;
}

bool Url::Parser::fail_host(std::size_t offset) {
  const char c = text_[offset];
  if (static_cast<unsigned char>(c) >= 0x80) {
    return fail(offset, "a non-ASCII host name (write it in punycode: xn--...)");
  }
  if (c == '%') return fail(offset, "percent-encoding in the host");
  if (c == '[' || c == ']') return fail(offset, "a stray bracket in the host");
  return fail(offset, name_of(c) + " in the host");
}

bool Url::Parser::parse_name(std::size_t begin, std::size_t end) {
  if (begin == end) return fail(begin, "the host is missing");
  const char* const text = text_.data();
  std::size_t label = begin;
  unsigned seen = 0;
  for (std::size_t i = begin;; ++i) {
    for (; i < end; ++i) {
      const unsigned flags = table[static_cast<unsigned char>(text[i])];
      if ((flags & host_char) == 0) break;
      seen |= flags;
    }
    if (i < end && text[i] != '.') return fail_host(i);
    if (i - label > label_limit_bytes) return fail(label, "a host label of more than 63 bytes");
    if (i == label && (i < end || i == begin + 1)) return fail(i, "an empty label in the host");
    if (i == end) break;
    if (i + 1 == end) break;  // one trailing dot
    label = i + 1;
  }
  const bool trailing_dot = text[end - 1] == '.';
  std::string_view host = text_.substr(begin, end - begin - (trailing_dot ? 1 : 0));
  if (host.size() > host_limit_bytes) return fail(begin, "a host of more than 253 bytes");
  append_host(host, 0);
  url_.rooted_ = trailing_dot;
  if ((seen & upper_case) != 0) {
    for (std::size_t i = url_.authority_start(); i < url_.bytes_.size(); ++i) url_.bytes_[i] = lower(url_.bytes_[i]);
  }
  if (!is_digit(text[label])) return true;
  host = url_.host();
  if (!looks_like_ipv4(host.substr(label - begin))) return true;
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
    zone_ = zone.substr(3);
    literal = literal.substr(0, percent);
    for (std::size_t i = 3; i < zone.size(); ++i) {
      if (!is(zone[i], host_char) && zone[i] != '.' && zone[i] != '~') {
        return fail(begin + percent + i, name_of(zone[i]) + " in the zone");
      }
    }
    if (zone_.empty() || zone_.size() > zone_limit_bytes) {
      return fail(begin + percent, "a zone that is empty or longer than 63 bytes");
    }
  }
  Ipv6Groups groups;
  if (!parse_ipv6(literal, groups)) return fail(begin, "not an IPv6 address in brackets");
  append_host(print_ipv6(groups), 6);
  return true;
}

// Without the zone, which means nothing to the other side (RFC 6874 section 1).
void Url::Parser::append_host(std::string_view host, int ip_version) {
  if (ip_version == 6) url_.bytes_ += '[';
  url_.bytes_ += host;
  if (ip_version == 6) url_.bytes_ += ']';
  url_.host_length_ = static_cast<std::uint8_t>(host.size());
  url_.ip_version_ = static_cast<std::uint8_t>(ip_version);
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

bool Url::Parser::parse_relative(const Url& base) {
  if (text_.size() > url_limit_bytes) return fail(url_limit_bytes, "longer than 65536 bytes");
  url_ = base;
  userinfo_ = base.user();
  userinfo_ += base.password();
  zone_ = base.zone();
  url_.bytes_.resize(base.fragment_start());
  if (text_.empty() || text_[0] == '#') return parse_fragment() && finish();
  if (text_[0] == '?') {
    url_.bytes_.resize(base.target_start() + base.path_length_);
  } else if (text_[0] == '/') {
    url_.bytes_.resize(base.target_start());
  } else {
    url_.bytes_.resize(base.target_start() + base.path().rfind('/') + 1);
  }
  return parse_tail() && finish();
}

// Path, query and fragment from the position on; the path is appended to what is there of a base's.
bool Url::Parser::parse_tail() {
  const std::size_t start = url_.target_start();
  if (url_.bytes_.size() == start && (position_ == text_.size() || text_[position_] != '/')) url_.bytes_ += '/';
  copied_ = position_;
  if (!parse_component(Component::path)) return false;
  if (saw_dot_segment_) remove_dot_segments(start);
  url_.path_length_ = static_cast<std::uint32_t>(written() - start);
  if (position_ < text_.size() && text_[position_] == '?' && !parse_component(Component::query)) return false;
  url_.target_length_ = static_cast<std::uint32_t>(written() - start);
  return parse_fragment();
}

bool Url::Parser::parse_fragment() {
  if (position_ < text_.size() && !parse_component(Component::fragment)) return false;
  copy();
  return true;
}

// A query begins with its "?", a fragment with its "#".
bool Url::Parser::parse_component(Component component) {
  const char* const text = text_.data();
  const std::size_t size = text_.size();
  const unsigned plain = component == Component::path ? path_plain : query_plain;
  const std::size_t begin = position_;
  std::size_t& i = position_;
  if (component == Component::fragment) ++i;
  for (;;) {
    i = skip(text_, i, plain);
    if (i == size) break;
    const char c = text[i];
    if (c == '.') {  // of a path only
      saw_dot_segment_ = saw_dot_segment_ || i == begin || text[i - 1] == '/';
      ++i;
      continue;
    }
    if (component == Component::path && c == '?') break;
    if (component != Component::fragment && c == '#') break;
    if (c == '%') {
      if (size - i < 3 || !is(text[i + 1], hex_digit) || !is(text[i + 2], hex_digit)) {
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
    copy();
    append_encoded(url_.bytes_, text_.substr(i, length));
    i += length;
    copied_ = i;
  }
  return true;
}

// What needs no encoding is copied late, in long pieces.
void Url::Parser::copy() {
  url_.bytes_.append(text_, copied_, position_ - copied_);
  copied_ = position_;
}

// "." is a segment to leave out, ".." takes the one before it along; RFC 3986 section 5.2.4.
void Url::Parser::remove_dot_segments(std::size_t path_start) {
  copy();
  const std::string path = url_.bytes_.substr(path_start);
  std::string& out = url_.bytes_;
  out.resize(path_start);
  for (std::size_t at = 0; at < path.size();) {  // always at a "/"
    const std::size_t next = std::min(path.find('/', at + 1), path.size());
    const std::string_view segment = std::string_view(path).substr(at, next - at);
    const int dots = dots_of(segment.substr(1));
    if (dots == 2 && out.size() > path_start) out.resize(out.rfind('/'));
    if (dots == 0) {
      out += segment;
    } else if (next == path.size()) {
      out += '/';
    }
    at = next;
  }
}

bool Url::Parser::finish() {
  if (url_.bytes_.size() == url_.fragment_start() + 1) url_.bytes_.pop_back();  // an empty fragment is none
  const std::size_t text_size = url_.bytes_.size();
  if (text_size > url_limit_bytes + 1) return fail(text_.size(), "longer than 65536 bytes when percent-encoded");
  url_.fragment_length_ = static_cast<std::uint32_t>(text_size - url_.fragment_start());
  url_.zone_length_ = static_cast<std::uint8_t>(zone_.size());
  if (!zone_.empty()) url_.bytes_ += zone_;
  if (!userinfo_.empty()) url_.bytes_ += userinfo_;
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
    const std::string absolute = std::string(scheme()) + ":" + std::string(reference);
    Parser parser(absolute, scheme_length_ + std::size_t{1});
    if (!parser.parse_absolute()) return parser.error();
    return std::move(parser.url());
  }
  Parser parser(reference);
  if (!parser.parse_relative(*this)) return parser.error();
  return std::move(parser.url());
}

std::string_view Url::user() const { return part(extras_start() + zone_length_, user_length_); }

std::string_view Url::password() const { return part(extras_start() + zone_length_ + user_length_, password_length_); }

std::string_view Url::query() const {
  return has_query() ? target().substr(path_length_ + std::size_t{1}) : std::string_view();
}

std::string_view Url::fragment() const {
  return fragment_length_ > 0 ? part(fragment_start() + 1, fragment_length_ - std::size_t{1}) : std::string_view();
}

std::string Url::origin() const {
  std::string text(scheme());
  text += "://";
  if (ip_version_ == 6) text += '[';
  text += host();
  if (rooted_) text += '.';
  if (zone_length_ > 0) text.append("%25").append(zone());
  if (ip_version_ == 6) text += ']';
  text += ':';
  append_number(text, port_, 10);
  return text;
}

std::string Url::text() const {
  std::string text(part(0, extras_start()));
  if (rooted_) text.insert(authority_start() + host_length_, 1, '.');
  if (zone_length_ > 0) text.insert(authority_start() + 1 + host_length_, "%25" + std::string(zone()));
  return text;
}

}  // namespace trunkline
