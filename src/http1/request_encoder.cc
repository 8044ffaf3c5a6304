#include "http1/request_encoder.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/characters.h"
#include "base/text.h"
#include "url/host_value.h"

namespace trunkline::http1 {
namespace {

// Fields whose meaning is between two neighbours, or that frame the message. They are told apart by length first.
enum class Owned : unsigned char {
  no,
  host,
  user_agent,
  connection,
  upgrade,
  expect,
  content_length,
  transport,  // never the caller's to set
};

// Of a name that is a token.
Owned owner_of(std::string_view name) {
  switch (name.size()) {
    case 2:
      return matches(name, "te") ? Owned::transport : Owned::no;
    case 4:
      return matches(name, "host") ? Owned::host : Owned::no;
    case 6:
      return matches(name, "expect") ? Owned::expect : Owned::no;
    case 7:
      if (matches(name, "upgrade")) return Owned::upgrade;
      return matches(name, "trailer") ? Owned::transport : Owned::no;
    case 10:
      if (matches(name, "user-agent")) return Owned::user_agent;
      if (matches(name, "connection")) return Owned::connection;
      return matches(name, "keep-alive") ? Owned::transport : Owned::no;
    case 14:
      if (matches(name, "content-length")) return Owned::content_length;
      return matches(name, "http2-settings") ? Owned::transport : Owned::no;
    case 16:
      return matches(name, "proxy-connection") ? Owned::transport : Owned::no;
    case 17:
      return matches(name, "transfer-encoding") ? Owned::transport : Owned::no;
    case 19:
      return matches(name, "proxy-authorization") ? Owned::transport : Owned::no;
    default:
      return Owned::no;
  }
}

Error refusal(std::string_view what) {
  std::string message("the request was refused: ");
  message += what;
  return {ErrorCode::invalid_request, Phase::prepare, std::move(message)};
}

Error field_refusal(std::string_view name, std::string_view what) {
  return refusal("the field \"" + printable(name, 40) + "\" " + std::string(what));
}

bool has_element(std::string_view list, std::string_view wanted) {
  std::string_view element;
  while (next_element(list, element)) {
    if (equals_ignore_case(element, wanted)) return true;
  }
  return false;
}

void append_number(std::string& out, std::uint64_t value, int base) {
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, base);
  out.append(digits.data(), end.ptr);
}

// Into a string that was made large enough before: one check for the whole head instead of one per part.
class Writer {
 public:
  Writer(std::string& out, std::size_t most_bytes) : out_(out) {
    if (out.size() < most_bytes) out.resize(most_bytes);
    at_ = out.data();
  }
  void write(std::string_view part) {
    if (part.empty()) return;  // memcpy refuses the null of an empty view
    assert(part.size() <= static_cast<std::size_t>(out_.data() + out_.size() - at_));
    std::memcpy(at_, part.data(), part.size());
    at_ += part.size();
  }
  void write_number(std::uint64_t value) { at_ = std::to_chars(at_, out_.data() + out_.size(), value).ptr; }
  std::string_view written() const { return {out_.data(), static_cast<std::size_t>(at_ - out_.data())}; }

 private:
  std::string& out_;
  char* at_;
};

// Methods whose meaning includes a body say so even without one (RFC 9110 section 8.6).
bool expects_body(std::string_view method) { return method == "POST" || method == "PUT" || method == "PATCH"; }

std::optional<Error> check_field(std::string_view name, std::string_view value) {
  if (!is_token(name)) return field_refusal(name, "has a name that is empty or holds a forbidden character");
  if (!is_field_value(value)) return field_refusal(name, "has a value with a control character");
  return std::nullopt;
}

}  // namespace

bool is_field_value(std::string_view text) {
  const char* const end = text.data() + text.size();
  return is_plain_value(text) || find_control(text.data(), end) == end;
}

Result<void> check_request(std::string_view method, std::string_view target, const Headers& headers) {
  if (auto sound = check_target(target); !sound) return sound;
  return check_head(method, headers);
}

