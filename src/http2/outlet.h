// What a session sends, on its way into its caller's buffers. nghttp2 makes the frames one at a time, and each must be
// copied before the next; only bodies are read straight into the buffer, behind the room for their frame's head.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "http2/frame_scanner.h"

namespace trunkline::http2 {

inline std::string_view view(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

class Outlet {
 public:
  bool empty() const { return early_.empty() && unsent_.empty(); }

  // Fills the buffer with what was made early and then with what `next` makes: a frame, whose memory stays until it is
  // called again, or nothing for now. What `next` makes early goes out behind it.
  template <class Next>
  std::size_t fill(std::span<char> buffer, const Next& next) {
    room_ = buffer;
    send_early();
    while (!room_.empty()) {
      if (unsent_.empty()) unsent_ = next();
      if (unsent_.empty()) break;
      const std::size_t part = std::min(unsent_.size(), room_.size());
      std::memcpy(room_.data(), unsent_.data(), part);
      unsent_.remove_prefix(part);
      room_ = room_.subspan(part);
    }
    if (!early_.empty()) send_early();
    return buffer.size() - std::exchange(room_, {}).size();
  }

  // What nghttp2 has made goes out first, whatever happens to nghttp2.
  void keep_unsent() { early_ += std::exchange(unsent_, {}); }
  // Goes out before anything that is made later.
  void make_early(std::string_view bytes) { early_ += bytes; }
  std::size_t early_bytes() const { return early_.size() - early_sent_; }

  // Where up to `size` bytes of a body may be written. Empty: the buffer is as good as full.
  std::span<char> body_room(std::size_t size) const {
    constexpr std::size_t least_slice = 1024;  // worth a frame
    if (room_.size() < frame_head_size + least_slice) return {};
    return room_.subspan(frame_head_size, std::min(size, room_.size() - frame_head_size));
  }
  // The head of the frame whose body was written there.
  void put_body_head(const std::uint8_t* head, std::size_t body_size) {
    std::memcpy(room_.data(), head, frame_head_size);
    room_ = room_.subspan(frame_head_size + body_size);
  }

 private:
  void send_early() {
    const std::size_t part = std::min(early_bytes(), room_.size());
    if (part > 0) std::memcpy(room_.data(), early_.data() + early_sent_, part);
    room_ = room_.subspan(part);
    early_sent_ += part;
    if (early_sent_ < early_.size()) return;
    early_.clear();
    early_sent_ = 0;
  }

  std::span<char> room_;     // what is left of the buffer
  std::string_view unsent_;  // of a frame that did not fit into the last one; nghttp2's memory
  std::string early_;        // made before it was asked for
  std::size_t early_sent_ = 0;
};

}  // namespace trunkline::http2
