#include "http2/memory.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

#include "base/kept_blocks.h"
#include "base/sanitized.h"

namespace trunkline::http2 {

namespace {

// Stands before each block.
struct alignas(std::max_align_t) Head {
  std::size_t size;
};

void* take(std::size_t size, void*) {
  if (size > SIZE_MAX - sizeof(Head)) return nullptr;
  void* const block = KeptBlocks::take(sizeof(Head) + size);
  return block == nullptr ? nullptr : new (block) Head{size} + 1;
}

void give(void* block, void*) {
  if (block == nullptr) return;
  Head* const head = static_cast<Head*>(block) - 1;
  KeptBlocks::give(head, sizeof(Head) + head->size);
}

void* take_zeroed(std::size_t count, std::size_t size, void*) {
  if (size != 0 && count > SIZE_MAX / size) return nullptr;
  void* const block = take(count * size, nullptr);
  if (block != nullptr) std::memset(block, 0, count * size);
  return block;
}

void* take_anew(void* block, std::size_t size, void*) {
  if (block == nullptr) return take(size, nullptr);
  const std::size_t before = (static_cast<Head*>(block) - 1)->size;
  void* const other = take(size, nullptr);
  if (other == nullptr) return nullptr;
  std::memcpy(other, block, std::min(before, size));
  give(block, nullptr);
  return other;
}

}  // namespace

nghttp2_mem* recycled_memory() {
  static nghttp2_mem memory{nullptr, take, give, take_zeroed, take_anew};
  return sanitized ? nullptr : &memory;
}

}  // namespace trunkline::http2
