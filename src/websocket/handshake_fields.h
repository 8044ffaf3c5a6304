// How the fields of a handshake are read, on both sides.
#pragma once

#include <string_view>

#include <trunkline/headers.hpp>

namespace trunkline::websocket {

// Cuts the part before `separator` off the front of `rest`; without spaces around it.
std::string_view next_part(std::string_view& rest, char separator);

// Is the token in the comma-separated list, over all fields of that name? Without case.
bool lists(const Headers& headers, std::string_view name, std::string_view token);

// 8 to 15, perhaps in quotes (RFC 7692 section 7.1.2); 0: it is none of these.
int window_bits(std::string_view text);

}  // namespace trunkline::websocket
