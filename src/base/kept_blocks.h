// Small blocks of memory that come and go with every request, kept by size by the thread that freed them: a dozen
// instructions instead of the general allocator's hundred and more, whose fast path holds seven blocks of a size.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <utility>

#include "base/per_thread.h"
#include "base/sanitized.h"

namespace trunkline {

class KeptBlocks {
 public:
  // Of at least `size` bytes, aligned as malloc aligns; null: there is no memory. A block may be given back elsewhere
  // than it was taken, with the same size.
  static void* take(std::size_t size) {
    if (Lists* const lists = lists_for(size); lists != nullptr) {
      List& list = lists->of_size[class_of(size)];
      if (Link* const block = list.first; block != nullptr) {
        list.first = block->next;
        ++list.room;
        return block;
      }
    }
    return std::malloc(room_for(size));
  }
  static void give(void* block, std::size_t size) {
    if (Lists* const lists = lists_for(size); lists != nullptr) {
      List& list = lists->of_size[class_of(size)];
      if (list.room > 0) {
        --list.room;
        list.first = new (block) Link{list.first};
        return;
      }
    }
    std::free(block);
  }
  // How much fits into a block that was taken for `size`.
  static std::size_t room_for(std::size_t size) { return size <= largest ? (class_of(size) + 1) * step : size; }

 private:
  static constexpr std::size_t step = 64;
  static constexpr std::size_t largest = 1024;
  static constexpr std::size_t most_blocks = 512;        // of each size, in a thread
  static constexpr std::size_t most_bytes = 128 * 1024;  // of each size, in a thread: 2 MiB in all
  struct Link {
    Link* next;
  };
  struct List {
    Link* first = nullptr;
    std::size_t room = 0;  // for so many more
  };
  struct Lists {
    std::array<List, largest / step> of_size{};
    Lists() {
      for (std::size_t i = 0; i < of_size.size(); ++i) {
        of_size[i].room = std::min(most_blocks, most_bytes / ((i + 1) * step));
      }
    }
    Lists(const Lists&) = delete;
    Lists& operator=(const Lists&) = delete;
    ~Lists() {
      for (const List& list : of_size) {
        for (Link* each = list.first; each != nullptr;) std::free(std::exchange(each, each->next));
      }
    }
  };
  static std::size_t class_of(std::size_t size) { return size == 0 ? 0 : (size - 1) / step; }
  // Null: it is not kept, or this thread's objects are gone already.
  static Lists* lists_for(std::size_t size) {
    return size <= largest && !sanitized ? PerThread<Lists, Lists>::get_if_alive() : nullptr;
  }
};

}  // namespace trunkline
