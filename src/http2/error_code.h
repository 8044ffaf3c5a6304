// How HTTP/2 says why: the codes of RST_STREAM and GOAWAY (RFC 9113 section 7).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace trunkline::http2 {

enum class Code : std::uint32_t {
  no_error = 0,
  protocol_error = 1,
  internal_error = 2,
  flow_control_error = 3,
  settings_timeout = 4,
  stream_closed = 5,
  frame_size_error = 6,
  refused_stream = 7,
  cancel = 8,
  compression_error = 9,
  connect_error = 10,
  enhance_your_calm = 11,
  inadequate_security = 12,
  http_1_1_required = 13,
};
std::string_view to_string(Code code);  // "NO_ERROR", ...; "unknown" for what the peer made up

// The last that a session says, made without nghttp2, which may not be in a state to say anything.
std::string goaway_frame(std::int32_t last_stream, Code code, std::string_view debug);

}  // namespace trunkline::http2
