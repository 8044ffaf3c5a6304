// Whether bytes that come in pieces are UTF-8 (RFC 3629: no surrogates, nothing overlong, nothing above U+10FFFF). A
// wrong byte is found when it comes, not at the end of the text.
#pragma once

#include <cstdint>
#include <string_view>

namespace trunkline::websocket {

class Utf8Validator {
 public:
  // False: not UTF-8, whatever follows.
  bool take(std::string_view bytes);
  // No character is incomplete.
  bool complete() const { return following_ == 0; }
  void reset() { *this = Utf8Validator(); }

 private:
  std::uint8_t following_ = 0;  // bytes of the character still to come
  std::uint8_t lowest_ = 0x80;  // the range of the next of them
  std::uint8_t highest_ = 0xBF;
};

bool is_utf8(std::string_view bytes);

}  // namespace trunkline::websocket
