// State that the whole process shares and that a forked child makes anew: in the child, its locks may be held by
// threads that do not exist there. Never destroyed, because detached threads may use it while the process exits.
#pragma once

#include <atomic>

#include "net/descriptors.h"

namespace trunkline::net {

template <class T>
T& per_process() {
  struct Slot {
    std::uint64_t generation;
    T value;
  };
  static constinit std::atomic<Slot*> current{nullptr};
  const std::uint64_t generation = fork_generation();
  Slot* slot = current.load(std::memory_order_acquire);
  if (slot && slot->generation == generation) return slot->value;
  auto* fresh = new Slot{generation, {}};
  if (current.compare_exchange_strong(slot, fresh, std::memory_order_acq_rel)) return fresh->value;
  delete fresh;  // another thread was first
  return slot->value;
}

}  // namespace trunkline::net
