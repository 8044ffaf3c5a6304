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
  ~Timer() = default;

 private:
  friend class Loop;
  TimePoint when_ = never;       // what was asked for
  TimePoint scheduled_ = never;  // where it stands in the heap
  std::size_t index_ = npos;
  static constexpr std::size_t npos = static_cast<std::size_t>(-1);
};

class Loop {
 public:
  Loop();   // starts the thread
  ~Loop();  // stops it and joins; pending tasks are dropped
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  static Loop* current();  // the loop whose thread this is, or null
  bool on_this_thread() const { return current() == this; }

  // From any thread. Tasks run in order, on the loop's thread, never from inside the call.
  void post(Callback<void()> task);

  // From any thread (epoll is thread-safe); the watcher must outlive its registration.
  void add(int fd, Watcher& watcher);     // armed
  void disarm(int fd, Watcher& watcher);  // no events, while a blocking caller owns the socket
  void arm(int fd, Watcher& watcher);     // events again; what happened meanwhile is reported
  void remove(int fd);

  // On the loop's thread only.
  TimePoint now() const { return now_; }  // of this turn
  void set_timer(Timer& timer, TimePoint when);
  void cancel_timer(Timer& timer);  // before the timer is destroyed
  // Runs after the events of this turn: the place to destroy a watcher, whose events may still be in hand.
  void retire(Callback<void()> task);

 private:
  struct State;
  std::unique_ptr<State> state_;
  TimePoint now_;
};

}  // namespace trunkline::net
