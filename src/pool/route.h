// The decisions for one socket key: who gets which connection, when to dial, what to close. Pure: no I/O, no lock, the
// clock a parameter. It returns what is to be done; pool.h does the locking and has it done.
//
// The rules, each a test in route_test.cc and a law in simulation_test.cc:
//   - an idle connection before a dial, the most recently used first;
//   - waiters are served first in, first out, by whichever comes first, a dial or a connection that comes back;
//   - never more dials under way than waiters, and few while the route has not proved itself: 1, 2, 4, 8, ...;
//   - one failed dial fails one waiter, then dials pause; five in a row with nothing open mean that the route is down;
//   - dials belong to the route: a waiter that leaves leaves its dial to the others.
// Where connections are shared (route_sharing.cc, route_sharing_test.cc):
//   - one dial while it is not known whether the peer shares; if it does not, all of the above is true again;
//   - never more requests on a connection than its peer permits at the moment, the least loaded of two first;
//   - no more connections than needed: one more at a time, when somebody has waited in vain and no SETTINGS may come;
//   - what retires finishes what it carries and takes nothing more.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include <trunkline/error.hpp>
#include <trunkline/options.hpp>
#include <trunkline/stats.hpp>

#include "base/clock.h"
#include "base/lock.h"
#include "pool/budget.h"
#include "pool/entry.h"
#include "pool/idle_limit.h"
#include "pool/latency.h"

namespace trunkline::pool {

class Pool;

// Whether a route's connections carry several requests at once.
enum class Sharing : unsigned char {
  never,    // HTTP/1.1
  unknown,  // ALPN decides with each dial
  always,   // HTTP/2
};

// What a dial needs to know of the request that caused it; the request may be gone when it is carried out.
struct DialOrder {
  DialReason reason = DialReason::first;
  TimePoint started{};
  std::uint32_t generation = 0;
  // How many requests a shared connection may carry before its peer's SETTINGS: what they said when last heard, or 1.
  std::uint32_t expected_capacity = 1;
  PoolLimits limits;
  Timeouts timeouts;
};

// What the performer needs to know of a route in order to act for it. The pool only carries it.
class Attachment {
 public:
  virtual ~Attachment() = default;
};

// Something to be done once the route's lock is released.
struct Action {
  enum Kind : unsigned char {
    grant,    // give `entry` to `waiter`
    fail,     // tell `waiter` that no connection came: `code`, and `error` where a dial's failure says why
    dial,     // by `order`
    close,    // `entry`, which is draining
    look,     // something happened on `entry` while it was busy: examine it, it is marked so
    wake,     // call Pool::tick for this route at `when`
    relieve,  // the process has no socket left: close an idle one somewhere
    poke,     // a socket has become free: `other` has waited for it
  } kind;
  Entry* entry = nullptr;
  Waiter* waiter = nullptr;
  ErrorCode code = ErrorCode::cancelled;
  TimePoint when{};
  std::shared_ptr<const Error> error{};
  std::shared_ptr<const DialOrder> order{};
  std::shared_ptr<Route> other{};
};
using Actions = std::vector<Action>;

class Route : public std::enable_shared_from_this<Route> {
 public:
  Route(std::string name, Budget& budget, std::uint32_t seed, Sharing sharing = Sharing::never);
  ~Route();
  Route(const Route&) = delete;
  Route& operator=(const Route&) = delete;

  enum class Outcome : unsigned char { granted, queued, queue_full, down, closed };

  // `granted`: the entry is in `granted`. `queued`: a grant or fail action will follow, unless cancel() returns true.
  Outcome acquire(Waiter& waiter, TimePoint now, Actions& actions, Entry*& granted);
  // True: it will hear no more. False: a grant or a failure is on its way; what is granted must be released.
  bool cancel(Waiter& waiter, TimePoint now, Actions& actions);

  // For a request that is yet to come: starts a dial if nothing is open or on its way that could carry it. Nobody waits
  // for it, so it takes a socket only where one is free, and hedges nothing.
  bool dial_ahead(const PoolLimits& limits, const Timeouts& timeouts, TimePoint now, Actions& actions);

  // A lease ends. `keep`: the connection is in order and may carry another request. If not, a shared one retires: its
  // other leases end one by one, each with a release of its own. `answer` is how long a whole answer took on a shared
  // one, where only its user knows; zero: there was none.
  void release(Entry& entry, bool keep, CloseReason reason, const PoolLimits& limits, TimePoint now, Actions& actions,
               std::chrono::nanoseconds answer = std::chrono::nanoseconds(0));
  // The lease became another protocol's connection; it ends with release(keep = false).
  void upgrade(Entry& entry);
  // The socket of a draining entry is closed; the entry may be destroyed afterwards.
  void closed(Entry& entry, TimePoint now, Actions& actions);

