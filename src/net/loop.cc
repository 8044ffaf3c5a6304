#include "net/loop.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <system_error>

#include "base/per_thread.h"
#include "net/descriptors.h"

namespace trunkline::net {
namespace {

constexpr int events_per_turn = 256;
constexpr std::size_t kept_task_capacity = 1024;
// epoll's timeout does not count while the machine is suspended, but Clock does: a timer that became due meanwhile is
// at most this late.
constexpr Clock::duration longest_sleep = std::chrono::seconds(30);

thread_local Loop* current_loop = nullptr;

std::uint32_t events_for(std::uint32_t interest) {
  std::uint32_t epoll = EPOLLET | EPOLLRDHUP;
  if (interest & readable) epoll |= EPOLLIN;
  if (interest & writable) epoll |= EPOLLOUT;
  return epoll;
}

std::uint32_t events_of(std::uint32_t epoll) {
  const bool broken = epoll & (EPOLLHUP | EPOLLERR);
  std::uint32_t events = 0;
  if ((epoll & (EPOLLIN | EPOLLRDHUP)) || broken) events |= readable;
  if ((epoll & EPOLLOUT) || broken) events |= writable;
  if ((epoll & EPOLLRDHUP) || broken) events |= hung_up;
  return events;
}

int checked(int fd, const char* what) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), what);
  note_descriptor(fd);
  return fd;
}

void close_noted(int fd) {
  forget_descriptor(fd);
  ::close(fd);
}

bool control(int epoll_fd, int operation, int fd, std::uint32_t events, Watcher* watcher) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = watcher;
  return ::epoll_ctl(epoll_fd, operation, fd, &event) == 0;
}

}  // namespace

Scratch& Scratch::of_this_thread() { return per_thread<Scratch, Scratch>(); }

struct Loop::State : std::enable_shared_from_this<Loop::State> {
  explicit State(Loop& loop);
  ~State();

  void start();
  void post(Callback<void()> task);
  void wake();
  void run();
  void run_turn();
  void run_tasks();
  void run_timers();
  void run_retired();
  int sleep_ms() const;
  bool alive() const { return generation == fork_generation(); }

  // Timers, earliest first: a heap in which every entry has four children, so that a move touches few cache lines.
  struct Entry {
    TimePoint when;
    Timer* timer;
  };
  void place(std::size_t index, Entry entry) {
    heap[index] = entry;
    entry.timer->index_ = index;
  }
  void sift_up(std::size_t index, Entry entry);
  void sift_down(std::size_t index, Entry entry);
  void schedule(Timer& timer);
  void unschedule(Timer& timer);

  const std::uint64_t generation = fork_generation();
  int epoll_fd = -1;
  int event_fd = -1;
  std::thread thread;

  std::mutex mutex;
  std::vector<Callback<void()>> queue;  // under the mutex
  // A poster sets has_tasks and then looks at asleep; the loop sets asleep and then looks at has_tasks. At least one of
  // them sees the other, so the eventfd is written only for a loop that sleeps.
  std::atomic<bool> has_tasks{false};
  std::atomic<bool> asleep{false};
  std::atomic<bool> stopped{false};

  // The rest belongs to the loop's thread. A callback may destroy the Loop: after each, `stopped` is looked at first.
  Loop& loop;
  std::vector<Callback<void()>> running;
  std::vector<Callback<void()>> retired;
  std::vector<Callback<void()>> retiring;
  std::vector<Entry> heap;
};

Loop::State::State(Loop& owner) : loop(owner) {
  epoll_fd = checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  try {
    event_fd = checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
  } catch (...) {
    close_noted(epoll_fd);
    throw;
  }
  // Edge-triggered, each write is an event: it need not be read, ever.
  control(epoll_fd, EPOLL_CTL_ADD, event_fd, EPOLLIN | EPOLLET, nullptr);
}

Loop::State::~State() {
  if (!alive()) return;  // the numbers were closed at the fork and may be others' by now
  close_noted(event_fd);
  close_noted(epoll_fd);
}

