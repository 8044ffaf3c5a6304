#include "net/workers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

namespace trunkline::net {
namespace {

TEST(Workers, are_at_most_four) {
  std::mutex mutex;
  std::condition_variable changed;
  std::set<std::thread::id> threads;
  int running = 0;
  int most = 0;
  int done = 0;
  constexpr int works = 40;
  for (int i = 0; i < works; ++i) {
    run_on_worker([&] {
      std::unique_lock lock(mutex);
      threads.insert(std::this_thread::get_id());
      most = std::max(most, ++running);
      changed.notify_all();
      // The first four wait for each other, which shows that there are four.
      changed.wait_for(lock, std::chrono::seconds(20), [&] { return most == 4; });
      --running;
      ++done;
      changed.notify_all();
    });
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return done == works; });
  EXPECT_EQ(most, 4);
  EXPECT_EQ(threads.size(), 4u);
}

}  // namespace
}  // namespace trunkline::net
