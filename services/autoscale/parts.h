// A decided total over several targets, each with pods of its own: which of them grow, which shrink, and who leaves
// those. What moves from one target to another does so only as fast as the streams that this cuts allow.
#pragma once

#include <string>
#include <vector>

#include "services/autoscale/decision.h"
#include "services/autoscale/pod_set.h"

namespace trunkline::autoscale {

struct Part {
  std::string name;
  int present = 0;  // replicas asked for now
  int wanted = 0;   // as the total is to be split
  double cost = 0;  // of one replica: the dearest is the first to grow less
  int least = 0;    // up to this it grows in any case
  int most = 0;     // above this replicas leave whatever they hold, as those of a whole fleet above its maximum do
};

struct ShareRules {
  bool may_grow = true;
  bool may_shrink = true;      // otherwise only what is above a target's maximum leaves
  bool may_leave_most = true;  // otherwise not even that
  double max_disrupted = -1;   // streams that may be cut in all targets together; below 0: any number
};

struct Share {
  std::vector<TargetReplicas> targets = {};  // in the order of the parts
  std::vector<Victim> victims = {};          // of each target that shrinks, its own
  double disrupted = 0;                      // streams that they hold
  int total = 0;                             // other than asked for where too few may leave, or none may come
};

// The wanted split as far as the rules allow. What may not leave takes the place of what would have come, so that all
// together are no more than were asked for or than there are. `record` as for rank_victims().
Share share_out(const std::vector<Part>& parts, int total, const ShareRules& rules, const PodSet& pods,
                const MetricRecord* record);

// Who leaves the targets that shrink, for rules that know no streams: each target's own, the youngest first.
std::vector<Victim> name_leaving(const std::vector<TargetReplicas>& present, const std::vector<TargetReplicas>& wanted,
                                 const PodSet& pods);

}  // namespace trunkline::autoscale
