// What the pool keeps about one connection, and about one request that waits for a connection. The real connection and
// the real call derive from these, so that handing one to the other costs no allocation and no look-up.
#pragma once

#include <cstdint>

#include <trunkline/options.hpp>
#include <trunkline/reason.hpp>

#include "base/clock.h"

namespace trunkline::pool {

class Route;

// The life of a connection: dial -> (idle <-> active)* -> draining -> gone, or active -> upgraded -> draining. An idle
// one carries nothing, an active one at least one request.
enum class State : unsigned char { idle, active, upgraded, draining, gone };

// An exclusive connection (HTTP/1.1) carries one request at a time and is its user's alone meanwhile. A shared one
// (HTTP/2) carries as many as the peer permits; what is said of it below belongs to the route, under its lock.
struct Entry {
  std::uint64_t id = 0;  // unique, and not 0 where anybody may want to avoid it
  State state = State::active;
  bool examined = false;    // idle, but its loop is looking at what the peer sent: not for hire meanwhile
  bool peer_spoke = false;  // its loop saw an event while it was busy: look at it when it comes back
  bool was_reused = false;  // the lease under way is not its first; on a shared one ask the waiter's `miss`
  bool shared = false;      // set before Pool::dialled, as is `capacity`
  bool settled = false;     // shared: the peer's SETTINGS have been heard
  bool retiring = false;    // shared: takes no more requests and closes when the last one ends
  DialReason dial_reason = DialReason::first;
  CloseReason close_reason = CloseReason::shutdown;
  std::uint32_t requests = 0;       // carried, the present one included
  std::uint32_t most_requests = 0;  // then it is replaced; 0: no limit
  std::uint32_t generation = 0;
  std::uint32_t leases = 0;    // shared: requests under way
  std::uint32_t capacity = 1;  // shared: how many the peer permits at once, which may fall below `leases`, even to 0
  std::uint32_t slot = 0;      // shared: where the route keeps it
  TimePoint opened{};
  TimePoint rotate_at = never;  // from then on it is replaced when that costs nobody anything
  TimePoint retire_at = never;  // from then on it is not used at all
  TimePoint granted{};          // to its latest user
  TimePoint idle_since{};
  TimePoint paused_since{};  // shared: when the peer last said that it permits none
  TimePoint idle_until{};    // as its last user's options have it
  Entry* newer = nullptr;    // neighbours among the idle
  Entry* older = nullptr;
  Entry* dialled_before = nullptr;  // neighbours among all that are open, for those who ask about each of them
  Entry* dialled_after = nullptr;
};

struct Waiter {
  const PoolLimits* limits = nullptr;
  const Timeouts* timeouts = nullptr;  // for the dial that it may cause
  TimePoint deadline = never;
  bool fresh = false;                // wants a connection that nobody used before
  std::uint64_t avoid = 0;           // wants any other than the connection of this id; 0: none in particular
  bool returning = false;            // was granted one, and turned away by the peer: goes before those who wait
  ReuseMiss miss = ReuseMiss::none;  // set by the pool; preset when a retry knows better

  bool queued = false;
  TimePoint since{};  // when it was queued
  Waiter* previous = nullptr;
  Waiter* next = nullptr;
};

}  // namespace trunkline::pool
