// Sleeping until a word changes. std::atomic::wait of libstdc++ 12 spins first, which costs up to twice the CPU.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace trunkline {

// Until somebody wakes the word, or `until`, or for no reason; at once when the word is not `value`.
void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t value, TimePoint until);
void futex_wake_one(std::atomic<std::uint32_t>& word);

}  // namespace trunkline
