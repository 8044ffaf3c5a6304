#include "services/console/workshop.h"

#include <utility>

namespace trunkline::console {

Workshop::Workshop(std::size_t most_waiting) : most_waiting_(most_waiting), thread_([this] { run(); }) {}

Workshop::~Workshop() { stop(); }

bool Workshop::take(Callback<void()> work) {
  const std::lock_guard lock(mutex_);
  if (stopped_ || waiting_.size() >= most_waiting_) return false;
  waiting_.push_back(std::move(work));
  changed_.notify_one();
  return true;
}

void Workshop::stop() {
  std::deque<Callback<void()>> dropped;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    dropped.swap(waiting_);
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Workshop::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopped_ || !waiting_.empty(); });
    if (stopped_) return;
    Callback<void()> work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    work();
    work.reset();
    lock.lock();
  }
}

}  // namespace trunkline::console
