#include "net/workers.h"

#include <pthread.h>

#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>

#include "net/per_process.h"

namespace trunkline::net {
namespace {

constexpr int worker_limit = 4;

// Never stopped: what blocks cannot be interrupted, and a process must be able to exit meanwhile.
struct Workers {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Callback<void()>> waiting;
  int threads = 0;
  int idle = 0;

  void run(Callback<void()> work);
  void serve();
};

bool start_thread(Workers& workers) {
  sigset_t every, before;  // inherited: signals are handled on the program's threads
  sigfillset(&every);
  pthread_sigmask(SIG_SETMASK, &every, &before);
  bool started = true;
  try {
    std::thread([&workers] { workers.serve(); }).detach();
  } catch (const std::system_error&) {
    started = false;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return started;
}

void Workers::run(Callback<void()> work) {
  std::unique_lock lock(mutex);
  waiting.push_back(std::move(work));
  if (idle < static_cast<int>(waiting.size()) && threads < worker_limit && start_thread(*this)) ++threads;
  if (threads > 0) {
    lock.unlock();
    changed.notify_one();
    return;
  }
  // The machine gives us no thread at all: late is better than never.
  Callback<void()> own = std::move(waiting.back());
  waiting.pop_back();
  lock.unlock();
  own();
}

void Workers::serve() {
  pthread_setname_np(pthread_self(), "trunkline-work");
  std::unique_lock lock(mutex);
  for (;;) {
    ++idle;
    changed.wait(lock, [this] { return !waiting.empty(); });
    --idle;
    Callback<void()> work = std::move(waiting.front());
    waiting.pop_front();
    lock.unlock();
    work();
    work.reset();
    lock.lock();
  }
}

}  // namespace

void run_on_worker(Callback<void()> work) { per_process<Workers>().run(std::move(work)); }

}  // namespace trunkline::net
