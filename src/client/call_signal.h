// How a loop wakes the thread that a call blocks: by a word that the thread sleeps on.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/futex.h"

namespace trunkline {

enum : std::uint32_t { signal_waiting = 0, signal_granted = 1, signal_failed = 2, signal_done = 3 };

inline void set_and_wake(std::atomic<std::uint32_t>& word, std::uint32_t value) {
  word.store(value, std::memory_order_release);
  futex_wake_one(word);
}

}  // namespace trunkline
