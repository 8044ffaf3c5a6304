#include "net/descriptors.h"

#include <pthread.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>

namespace trunkline::net {
namespace {

// One bit per descriptor, in chunks made when first needed and never freed, so that the handler below may walk them at
// any moment without a lock. The kernel hands out the lowest free number: more than a million means a million open
// sockets, and those above are merely not closed in a child.
constexpr std::size_t word_bits = 64;
constexpr std::size_t chunk_words = 64;
constexpr std::size_t chunk_bits = word_bits * chunk_words;
constexpr std::size_t chunk_count = 256;

using Chunk = std::array<std::atomic<std::uint64_t>, chunk_words>;

constinit std::array<std::atomic<Chunk*>, chunk_count> chunks{};
constinit std::atomic<std::uint64_t> generation{0};

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

Chunk* chunk_of(std::size_t fd) {
  std::atomic<Chunk*>& slot = chunks[fd / chunk_bits];
  Chunk* chunk = slot.load(std::memory_order_acquire);
  if (chunk) return chunk;
  auto* fresh = new Chunk{};
  if (slot.compare_exchange_strong(chunk, fresh, std::memory_order_acq_rel)) return fresh;
  delete fresh;  // another thread was first
  return chunk;
}

bool in_range(int fd) { return fd >= 0 && static_cast<std::size_t>(fd) < chunk_bits * chunk_count; }

// Runs in the child of a process with threads: only what is async-signal-safe is allowed here.
void close_in_child() {
  for (std::size_t c = 0; c < chunk_count; ++c) {
    Chunk* chunk = chunks[c].load(std::memory_order_relaxed);
    if (!chunk) continue;
    for (std::size_t w = 0; w < chunk_words; ++w) {
      std::uint64_t bits = (*chunk)[w].exchange(0, std::memory_order_relaxed);
      for (; bits; bits &= bits - 1) {
        ::close(static_cast<int>(c * chunk_bits + w * word_bits + static_cast<std::size_t>(std::countr_zero(bits))));
      }
    }
  }
  generation.fetch_add(1, std::memory_order_relaxed);
}

// At load time, so that fork_generation() is one load: it is asked for every request.
[[maybe_unused]] const int registered = pthread_atfork(nullptr, nullptr, close_in_child);

}  // namespace

void note_descriptor(int fd) {
  if (!in_range(fd)) return;
  const auto n = static_cast<std::size_t>(fd);
  (*chunk_of(n))[n % chunk_bits / word_bits].fetch_or(std::uint64_t{1} << (n % word_bits), std::memory_order_relaxed);
}

void forget_descriptor(int fd) {
  if (!in_range(fd)) return;
  const auto n = static_cast<std::size_t>(fd);
  (*chunk_of(n))[n % chunk_bits / word_bits].fetch_and(~(std::uint64_t{1} << (n % word_bits)),
                                                       std::memory_order_relaxed);
}

std::uint64_t fork_generation() { return generation.load(std::memory_order_relaxed); }

}  // namespace trunkline::net
