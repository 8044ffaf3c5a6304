// One thread for what would hold up a server's loop, with a short queue in front of it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>

#include <trunkline/callback.hpp>

namespace trunkline::console {

class Workshop {
 public:
  explicit Workshop(std::size_t most_waiting = 4);
  ~Workshop();  // what still waits is dropped, unfinished
  Workshop(const Workshop&) = delete;
  Workshop& operator=(const Workshop&) = delete;

  bool take(Callback<void()> work);  // false: too much waits already
  void stop();                       // waits for what is under way

 private:
  void run();

  const std::size_t most_waiting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Callback<void()>> waiting_;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace trunkline::console
