// The pods of one decision, frozen: every metric, every numerator and every denominator uses this one set.
#pragma once

#include <vector>

#include "services/autoscale/policy.h"
#include "services/autoscale/snapshot.h"

namespace trunkline::autoscale {

struct PodSet {
  std::vector<const Pod*> pods;  // by name, each once; they live as long as the snapshot
  int serving = 0;               // ready, or silent for the moment
  int starting = 0;
  int overdue = 0;  // of those that start: longer than the deadline, so no capacity will come of them
  int terminating = 0;
};

PodSet freeze(const Snapshot& snapshot, const PodRules& rules, TimePoint now);

bool is_overdue(const Pod& pod, const PodRules& rules, TimePoint now);

}  // namespace trunkline::autoscale
