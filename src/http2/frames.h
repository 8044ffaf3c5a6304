// For tests and fuzzing: a server that is nothing but bytes. Frames are made by hand, so that they can be wrong;
// only HPACK is nghttp2's.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <initializer_list>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http2/frame_scanner.h"
#include "http2/stream.h"

namespace trunkline::http2 {

inline constexpr std::uint8_t end_stream = 0x1;
inline constexpr std::uint8_t ack = 0x1;
inline constexpr std::uint8_t end_headers = 0x4;
inline constexpr std::uint8_t padded = 0x8;

inline std::string number(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
  return out;
}

inline std::string frame(FrameType type, std::uint8_t flags, std::int32_t id, std::string_view payload) {
  std::string out = number(payload.size(), 3);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  out += number(static_cast<std::uint32_t>(id), 4);
  return out.append(payload);
}

using Setting = std::pair<int, std::uint64_t>;
inline std::string settings(std::initializer_list<Setting> entries = {}) {
  std::string payload;
  for (const auto& [id, value] : entries) payload += number(static_cast<std::uint64_t>(id), 2) + number(value, 4);
  return frame(FrameType::settings, 0, 0, payload);
}
inline std::string settings_ack() { return frame(FrameType::settings, ack, 0, {}); }
inline std::string ping(std::string_view eight = "pingping") { return frame(FrameType::ping, 0, 0, eight); }
inline std::string ping_ack(std::string_view eight) { return frame(FrameType::ping, ack, 0, eight); }
inline std::string data(std::int32_t id, std::string_view bytes, std::uint8_t flags = 0) {
  return frame(FrameType::data, flags, id, bytes);
}
inline std::string padded_data(std::int32_t id, std::string_view bytes, std::uint8_t padding, std::uint8_t flags = 0) {
  return frame(FrameType::data, flags | padded, id,
               std::string(1, static_cast<char>(padding)).append(bytes) + std::string(padding, '\0'));
}
inline std::string rst_stream(std::int32_t id, Code code) {
  return frame(FrameType::rst_stream, 0, id, number(static_cast<std::uint32_t>(code), 4));
}
inline std::string window_update(std::int32_t id, std::uint32_t increment) {
  return frame(FrameType::window_update, 0, id, number(increment, 4));
}
inline std::string goaway(std::uint32_t last_id, Code code, std::string_view debug = {}) {
  return frame(FrameType::goaway, 0, 0,
               number(last_id, 4) + number(static_cast<std::uint32_t>(code), 4) + std::string(debug));
}
inline std::string priority(std::int32_t id) {
  return frame(FrameType::priority, 0, id, std::string_view("\0\0\0\0\x10", 5));
}

// In this order: the operands of + are evaluated in any, which an Encoder does not survive.
inline std::string join(std::initializer_list<std::string> parts) {
  std::string out;
  for (const std::string& part : parts) out += part;
  return out;
}

// A peer's HPACK encoder. Its table is the connection's, so there is one for each.
class Encoder {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;

  Encoder() {
    if (nghttp2_hd_deflate_new(&deflater_, 4096) != 0) throw std::bad_alloc();
  }
  ~Encoder() { nghttp2_hd_deflate_del(deflater_); }
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  std::string block(const Fields& fields) {
    std::vector<nghttp2_nv> nva;
    for (const auto& [name, value] : fields) {
      nva.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                     reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(), 0});
    }
    std::string out(nghttp2_hd_deflate_bound(deflater_, nva.data(), nva.size()), '\0');
    const ssize_t size = nghttp2_hd_deflate_hd(deflater_, reinterpret_cast<std::uint8_t*>(out.data()), out.size(),
                                               nva.data(), nva.size());
    out.resize(static_cast<std::size_t>(size));
    return out;
  }
  std::string headers(std::int32_t id, const Fields& fields, std::uint8_t flags = 0) {
    return frame(FrameType::headers, flags | end_headers, id, block(fields));
  }
  std::string ok(std::int32_t id, std::uint8_t flags = 0) { return headers(id, {{":status", "200"}}, flags); }

 private:
  nghttp2_hd_deflater* deflater_ = nullptr;
};

}  // namespace trunkline::http2
