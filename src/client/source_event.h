// How a body source that said "later" wakes the thread of a blocking call: a descriptor that the thread polls, or, once
// a loop drives the connection, a task of that loop. Shared with the source, which may speak long after the call ended.
#pragma once

#include <mutex>

#include <trunkline/callback.hpp>

#include "net/descriptors.h"

namespace trunkline {

class SourceEvent {
 public:
  SourceEvent();
  ~SourceEvent();
  SourceEvent(const SourceEvent&) = delete;
  SourceEvent& operator=(const SourceEvent&) = delete;

  int fd() const { return fd_; }  // negative: the process has no descriptor left
  void wake();                    // from any thread
  void clear();                   // the polling thread has seen it
  // From now on wake() calls this instead; at once if it has been woken and nobody has seen it.
  void redirect(Callback<void()> to);

 private:
  const int fd_;
  const std::uint64_t generation_ = net::fork_generation();
  std::mutex mutex_;
  Callback<void()> to_;
  bool woken_ = false;
};

}  // namespace trunkline
