#include "base/lock.h"

#include <gtest/gtest.h>

#include <mutex>
#include <thread>
#include <vector>

namespace trunkline {
namespace {

TEST(Lock, lets_one_in_at_a_time_and_wakes_those_who_wait) {
  Lock lock;
  long counted = 0;  // guarded
  constexpr int threads = 8;
  constexpr int rounds = 20'000;
  std::vector<std::thread> all;
  for (int i = 0; i < threads; ++i) {
    all.emplace_back([&] {
      for (int round = 0; round < rounds; ++round) {
        std::lock_guard guard(lock);
        ++counted;
        if (round % 1000 == 0) std::this_thread::yield();  // the others run into it
      }
    });
  }
  for (auto& thread : all) thread.join();
  EXPECT_EQ(counted, long{threads} * rounds);
}

}  // namespace
}  // namespace trunkline
