#include "http2/response_fields.h"

#include <array>
#include <cassert>
#include <charconv>
#include <string_view>
#include <vector>

#include "base/per_thread.h"
#include "http2/nv.h"

namespace trunkline::http2 {
namespace {

// Fields that mean something to this layer. They are told apart by length first: nearly all others end there.
enum class Meaning : unsigned char {
  no,
  hop,  // has no place in HTTP/2
  date,
  server,
  content_length,
  secret,
};

Meaning meaning_of(std::string_view name) {
  const auto is = [name](std::string_view other) { return equals_ignore_case(name, other); };
  switch (name.size()) {
    case 4:
      return is("date") ? Meaning::date : Meaning::no;
    case 6:
      return is("server") ? Meaning::server : Meaning::no;
    case 7:
      return is("upgrade") ? Meaning::hop : Meaning::no;
    case 10:
      if (is("set-cookie")) return Meaning::secret;
      return is("connection") || is("keep-alive") ? Meaning::hop : Meaning::no;
    case 14:
      return is("content-length") ? Meaning::content_length : Meaning::no;
    case 16:
      return is("proxy-connection") ? Meaning::hop : Meaning::no;
    case 17:
      return is("transfer-encoding") ? Meaning::hop : Meaning::no;
    default:
      return Meaning::no;
  }
}

constexpr unsigned own_name = NGHTTP2_NV_FLAG_NO_COPY_NAME;  // a literal of ours

// Text that nghttp2 has not copied yet, and room for the fields.
struct Room {
  std::vector<nghttp2_nv> fields;
  std::array<char, 3> status;
  std::array<char, 24> length;
};

Room& room_for(std::size_t count) {
  auto& made = per_thread<Room, Room>();
  if (made.fields.size() < count) made.fields.resize(2 * count);
  return made;
}

nghttp2_nv status_field(Room& made, int status) {
  assert(status >= 100 && status <= 999);
  std::to_chars(made.status.data(), made.status.data() + made.status.size(), status);
  return field(":status", {made.status.data(), made.status.size()}, own_name);
}

}  // namespace

std::span<const nghttp2_nv> response_fields(const OutgoingResponse& response) {
  static const Headers none;
  const Headers& headers = response.headers == nullptr ? none : *response.headers;
  constexpr std::size_t most_of_ours = 4;
  Room& made = room_for(headers.size() + most_of_ours);
  nghttp2_nv* at = made.fields.data();
  bool has_date = response.date.empty();
  bool has_server = response.server.empty();
  bool has_length = !response.content_length;
  *at++ = status_field(made, response.status);
  for (const Headers::Field each : headers) {
    const Meaning which = meaning_of(each.name);
    if (which == Meaning::hop) continue;
    has_date = has_date || which == Meaning::date;
    has_server = has_server || which == Meaning::server;
    has_length = has_length || which == Meaning::content_length;
    // nghttp2 copies the name, and makes its letters small. Cookies stay out of HPACK's table, here and in every proxy:
    // through it others could guess them (RFC 7541 section 7.1).
    *at++ = field(each.name, each.value, which == Meaning::secret ? lent_value | NGHTTP2_NV_FLAG_NO_INDEX : lent_value);
  }
  if (!has_date) *at++ = field("date", response.date, own_name);
  if (!has_server) *at++ = field("server", response.server, own_name);
  if (!has_length) {
    char* const digits = made.length.data();
    const char* const end = std::to_chars(digits, digits + made.length.size(), *response.content_length).ptr;
    *at++ = field("content-length", {digits, end}, own_name);
  }
  return {made.fields.data(), at};
}

std::span<const nghttp2_nv> interim_fields(int status, const Headers& headers) {
  Room& made = room_for(headers.size() + 1);
  nghttp2_nv* at = made.fields.data();
  *at++ = status_field(made, status);
  for (const Headers::Field each : headers) {
    if (meaning_of(each.name) == Meaning::hop) continue;
    *at++ = field(each.name, each.value, NGHTTP2_NV_FLAG_NONE);
  }
  return {made.fields.data(), at};
}

}  // namespace trunkline::http2