Result<void> check_target(std::string_view target) {
  if (target.empty()) return refusal("the target is empty");
  for (std::size_t i = 0; i < target.size(); ++i) {
    const char c = target[i];
    if (c <= ' ' || c >= 0x7F || c == '#') {  // bytes above ASCII are negative, or above 0x7F
      return refusal("the target holds a space, control, non-ASCII character or \"#\" at byte " + std::to_string(i));
    }
  }
  return {};
}

Result<void> check_head(std::string_view method, const Headers& headers) {
  if (headers.empty() && (method == "GET" || method == "POST")) return {};  // by far the most frequent
  if (!is_token(method)) return refusal("the method is empty or holds a forbidden character");
  bool has_host = false;
  bool has_length = false;
  for (const Headers::Field field : headers) {
    if (is_token(field.name) && is_field_value(field.value) && owner_of(field.name) == Owned::no) continue;
    if (auto error = check_field(field.name, field.value)) return *std::move(error);
    switch (owner_of(field.name)) {
      case Owned::no:
      case Owned::user_agent:
      case Owned::upgrade:
      case Owned::expect:
        break;
      case Owned::transport:
        return field_refusal(field.name, "is set by the transport only");
      case Owned::host:
        if (has_host) return field_refusal(field.name, "occurs twice");
        has_host = true;
        if (!is_host_value(field.value)) return field_refusal(field.name, "is not \"host\" or \"host:port\"");
        break;
      case Owned::content_length: {
        std::uint64_t length = 0;
        if (has_length) return field_refusal(field.name, "occurs twice");
        has_length = true;
        if (!parse_decimal(field.value, length)) return field_refusal(field.name, "is not one decimal number");
        break;
      }
      case Owned::connection: {
        std::string_view list = field.value;
        std::string_view element;
        while (next_element(list, element)) {
          if (equals_ignore_case(element, "close") || equals_ignore_case(element, "keep-alive")) continue;
          if (equals_ignore_case(element, "upgrade")) continue;  // check_framing knows whether there is one
          return field_refusal(field.name, "may hold only close, keep-alive and upgrade");
        }
        break;
      }
    }
  }
  return {};
}

Result<void> check_framing(const Headers& headers, bool has_body, std::optional<std::uint64_t> content_length,
                           bool upgrade) {
  bool has_upgrade = false;
  bool has_length = false;
  bool has_host = false;
  for (const Headers::Field field : headers) {
    switch (owner_of(field.name)) {
      case Owned::no:
      case Owned::user_agent:
        break;
      case Owned::transport:
        return field_refusal(field.name, "is set by the transport only");
      case Owned::host:
        if (has_host) return field_refusal(field.name, "occurs twice");
        has_host = true;
        break;
      case Owned::upgrade:
        if (!upgrade) return field_refusal(field.name, "needs a request that asks for an upgrade");
        has_upgrade = true;
        break;
      case Owned::connection:
        if (!upgrade && has_element(field.value, "upgrade")) {
          return field_refusal(field.name, "holds \"upgrade\" but the request asks for none");
        }
        if (upgrade && has_element(field.value, "close")) {
          return field_refusal(field.name, "holds \"close\" although an upgrade is asked for");
        }
        break;
      case Owned::expect:
        if (!equals_ignore_case(field.value, "100-continue")) return field_refusal(field.name, "is not 100-continue");
        if (!has_body) return field_refusal(field.name, "is set on a request without a body");
        break;
      case Owned::content_length: {
        std::uint64_t length = 0;
        if (has_length) return field_refusal(field.name, "occurs twice");
        has_length = true;
        if (!parse_decimal(field.value, length)) return field_refusal(field.name, "is not one decimal number");
        if (has_body && !content_length) {
          return field_refusal(field.name, "is set but the body's length is not known; give it with the body");
        }
        if (length != (has_body ? *content_length : 0)) {
          return field_refusal(field.name, "does not agree with the length of the body");
        }
        break;
      }
    }
  }
  if (upgrade && !has_upgrade) return refusal("it asks for an upgrade but has no Upgrade field");
  return {};
}

std::string usual_start(std::string_view target, std::string_view host, std::string_view user_agent,
                        std::string_view accept_encoding) {
  std::string start(" ");
  start.append(target).append(" HTTP/1.1\r\nHost: ").append(host);
  if (!user_agent.empty()) start.append("\r\nUser-Agent: ").append(user_agent);
  if (!accept_encoding.empty()) start.append("\r\nAccept-Encoding: ").append(accept_encoding);
  return start;
}

