// Unpredictable bytes from the kernel, fetched by the page: a WebSocket needs four of them for every frame.
#pragma once

#include <cstdint>
#include <span>

namespace trunkline {

// Never given out twice, in a forked child neither.
void fill_random(std::span<std::uint8_t> bytes);
std::uint32_t random_word();

}  // namespace trunkline
