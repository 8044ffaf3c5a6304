#include "base/kept_blocks.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include <trunkline/headers.hpp>

namespace trunkline {
namespace {

TEST(KeptBlocks, hold_what_was_asked_for_whatever_was_given_back_before) {
  std::vector<std::pair<void*, std::size_t>> blocks;
  for (int round = 0; round < 3; ++round) {
    std::set<void*> distinct;
    for (std::size_t size = 0; size < 2'000; size += 7) {
      void* const block = KeptBlocks::take(size);
      ASSERT_NE(block, nullptr);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % alignof(std::max_align_t), 0U);
      EXPECT_GE(KeptBlocks::room_for(size), size);
      std::memset(block, round, KeptBlocks::room_for(size));  // AddressSanitizer looks on
      EXPECT_TRUE(distinct.insert(block).second) << "given out twice";
      blocks.emplace_back(block, size);
    }
    for (const auto& [block, size] : blocks) KeptBlocks::give(block, size);
    blocks.clear();
  }
}

TEST(KeptBlocks, may_be_given_back_by_a_thread_that_ends_and_more_than_are_kept) {
  const Headers one{{"Content-Type", "text/plain"}, {"Via", "1.1 here"}};
  for (int round = 0; round < 2; ++round) {
    std::vector<Headers> many(5'000, one);
    for (const Headers& each : many) ASSERT_EQ(each.get("via"), "1.1 here");
    std::thread([&] { many.clear(); }).join();
  }
}

}  // namespace
}  // namespace trunkline
