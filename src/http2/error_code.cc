#include "http2/error_code.h"

#include <array>

#include "http2/frame_scanner.h"

namespace trunkline::http2 {

std::string_view to_string(Code code) {
  constexpr std::array<std::string_view, 14> names{"NO_ERROR",
                                                   "PROTOCOL_ERROR",
                                                   "INTERNAL_ERROR",
                                                   "FLOW_CONTROL_ERROR",
                                                   "SETTINGS_TIMEOUT",
                                                   "STREAM_CLOSED",
                                                   "FRAME_SIZE_ERROR",
                                                   "REFUSED_STREAM",
                                                   "CANCEL",
                                                   "COMPRESSION_ERROR",
                                                   "CONNECT_ERROR",
                                                   "ENHANCE_YOUR_CALM",
                                                   "INADEQUATE_SECURITY",
                                                   "HTTP_1_1_REQUIRED"};
  const auto number = static_cast<std::size_t>(code);
  return number < names.size() ? names[number] : "unknown";
}

std::string goaway_frame(std::int32_t last_stream, Code code, std::string_view debug) {
  std::string out;
  const auto append = [&out](std::size_t value, int bytes) {
    while (bytes-- > 0) out += static_cast<char>(value >> (8 * bytes) & 0xFF);
  };
  append(8 + debug.size(), 3);
  append(static_cast<std::size_t>(FrameType::goaway), 1);
  append(0, 1);  // flags
  append(0, 4);  // of no stream
  append(static_cast<std::uint32_t>(last_stream), 4);
  append(static_cast<std::uint32_t>(code), 4);
  return out.append(debug);
}

}  // namespace trunkline::http2
