// Decisions, one after the other, for a target that may not do as it is told: an order of which nothing is in force at
// the next decision leaves no trace in the memory.
#pragma once

#include <optional>

#include "services/autoscale/engine.h"

namespace trunkline::autoscale {

class Decider {
 public:
  // As decide(). With `may_be_ignored` an order costs a second decision and a copy of the memory.
  Decision decide(State& state, const Snapshot& seen, const Policy& policy, TimePoint now, bool may_be_ignored);
  // What decide() does first: for whoever changes the memory himself in between.
  void take_back_ignored(State& state, const Snapshot& seen);

 private:
  struct Order {
    int before = 0;
    int replicas = 0;
    State otherwise;  // the memory if nobody obeys
  };
  std::optional<Order> order_;
};

}  // namespace trunkline::autoscale
