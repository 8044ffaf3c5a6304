// A reactor: one thread, one epoll set, one heap of timers. Sockets are registered once, edge-triggered, for their
// whole life, so that a request costs one write and one read, and watching an idle connection costs nothing.
//
// Why not Asio's reactor: docs/decisions/001-own-reactor.md has the figures.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <trunkline/callback.hpp>

#include "base/clock.h"

namespace trunkline::net {

// Buffers that live as long as a turn of the loop: a connection owns bytes only while a message is incomplete.
struct Scratch {
  static constexpr std::size_t size = 64 * 1024;
  std::unique_ptr<char[]> wire = std::make_unique_for_overwrite<char[]>(size);   // as received
  std::unique_ptr<char[]> plain = std::make_unique_for_overwrite<char[]>(size);  // decrypted
  std::unique_ptr<char[]> inner = std::make_unique_for_overwrite<char[]>(size);  // decrypted twice (TLS in TLS)
  static Scratch& of_this_thread();
};

enum Events : std::uint32_t { readable = 1, writable = 2, hung_up = 4 };  // hung_up: FIN or an error, read to see which

class Watcher {
 public:
  // On the loop's thread. May destroy the watcher only through Loop::retire.
  virtual void on_events(std::uint32_t events) = 0;

 protected:
  ~Watcher() = default;
};

// One point in time per timer. Moving it later is free: an early wake-up is put back without a callback.
class Timer {
 public:
  virtual void on_timer() = 0;
  bool armed() const { return when_ != never; }

 protected:
  virtual ~Timer() = default;  // virtual only because g++ warns about the friend

 private:
  friend class Loop;
  TimePoint when_ = never;       // what was asked for
  TimePoint scheduled_ = never;  // where it stands in the heap
  std::size_t index_ = npos;
  static constexpr std::size_t npos = static_cast<std::size_t>(-1);
};

class Loop {
 public:
  Loop();   // starts the thread; throws std::system_error when the machine has no descriptor or thread left
  ~Loop();  // stops it and joins; pending tasks are dropped
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  static Loop* current();  // the loop whose thread this is, or null
  bool on_this_thread() const { return current() == this; }

  // From any thread. Tasks run in order, on the loop's thread, never from inside the call. In a forked child, where the
  // thread does not exist, they are dropped.
  void post(Callback<void()> task);

  // A way to post that may outlive the loop, for what runs elsewhere and comes back late. What comes too late is
  // dropped.
  class Mailbox;
  Mailbox mailbox() const;

  // From any thread (epoll is thread-safe); the watcher must outlive its registration. An event may be in hand while
  // another thread calls disarm or remove: it is still delivered. With `writable` in the interest, it comes along with
  // every `readable` while the socket has room. hung_up is always reported.
  // add: false when the kernel refuses (errno), as at max_user_watches.
  bool add(int fd, Watcher& watcher, std::uint32_t interest = readable | writable);
  // No events, but one for a reset, while a blocking caller owns the socket.
  void disarm(int fd, Watcher& watcher);
  // Events again, or others; what happened meanwhile is reported.
  void arm(int fd, Watcher& watcher, std::uint32_t interest = readable | writable);
  void remove(int fd);

  // On the loop's thread only.
  TimePoint now() const { return now_; }  // of this turn
  // Later than before, or `never`: one store. `never` disarms; the timer may still be known to the heap.
  void set_timer(Timer& timer, TimePoint when) {
    timer.when_ = when;
    if (when < timer.scheduled_) schedule(timer);
  }
  void cancel_timer(Timer& timer);  // before the timer is destroyed
  // Runs after the events of this turn: the place to destroy a watcher, whose events may still be in hand.
  void retire(Callback<void()> task);

 private:
  struct State;
  void schedule(Timer& timer);

  std::shared_ptr<State> state_;  // shared with mailboxes
  TimePoint now_;
};

class Loop::Mailbox {
 public:
  void post(Callback<void()> task) const;

 private:
  friend class Loop;
  explicit Mailbox(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace trunkline::net
