// WebSocket messages: bytes in, events out, strictly by RFC 6455 section 5. No I/O, no clock. What a peer may not send
// is an error, with the close code to end the connection with, and nothing follows an error.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "websocket/deflate.h"
#include "websocket/frame.h"
#include "websocket/utf8.h"

namespace trunkline::websocket {

// Bounds on what a peer may send. Beyond them the connection ends with 1009 (fragments: 1008).
struct DecoderLimits {
  std::size_t frame_bytes = 16 * 1024 * 1024;
  std::size_t message_bytes = 16 * 1024 * 1024;  // after decompression
  int fragments = 4096;                          // frames of one message

  bool operator==(const DecoderLimits&) const = default;
};

struct Failure {
  std::uint16_t close_code = protocol_error;
  std::string what;  // "the peer ...", to be read by people
};

class MessageDecoder {
 public:
  enum class Event : unsigned char {
    need_more,  // all input was consumed
    message,    // take_message()
    ping,       // control_payload()
    pong,       // control_payload()
    close,      // close_code() and control_payload(), the reason; whatever follows is not read
    error,      // failure(); nothing may follow
  };

  MessageDecoder(Role role, const DecoderLimits& limits, const std::optional<DeflateParameters>& deflate = {});
  ~MessageDecoder();
  // For a server, which is made before its handshake: what that has agreed on. Before the first byte.
  void agree(const DeflateParameters& deflate) { inflater_ = std::make_unique<Inflater>(deflate); }

  // Takes bytes from the front of `input` (removing what it took) and returns the next event. Call again while it
  // returns something other than need_more, close or error.
  Event next(std::string_view& input);

  bool text() const { return message_opcode_ == Opcode::text; }  // the message's kind
  std::string take_message() { return std::exchange(message_, {}); }
  const std::string& control_payload() const { return control_; }
  std::uint16_t close_code() const { return close_code_; }
  const Failure& failure() const { return *failure_; }
  // Neither a message nor a frame is incomplete.
  bool between_messages() const { return !in_message_ && !in_payload_ && header_have_ == 0; }

 private:
  bool take_header(std::string_view& input);
  std::size_t header_size() const;
  bool check_first_byte();
  bool check_second_byte();
  bool start_frame();
  bool take_payload(std::string_view piece);
  bool take_compressed(std::string_view piece);
  Event end_frame();
  Event end_message();
  Event end_close();
  bool check_text(std::string_view piece);
  bool inflated(Inflater::Outcome outcome);
  bool fail(std::uint16_t close_code, std::string what);
  bool too_long();

  DecoderLimits limits_;
  std::string message_;
  std::string control_;
  std::unique_ptr<Inflater> inflater_;  // with permessage-deflate
  std::unique_ptr<Failure> failure_;
  std::uint64_t remaining_ = 0;  // of the frame's payload
  std::uint64_t frame_size_ = 0;
  std::uint32_t key_ = 0;
  int fragments_ = 0;
  std::uint16_t close_code_ = 0;
  std::array<std::uint8_t, 14> header_{};
  std::uint8_t header_have_ = 0;
  Role role_;
  Opcode opcode_ = Opcode::continuation;          // of the frame
  Opcode message_opcode_ = Opcode::continuation;  // of the message that is being read, or was read last
  bool in_message_ = false;                       // between its first frame and its last
  bool in_payload_ = false;
  bool compressed_ = false;  // the message
  bool last_frame_ = false;
  bool closed_ = false;
  Utf8Validator utf8_;
};

}  // namespace trunkline::websocket
