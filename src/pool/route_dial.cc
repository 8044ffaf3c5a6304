// Route: when to dial, and what follows from a dial's end.
#include <algorithm>
#include <utility>

#include "pool/route.h"

namespace trunkline::pool {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

namespace {

DialPhase dial_phase(Phase phase) {
  switch (phase) {
    case Phase::resolve:
      return DialPhase::resolve;
    case Phase::proxy:
      return DialPhase::proxy;
    case Phase::tls:
      return DialPhase::tls;
    default:
      return DialPhase::connect;
  }
}

// The first pause after a failed dial, doubling up to the longest: long enough that a thousand waiters make a handful
// of attempts on a dead server, short enough that a restart goes unnoticed.
constexpr auto first_pause = milliseconds(20);
constexpr auto longest_pause = seconds(1);
// When ports or descriptors are gone, trying sooner only burns CPU: they come back by the second.
constexpr auto first_exhausted_pause = milliseconds(100);
constexpr auto longest_exhausted_pause = seconds(5);
constexpr int most_dials_under_way = 1 << 16;
// Servers gain HTTP/2 and lose it with deployments, not by the minute.
constexpr auto protocol_memory = std::chrono::minutes(10);

bool machine_is_exhausted(const Error& error) {
  return error.code == ErrorCode::no_ports || error.code == ErrorCode::no_sockets;
}

}  // namespace

// Starts as many dials as waiters, gate, limits and the process's budget allow, on behalf of the one who is asking if
// any: then his limits decide.
void Route::pump(const Waiter* asking, TimePoint now, Actions& actions) {
  if (first_ == nullptr || closing_) return;
  drop_expired_waiters(now, actions);
  if (!shared_.empty()) serve(now, actions);
  if (sharing(now)) {
    grow(now, actions);
    return;
  }
  if (asking != nullptr && !asking->queued) asking = nullptr;
  // What is being looked at is back in a moment, or gone; either way pump() is called again.
  while (first_ != nullptr && waiting_ > dialing_ + examining_) {
    const Waiter* const cause = asking != nullptr ? asking : entitled();
    if (cause == nullptr || open_ + dialing_ >= cause->limits->open_per_host) {
      make_room(cause != nullptr ? *cause->limits : *first_->limits, now, actions);
      return;
    }
    TimePoint next = never;
    if (now < shut_until_) {
      next = shut_until_;
    } else if (dialing_ >= gate_) {
      // A dial that takes much longer than usual may be lost: hedge it with one more.
      next = last_dial_ + hedge_delay();
    }
    if (next > now && next != never) {
      wake(next, now, actions);
      return;
    }
    if (!take_socket(now, actions)) {
      if (!shared_.empty()) serve(now, actions);  // who hoped to avoid a connection takes it now
      return;
    }
    start_dial(dial_reason_for(cause->miss), *cause->limits, *cause->timeouts, now, actions);
  }
}

bool Route::dial_ahead(const PoolLimits& limits, const Timeouts& timeouts, TimePoint now, Actions& actions) {
  if (closing_ || dialing_ > 0 || first_ != nullptr || now < shut_until_) return false;
  drop_unusable(now, actions);
  // What is in use may be back by then, and if it is not, that request dials as it would have done anyway.
  if (counters_.idle + counters_.active > counters_.retiring) return false;
  if (open_ >= limits.open_per_host || limits.idle_per_host < 1 || !budget_.try_take()) return false;
  start_dial(dial_reason_for(miss_now()), limits, timeouts, now, actions);
  return true;
}

void Route::wake(TimePoint when, TimePoint now, Actions& actions) {
  if (when >= wake_at_ && wake_at_ > now) return;
  wake_at_ = when;
  actions.push_back({.kind = Action::wake, .when = when});
}

// Behind those for whom dials are under way, the first waiter whose limits allow one more connection: those who share a
// route need not share limits.
const Waiter* Route::entitled() const {
  int served = dialing_;
  for (const Waiter* waiter = first_; waiter != nullptr; waiter = waiter->next) {
    if (served-- <= 0 && open_ + dialing_ < waiter->limits->open_per_host) return waiter;
  }
  return nullptr;
}

// Something idle beside waiters means that they want a connection of their own. It must not be what keeps them from it.
void Route::make_room(const PoolLimits& limits, TimePoint now, Actions& actions) {
  if (open_ - counters_.draining + dialing_ >= limits.open_per_host)
    evict_oldest(now, CloseReason::evicted_host, actions);
}

// One of the process's sockets. False: we are in the budget's queue, and will be poked.
bool Route::take_socket(TimePoint now, Actions& actions) {
  if (served_.exchange(false)) {
    starved_ = false;
    return true;
  }
  if (starved_) return false;
  if (budget_.try_take()) return true;
  starved_ = true;
  budget_.wait(shared_from_this(), now);
  // Again, now that whoever gives a socket back sees us wait.
  while (auto next = budget_.serve()) {
    if (next.get() == this) break;
    actions.push_back({.kind = Action::poke, .other = std::move(next)});
  }
  if (served_.exchange(false)) {
    starved_ = false;
    return true;
  }
  actions.push_back({.kind = Action::relieve});
  return false;
}

void Route::give_socket(Actions& actions) {
  if (auto next = budget_.give()) {
    actions.push_back({.kind = Action::poke, .other = std::move(next)});
  } else if (budget_.wants_relief()) {
    actions.push_back({.kind = Action::relieve});  // still more open than the limit, which has been lowered
  }
}

void Route::start_dial(DialReason reason, const PoolLimits& limits, const Timeouts& timeouts, TimePoint now,
                       Actions& actions) {
  if (reason == DialReason::first && open_ + dialing_ > 0)
    reason = outlook(0).usable ? DialReason::streams_full : DialReason::busy;
  ++dialing_;
  ++counters_.dialing;
  ++counters_.dials_started;
  ++counters_.dials_by_reason[static_cast<std::size_t>(reason)];
  last_dial_ = now;
  auto order = std::make_shared<DialOrder>();
  order->reason = reason;
  order->started = now;
  order->generation = generation_;
  order->expected_capacity = now < limit_until_ ? limit_ : 1;
  order->limits = limits;
  order->timeouts = timeouts;
  actions.push_back({.kind = Action::dial, .order = std::move(order)});
}

nanoseconds Route::hedge_delay() const {
  if (dial_time_ == nanoseconds(0)) return milliseconds(250);
  return std::max<nanoseconds>(milliseconds(50), 2 * dial_time_);
}

void Route::dialled(Entry& entry, const DialOrder& order, TimePoint now, Actions& actions) {
  --dialing_;
  --counters_.dialing;
  ++counters_.dials_succeeded;
  ++counters_.open;
  ++open_;
  add_open(entry);
  const nanoseconds took = now - order.started;
  dial_time_ = dial_time_ == nanoseconds(0) ? took : (dial_time_ * 7 + took) / 8;
  failures_ = 0;
  exhausted_ = false;
  last_error_.reset();
  shut_until_ = TimePoint{};
  gate_ = std::min(gate_ * 2, most_dials_under_way);
  entry.dial_reason = order.reason;
  entry.opened = now;
  entry.generation = order.generation;
  if (order.limits.requests_per_connection > 0) {
    entry.most_requests = std::max(1U, static_cast<std::uint32_t>(order.limits.requests_per_connection * jitter(0.05)));
  }
  if (order.limits.max_age > nanoseconds(0)) {
    // Spread, so that connections that were opened together do not all end together; and a quarter of grace to be
    // replaced before they must go.
    const auto age = std::chrono::duration_cast<nanoseconds>(order.limits.max_age * jitter(0.2));
    entry.rotate_at = now + age;
    entry.retire_at = now + age + age / 4;
  }
  const bool current = entry.generation == generation_;
  if (current) exclusive_until_ = entry.shared ? TimePoint{} : now + protocol_memory;
  if (entry.shared) add_shared(entry);
  if (closing_) {
    drain(entry, CloseReason::shutdown, actions);
    return;
  }
  if (entry.shared) {
    dialled_shared(entry, order, now, actions);
  } else if (!hand_out(entry, false, now, actions)) {
    if (current) {
      make_idle(entry, order.limits, now, actions);
    } else {
      drain(entry, CloseReason::invalidated, actions);  // it may have gone to where nobody wants to go any more
    }
  }
  if (order.reason == DialReason::aged) retire_replaced(now, actions);
  pump(nullptr, now, actions);
}

void Route::dial_failed(std::shared_ptr<const Error> error, TimePoint now, Actions& actions) {
  --dialing_;
  --counters_.dialing;
  ++counters_.dials_failed;
  ++counters_.dials_failed_by_phase[static_cast<std::size_t>(dial_phase(error->phase))];
  give_socket(actions);
  exhausted_ = machine_is_exhausted(*error);
  last_error_ = std::move(error);
  gate_ = 1;
  ++failures_;
  const nanoseconds first = exhausted_ ? nanoseconds(first_exhausted_pause) : nanoseconds(first_pause);
  const nanoseconds longest = exhausted_ ? nanoseconds(longest_exhausted_pause) : nanoseconds(longest_pause);
  const nanoseconds pause = std::min(longest, first * (1L << std::min(failures_ - 1, 20)));
  shut_until_ = now + std::chrono::duration_cast<nanoseconds>(pause * jitter(0.25));
  // More dials may have been under way; the one that failed speaks for the one who has waited longest. Whoever hoped
  // to avoid a connection takes it now.
  drop_expired_waiters(now, actions);
  if (!shared_.empty()) serve(now, actions);
  if (first_ != nullptr) fail(*first_, last_error_->code, actions);
  // No port or descriptor means none for anybody on this route; five failures in a row mean a dead server. Whoever
  // waits is told, instead of being sent to fail one by one.
  if (down(now)) {
    while (first_ != nullptr) fail(*first_, ErrorCode::route_down, actions);
  }
  pump(nullptr, now, actions);
}

bool Route::down(TimePoint now) const {
  return (exhausted_ || failures_ >= down_after_failures) && open_ == 0 && dialing_ == 0 && now < shut_until_;
}

}  // namespace trunkline::pool
