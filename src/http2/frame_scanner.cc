#include "http2/frame_scanner.h"

#include <algorithm>
#include <cstring>

namespace trunkline::http2 {

bool FrameScanner::next(std::string_view& input) {
  const std::size_t skipped = std::min(payload_left_, input.size());
  input.remove_prefix(skipped);
  payload_left_ -= skipped;
  if (payload_left_ > 0 || input.empty()) return false;

  if (kept_ == 0 && input.size() >= frame_head_size) {
    std::memcpy(head_.data(), input.data(), frame_head_size);
    input.remove_prefix(frame_head_size);
  } else {
    const std::size_t part = std::min(frame_head_size - kept_, input.size());
    std::memcpy(head_.data() + kept_, input.data(), part);
    input.remove_prefix(part);
    kept_ += part;
    if (kept_ < frame_head_size) return false;
    kept_ = 0;
  }
  const auto byte = [this](std::size_t at) { return static_cast<std::uint8_t>(head_[at]); };
  frame_.length = static_cast<std::uint32_t>(byte(0)) << 16 | static_cast<std::uint32_t>(byte(1)) << 8 | byte(2);
  frame_.type = static_cast<FrameType>(byte(3));
  frame_.flags = byte(4);
  payload_left_ = frame_.length;
  return true;
}

}  // namespace trunkline::http2
