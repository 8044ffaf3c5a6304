// For tests and fuzzing: frames made by hand, and what a decoder said about some bytes as text, so that two ways of
// cutting the same bytes can be compared.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "websocket/message_decoder.h"

namespace trunkline::websocket {

// As bytes that no encoder of ours would write: any first byte, any mask.
struct RawFrame {
  unsigned first = 0x81;  // FIN, RSV and the opcode
  std::string_view payload = {};
  std::optional<std::uint32_t> key = {};
  std::optional<std::uint64_t> length = {};  // instead of the payload's
  int length_bytes = -1;                     // 0, 2 or 8; -1: as few as will do
};

inline std::string raw(const RawFrame& frame) {
  const std::uint64_t length = frame.length.value_or(frame.payload.size());
  const int length_bytes = frame.length_bytes >= 0 ? frame.length_bytes : length > 0xFFFF ? 8 : length > 125 ? 2 : 0;
  std::string out(1, static_cast<char>(frame.first));
  const std::uint64_t small = length_bytes == 8 ? 127 : length_bytes == 2 ? 126 : length;
  out.push_back(static_cast<char>(small | (frame.key ? 0x80U : 0U)));
  for (int i = length_bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(length >> (8 * i)));
  std::string payload(frame.payload);
  if (frame.key) {
    out.append(reinterpret_cast<const char*>(&*frame.key), sizeof *frame.key);
    apply_mask(payload.data(), payload.size(), *frame.key, 0);
  }
  return out + payload;
}

struct TranscriptSetup {
  Role role = Role::client;
  DecoderLimits limits;
  std::optional<DeflateParameters> deflate;
  bool codes = true;  // say why an error is one
};

inline std::string transcript(const std::vector<std::string_view>& pieces, const TranscriptSetup& setup = {}) {
  using Event = MessageDecoder::Event;
  MessageDecoder decoder(setup.role, setup.limits, setup.deflate);
  std::string out;
  for (const std::string_view piece : pieces) {
    std::string_view input = piece;
    for (Event event = decoder.next(input); event != Event::need_more; event = decoder.next(input)) {
      switch (event) {
        case Event::message:
          out += decoder.text() ? "text " : "binary ";
          out += decoder.take_message();
          break;
        case Event::ping:
          out += "ping " + decoder.control_payload();
          break;
        case Event::pong:
          out += "pong " + decoder.control_payload();
          break;
        case Event::close:
          return out + "close " + std::to_string(decoder.close_code()) + " " + decoder.control_payload();
        case Event::error:
          out += "error";
          if (setup.codes) out += " " + std::to_string(decoder.failure().close_code) + " " + decoder.failure().what;
          return out;
        case Event::need_more:
          break;
      }
      out += "; ";
    }
  }
  return out + (decoder.between_messages() ? "idle" : "waiting");
}

}  // namespace trunkline::websocket
