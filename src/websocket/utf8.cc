#include "websocket/utf8.h"

#include <cstddef>
#include <cstring>

namespace trunkline::websocket {
namespace {

// How many of the first bytes are ASCII, in steps of a word.
std::size_t ascii_words(const char* bytes, std::size_t size) {
  constexpr std::uint64_t high_bits = 0x8080808080808080;
  std::size_t at = 0;
  for (std::uint64_t word = 0; at + sizeof word <= size; at += sizeof word) {
    std::memcpy(&word, bytes + at, sizeof word);
    if ((word & high_bits) != 0) break;
  }
  return at;
}

}  // namespace

bool Utf8Validator::take(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (following_ == 0) {
      at += ascii_words(bytes.data() + at, bytes.size() - at);
      if (at == bytes.size()) return true;
    }
    const auto byte = static_cast<std::uint8_t>(bytes[at++]);
    if (following_ > 0) {
      if (byte < lowest_ || byte > highest_) return false;
      --following_;
      lowest_ = 0x80;
      highest_ = 0xBF;
    } else if (byte >= 0x80) {
      if (byte < 0xC2 || byte > 0xF4) return false;  // a stray continuation, overlong, or above U+10FFFF
      following_ = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
      if (byte == 0xE0) lowest_ = 0xA0;   // below: overlong
      if (byte == 0xED) highest_ = 0x9F;  // above: surrogates
      if (byte == 0xF0) lowest_ = 0x90;   // below: overlong
      if (byte == 0xF4) highest_ = 0x8F;  // above: beyond U+10FFFF
    }
  }
  return true;
}

bool is_utf8(std::string_view bytes) {
  Utf8Validator validator;
  return validator.take(bytes) && validator.complete();
}

}  // namespace trunkline::websocket
