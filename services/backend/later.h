// One thread that does things at their time, the earliest first: answers that are delayed, and work that costs CPU. So
// no handler blocks its loop, and a backend has the capacity of one busy thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include <trunkline/callback.hpp>

#include "base/clock.h"

namespace trunkline::backend {

class Later {
 public:
  explicit Later(std::size_t most) : most_(most), thread_([this] { run(); }) {}
  ~Later() { stop(); }
  Later(const Later&) = delete;
  Later& operator=(const Later&) = delete;

  // Tasks of one moment are done in the order in which they came. False: too many wait already, or it has stopped; the
  // task is dropped.
  bool at(TimePoint when, Callback<void()> task);
  // From now on nothing waits for its time any more: what is left is done at once.
  void hurry();
  // What has not begun is dropped.
  void stop();

  std::size_t waiting() const;

 private:
  using Place = std::pair<TimePoint, std::uint64_t>;

  void run();

  const std::size_t most_;
  mutable std::mutex mutex_;  // what follows
  std::condition_variable changed_;
  std::map<Place, Callback<void()>> tasks_;
  std::uint64_t next_ = 0;
  bool hurried_ = false;
  bool stopped_ = false;
  std::thread thread_;  // last: it uses the rest
};

// Keeps the calling thread busy until it has used so much CPU time.
void burn(Clock::duration cpu);

}  // namespace trunkline::backend
