#include "services/backend/later.h"

namespace trunkline::backend {

bool Later::at(TimePoint when, Callback<void()> task) {
  const std::lock_guard lock(mutex_);
  if (stopped_ || tasks_.size() >= most_) return false;
  tasks_.emplace(Place{when, next_++}, std::move(task));
  changed_.notify_one();
  return true;
}

void Later::hurry() {
  const std::lock_guard lock(mutex_);
  hurried_ = true;
  changed_.notify_one();
}

void Later::stop() {
  std::map<Place, Callback<void()>> dropped;  // destroyed without the lock: tasks own what is not ours
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    dropped.swap(tasks_);
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

std::size_t Later::waiting() const {
  const std::lock_guard lock(mutex_);
  return tasks_.size();
}

void Later::run() {
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    if (tasks_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const TimePoint due = tasks_.begin()->first.first;
    if (!hurried_ && Clock::now() < due) {
      changed_.wait_until(lock, due);
      continue;
    }
    auto first = tasks_.extract(tasks_.begin());
    lock.unlock();
    first.mapped()();
    first = {};
    lock.lock();
  }
}

namespace {

Clock::duration cpu_used() {
  timespec ts{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
  return std::chrono::seconds(ts.tv_sec) + std::chrono::nanoseconds(ts.tv_nsec);
}

}  // namespace

void burn(Clock::duration cpu) {
  const Clock::duration end = cpu_used() + cpu;
  while (cpu_used() < end) {
  }
}

}  // namespace trunkline::backend
