// WebSocket frames as RFC 6455 section 5 draws them: their header, their masking, and what a close frame may say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace trunkline::websocket {

// A client masks what it sends, a server does not; each refuses a peer that does otherwise.
enum class Role : unsigned char { client, server };

enum class Opcode : unsigned char { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };
inline bool is_control(Opcode opcode) { return static_cast<unsigned>(opcode) >= 8; }

inline constexpr unsigned last_bit = 0x80;  // of the first byte
inline constexpr unsigned mask_bit = 0x80;  // of the second
inline constexpr std::size_t largest_control_payload = 125;

struct FrameStart {
  Opcode opcode = Opcode::text;
  bool last = true;         // of its message
  bool compressed = false;  // RSV1, on the first frame of a message
};

// A whole frame behind `out`; with Role::client masked with a key of its own.
void append_frame(std::string& out, Role role, const FrameStart& start, std::string_view payload);
// The same with a key that is given; nothing but a test has one.
void append_masked_frame(std::string& out, const FrameStart& start, std::string_view payload, std::uint32_t key);

// Masks, or unmasks, bytes that stand `offset` bytes behind the start of their payload. The key is as on the wire.
void apply_mask(char* bytes, std::size_t size, std::uint32_t key, std::size_t offset);

// Why a connection ends (RFC 6455 section 7.4).
enum CloseCode : std::uint16_t {
  normal_closure = 1000,
  going_away = 1001,
  protocol_error = 1002,
  unsupported_data = 1003,
  no_status = 1005,         // never on the wire: a close frame without a code
  abnormal_closure = 1006,  // never on the wire: no close frame came
  invalid_payload = 1007,
  policy_violation = 1008,
  message_too_big = 1009,
  internal_error = 1011,
};
// Whether a close frame may carry it: defined and not reserved for local use, or of the ranges for libraries and users.
bool may_be_on_the_wire(std::uint16_t close_code);

std::string close_payload(std::uint16_t code, std::string_view reason);

}  // namespace trunkline::websocket