  void dialled(Entry& entry, const DialOrder& order, TimePoint now, Actions& actions);
  void dial_failed(std::shared_ptr<const Error> error, TimePoint now, Actions& actions);

  // Shared connections. The peer's SETTINGS have come: it permits `capacity` requests at once. To be called for the
  // first ones even if they change nothing; with a large number if the peer sets no limit.
  void set_capacity(Entry& entry, std::uint32_t capacity, TimePoint now, Actions& actions);
  // It takes no more requests, and is closed when those under way have ended: at once if there are none. A peer that
  // closes an idle one is told by this too. The first reason stands.
  void retire(Entry& entry, CloseReason reason, TimePoint now, Actions& actions);

  // Something happened on an idle connection. False: it is not idle any more, so it is its new owner's business; or it
  // is shared, then its performer reads whatever comes at all times and calls retire() if it was a farewell.
  bool examine(Entry& entry);
  // The examination's verdict: nothing, or to be closed for `reason`.
  void examined(Entry& entry, bool close, CloseReason reason, TimePoint now, Actions& actions);
  // Closes it if it has been idle too long. Returns when to look again, `never` when it is not idle.
  TimePoint expire(Entry& entry, TimePoint now, Actions& actions);
  // Closes the connection that has been idle longest.
  bool evict_oldest(TimePoint now, CloseReason reason, Actions& actions);
  // A connection turned out dead: what has been idle for at least as long is suspect and goes.
  void drop_suspects(const Entry& victim, TimePoint now, Actions& actions);

  // None of those who wait is to be served here: all fail, for that reason.
  void turn_away(const std::shared_ptr<const Error>& why, Actions& actions);

  void tick(TimePoint now, Actions& actions);
  void hint(std::chrono::seconds timeout) { idle_limit_.hint(timeout); }
  void invalidate(TimePoint now, Actions& actions);
  // No more connections: waiters fail, what is idle closes, what is busy closes when it comes back.
  void shut_down(TimePoint now, Actions& actions);

  bool empty() const { return open_ == 0 && dialing_ == 0 && waiting_ == 0 && !starved_; }
  const std::string& name() const { return name_; }
  const std::string& key() const { return key_; }
  const PoolCounters& counters() const { return counters_; }
  const IdleLimit& idle_limit() const { return idle_limit_; }
  const Latency& latency() const { return latency_; }
  const Entry* first_dialled() const { return first_dialled_; }  // of all that are open; then Entry::dialled_after
  int open() const { return open_; }
  std::shared_ptr<const Error> last_error() const { return last_error_; }
  std::shared_ptr<const Error> last_error_locked() {
    std::lock_guard lock(mutex);
    return last_error_;
  }
  // A shared connection is open whose peer has not said yet what it permits. Takes the lock.
  bool awaits_settings() {
    std::lock_guard lock(mutex);
    return std::ranges::any_of(shared_, [](const Entry* entry) { return !entry->settled; });
  }
  int heat(TimePoint now) const;                  // how much it is reused, halving every few minutes
  bool can_evict() const;                         // something is idle and not being examined
  int examining() const { return examining_; }    // idle connections that are being looked at
  bool starved() const { return starved_; }       // waits for a socket of the process, or has just been served
  bool served() const { return served_.load(); }  // one is taken for it, and counted by the budget
  std::string describe() const;
  // Walks the lists and compares with the counters: what is wrong, or empty.
  std::string broken_law() const;

  Lock mutex;                              // Pool's: it locks, the route decides
  std::shared_ptr<Attachment> attachment;  // the performer's; set once, when the route is made

 private:
  friend class Pool;
  friend class Budget;  // served_
  static constexpr int down_after_failures = 5;

  void grant(Waiter& waiter, Entry& entry, bool reused, TimePoint now);
  void drop_unusable(TimePoint now, Actions& actions);
  Waiter* taker(const Entry& entry, bool reused, TimePoint now, Actions& actions);
  bool hand_out(Entry& entry, bool reused, TimePoint now, Actions& actions);
  void give(Waiter& waiter, Entry& entry, bool reused, TimePoint now, Actions& actions);
  void make_idle(Entry& entry, const PoolLimits& limits, TimePoint now, Actions& actions);
  void unlink_idle(Entry& entry);
  void add_open(Entry& entry);
  void remove_open(Entry& entry);
  void mark_examined(Entry& entry, bool examined);
  void drain(Entry& entry, CloseReason reason, Actions& actions);
  void enqueue(Waiter& waiter, TimePoint now);
  void unlink(Waiter& waiter);
  void fail(Waiter& waiter, ErrorCode code, Actions& actions);
  void drop_expired_waiters(TimePoint now, Actions& actions);
  void pump(const Waiter* asking, TimePoint now, Actions& actions);
  const Waiter* entitled() const;
  void make_room(const PoolLimits& limits, TimePoint now, Actions& actions);
  void wake(TimePoint when, TimePoint now, Actions& actions);
  bool take_socket(TimePoint now, Actions& actions);
  void give_socket(Actions& actions);
  void start_dial(DialReason reason, const PoolLimits& limits, const Timeouts& timeouts, TimePoint now,
                  Actions& actions);
  CloseReason unusable(const Entry& entry, TimePoint now, bool& use) const;
  ReuseMiss miss_now() const;
  std::chrono::nanoseconds hedge_delay() const;
  bool down(TimePoint now) const;
  void warm(TimePoint now);
  double jitter(double spread);

