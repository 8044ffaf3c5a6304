// IP addresses as text. One reading only: what some programs read differently is refused.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace trunkline {

// Four decimal numbers up to 255 without leading zeros: the only way of writing IPv4 that everybody reads alike.
bool parse_ipv4(std::string_view text, std::uint32_t& address);

using Ipv6Groups = std::array<std::uint16_t, 8>;

// RFC 4291 section 2.2, without brackets and zone.
bool parse_ipv6(std::string_view text, Ipv6Groups& groups);

}  // namespace trunkline
