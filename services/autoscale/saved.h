// What survives a restart: the engine's memory with the two clocks' readings that make its times mean something in
// another process. A plain value; who writes it to a file and reads it back is no business of the engine.
#pragma once

#include <cstdint>
#include <string>

#include <trunkline/result.hpp>

#include "services/autoscale/state.h"

namespace trunkline::autoscale {

inline constexpr int saved_version = 1;

struct Saved {
  int version = saved_version;
  std::string policy;                  // whose memory it is
  std::int64_t wall_unix_seconds = 0;  // both clocks at the same moment
  TimePoint monotonic{};
  State state = {};
  bool operator==(const Saved&) const = default;
};

// The memory as of `now`, its times moved to this process's clock by what the wall clock says has passed. Refused:
// another version, another policy's, one from the future, one older than `most_age`. Whoever is refused starts without
// a memory, which holds what there is for one window.
Result<State> restore(Saved saved, const std::string& policy, std::int64_t wall_unix_seconds, TimePoint now,
                      Duration most_age);

// Every time in it, later by `shift`.
void move_times(State& state, Duration shift);

}  // namespace trunkline::autoscale
