// The main thread's queue of things to do: loop threads post here, so that everything else of a run is single-threaded.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include <trunkline/callback.hpp>

namespace trunkline::cli {

class Inbox {
 public:
  using Clock = std::chrono::steady_clock;

  void post(Callback<void()> task) {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    arrived_.notify_one();  // under the lock: the task may be the last one, and the inbox gone right after it
  }

  // Runs one task; waits for it at most until then. False: none came.
  bool run_one(std::optional<Clock::time_point> until = std::nullopt) {
    std::unique_lock lock(mutex_);
    const auto something = [this] { return !tasks_.empty(); };
    if (until) {
      if (!arrived_.wait_until(lock, *until, something)) return false;
    } else {
      arrived_.wait(lock, something);
    }
    Callback<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Callback<void()>> tasks_;
};

}  // namespace trunkline::cli
