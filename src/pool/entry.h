// What the pool keeps about one connection, and about one request that waits for a connection. The real connection and
// the real call derive from these, so that handing one to the other costs no allocation and no look-up.
#pragma once

#include <cstdint>

#include <trunkline/options.hpp>
#include <trunkline/reason.hpp>

#include "base/clock.h"

namespace trunkline::pool {

class Route;

// The life of a connection: dial -> (idle <-> active)* -> draining -> gone, or active -> upgraded -> draining.
enum class State : unsigned char { idle, active, upgraded, draining, gone };

struct Entry {
  std::uint64_t id = 0;
  State state = State::active;
  bool examined = false;    // idle, but its loop is looking at what the peer sent: not for hire meanwhile
  bool peer_spoke = false;  // its loop saw an event while it was busy: look at it when it comes back
  bool was_reused = false;  // the lease under way is not its first
  DialReason dial_reason = DialReason::first;
  CloseReason close_reason = CloseReason::shutdown;
  std::uint32_t requests = 0;       // carried, the present one included
  std::uint32_t most_requests = 0;  // then it is replaced; 0: no limit
  std::uint32_t generation = 0;
  TimePoint opened{};
  TimePoint rotate_at = never;  // from then on it is replaced when that costs nobody anything
  TimePoint retire_at = never;  // from then on it is not used at all
  TimePoint idle_since{};
  TimePoint idle_until{};  // as its last user's options have it
  Entry* newer = nullptr;  // neighbours among the idle
  Entry* older = nullptr;
};

struct Waiter {
  const PoolLimits* limits = nullptr;
  const Timeouts* timeouts = nullptr;  // for the dial that it may cause
  TimePoint deadline = never;
  bool fresh = false;                // wants a connection that nobody used before
  ReuseMiss miss = ReuseMiss::none;  // set by the pool; preset when a retry knows better

  bool queued = false;
  Waiter* previous = nullptr;
  Waiter* next = nullptr;
};

}  // namespace trunkline::pool
