#include "services/autoscale/pod_set.h"

#include <algorithm>
#include <tuple>

namespace trunkline::autoscale {

bool is_overdue(const Pod& pod, const PodRules& rules, TimePoint now) {
  return pod.state == PodState::starting && pod.started && now - *pod.started > rules.startup_deadline;
}

PodSet freeze(const Snapshot& snapshot, const PodRules& rules, TimePoint now) {
  PodSet set;
  set.pods.reserve(snapshot.pods.size());
  for (const Pod& pod : snapshot.pods) set.pods.push_back(&pod);
  // By name, so that neither sums nor records depend on the order in which pods were listed.
  // Of two with one name the first that was listed counts.
  std::ranges::sort(set.pods, [](const Pod* a, const Pod* b) { return std::tie(a->name, a) < std::tie(b->name, b); });
  const auto repeated =
      std::ranges::unique(set.pods, {}, [](const Pod* pod) -> const std::string& { return pod->name; });
  set.pods.erase(repeated.begin(), repeated.end());
  for (const Pod* pod : set.pods) {
    if (pod->state == PodState::ready || pod->state == PodState::missing) ++set.serving;
    if (pod->state == PodState::starting) ++set.starting;
    if (pod->state == PodState::terminating) ++set.terminating;
    if (is_overdue(*pod, rules, now)) ++set.overdue;
  }
  return set;
}

}  // namespace trunkline::autoscale
