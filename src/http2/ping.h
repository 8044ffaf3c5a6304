// The PINGs of a session. Each has its number, so that no old answer, and none made up, passes for that of the last.
#pragma once

#include <nghttp2/nghttp2.h>

#include <array>
#include <cstdint>
#include <cstring>

namespace trunkline::http2 {

class Ping {
 public:
  void submit(nghttp2_session* session) {
    ++number_;
    std::array<std::uint8_t, sizeof number_> bytes;
    std::memcpy(bytes.data(), &number_, sizeof number_);
    nghttp2_submit_ping(session, NGHTTP2_FLAG_NONE, bytes.data());
  }
  bool is_answered_by(const nghttp2_frame& ping) const {
    return (ping.hd.flags & NGHTTP2_FLAG_ACK) != 0 && std::memcmp(ping.ping.opaque_data, &number_, sizeof number_) == 0;
  }

 private:
  std::uint64_t number_ = 0;
};

}  // namespace trunkline::http2
