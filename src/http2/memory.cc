#include "http2/memory.h"

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/per_thread.h"

namespace trunkline::http2 {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

nghttp2_mem* recycled_memory() { return nullptr; }

#else

namespace {

constexpr std::size_t step = 64;
constexpr std::size_t classes = 16;  // blocks of up to 1 KiB are kept
constexpr std::size_t most_kept = 512;

// Stands before each block.
struct alignas(std::max_align_t) Head {
  std::size_t size_class;  // `classes`: not kept
  union {
    std::size_t size;  // in use
    Head* next;        // kept
  };
};

struct Blocks {
  std::array<Head*, classes> first{};
  std::array<std::size_t, classes> count{};
  ~Blocks() {
    for (Head* each : first) {
      while (each != nullptr) std::free(std::exchange(each, each->next));
    }
  }
};

Blocks& blocks() { return per_thread<Blocks, Blocks>(); }

void* take(std::size_t size, void*) {
  const std::size_t size_class = size == 0 ? 0 : (size - 1) / step;
  if (size_class < classes) {
    Blocks& all = blocks();
    if (Head* const head = all.first[size_class]; head != nullptr) {
      all.first[size_class] = head->next;
      --all.count[size_class];
      head->size = size;
      return head + 1;
    }
  }
  const std::size_t whole = size_class < classes ? (size_class + 1) * step : size;
  if (whole > SIZE_MAX - sizeof(Head)) return nullptr;
  auto* const head = static_cast<Head*>(std::malloc(sizeof(Head) + whole));
  if (head == nullptr) return nullptr;
  head->size_class = size_class < classes ? size_class : classes;
  head->size = size;
  return head + 1;
}

void give(void* block, void*) {
  if (block == nullptr) return;
  Head* const head = static_cast<Head*>(block) - 1;
  const std::size_t size_class = head->size_class;
  if (size_class < classes) {
    Blocks& all = blocks();
    if (all.count[size_class] < most_kept) {
      ++all.count[size_class];
      head->next = std::exchange(all.first[size_class], head);
      return;
    }
  }
  std::free(head);
}

void* take_zeroed(std::size_t count, std::size_t size, void*) {
  if (size != 0 && count > SIZE_MAX / size) return nullptr;
  void* const block = take(count * size, nullptr);
  if (block != nullptr) std::memset(block, 0, count * size);
  return block;
}

void* take_anew(void* block, std::size_t size, void*) {
  if (block == nullptr) return take(size, nullptr);
  Head* const head = static_cast<Head*>(block) - 1;
  if (head->size_class < classes && size <= (head->size_class + 1) * step) {
    head->size = size;
    return block;
  }
  void* const other = take(size, nullptr);
  if (other == nullptr) return nullptr;
  std::memcpy(other, block, head->size < size ? head->size : size);
  give(block, nullptr);
  return other;
}

}  // namespace

nghttp2_mem* recycled_memory() {
  static nghttp2_mem memory{nullptr, take, give, take_zeroed, take_anew};
  return &memory;
}

#endif

}  // namespace trunkline::http2
