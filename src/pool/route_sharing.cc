// Route: connections that carry several requests at once. Who goes on which, when one more is dialled, how one retires.
#include <algorithm>
#include <cassert>
#include <utility>

#include "pool/route.h"

namespace trunkline::pool {

using std::chrono::milliseconds;

namespace {

// Requests come and go within milliseconds: what frees up by then saves a connection.
constexpr auto growth_patience = milliseconds(5);
// SETTINGS follow the handshake by a round trip, from a busy peer by more. One that has not sent them by then is not
// waited for.
constexpr auto settings_patience = std::chrono::seconds(1);
// A peer that permits no request at present may permit some in a moment; another connection would hear the same.
constexpr auto pause_patience = std::chrono::seconds(1);
// While others serve, a dial that takes long, perhaps because this machine is busy, is not hedged before its SYN is
// sent again.
constexpr auto relief_patience = std::chrono::seconds(1);
// As long after its last use a server's limit is taken for granted: too high a guess costs refused requests, none costs
// a round trip.
constexpr auto limit_memory = std::chrono::minutes(10);

// Its successor should be on the way: it is old enough, or has a sixteenth of its requests left.
bool is_due(const Entry& entry, TimePoint now) {
  if (now >= entry.rotate_at) return true;
  return entry.most_requests > 0 && entry.requests >= entry.most_requests - entry.most_requests / 16;
}

bool less_loaded(const Entry& a, const Entry& b) {
  return std::uint64_t{a.leases} * b.capacity < std::uint64_t{b.leases} * a.capacity;
}

bool under_half_loaded(const Entry& entry) { return std::uint64_t{entry.leases} * 2 < entry.capacity; }

}  // namespace

bool Route::sharing(TimePoint now) const {
  return sharing_ == Sharing::always || (sharing_ == Sharing::unknown && now >= exclusive_until_);
}

// --- the list: first those that carry requests and may carry more

void Route::add_shared(Entry& entry) {
  entry.slot = static_cast<std::uint32_t>(shared_.size());
  shared_.push_back(&entry);
  ++counters_.shared_open;
}

void Route::swap_shared(std::size_t a, std::size_t b) {
  std::swap(shared_[a], shared_[b]);
  shared_[a]->slot = static_cast<std::uint32_t>(a);
  shared_[b]->slot = static_cast<std::uint32_t>(b);
}

// To be called after anything that changes its credit.
void Route::sort_shared(Entry& entry) {
  const bool is_ready = !entry.retiring && entry.leases > 0 && entry.leases < entry.capacity;
  const bool was_ready = entry.slot < ready_;
  if (is_ready && !was_ready) swap_shared(entry.slot, ready_++);
  if (!is_ready && was_ready) swap_shared(entry.slot, --ready_);
}

// It drains.
void Route::remove_shared(Entry& entry) {
  if (entry.retiring) --counters_.retiring;
  if (entry.slot < ready_) swap_shared(entry.slot, --ready_);
  swap_shared(entry.slot, shared_.size() - 1);
  shared_.pop_back();
}

// --- who goes where

// The least loaded of two random ones spreads the load as well as looking at all would. While that is not half full,
// idle ones are left alone, so that what a burst opened ages out; then the one that was used last comes first.
Entry* Route::pick(const Waiter& waiter, TimePoint now, Actions& actions) {
  if (waiter.fresh) return nullptr;
  Entry* const busy = least_loaded(waiter, now, actions);
  if (busy != nullptr && under_half_loaded(*busy)) return busy;
  for (Entry* entry = newest_; entry != nullptr;) {
    Entry* const older = entry->older;
    if (entry->shared && entry->capacity > 0 && !avoids(waiter, *entry, now)) {
      bool use = true;
      const CloseReason reason = unusable(*entry, now, use);
      if (use) return entry;
      start_retiring(*entry, reason, actions);
    }
    entry = older;
  }
  return busy;
}

Entry* Route::least_loaded(const Waiter& waiter, TimePoint now, Actions& actions) {
  while (ready_ > 0) {
    const std::size_t at = ready_ > 1 ? random_() % ready_ : 0;
    const std::size_t step = ready_ > 1 ? 1 + random_() % (ready_ - 1) : 0;
    Entry* chosen = shared_[at];
    Entry* const other = shared_[(at + step) % ready_];
    if (avoids(waiter, *chosen, now) || (less_loaded(*other, *chosen) && !avoids(waiter, *other, now))) chosen = other;
    if (avoids(waiter, *chosen, now)) return nullptr;
    if (now < chosen->retire_at) return chosen;
    start_retiring(*chosen, CloseReason::max_age, actions);
  }
  return nullptr;
}

// Another than that connection: one that is open, or that a dial may bring. An idle one, as an exclusive one is when
// this is asked, makes room for it if need be.
bool Route::another_can_be_had(const Waiter& waiter, const Entry& entry, TimePoint now) const {
  if (!entry.shared || dialing_ > 0) return true;
  for (const Entry* other : shared_) {
    if (other != &entry && !other->retiring && other->capacity > 0) return true;
  }
  const bool room = entry.state == State::idle || open_ - counters_.draining < waiter.limits->open_per_host;
  return room && now >= shut_until_ && (!starved_ || served_);
}

void Route::share(Waiter& waiter, Entry& entry, bool reused, TimePoint now, Actions& actions) {
  if (entry.state == State::idle) {
    unlink_idle(entry);
  } else {
    --counters_.active;  // it is active already, and grant() counts it once more
  }
  ++entry.leases;
  grant(waiter, entry, reused, now);
  sort_shared(entry);
  if (entry.most_requests > 0 && entry.requests >= entry.most_requests) {
    start_retiring(entry, CloseReason::max_requests, actions);
  } else {
    replace_if_due(entry, *waiter.limits, now, actions);
  }
}

// Credit to those who wait, in turn. Who was passed over because another connection could be made room for is asked
// again when that has changed.
void Route::serve(TimePoint now, Actions& actions) {
  bool passed_over = false;
  for (Waiter* waiter = first_; waiter != nullptr && (ready_ > 0 || counters_.idle > 0);) {
    Waiter* next = waiter->next;
    if (waiter->deadline <= now) {
      fail(*waiter, ErrorCode::timeout_queue, actions);
    } else if (Entry* const entry = pick(*waiter, now, actions); entry != nullptr) {
      give(*waiter, *entry, true, now, actions);
      if (std::exchange(passed_over, false)) next = first_;
    } else if (waiter->avoid != 0) {
      passed_over = true;
    } else if (!waiter->fresh) {
      return;  // what it cannot have, nobody behind it can
    }
    waiter = next;
  }
}

void Route::release_shared(Entry& entry, bool keep, CloseReason reason, const PoolLimits& limits, TimePoint now,
                           Actions& actions) {
  --entry.leases;
  if (entry.settled && entry.generation == generation_) limit_until_ = now + limit_memory;
  if (!keep) {
    start_retiring(entry, reason, actions);
  } else if (now >= entry.retire_at) {
    start_retiring(entry, CloseReason::max_age, actions);
  } else if (!entry.retiring && entry.leases == 0 && first_ != nullptr && budget_.must_yield(*this, now)) {
    // Only where its socket is free at once: nobody knows how long the streams of others would keep it.
    start_retiring(entry, CloseReason::evicted_total, actions);
  }
  if (!entry.retiring && entry.leases < entry.capacity && first_ != nullptr && hand_out(entry, true, now, actions)) {
    if (entry.retiring) pump(nullptr, now, actions);  // that was its last request
    return;
  }
  sort_shared(entry);
  if (entry.leases == 0) rest(entry, limits, now, actions);
  replace_if_due(entry, limits, now, actions);
  pump(nullptr, now, actions);
}

// Nothing is under way on it any more.
void Route::rest(Entry& entry, const PoolLimits& limits, TimePoint now, Actions& actions) {
  --counters_.active;
  if (entry.retiring) {
    drain(entry, entry.close_reason, actions);
  } else {
    make_idle(entry, limits, now, actions);
  }
}

// --- what the peer permits

void Route::set_capacity(Entry& entry, std::uint32_t capacity, TimePoint now, Actions& actions) {
  assert(entry.shared);
  if (entry.state == State::draining || entry.state == State::gone) return;
  if (entry.settled && capacity != entry.capacity) ++counters_.limit_changes;
  entry.settled = true;
  entry.capacity = capacity;
  if (capacity == 0) entry.paused_since = now;
  if (capacity > 0 && entry.generation == generation_) {  // 0 is a pause, not a limit
    limit_ = capacity;
    limit_until_ = now + limit_memory;
  }
  sort_shared(entry);
  pump(nullptr, now, actions);
}

void Route::dialled_shared(Entry& entry, const DialOrder& order, TimePoint now, Actions& actions) {
  ++counters_.active;
  entry.state = State::active;
  if (entry.capacity > 0) hand_out(entry, false, now, actions);
  // It may have gone to where nobody wants to go any more.
  if (entry.generation != generation_) start_retiring(entry, CloseReason::invalidated, actions);
  if (entry.leases == 0) rest(entry, order.limits, now, actions);
}

// --- growing

// What one who avoids that connection may hope for from those that are open. Nobody avoids one that is paused: it was
// not the connection that turned a request away.
Route::Outlook Route::outlook(std::uint64_t avoid) const {
  Outlook seen;
  for (const Entry* entry : shared_) {
    const bool is_paused = entry->settled && entry->capacity == 0;
    if (entry->retiring || (avoid != 0 && entry->id == avoid && !is_paused)) continue;
    seen.usable = true;
    if (!entry->settled) seen.patience = std::max(seen.patience, entry->opened + settings_patience);
    if (is_paused) seen.patience = std::max(seen.patience, entry->paused_since + pause_patience);
  }
  return seen;
}

// One dial at a time, a second only as a hedge: while nobody knows whether the peer shares, or how much, all but one of
// many dials would be for nothing. None for those whom an open connection will serve in a moment, either.
void Route::grow(TimePoint now, Actions& actions) {
  while (waiting_ > dialing_ + examining_ && dialing_ < 2) {
    const Outlook common = outlook(0);
    const TimePoint hedge_at = dialing_ == 0 ? shut_until_ : std::max(shut_until_, last_dial_ + hedge_delay());
    const Waiter* cause = nullptr;
    const Waiter* blocked = nullptr;
    TimePoint next = never;
    for (const Waiter* waiter = first_; waiter != nullptr && cause == nullptr; waiter = waiter->next) {
      const bool room = open_ + dialing_ < waiter->limits->open_per_host;
      const Outlook seen = waiter->avoid == 0 ? common : outlook(waiter->avoid);
      TimePoint due = hedge_at;
      if (seen.usable && !waiter->fresh) {
        due = std::max(due, seen.patience);
        if (dialing_ > 0) due = std::max(due, last_dial_ + relief_patience);
        if (waiter->avoid == 0) due = std::max(due, waiter->since + growth_patience);
      }
      if (due > now) {
        if (room || counters_.idle > 0) next = std::min(next, due);
      } else if (room) {
        cause = waiter;
      } else if (blocked == nullptr) {
        blocked = waiter;
      }
    }
    if (cause == nullptr) {
      if (blocked != nullptr) make_room(*blocked->limits, now, actions);
      if (next != never) wake(next, now, actions);
      return;
    }
    if (!take_socket(now, actions)) {
      serve(now, actions);  // who hoped to avoid a connection takes it now
      return;
    }
    start_dial(dial_reason_for(cause->miss), *cause->limits, *cause->timeouts, now, actions);
  }
}

// --- retiring

void Route::retire(Entry& entry, CloseReason reason, TimePoint now, Actions& actions) {
  assert(entry.shared);
  const bool farewell = reason == CloseReason::peer_closed_idle || reason == CloseReason::goaway;
  if (entry.state == State::idle && farewell && entry.requests > 0) idle_limit_.observe(now - entry.idle_since, now);
  start_retiring(entry, reason, actions);
  pump(nullptr, now, actions);
}

void Route::start_retiring(Entry& entry, CloseReason reason, Actions& actions) {
  if (entry.retiring || entry.state == State::draining || entry.state == State::gone) return;
  if (entry.state == State::idle) {
    unlink_idle(entry);
    drain(entry, reason, actions);
    return;
  }
  entry.retiring = true;
  entry.close_reason = reason;
  ++counters_.retiring;
  ever_closed_ = true;
  last_close_ = reason;
  sort_shared(entry);
}

void Route::retire_all(CloseReason reason, Actions& actions) {
  for (Entry* entry : std::vector<Entry*>(shared_)) start_retiring(*entry, reason, actions);
}

// Make before break: it serves until its successor is there. If nothing may be idle, a successor would not live to see
// its first request.
void Route::replace_if_due(const Entry& entry, const PoolLimits& limits, TimePoint now, Actions& actions) {
  if (entry.retiring || entry.state == State::draining || !is_due(entry, now)) return;
  if (dialing_ > 0 || now < shut_until_ || open_ >= limits.open_per_host || limits.idle_per_host == 0) return;
  if (budget_.try_take()) start_dial(DialReason::aged, limits, Timeouts(), now, actions);
}

// The successor is there.
void Route::retire_replaced(TimePoint now, Actions& actions) {
  Entry* oldest = nullptr;
  for (Entry* entry : shared_) {
    if (entry->retiring || !is_due(*entry, now)) continue;
    if (oldest == nullptr || entry->opened < oldest->opened) oldest = entry;
  }
  if (oldest == nullptr) return;
  const bool aged = now >= oldest->rotate_at;
  start_retiring(*oldest, aged ? CloseReason::max_age : CloseReason::max_requests, actions);
}

// --- laws

std::string Route::broken_law_of_shared() const {
  std::int64_t leases = 0;
  std::int64_t active = 0;
  std::int64_t retiring = 0;
  for (std::size_t i = 0; i < shared_.size(); ++i) {
    const Entry& entry = *shared_[i];
    const std::string name = "shared connection " + std::to_string(entry.id);
    if (!entry.shared || entry.slot != i) return name + " is not where it says";
    if (entry.state != (entry.leases > 0 ? State::active : State::idle))
      return name + " has leases and is idle, or none";
    const bool ready = !entry.retiring && entry.leases > 0 && entry.leases < entry.capacity;
    if (ready != (i < ready_)) return name + " is sorted wrongly";
    leases += entry.leases;
    active += entry.state == State::active;
    retiring += entry.retiring;
  }
  if (retiring != counters_.retiring) return "retiring is " + std::to_string(retiring) + " by the list";
  leases += counters_.active - active + counters_.upgraded;
  if (leases != counters_.leases) return "leases are " + std::to_string(leases) + " by the list";
  return {};
}

}  // namespace trunkline::pool
