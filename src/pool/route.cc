#include "pool/route.h"

#include <algorithm>
#include <utility>

namespace trunkline::pool {

using std::chrono::nanoseconds;

ReuseMiss miss_after(CloseReason reason) {
  switch (reason) {
    case CloseReason::peer_closed_idle:
    case CloseReason::stray_bytes:
      return ReuseMiss::peer_closed;
    case CloseReason::idle_timeout:
      return ReuseMiss::idle_expired;
    case CloseReason::learned_idle:
      return ReuseMiss::learned_idle;
    case CloseReason::max_age:
      return ReuseMiss::max_age;
    case CloseReason::max_requests:
    case CloseReason::streams_exhausted:
      return ReuseMiss::max_requests;
    case CloseReason::evicted_host:
    case CloseReason::evicted_total:
      return ReuseMiss::evicted;
    case CloseReason::connection_close:
    case CloseReason::early_body_close:
    case CloseReason::upgraded:
    case CloseReason::invalidated:
    case CloseReason::shutdown:
    case CloseReason::cancelled:
    case CloseReason::goaway:
      return ReuseMiss::draining;
    case CloseReason::request_failed:
    case CloseReason::request_timeout:
    case CloseReason::parse_error:
    case CloseReason::stale_suspect:
    case CloseReason::ping_timeout:
    case CloseReason::protocol_error:
      return ReuseMiss::broken;
  }
  return ReuseMiss::broken;
}

DialReason dial_reason_for(ReuseMiss miss) {
  switch (miss) {
    case ReuseMiss::none:
    case ReuseMiss::all_busy:
      return DialReason::busy;
    case ReuseMiss::first_for_key:
      return DialReason::first;
    case ReuseMiss::idle_expired:
    case ReuseMiss::learned_idle:
      return DialReason::expired;
    case ReuseMiss::evicted:
      return DialReason::evicted;
    case ReuseMiss::peer_closed:
      return DialReason::peer_closed;
    case ReuseMiss::max_age:
    case ReuseMiss::max_requests:
      return DialReason::aged;
    case ReuseMiss::draining:
      return DialReason::draining;
    case ReuseMiss::broken:
    case ReuseMiss::stale_on_write:
      return DialReason::failed;
    case ReuseMiss::forced:
      return DialReason::forced;
    case ReuseMiss::streams_full:
      return DialReason::streams_full;
  }
  return DialReason::busy;
}

Route::Route(std::string name, Budget& budget, std::uint32_t seed, Sharing sharing)
    : name_(std::move(name)), budget_(budget), random_(seed), sharing_(sharing) {}

Route::~Route() {
  if (served_) budget_.give_for_good();
}

double Route::jitter(double spread) {
  return std::uniform_real_distribution<double>(1.0 - spread, 1.0 + spread)(random_);
}

// --- getting a connection

Route::Outcome Route::acquire(Waiter& waiter, TimePoint now, Actions& actions, Entry*& granted) {
  if (closing_) return Outcome::closed;
  if (!shared_.empty()) {
    if (Entry* const entry = pick(waiter, now, actions); entry != nullptr) {
      share(waiter, *entry, true, now, actions);
      granted = entry;
      return Outcome::granted;
    }
  }
  for (Entry* entry = newest_; entry != nullptr && !waiter.fresh;) {
    Entry* const older = entry->older;
    if (!entry->examined && !entry->shared && (waiter.avoid == 0 || waiter.avoid != entry->id)) {
      bool use = true;
      const CloseReason reason = unusable(*entry, now, use);
      if (use) {
        unlink_idle(*entry);
        grant(waiter, *entry, true, now);
        granted = entry;
        return Outcome::granted;
      }
      unlink_idle(*entry);
      drain(*entry, reason, actions);
    }
    entry = older;
  }
  if (waiter.miss == ReuseMiss::none) waiter.miss = waiter.fresh ? ReuseMiss::forced : miss_now();
  if (down(now)) return Outcome::down;
  drop_expired_waiters(now, actions);
  if (waiting_ >= waiter.limits->queue_per_host) {
    ++counters_.queue_rejected;
    return Outcome::queue_full;
  }
  enqueue(waiter, now);
  ++counters_.queued;
  pump(&waiter, now, actions);
  return Outcome::queued;
}

bool Route::cancel(Waiter& waiter, TimePoint now, Actions& actions) {
  if (!waiter.queued) return false;
  unlink(waiter);
  // A dial that it caused goes on: the next waiter takes it, or it becomes an idle connection.
  pump(nullptr, now, actions);
  return true;
}

// What is idle and would not be used by whoever asked now.
void Route::drop_unusable(TimePoint now, Actions& actions) {
  for (Entry* entry = newest_; entry != nullptr;) {
    Entry* const older = entry->older;
    bool use = true;
    if (const CloseReason reason = unusable(*entry, now, use); !use && !entry->examined && !entry->shared) {
      unlink_idle(*entry);
      drain(*entry, reason, actions);
    }
    entry = older;
  }
}

// The reason why an idle connection cannot be used; `use` says whether it can.
CloseReason Route::unusable(const Entry& entry, TimePoint now, bool& use) const {
  use = false;
  if (entry.generation != generation_) return CloseReason::invalidated;
  if (now >= entry.retire_at) return CloseReason::max_age;
  if (now >= entry.idle_until) return CloseReason::idle_timeout;
  const nanoseconds allowed = idle_limit_.effective(entry.idle_until - entry.idle_since, now);
  if (now - entry.idle_since >= allowed) return CloseReason::learned_idle;
  use = true;
  return CloseReason::shutdown;
}

ReuseMiss Route::miss_now() const {
  if (outlook(0).usable) return ReuseMiss::streams_full;
  // Idle: being examined. Retiring: as good as closed.
  if (counters_.idle + counters_.active + counters_.upgraded > counters_.retiring) return ReuseMiss::all_busy;
  if (ever_closed_) return miss_after(last_close_);
  return ReuseMiss::first_for_key;
}

void Route::grant(Waiter& waiter, Entry& entry, bool reused, TimePoint now) {
  entry.state = State::active;
  entry.was_reused = reused;
  entry.granted = now;
  ++entry.requests;
  ++counters_.active;
  ++counters_.leases;
  ++counters_.granted;
  if (reused) {
    waiter.miss = ReuseMiss::none;
    ++counters_.reused;
    warm(now);
  } else {
    if (waiter.miss == ReuseMiss::none) waiter.miss = ReuseMiss::all_busy;
    ++counters_.misses[static_cast<std::size_t>(waiter.miss)];
  }
}

// --- giving one back

void Route::release(Entry& entry, bool keep, CloseReason reason, const PoolLimits& limits, TimePoint now,
                    Actions& actions, nanoseconds answer) {
  --counters_.leases;
  if (entry.shared) {
    if (answer > nanoseconds(0)) latency_.add(answer, now);
    release_shared(entry, keep, reason, limits, now, actions);
    return;
  }
  if (entry.state == State::upgraded) {
    --counters_.upgraded;
  } else {
    --counters_.active;
  }
  // Where it is kept, or closed because both sides had agreed on that, a whole answer has come.
  if (entry.state == State::active &&
      (keep ? reason != CloseReason::cancelled : reason == CloseReason::connection_close)) {
    latency_.add(now - entry.granted, now);
  }
  if (keep && (closing_ || entry.generation != generation_)) {
    keep = false;
    reason = closing_ ? CloseReason::shutdown : CloseReason::invalidated;
  }
  if (keep && now >= entry.retire_at) {
    keep = false;
    reason = CloseReason::max_age;
  }
  if (keep && entry.most_requests > 0 && entry.requests >= entry.most_requests) {
    keep = false;
    reason = CloseReason::max_requests;
  }
  if (keep && now >= entry.rotate_at) {
    // Make before break: it serves until another connection can take its place.
    if (open_ - counters_.draining > 1) {
      keep = false;
      reason = CloseReason::max_age;
    } else if (dialing_ == 0 && now >= shut_until_ && open_ < limits.open_per_host && budget_.try_take()) {
      start_dial(DialReason::aged, limits, Timeouts(), now, actions);
    }
  }
  if (keep && first_ != nullptr && budget_.must_yield(*this, now)) {
    keep = false;
    reason = CloseReason::evicted_total;
  }
  if (!keep) {
    drain(entry, reason, actions);
    pump(nullptr, now, actions);
    return;
  }
  // What the peer said while it was busy may be its farewell: it is looked at before anybody gets it.
  if (first_ != nullptr && !entry.peer_spoke && hand_out(entry, true, now, actions)) return;
  make_idle(entry, limits, now, actions);
  pump(nullptr, now, actions);
}

// The first waiter who may have a connection.
Waiter* Route::taker(const Entry& entry, bool reused, TimePoint now, Actions& actions) {
  for (Waiter* waiter = first_; waiter != nullptr;) {
    Waiter* const next = waiter->next;
    if (waiter->deadline <= now) {
      fail(*waiter, ErrorCode::timeout_queue, actions);
    } else if ((!reused || !waiter->fresh) && !avoids(*waiter, entry, now)) {
      return waiter;
    }
    waiter = next;
  }
  return nullptr;
}

bool Route::hand_out(Entry& entry, bool reused, TimePoint now, Actions& actions) {
  Waiter* const waiter = taker(entry, reused, now, actions);
  if (waiter == nullptr) return false;
  give(*waiter, entry, reused, now, actions);
  return true;
}

void Route::give(Waiter& waiter, Entry& entry, bool reused, TimePoint now, Actions& actions) {
  unlink(waiter);
  if (entry.shared) {
    share(waiter, entry, reused, now, actions);
  } else {
    grant(waiter, entry, reused, now);
  }
  actions.push_back({.kind = Action::grant, .entry = &entry, .waiter = &waiter});
}

void Route::make_idle(Entry& entry, const PoolLimits& limits, TimePoint now, Actions& actions) {
  entry.state = State::idle;
  entry.idle_since = now;
  entry.idle_until = limits.idle_timeout > nanoseconds(0) ? now + limits.idle_timeout : never;
  entry.older = newest_;
  entry.newer = nullptr;
  (newest_ != nullptr ? newest_->newer : oldest_) = &entry;
  newest_ = &entry;
  ++counters_.idle;
  const bool peer_spoke = std::exchange(entry.peer_spoke, false);
  // Before it is being looked at, for then it could not go, and might be the only one that can.
  if (counters_.idle > limits.idle_per_host) evict_oldest(now, CloseReason::evicted_host, actions);
  if (peer_spoke && entry.state == State::idle) {
    mark_examined(entry, true);
    actions.push_back({.kind = Action::look, .entry = &entry});
  }
}

void Route::unlink_idle(Entry& entry) {
  (entry.newer != nullptr ? entry.newer->older : newest_) = entry.older;
  (entry.older != nullptr ? entry.older->newer : oldest_) = entry.newer;
  entry.newer = entry.older = nullptr;
  if (entry.examined) mark_examined(entry, false);
  --counters_.idle;
}

void Route::drain(Entry& entry, CloseReason reason, Actions& actions) {
  if (entry.shared) remove_shared(entry);
  entry.state = State::draining;
  entry.close_reason = reason;
  ++counters_.draining;
  ever_closed_ = true;
  last_close_ = reason;
  actions.push_back({.kind = Action::close, .entry = &entry});
}

void Route::upgrade(Entry& entry) {
  entry.state = State::upgraded;
  --counters_.active;
  ++counters_.upgraded;
}

void Route::closed(Entry& entry, TimePoint now, Actions& actions) {
  entry.state = State::gone;
  remove_open(entry);
  --counters_.draining;
  --counters_.open;
  --open_;
  counters_.shared_open -= static_cast<int>(entry.shared);
  ++counters_.closed_by_reason[static_cast<std::size_t>(entry.close_reason)];
  if (entry.requests == 0) ++counters_.dials_unused;
  give_socket(actions);
  pump(nullptr, now, actions);
}

void Route::add_open(Entry& entry) {
  entry.dialled_before = last_dialled_;
  entry.dialled_after = nullptr;
  (last_dialled_ != nullptr ? last_dialled_->dialled_after : first_dialled_) = &entry;
  last_dialled_ = &entry;
}

void Route::remove_open(Entry& entry) {
  (entry.dialled_before != nullptr ? entry.dialled_before->dialled_after : first_dialled_) = entry.dialled_after;
  (entry.dialled_after != nullptr ? entry.dialled_after->dialled_before : last_dialled_) = entry.dialled_before;
  entry.dialled_before = entry.dialled_after = nullptr;
}

// --- idle connections

void Route::mark_examined(Entry& entry, bool examined) {
  examining_ += static_cast<int>(examined) - static_cast<int>(entry.examined);
  entry.examined = examined;
}

bool Route::examine(Entry& entry) {
  if (entry.shared) return false;
  if (entry.state != State::idle) {
    entry.peer_spoke = true;  // looked at when it comes back, if its user has not seen it by then
    return false;
  }
  if (entry.examined) return false;
  mark_examined(entry, true);
  return true;
}

void Route::examined(Entry& entry, bool close, CloseReason reason, TimePoint now, Actions& actions) {
  if (!close) {
    bool use = true;
    const CloseReason verdict = closing_ ? CloseReason::shutdown : unusable(entry, now, use);
    if (closing_ || !use) {
      close = true;
      reason = verdict;
    }
  }
  if (close) {
    if (reason == CloseReason::peer_closed_idle && entry.requests > 0) idle_limit_.observe(now - entry.idle_since, now);
    unlink_idle(entry);
    drain(entry, reason, actions);
    pump(nullptr, now, actions);
    return;
  }
  mark_examined(entry, false);
  if (taker(entry, true, now, actions) != nullptr) {
    unlink_idle(entry);
    hand_out(entry, true, now, actions);
  }
  pump(nullptr, now, actions);
}

TimePoint Route::expire(Entry& entry, TimePoint now, Actions& actions) {
  if (entry.state != State::idle || entry.examined) return never;
  bool use = true;
  const CloseReason reason = unusable(entry, now, use);
  if (!use || now >= entry.rotate_at) {
    unlink_idle(entry);
    drain(entry, use ? CloseReason::max_age : reason, actions);
    return never;
  }
  const nanoseconds allowed = idle_limit_.effective(entry.idle_until - entry.idle_since, now);
  return std::min({entry.idle_until, entry.idle_since + allowed, entry.rotate_at});
}

bool Route::can_evict() const {
  const Entry* entry = oldest_;
  while (entry != nullptr && entry->examined) entry = entry->newer;
  return entry != nullptr;
}

bool Route::evict_oldest(TimePoint, CloseReason reason, Actions& actions) {
  for (Entry* entry = oldest_; entry != nullptr; entry = entry->newer) {
    if (entry->examined) continue;
    unlink_idle(*entry);
    drain(*entry, reason, actions);
    return true;
  }
  return false;
}

void Route::drop_suspects(const Entry& victim, TimePoint, Actions& actions) {
  for (Entry* entry = oldest_; entry != nullptr;) {
    Entry* const newer = entry->newer;
    if (!entry->examined && entry->idle_since <= victim.idle_since) {
      unlink_idle(*entry);
      drain(*entry, CloseReason::stale_suspect, actions);
    }
    entry = newer;
  }
}

// --- waiters

void Route::enqueue(Waiter& waiter, TimePoint now) {
  waiter.queued = true;
  waiter.since = now;
  // Behind the others it would be the last on the next connection too, and be turned away again.
  Waiter* behind = waiter.returning ? first_ : nullptr;
  while (behind != nullptr && behind->returning) behind = behind->next;
  if (behind != nullptr) waiter.since = std::min(now, behind->since);
  waiter.next = behind;
  waiter.previous = behind != nullptr ? behind->previous : last_;
  (waiter.previous != nullptr ? waiter.previous->next : first_) = &waiter;
  (behind != nullptr ? behind->previous : last_) = &waiter;
  ++waiting_;
  ++counters_.waiting;
}

void Route::unlink(Waiter& waiter) {
  (waiter.previous != nullptr ? waiter.previous->next : first_) = waiter.next;
  (waiter.next != nullptr ? waiter.next->previous : last_) = waiter.previous;
  waiter.previous = nullptr;
  waiter.queued = false;
  --waiting_;
  --counters_.waiting;
}

void Route::fail(Waiter& waiter, ErrorCode code, Actions& actions) {
  unlink(waiter);
  actions.push_back({.kind = Action::fail, .waiter = &waiter, .code = code, .error = last_error_});
}

// No dial is spent on a request whose time is up.
void Route::drop_expired_waiters(TimePoint now, Actions& actions) {
  while (first_ != nullptr && first_->deadline <= now) fail(*first_, ErrorCode::timeout_queue, actions);
}

void Route::turn_away(const std::shared_ptr<const Error>& why, Actions& actions) {
  while (first_ != nullptr) {
    Waiter& waiter = *first_;
    unlink(waiter);
    actions.push_back({.kind = Action::fail, .waiter = &waiter, .code = why->code, .error = why});
  }
}

// --- the rest

void Route::tick(TimePoint now, Actions& actions) {
  if (wake_at_ <= now) wake_at_ = never;
  pump(nullptr, now, actions);
  if (served_.exchange(false)) {  // those who wanted it have left
    starved_ = false;
    give_socket(actions);
  }
}

void Route::invalidate(TimePoint now, Actions& actions) {
  ++generation_;
  exclusive_until_ = TimePoint{};
  limit_ = 1;
  while (evict_oldest(now, CloseReason::invalidated, actions)) {
  }
  if (shared_.empty()) return;
  retire_all(CloseReason::invalidated, actions);
  pump(nullptr, now, actions);
}

void Route::shut_down(TimePoint now, Actions& actions) {
  closing_ = true;
  while (first_ != nullptr) fail(*first_, ErrorCode::transport_closed, actions);
  while (evict_oldest(now, CloseReason::shutdown, actions)) {
  }
  retire_all(CloseReason::shutdown, actions);
}

namespace {
// About four and a half minutes: a shift instead of a division, since it is looked at on every reuse.
std::int64_t heat_epoch(TimePoint now) { return now.time_since_epoch().count() >> 38; }
}  // namespace

int Route::heat(TimePoint now) const {
  const std::int64_t halvings = heat_epoch(now) - heat_epoch_;
  return halvings > 30 ? 0 : heat_ >> halvings;
}

void Route::warm(TimePoint now) {
  if (const std::int64_t epoch = heat_epoch(now); epoch != heat_epoch_) {
    heat_ = heat(now);
    heat_epoch_ = epoch;
  }
  heat_ = std::min(heat_ + 1, 1 << 20);
}

std::string Route::describe() const {
  return name_ + ": open " + std::to_string(open_) + " (idle " + std::to_string(counters_.idle) + ", active " +
         std::to_string(counters_.active) + ", upgraded " + std::to_string(counters_.upgraded) + ", draining " +
         std::to_string(counters_.draining) + "; shared " + std::to_string(counters_.shared_open) + ", with credit " +
         std::to_string(ready_) + ", retiring " + std::to_string(counters_.retiring) + "), leases " +
         std::to_string(counters_.leases) + ", dialing " + std::to_string(dialing_) + ", waiting " +
         std::to_string(waiting_) + ", gate " + std::to_string(gate_) + ", failures " + std::to_string(failures_);
}

std::string Route::broken_law() const {
  int idle = 0;
  for (const Entry* entry = newest_; entry != nullptr; entry = entry->older) {
    ++idle;
    if (entry->state != State::idle) return name_ + ": an entry in the idle list is not idle";
    if (entry->older != nullptr && entry->older->newer != entry) return name_ + ": the idle list is broken";
  }
  int waiting = 0;
  for (const Waiter* waiter = first_; waiter != nullptr; waiter = waiter->next) waiting += waiter->queued ? 1 : 1000000;
  const Entry* last = newest_;
  while (last != nullptr && last->older != nullptr) last = last->older;
  if (last != oldest_) return name_ + ": the idle list has two ends";
  int open = 0;
  for (const Entry* entry = first_dialled_; entry != nullptr; entry = entry->dialled_after) {
    ++open;
    if (entry->state == State::gone) return name_ + ": an entry in the list of the open is gone";
    if ((entry->dialled_after == nullptr) != (entry == last_dialled_))
      return name_ + ": the list of the open is broken";
  }
  if (open != open_) return name_ + ": open is " + std::to_string(open) + " by the list. " + describe();
  if (idle != counters_.idle) return name_ + ": idle is " + std::to_string(idle) + " by the list. " + describe();
  if (waiting != waiting_) return name_ + ": waiting is " + std::to_string(waiting) + " by the list. " + describe();
  if (std::string law = broken_law_of_shared(); !law.empty()) return name_ + ": " + law + ". " + describe();
  Stats stats;
  stats.pool = counters_;
  std::string law = stats.broken_law();
  if (!law.empty()) return name_ + ": " + law;
  if (open_ != counters_.open || dialing_ != counters_.dialing) return name_ + ": counters differ. " + describe();
  return {};
}

}  // namespace trunkline::pool
