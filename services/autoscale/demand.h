// All metrics of a native policy together: the largest demand counts, and what could not be read is not forgotten.
#pragma once

#include <string>

#include "services/autoscale/decision.h"
#include "services/autoscale/pod_set.h"
#include "services/autoscale/policy.h"
#include "services/autoscale/state.h"

namespace trunkline::autoscale {

struct Demand {
  bool valid = false;      // at least one metric proposes
  bool partial = false;    // at least one that should could not be read
  bool denied = false;     // that was a matter of credentials
  int wanted = 0;          // the largest proposal
  double fast = 0;         // replicas, over the short window
  bool waiting = false;    // something that belongs to no pod is above its activation
  bool seen_idle = false;  // every metric was read in full, and shows nothing
  bool veto_up = false;
  bool veto_down = false;
  std::string veto_reason = {};
  std::string reason = {};
};

// Adds a record for each metric to the decision, and what is suspicious about it to its conditions.
Demand measure_demand(State& state, const NativePolicy& policy, const Snapshot& snapshot, const PodSet& pods,
                      TimePoint now, Decision& decision);

}  // namespace trunkline::autoscale
