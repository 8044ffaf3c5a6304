// Signals as values: they wait in a queue until somebody asks, so that nothing is done in a signal handler.
#pragma once

#include <chrono>
#include <initializer_list>
#include <optional>

namespace trunkline::run {

class SignalQueue {
 public:
  // From now on these signals are kept from this thread and from all that it starts. Before there are others.
  explicit SignalQueue(std::initializer_list<int> signals);
  ~SignalQueue();
  SignalQueue(const SignalQueue&) = delete;
  SignalQueue& operator=(const SignalQueue&) = delete;

  // The next signal, or nothing when the time is over or wake() was called. No time: for ever.
  std::optional<int> wait(std::optional<std::chrono::microseconds> most);
  void wake();  // from any thread; counts for one wait()

 private:
  int signals_ = -1;
  int woken_ = -1;
};

}  // namespace trunkline::run