  // Shared connections.
  bool sharing(TimePoint now) const;
  void share(Waiter& waiter, Entry& entry, bool reused, TimePoint now, Actions& actions);
  void release_shared(Entry& entry, bool keep, CloseReason reason, const PoolLimits& limits, TimePoint now,
                      Actions& actions);
  Entry* pick(const Waiter& waiter, TimePoint now, Actions& actions);
  Entry* least_loaded(const Waiter& waiter, TimePoint now, Actions& actions);
  // Whether a request is spared the connection that it wants to avoid.
  bool avoids(const Waiter& waiter, const Entry& entry, TimePoint now) const {
    return waiter.avoid != 0 && waiter.avoid == entry.id && another_can_be_had(waiter, entry, now);
  }
  bool another_can_be_had(const Waiter& waiter, const Entry& entry, TimePoint now) const;
  void serve(TimePoint now, Actions& actions);
  struct Outlook {
    bool usable = false;   // there is a connection that will have credit again
    TimePoint patience{};  // until then one of them may be worth the wait
  };
  Outlook outlook(std::uint64_t avoid) const;
  void grow(TimePoint now, Actions& actions);
  void dialled_shared(Entry& entry, const DialOrder& order, TimePoint now, Actions& actions);
  void rest(Entry& entry, const PoolLimits& limits, TimePoint now, Actions& actions);
  void add_shared(Entry& entry);
  void remove_shared(Entry& entry);
  void sort_shared(Entry& entry);
  void swap_shared(std::size_t a, std::size_t b);
  void start_retiring(Entry& entry, CloseReason reason, Actions& actions);
  void retire_all(CloseReason reason, Actions& actions);
  void replace_if_due(const Entry& entry, const PoolLimits& limits, TimePoint now, Actions& actions);
  void retire_replaced(TimePoint now, Actions& actions);
  std::string broken_law_of_shared() const;

  const std::string name_;
  std::string key_;  // in its pool
  Budget& budget_;
  std::minstd_rand random_;

  Entry* newest_ = nullptr;  // idle, most recently used
  Entry* oldest_ = nullptr;
  Entry* first_dialled_ = nullptr;  // open: idle, active, upgraded and draining
  Entry* last_dialled_ = nullptr;
  Waiter* first_ = nullptr;  // waiting
  Waiter* last_ = nullptr;
  int waiting_ = 0;
  int open_ = 0;  // idle, active, upgraded and draining
  int dialing_ = 0;
  int examining_ = 0;  // of the idle

  const Sharing sharing_;
  std::vector<Entry*> shared_;   // that are open and not draining; first those that carry requests and may carry more
  std::size_t ready_ = 0;        // how many those are
  TimePoint exclusive_until_{};  // the last dial said HTTP/1.1, and is believed so long
  TimePoint limit_until_{};      // and so long the limit that a peer last set
  std::uint32_t limit_ = 1;

  int gate_ = 1;                           // dials that may be under way at once; doubles with each success
  int failures_ = 0;                       // dials that failed in a row
  TimePoint shut_until_{};                 // no dial before
  TimePoint last_dial_{};                  // when the latest was started
  TimePoint wake_at_ = never;              // asked for and still to come
  std::chrono::nanoseconds dial_time_{0};  // smoothed
  bool exhausted_ = false;                 // the last dial failed for want of a port or a descriptor
  bool starved_ = false;                   // in the budget's queue, or served and not aware of it yet
  std::atomic<bool> served_{false};        // by the budget: one socket has been taken for us
  bool closing_ = false;
  std::uint32_t generation_ = 0;
  bool ever_closed_ = false;
  CloseReason last_close_ = CloseReason::shutdown;
  std::shared_ptr<const Error> last_error_;

  int heat_ = 0;
  std::int64_t heat_epoch_ = 0;
  IdleLimit idle_limit_;
  Latency latency_;  // of whole responses
  PoolCounters counters_;
};

ReuseMiss miss_after(CloseReason reason);
DialReason dial_reason_for(ReuseMiss miss);

}  // namespace trunkline::pool