void Loop::State::start() {
  // The thread inherits the mask: the program's signals are handled on the program's threads.
  sigset_t every, before;
  sigfillset(&every);
  pthread_sigmask(SIG_SETMASK, &every, &before);
  try {
    thread = std::thread([state = shared_from_this()] { state->run(); });
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Loop::State::post(Callback<void()> task) {
  if (!alive()) return;
  // Outside the lock the task may be running already, and it may destroy the Loop.
  std::shared_ptr<State> sleeper;
  {
    std::lock_guard lock(mutex);
    if (stopped.load(std::memory_order_relaxed)) return;
    queue.push_back(std::move(task));
    has_tasks.store(true);
    if (asleep.load() && asleep.exchange(false)) sleeper = shared_from_this();
  }
  if (sleeper) sleeper->wake();
}

void Loop::State::wake() {
  const std::uint64_t one = 1;
  // Can only fail when the counter is full, and then the loop has been woken 2^64 times.
  [[maybe_unused]] const auto ignored = ::write(event_fd, &one, sizeof one);
}

void Loop::State::run() {
  pthread_setname_np(pthread_self(), "trunkline-loop");
  // glibc puts two locked instructions around each system call that pthread_cancel could interrupt, to let it; with
  // these two it leaves them out. Nobody cancels this thread.
  int before = 0;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &before);
  current_loop = &loop;
  while (!stopped.load(std::memory_order_relaxed)) run_turn();

  // Dropped here rather than in ~Loop, so that what tasks hold dies on the thread that it lived on.
  std::vector<Callback<void()>> dropped;
  {
    std::lock_guard lock(mutex);
    dropped.swap(queue);
  }
  dropped.clear();
  running.clear();
  for (; !retired.empty(); dropped.clear()) {
    dropped.swap(retired);
    if (!current_loop) continue;  // the Loop was destroyed by one of its own callbacks: nothing may be called any more
    for (Callback<void()>& task : dropped) task();
  }
  current_loop = nullptr;
}

void Loop::State::run_turn() {
  epoll_event events[events_per_turn];
  asleep.store(true);
  const int timeout = has_tasks.load() ? 0 : sleep_ms();
  const int count = ::epoll_wait(epoll_fd, events, events_per_turn, timeout);
  asleep.store(false, std::memory_order_relaxed);
  loop.now_ = Clock::now();
  for (int i = 0; i < count; ++i) {
    auto* watcher = static_cast<Watcher*>(events[i].data.ptr);
    if (!watcher) continue;
    watcher->on_events(events_of(events[i].events));
    if (stopped.load(std::memory_order_relaxed)) return;
  }
  if (has_tasks.load(std::memory_order_acquire)) run_tasks();
  if (!heap.empty() && !stopped.load(std::memory_order_relaxed)) run_timers();
  if (!retired.empty() && !stopped.load(std::memory_order_relaxed)) run_retired();
}

int Loop::State::sleep_ms() const {
  if (heap.empty()) return -1;
  const Clock::duration rest = std::min(heap.front().when - loop.now_, longest_sleep);
  if (rest <= Clock::duration::zero()) return 0;
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(rest).count());
}

void Loop::State::run_tasks() {
  {
    std::lock_guard lock(mutex);
    running.swap(queue);
    has_tasks.store(false, std::memory_order_relaxed);
  }
  loop.now_ = Clock::now();  // not before the moment at which the tasks were posted
  for (Callback<void()>& task : running) {
    task();
    task.reset();
    if (stopped.load(std::memory_order_relaxed)) return;
  }
  running.clear();
  if (running.capacity() > kept_task_capacity)
    std::vector<Callback<void()>>().swap(running);  // one burst does not keep its memory for ever
}

void Loop::State::run_timers() {
  // A timer that sets itself to "now" again waits for the next turn, so that sockets get theirs.
  std::size_t left = heap.size();
  while (left > 0 && !heap.empty() && heap.front().when <= loop.now_) {
    Timer& timer = *heap.front().timer;
    if (timer.when_ > timer.scheduled_ && timer.when_ != never) {  // it was moved later in the meantime
      timer.scheduled_ = timer.when_;
      sift_down(0, {timer.when_, &timer});
      continue;
    }
    const bool wanted = timer.when_ != never;
    unschedule(timer);
    timer.when_ = never;
    --left;
    if (!wanted) continue;
    timer.on_timer();
    if (stopped.load(std::memory_order_relaxed)) return;
  }
}

