// Small blocks of memory that come and go with every request, kept by size by the thread that freed them: a dozen
// instructions instead of the general allocator's hundred and more, whose fast path holds seven blocks of a size.
#pragma once

#include <array>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <utility>

#include "base/per_thread.h"

namespace trunkline {

class KeptBlocks {
 public:
  // Of at least `size` bytes, aligned as malloc aligns; null: there is no memory. A block may be given back elsewhere
  // than it was taken, with the same size.
  static void* take(std::size_t size) {
    if (size <= largest && kept) {
      List& list = list_for(size);
      if (Link* const block = list.first; block != nullptr) {
        list.first = block->next;
        --list.count;
        return block;
      }
    }
    return std::malloc(room_for(size));
  }
  static void give(void* block, std::size_t size) {
    if (size <= largest && kept) {
      List& list = list_for(size);
      if (list.count < most) {
        ++list.count;
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
  static constexpr std::size_t most = 512;  // of each size, in a thread
  struct Link {
    Link* next;
  };
  struct List {
    Link* first = nullptr;
    std::size_t count = 0;
  };
  struct Lists {
    std::array<List, largest / step> of_size{};
    ~Lists() {
      for (const List& list : of_size) {
        for (Link* each = list.first; each != nullptr;) std::free(std::exchange(each, each->next));
      }
    }
  };
  static std::size_t class_of(std::size_t size) { return size == 0 ? 0 : (size - 1) / step; }
  static List& list_for(std::size_t size) { return per_thread<Lists, Lists>().of_size[class_of(size)]; }

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  static constexpr bool kept = false;  // sanitizers see every block come and go
#else
  static constexpr bool kept = true;
#endif
};

}  // namespace trunkline
