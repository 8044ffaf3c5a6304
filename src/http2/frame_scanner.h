// Finds the frames in the bytes of a connection before anything looks into them. nghttp2 says nothing of frames that it
// ignores (unknown ones, those of closed streams), and just those are what a flood is made of. One step a frame.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace trunkline::http2 {

// RFC 9113 section 6.
enum class FrameType : std::uint8_t {
  data = 0,
  headers = 1,
  priority = 2,
  rst_stream = 3,
  settings = 4,
  push_promise = 5,
  ping = 6,
  goaway = 7,
  window_update = 8,
  continuation = 9,
};

struct FrameHead {
  std::uint32_t length = 0;  // of the payload
  FrameType type = FrameType::data;
  std::uint8_t flags = 0;
};

inline constexpr std::size_t frame_head_size = 9;

class FrameScanner {
 public:
  // Goes on to the next frame that begins in `input`. False: none does; all of it is taken, and an incomplete frame
  // head at its end is kept here until its rest comes.
  bool next(std::string_view& input);

  const FrameHead& frame() const { return frame_; }
  // The head just found, as it came. It may have come in pieces, so it is not part of the input.
  std::string_view head_bytes() const { return {head_.data(), frame_head_size}; }
  std::size_t kept() const { return kept_; }  // of an incomplete frame head

 private:
  std::array<char, frame_head_size> head_{};
  std::size_t kept_ = 0;
  std::size_t payload_left_ = 0;
  FrameHead frame_;
};

}  // namespace trunkline::http2
