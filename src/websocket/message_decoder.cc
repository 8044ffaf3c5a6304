#include "websocket/message_decoder.h"

#include <algorithm>
#include <cstring>

namespace trunkline::websocket {
namespace {

constexpr unsigned rsv1_bit = 0x40;
constexpr unsigned rsv_bits = 0x70;
// Memory is set aside for a frame only as far as this before its bytes have come.
constexpr std::size_t trusted_size = 64 * 1024;

}  // namespace

MessageDecoder::MessageDecoder(Role role, const DecoderLimits& limits, const std::optional<DeflateParameters>& deflate)
    : limits_(limits), inflater_(deflate ? std::make_unique<Inflater>(*deflate) : nullptr), role_(role) {}

MessageDecoder::~MessageDecoder() = default;

MessageDecoder::Event MessageDecoder::next(std::string_view& input) {
  if (failure_) return Event::error;
  if (closed_) {
    input = {};
    return Event::need_more;
  }
  for (;;) {
    if (!in_payload_) {
      if (!take_header(input)) return failure_ ? Event::error : Event::need_more;
      if (!start_frame()) return Event::error;
    }
    const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, input.size()));
    if (size > 0 && !take_payload(input.substr(0, size))) return Event::error;
    input.remove_prefix(size);
    remaining_ -= size;
    if (remaining_ > 0) return Event::need_more;
    in_payload_ = false;
    if (const Event event = end_frame(); event != Event::need_more) return event;
  }
}

// --- the header

std::size_t MessageDecoder::header_size() const {
  const unsigned short_length = header_[1] & ~mask_bit;
  return 2U + (short_length == 127 ? 8U : short_length == 126 ? 2U : 0U) + (role_ == Role::server ? 4U : 0U);
}

// False: it is not complete, or refused. What can be refused is refused with the byte that shows it.
bool MessageDecoder::take_header(std::string_view& input) {
  for (;;) {
    const std::size_t wanted = header_have_ < 2 ? header_have_ + 1U : header_size();
    if (header_have_ == wanted) return true;
    if (input.empty()) return false;
    const std::size_t size = std::min(wanted - header_have_, input.size());
    std::memcpy(header_.data() + header_have_, input.data(), size);
    input.remove_prefix(size);
    header_have_ = static_cast<std::uint8_t>(header_have_ + size);
    if (header_have_ == 1 && !check_first_byte()) return false;
    if (header_have_ == 2 && !check_second_byte()) return false;
  }
}

bool MessageDecoder::check_first_byte() {
  const unsigned byte = header_[0];
  opcode_ = static_cast<Opcode>(byte & 0x0FU);
  last_frame_ = (byte & last_bit) != 0;
  const bool starts_message = opcode_ == Opcode::text || opcode_ == Opcode::binary;
  if (!starts_message && opcode_ != Opcode::continuation && opcode_ != Opcode::close && opcode_ != Opcode::ping &&
      opcode_ != Opcode::pong) {
    return fail(protocol_error, "the peer sent a frame with the unknown opcode " + std::to_string(byte & 0x0FU));
  }
  const bool may_be_compressed = inflater_ && starts_message;
  if ((byte & rsv_bits & ~(may_be_compressed ? rsv1_bit : 0U)) != 0) {
    return fail(protocol_error, "the peer set a reserved bit without an extension that gives it a meaning");
  }
  if (is_control(opcode_)) {
    if (!last_frame_) return fail(protocol_error, "the peer sent a control frame in fragments");
    return true;
  }
  if (starts_message == in_message_) {
    return fail(protocol_error, in_message_ ? "the peer began a message inside another one"
                                            : "the peer continued a message that it had not begun");
  }
  if (starts_message) {
    message_opcode_ = opcode_;
    compressed_ = (byte & rsv1_bit) != 0;
    fragments_ = 0;
    in_message_ = true;
    utf8_.reset();
  }
  if (++fragments_ > limits_.fragments) {
    return fail(policy_violation,
                "the peer sent a message in more than " + std::to_string(limits_.fragments) + " fragments");
  }
  return true;
}

bool MessageDecoder::check_second_byte() {
  const bool masked = (header_[1] & mask_bit) != 0;
  if (masked && role_ == Role::client) return fail(protocol_error, "the server masked a frame");
  if (!masked && role_ == Role::server) return fail(protocol_error, "the client sent a frame that is not masked");
  if (is_control(opcode_) && (header_[1] & ~mask_bit) > largest_control_payload) {
    return fail(protocol_error, "the peer sent a control frame of more than 125 bytes");
  }
  return true;
}