void Loop::State::run_retired() {
  retiring.swap(retired);  // what these retire in turn is for the next turn, unless nothing else would cause one
  for (Callback<void()>& task : retiring) {
    task();
    task.reset();
    if (stopped.load(std::memory_order_relaxed)) return;
  }
  retiring.clear();
  if (!retired.empty()) has_tasks.store(true);
}

void Loop::State::sift_up(std::size_t index, Entry entry) {
  while (index > 0) {
    const std::size_t parent = (index - 1) / 4;
    if (heap[parent].when <= entry.when) break;
    place(index, heap[parent]);
    index = parent;
  }
  place(index, entry);
}

void Loop::State::sift_down(std::size_t index, Entry entry) {
  for (;;) {
    const std::size_t first = 4 * index + 1;
    if (first >= heap.size()) break;
    std::size_t least = first;
    for (std::size_t child = first + 1; child < std::min(first + 4, heap.size()); ++child) {
      if (heap[child].when < heap[least].when) least = child;
    }
    if (entry.when <= heap[least].when) break;
    place(index, heap[least]);
    index = least;
  }
  place(index, entry);
}

void Loop::State::schedule(Timer& timer) {
  if (timer.index_ == Timer::npos) {
    timer.index_ = heap.size();
    heap.emplace_back();
  }
  timer.scheduled_ = timer.when_;
  sift_up(timer.index_, {timer.when_, &timer});
}

void Loop::State::unschedule(Timer& timer) {
  const std::size_t index = timer.index_;
  timer.index_ = Timer::npos;
  timer.scheduled_ = never;
  const Entry last = heap.back();
  heap.pop_back();
  if (index == heap.size()) return;  // it was the last itself
  if (index > 0 && last.when < heap[(index - 1) / 4].when) {
    sift_up(index, last);
  } else {
    sift_down(index, last);
  }
}

Loop::Loop() : state_(std::make_shared<State>(*this)), now_(Clock::now()) { state_->start(); }

Loop::~Loop() {
  if (!state_->alive()) {
    // In a forked child: neither the thread nor the holder of any lock exists. Nothing can be destroyed safely.
    union Leaked {
      std::shared_ptr<State> state;
      ~Leaked() {}
    };
    [[maybe_unused]] Leaked leaked{std::move(state_)};
    return;
  }
  {
    std::lock_guard lock(state_->mutex);
    state_->stopped.store(true);
  }
  if (on_this_thread()) {
    current_loop = nullptr;
    state_->thread.detach();  // it leaves its turn without looking at this object again
    return;
  }
  state_->wake();
  state_->thread.join();
}

Loop* Loop::current() { return current_loop; }

void Loop::post(Callback<void()> task) { state_->post(std::move(task)); }

Loop::Mailbox Loop::mailbox() const { return Mailbox(state_); }

void Loop::Mailbox::post(Callback<void()> task) const { state_->post(std::move(task)); }

bool Loop::add(int fd, Watcher& watcher, std::uint32_t interest) {
  return state_->alive() && control(state_->epoll_fd, EPOLL_CTL_ADD, fd, events_for(interest), &watcher);
}

void Loop::disarm(int fd, Watcher& watcher) {
  if (state_->alive()) control(state_->epoll_fd, EPOLL_CTL_MOD, fd, EPOLLET | EPOLLONESHOT, &watcher);
}

void Loop::arm(int fd, Watcher& watcher, std::uint32_t interest) {
  if (state_->alive()) control(state_->epoll_fd, EPOLL_CTL_MOD, fd, events_for(interest), &watcher);
}

void Loop::remove(int fd) {
  if (state_->alive()) control(state_->epoll_fd, EPOLL_CTL_DEL, fd, 0, nullptr);
}

void Loop::schedule(Timer& timer) { state_->schedule(timer); }

void Loop::cancel_timer(Timer& timer) {
  timer.when_ = never;
  if (timer.index_ != Timer::npos) state_->unschedule(timer);
}

void Loop::retire(Callback<void()> task) { state_->retired.push_back(std::move(task)); }

}  // namespace trunkline::net
