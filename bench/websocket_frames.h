// The least of RFC 6455 that an echo needs, for the floor and for the server: whole frames, sent and received one at a
// time, of up to 64 KiB. No fragments, no checks.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace bench {

constexpr unsigned char final_binary = 0x82, final_close = 0x88, final_ping = 0x89, final_pong = 0x8A;
constexpr unsigned char masked = 0x80;

inline void mask(char* bytes, std::size_t size, std::uint32_t key) {
  const std::uint64_t both = key * 0x1'0000'0001ULL;
  std::size_t at = 0;
  for (; at + sizeof both <= size; at += sizeof both) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes + at, sizeof word);
    word ^= both;
    std::memcpy(bytes + at, &word, sizeof word);
  }
  for (; at < size; ++at) bytes[at] = static_cast<char>(bytes[at] ^ static_cast<char>(key >> 8 * (at % 4)));
}

// Appends the head of a frame with that many bytes.
inline void append_head(std::string& out, unsigned char first, std::size_t size, unsigned char mask_bit) {
  out += static_cast<char>(first);
  if (size < 126) {
    out += static_cast<char>(mask_bit | size);
  } else {
    out += static_cast<char>(mask_bit | 126);
    out += static_cast<char>(size >> 8);
    out += static_cast<char>(size);
  }
}

struct Frame {
  unsigned char first = 0;
  std::size_t head = 0;  // bytes before the payload; 0: the frame is not complete
  std::size_t payload = 0;
};

inline Frame frame_at(std::string_view bytes) {
  if (bytes.size() < 2) return {};
  const auto byte = [bytes](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
  std::size_t head = 2, payload = byte(1) & 127U;
  if (payload == 126) {
    if (bytes.size() < 4) return {};
    head = 4;
    payload = byte(2) * 256U + byte(3);
  }
  if ((byte(1) & masked) != 0) head += 4;
  if (bytes.size() < head + payload) return {};
  return {byte(0), head, payload};
}

}  // namespace bench
