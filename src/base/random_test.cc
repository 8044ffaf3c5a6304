#include "base/random.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <set>
#include <vector>

namespace trunkline {
namespace {

TEST(Random, gives_no_word_twice_over_many_pages) {
  std::set<std::uint32_t> words;
  for (int i = 0; i < 5000; ++i) words.insert(random_word());
  EXPECT_GT(words.size(), 4990U);  // 32 bits collide now and then
}

TEST(Random, fills_more_than_a_page_at_once) {
  std::vector<std::uint8_t> bytes(100'000);
  fill_random(bytes);
  std::array<int, 256> counts{};
  for (const std::uint8_t byte : bytes) ++counts[byte];
  for (const int count : counts) EXPECT_NEAR(count, 390, 150);
}

TEST(Random, a_forked_child_does_not_repeat_its_parents_bytes) {
  static_cast<void>(random_word());  // the page is there
  std::array<int, 2> pipe_ends{};
  ASSERT_EQ(pipe(pipe_ends.data()), 0);
  const pid_t child = fork();
  if (child == 0) {
    std::array<std::uint8_t, 16> bytes{};
    fill_random(bytes);
    _exit(write(pipe_ends[1], bytes.data(), bytes.size()) == 16 ? 0 : 1);
  }
  std::array<std::uint8_t, 16> ours{};
  std::array<std::uint8_t, 16> theirs{};
  fill_random(ours);
  ASSERT_EQ(read(pipe_ends[0], theirs.data(), theirs.size()), 16);
  EXPECT_NE(ours, theirs);
  int status = 0;
  waitpid(child, &status, 0);
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

}  // namespace
}  // namespace trunkline