// The header is complete.
bool MessageDecoder::start_frame() {
  const unsigned short_length = header_[1] & ~mask_bit;
  std::size_t at = 2;
  std::uint64_t length = short_length;
  if (short_length >= 126) {
    const std::size_t bytes = short_length == 127 ? 8 : 2;
    length = 0;
    for (; at < 2 + bytes; ++at) length = length << 8U | header_[at];
    if (length < (bytes == 8 ? 0x10000U : 126U)) {
      return fail(protocol_error, "the peer wrote a length in more bytes than it needs");
    }
    if ((length >> 63U) != 0) return fail(protocol_error, "the peer sent a length with its highest bit set");
  }
  if (role_ == Role::server) std::memcpy(&key_, header_.data() + at, sizeof key_);
  header_have_ = 0;
  in_payload_ = true;
  remaining_ = frame_size_ = length;
  if (is_control(opcode_)) {
    control_.clear();
    return true;
  }
  if (length > limits_.frame_bytes) {
    return fail(message_too_big, "the peer sent a frame of " + std::to_string(length) +
                                     " bytes, more than the limit of " + std::to_string(limits_.frame_bytes));
  }
  if (compressed_) return true;
  if (length > limits_.message_bytes - message_.size()) return too_long();
  if (message_.empty()) message_.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(length, trusted_size)));
  return true;
}

// --- the payload

bool MessageDecoder::take_payload(std::string_view piece) {
  if (!is_control(opcode_) && compressed_) return take_compressed(piece);
  std::string& into = is_control(opcode_) ? control_ : message_;
  const std::size_t before = into.size();
  into.append(piece);
  if (role_ == Role::server) apply_mask(into.data() + before, piece.size(), key_, frame_size_ - remaining_);
  return is_control(opcode_) || check_text(std::string_view(into).substr(before));
}

bool MessageDecoder::take_compressed(std::string_view piece) {
  const std::size_t before = message_.size();
  std::string unmasked;
  if (role_ == Role::server) {
    unmasked = piece;
    apply_mask(unmasked.data(), unmasked.size(), key_, frame_size_ - remaining_);
    piece = unmasked;
  }
  return inflated(inflater_->take(piece, message_, limits_.message_bytes)) &&
         check_text(std::string_view(message_).substr(before));
}

bool MessageDecoder::inflated(Inflater::Outcome outcome) {
  if (outcome == Inflater::Outcome::ok) return true;
  if (outcome == Inflater::Outcome::too_long) return too_long();
  return fail(invalid_payload, "the peer sent a compressed message that cannot be decompressed");
}

bool MessageDecoder::check_text(std::string_view piece) {
  if (message_opcode_ != Opcode::text || utf8_.take(piece)) return true;
  return fail(invalid_payload, "the peer sent a text message that is not UTF-8");
}

MessageDecoder::Event MessageDecoder::end_frame() {
  switch (opcode_) {
    case Opcode::ping:
      return Event::ping;
    case Opcode::pong:
      return Event::pong;
    case Opcode::close:
      return end_close();
    default:
      return last_frame_ ? end_message() : Event::need_more;
  }
}

MessageDecoder::Event MessageDecoder::end_message() {
  if (compressed_) {
    const std::size_t before = message_.size();
    if (!inflated(inflater_->finish(message_, limits_.message_bytes)) ||
        !check_text(std::string_view(message_).substr(before))) {
      return Event::error;
    }
  }
  if (message_opcode_ == Opcode::text && !utf8_.complete()) {
    fail(invalid_payload, "the peer sent a text message that ends inside a character");
    return Event::error;
  }
  in_message_ = false;
  return Event::message;
}

MessageDecoder::Event MessageDecoder::end_close() {
  close_code_ = no_status;
  if (control_.size() == 1) {
    fail(protocol_error, "the peer sent a close frame with half a code");
    return Event::error;
  }
  if (!control_.empty()) {
    close_code_ = static_cast<std::uint16_t>(static_cast<std::uint8_t>(control_[0]) << 8U |
                                             static_cast<std::uint8_t>(control_[1]));
    control_.erase(0, 2);
    if (!may_be_on_the_wire(close_code_)) {
      fail(protocol_error, "the peer sent the close code " + std::to_string(close_code_) + ", which nobody may send");
      return Event::error;
    }
    if (!is_utf8(control_)) {
      fail(invalid_payload, "the peer sent a close reason that is not UTF-8");
      return Event::error;
    }
  }
  closed_ = true;
  return Event::close;
}

bool MessageDecoder::too_long() {
  return fail(message_too_big, "the peer sent a message that is longer than the limit of " +
                                   std::to_string(limits_.message_bytes) + " bytes");
}

// What has been received of a message that will never be complete is let go.
bool MessageDecoder::fail(std::uint16_t close_code, std::string what) {
  failure_ = std::make_unique<Failure>(Failure{close_code, std::move(what)});
  std::string().swap(message_);
  return false;
}

}  // namespace trunkline::websocket
