// SHA-1, which the WebSocket handshake asks for as a checksum; it protects nothing. OpenSSL stays in the source file.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace trunkline {

std::array<std::uint8_t, 20> sha1(std::string_view bytes);

}  // namespace trunkline
