// Keeps the events of one request, and tells them to a listener while they happen.
#pragma once

#include <mutex>
#include <utility>
#include <vector>

#include <trunkline/callback.hpp>
#include <trunkline/trace.hpp>

namespace trunkline::cli {

class Recorder : public Tracer {
 public:
  // The listener is called under a lock, on whichever thread does the work; it must be quick.
  explicit Recorder(Callback<void(const TraceEvent&)> listener) : listener_(std::move(listener)) {}

  void on_event(const TraceEvent& event) override {
    const std::lock_guard lock(mutex_);
    retries_ += event.kind == TraceEvent::retry;
    redirects_ += event.kind == TraceEvent::redirect;
    if (events_.size() < limit) events_.push_back(event);
    if (listener_) listener_(event);
  }

  std::vector<TraceEvent> events() const {
    const std::lock_guard lock(mutex_);
    return events_;
  }
  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return events_.size();
  }
  // Of all events, also of those that were too many to keep.
  int retries() const {
    const std::lock_guard lock(mutex_);
    return retries_;
  }
  int redirects() const {
    const std::lock_guard lock(mutex_);
    return redirects_;
  }

 private:
  static constexpr std::size_t limit = 1000;  // a peer decides how many 1xx it sends

  mutable std::mutex mutex_;
  std::vector<TraceEvent> events_;
  int retries_ = 0;
  int redirects_ = 0;
  Callback<void(const TraceEvent&)> listener_;
};

}  // namespace trunkline::cli
