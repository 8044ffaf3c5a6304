#include "websocket/frame.h"

#include <bit>
#include <cstring>

#include "base/random.h"

namespace trunkline::websocket {
namespace {

constexpr unsigned compressed_bit = 0x40;

void append_header(std::string& out, const FrameStart& start, std::size_t size, bool masked) {
  char header[10];
  header[0] = static_cast<char>(static_cast<unsigned>(start.opcode) | (start.last ? last_bit : 0) |
                                (start.compressed ? compressed_bit : 0));
  std::size_t length_bytes = 0;
  unsigned short_length = static_cast<unsigned>(size);
  if (size > 0xFFFF) {
    short_length = 127;
    length_bytes = 8;
  } else if (size > largest_control_payload) {
    short_length = 126;
    length_bytes = 2;
  }
  header[1] = static_cast<char>(short_length | (masked ? mask_bit : 0));
  for (std::size_t i = 0; i < length_bytes; ++i) {
    header[2 + i] = static_cast<char>(static_cast<std::uint64_t>(size) >> (8 * (length_bytes - 1 - i)));
  }
  out.append(header, 2 + length_bytes);
}

}  // namespace

void append_frame(std::string& out, Role role, const FrameStart& start, std::string_view payload) {
  if (role == Role::client) {
    append_masked_frame(out, start, payload, random_word());
    return;
  }
  append_header(out, start, payload.size(), false);
  out.append(payload);
}

void append_masked_frame(std::string& out, const FrameStart& start, std::string_view payload, std::uint32_t key) {
  append_header(out, start, payload.size(), true);
  char key_bytes[sizeof key];
  std::memcpy(key_bytes, &key, sizeof key);
  out.append(key_bytes, sizeof key_bytes);
  out.append(payload);
  apply_mask(out.data() + out.size() - payload.size(), payload.size(), key, 0);
}

void apply_mask(char* bytes, std::size_t size, std::uint32_t key, std::size_t offset) {
  const int turned = static_cast<int>(offset % sizeof key) * 8;
  key = std::endian::native == std::endian::little ? std::rotr(key, turned) : std::rotl(key, turned);
  const std::uint64_t wide = static_cast<std::uint64_t>(key) << 32U | key;
  std::size_t at = 0;
  for (std::uint64_t word = 0; at + sizeof word <= size; at += sizeof word) {
    std::memcpy(&word, bytes + at, sizeof word);
    word ^= wide;
    std::memcpy(bytes + at, &word, sizeof word);
  }
  char key_bytes[sizeof wide];
  std::memcpy(key_bytes, &wide, sizeof wide);
  for (std::size_t i = 0; at < size; ++i, ++at) bytes[at] = static_cast<char>(bytes[at] ^ key_bytes[i]);
}

bool may_be_on_the_wire(std::uint16_t close_code) {
  if (close_code >= 3000) return close_code <= 4999;
  if (close_code == 1004 || close_code == no_status || close_code == abnormal_closure) return false;
  return close_code >= normal_closure && close_code <= 1014;
}

std::string close_payload(std::uint16_t code, std::string_view reason) {
  std::string payload;
  if (code == no_status) return payload;
  payload.push_back(static_cast<char>(code >> 8U));
  payload.push_back(static_cast<char>(code & 0xFFU));
  return payload.append(reason);
}

}  // namespace trunkline::websocket
