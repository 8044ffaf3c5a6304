#include "http2/request.h"

#include <array>
#include <charconv>
#include <string>
#include <vector>

#include "base/per_thread.h"
#include "base/text.h"
#include "http2/nv.h"
#include "http2/request_fields.h"

namespace trunkline::http2 {
namespace {

// Fields that mean something to this layer. They are told apart by length first: nearly all others end there.
enum class Known : unsigned char {
  no,
  te,
  host,
  connection,
  keep_alive,
  hop,  // has no place in HTTP/2
  expect,
  user_agent,
  content_length,
  credentials,
  cookie,
};

Known known(std::string_view name) {
  const auto is = [name](std::string_view other) { return equals_ignore_case(name, other); };
  switch (name.size()) {
    case 2:
      return is("te") ? Known::te : Known::no;
    case 4:
      return is("host") ? Known::host : Known::no;
    case 6:
      if (is("expect")) return Known::expect;
      return is("cookie") ? Known::cookie : Known::no;
    case 7:
      return is("upgrade") ? Known::hop : Known::no;
    case 10:
      if (is("user-agent")) return Known::user_agent;
      if (is("keep-alive")) return Known::keep_alive;
      return is("connection") ? Known::connection : Known::no;
    case 13:
      return is("authorization") ? Known::credentials : Known::no;
    case 14:
      if (is("content-length")) return Known::content_length;
      return is("http2-settings") ? Known::hop : Known::no;
    case 16:
      return is("proxy-connection") ? Known::hop : Known::no;
    case 17:
      return is("transfer-encoding") ? Known::hop : Known::no;
    case 19:
      return is("proxy-authorization") ? Known::credentials : Known::no;
    default:
      return Known::no;
  }
}

// Through HPACK's table somebody who adds to a user's requests can guess short secrets byte by byte (RFC 7541 section
// 7.1). So credentials and short cookies stay out of it, here and in every proxy.
bool is_secret(Known which, std::string_view value) {
  constexpr std::size_t long_cookie = 20;
  return which == Known::credentials || (which == Known::cookie && value.size() < long_cookie);
}

// Neither the value, nor a name that is a literal of ours, is copied.
constexpr unsigned unindexed = NGHTTP2_NV_FLAG_NO_INDEX;
constexpr unsigned lent = NGHTTP2_NV_FLAG_NO_COPY_NAME | lent_value;

// At least so many, uninitialised or not: the caller writes what it uses.
nghttp2_nv* buffer(std::size_t count) {
  auto& fields = per_thread<std::vector<nghttp2_nv>, nghttp2_nv>();
  if (fields.size() < count) fields.resize(2 * count);
  return fields.data();
}

Error refusal(std::string_view name, std::string_view what) {
  std::string message = "the request was refused: the field \"" + printable(name, 40) + "\" ";
  return {ErrorCode::invalid_request, Phase::prepare, message.append(what)};
}

bool only_close_or_keep_alive(std::string_view list) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    std::string_view option = list.substr(0, comma);
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
    while (option.starts_with(' ') || option.starts_with('\t')) option.remove_prefix(1);
    while (option.ends_with(' ') || option.ends_with('\t')) option.remove_suffix(1);
    if (!option.empty() && !equals_ignore_case(option, "close") && !equals_ignore_case(option, "keep-alive")) {
      return false;
    }
  }
  return true;
}

}  // namespace

Result<void> check_request(const Headers& headers) {
  constexpr std::size_t field_overhead = 32;
  std::size_t bytes = 0;
  for (const Headers::Field each : headers) {
    bytes += each.name.size() + each.value.size() + field_overhead;
    switch (known(each.name)) {
      case Known::hop:
        return refusal(each.name, "has no place in HTTP/2");
      case Known::te:
        if (!equals_ignore_case(each.value, "trailers"))
          return refusal(each.name, "may only be \"trailers\" in HTTP/2");
        break;
      case Known::connection:
        if (!only_close_or_keep_alive(each.value)) {
          return refusal(each.name, "may hold only close and keep-alive, which HTTP/2 leaves out");
        }
        break;
      default:
        break;
    }
  }
  if (bytes > most_request_field_bytes) {
    return Error(ErrorCode::invalid_request, Phase::prepare,
                 "the request was refused: its fields take " + std::to_string(bytes) + " bytes, more than " +
                     std::to_string(most_request_field_bytes));
  }
  return {};
}

std::span<const nghttp2_nv> request_fields(const RequestHead& head) {
  static const Headers none;
  const Headers& headers = head.headers == nullptr ? none : *head.headers;
  constexpr std::size_t most_of_ours = 8;
  nghttp2_nv* const first = buffer(headers.size() + most_of_ours);
  nghttp2_nv* at = first;
  std::string_view authority = head.authority;
  bool has_user_agent = false;
  bool has_expect = false;
  bool has_length = false;
  *at++ = field(":method", head.method, lent);
  if (!head.scheme.empty()) *at++ = field(":scheme", head.scheme, lent);
  nghttp2_nv* const authority_at = at++;  // when all is known
  if (!head.path.empty()) *at++ = field(":path", head.path, lent);
  for (const Headers::Field each : headers) {
    const Known which = known(each.name);
    if (which == Known::host) {
      authority = each.value;
      continue;
    }
    if (which == Known::connection || which == Known::keep_alive) continue;
    has_user_agent = has_user_agent || which == Known::user_agent;
    has_expect = has_expect || which == Known::expect;
    has_length = has_length || which == Known::content_length;
    // nghttp2 copies the name, and makes its letters small.
    *at++ = field(each.name, each.value, is_secret(which, each.value) ? lent_value | unindexed : lent_value);
  }
  *authority_at = field(":authority", authority, lent);
  if (!has_user_agent && !head.user_agent.empty()) *at++ = field("user-agent", head.user_agent, lent);
  if (!head.accept_encoding.empty()) *at++ = field("accept-encoding", head.accept_encoding, lent);
  if (head.expect_continue && !has_expect) *at++ = field("expect", "100-continue", lent);
  if (head.content_length && !has_length) {
    struct Digits;
    auto& digits = per_thread<std::array<char, 24>, Digits>();
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), *head.content_length).ptr;
    *at++ = field("content-length", {digits.data(), end}, NGHTTP2_NV_FLAG_NO_COPY_NAME);
  }
  return {first, at};
}

std::span<const nghttp2_nv> trailer_fields(const Headers& trailers) {
  nghttp2_nv* const first = buffer(trailers.size());
  nghttp2_nv* at = first;
  for (const Headers::Field each : trailers) *at++ = field(each.name, each.value, NGHTTP2_NV_FLAG_NONE);
  return {first, at};
}

}  // namespace trunkline::http2