std::string_view encode_head(const RequestHead& request, std::string& buffer) {
  constexpr std::string_view upgrade_option = ", Upgrade";
  static const Headers no_headers;
  const Headers& headers = request.headers == nullptr ? no_headers : *request.headers;

  std::string_view host = request.host;
  bool has_host = false;
  bool has_user_agent = false;
  bool has_connection = false;
  bool has_expect = false;
  // 256: more than everything below that is neither the caller's nor in `extra`.
  std::size_t bytes = 256 + request.method.size() + request.target.size() + request.host.size() +
                      request.user_agent.size() + request.accept_encoding.size() + request.usual.size() +
                      request.extra.size();
  for (const Headers::Field field : headers) {
    bytes += field.name.size() + field.value.size() + 4;
    const Owned owner = owner_of(field.name);
    if (owner == Owned::no) continue;
    if (owner == Owned::host) has_host = true, host = field.value;
    if (owner == Owned::connection) bytes += upgrade_option.size();
    has_user_agent = has_user_agent || owner == Owned::user_agent;
    has_connection = has_connection || owner == Owned::connection;
    has_expect = has_expect || owner == Owned::expect;
  }

  Writer out(buffer, bytes);
  out.write(request.method);
  if (!request.usual.empty() && !has_host && !has_user_agent) {
    out.write(request.usual);
  } else {
    out.write(" ");
    out.write(request.target);
    out.write(" HTTP/1.1\r\nHost: ");
    out.write(host);
    if (!has_user_agent && !request.user_agent.empty()) {
      out.write("\r\nUser-Agent: ");
      out.write(request.user_agent);
    }
    if (!request.accept_encoding.empty()) {
      out.write("\r\nAccept-Encoding: ");
      out.write(request.accept_encoding);
    }
  }
  for (const Headers::Field field : headers) {
    const Owned owner = owner_of(field.name);
    if (owner == Owned::host || owner == Owned::content_length || owner == Owned::transport) continue;
    if (owner == Owned::upgrade && !request.upgrade) continue;
    out.write("\r\n");
    out.write(field.name);
    out.write(": ");
    out.write(field.value);
    // A caller's "Connection: keep-alive" beside an upgrade: a server that does not see "upgrade" ignores the request.
    if (owner == Owned::connection && request.upgrade && !has_element(field.value, "upgrade"))
      out.write(upgrade_option);
  }
  out.write("\r\n");
  if (request.upgrade && !has_connection) out.write("Connection: Upgrade\r\n");
  out.write(request.extra);
  if (request.expect_continue && !has_expect) out.write("Expect: 100-continue\r\n");
  if (request.has_body && !request.content_length) {
    out.write("Transfer-Encoding: chunked\r\n");
  } else if (request.has_body || expects_body(request.method)) {
    out.write("Content-Length: ");
    out.write_number(request.has_body ? *request.content_length : 0);
    out.write("\r\n");
  }
  out.write("\r\n");
  return out.written();
}

void encode_chunk_prefix(std::size_t size, std::string& out) {
  append_number(out, size, 16);
  out += "\r\n";
}

Result<void> check_trailers(const Headers& trailers) {
  for (const Headers::Field field : trailers) {
    if (auto error = check_field(field.name, field.value)) return *std::move(error);
    const bool is_credential =
        equals_ignore_case(field.name, "authorization") || equals_ignore_case(field.name, "cookie") ||
        equals_ignore_case(field.name, "content-encoding") || equals_ignore_case(field.name, "content-type") ||
        equals_ignore_case(field.name, "content-range");
    if (owner_of(field.name) != Owned::no || is_credential) {
      return field_refusal(field.name, "is not allowed in a trailer");
    }
  }
  return {};
}

Result<void> encode_last_chunk(const Headers& trailers, std::string& out) {
  if (auto sound = check_trailers(trailers); !sound) return sound;
  out += "0\r\n";
  for (const Headers::Field field : trailers) {
    out.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  out += "\r\n";
  return {};
}

}  // namespace trunkline::http1
