#include "services/autoscale_live/split_target.h"

#include <algorithm>
#include <utility>

#include "services/autoscale/placement.h"

namespace trunkline::autoscale {

std::vector<TargetCost> parts_of(const Policy& policy) {
  if (const auto* native = std::get_if<NativePolicy>(&policy.rules)) return native->targets;
  const auto* kthena = std::get_if<KthenaPolicy>(&policy.rules);
  if (!kthena) return {};
  if (kthena->roles.empty()) return kthena->targets;
  std::vector<TargetCost> parts;
  parts.reserve(kthena->roles.size());
  for (const KthenaRole& role : kthena->roles) parts.push_back({.name = role.name, .min = role.min, .max = role.max});
  return parts;
}

std::vector<TargetReplicas> initial_split(const Policy& policy, int total) {
  if (const auto* native = std::get_if<NativePolicy>(&policy.rules)) {
    return split_by_cost(native->targets, native->cost_expansion_percent, total);
  }
  const auto* kthena = std::get_if<KthenaPolicy>(&policy.rules);
  if (kthena && kthena->roles.empty()) return split_by_cost(kthena->targets, kthena->cost_expansion_percent, total);
  std::vector<TargetReplicas> split;
  split.reserve(kthena ? kthena->roles.size() : 0);
  for (const TargetCost& part : parts_of(policy)) split.push_back({part.name, part.min});
  return split;
}

SplitTarget::SplitTarget(const std::string& fleet, const SplitSettings& settings,
                         const std::vector<TargetReplicas>& replicas, const std::function<void()>& on_change) {
  for (const SplitPart& part : settings.parts) {
    const auto found = std::ranges::find(replicas, part.target, &TargetReplicas::target);
    parts_[part.target] = std::make_unique<ProcessTarget>(fleet + "-" + part.target, part.process,
                                                          found == replicas.end() ? 0 : found->replicas, on_change);
  }
}

bool SplitTarget::change(const SplitSettings& settings) {
  const bool same = settings.parts.size() == parts_.size() &&
                    std::ranges::all_of(settings.parts, [&](const auto& part) { return parts_.contains(part.target); });
  if (!same) return false;
  for (const SplitPart& part : settings.parts) parts_.at(part.target)->change(part.process);
  return true;
}

TargetView SplitTarget::observe(TimePoint now) {
  TargetView all{.replicas = 0};
  for (const auto& [name, part] : parts_) {
    TargetView one = part->observe(now);
    *all.replicas += one.replicas.value_or(0);
    all.targets.push_back({name, one.replicas.value_or(0)});
    all.apply_failures += one.apply_failures;
    if (!one.trouble.empty()) all.trouble += (all.trouble.empty() ? "" : "; ") + name + ": " + one.trouble;
    for (TargetPod& pod : one.pods) {
      pod.target = name;
      all.pods.push_back(std::move(pod));
    }
  }
  return all;
}

// The victims that the decision named are of all parts: each knows its own, and where the split takes more from a part
// than was named of it, those that serve nobody yet and the youngest leave.
void SplitTarget::apply(const Decision& decision) {
  for (const TargetReplicas& wanted : decision.targets) {
    const auto part = parts_.find(wanted.target);
    if (part == parts_.end()) continue;
    Decision own = decision;
    own.desired = wanted.replicas;
    part->second->apply(own);
  }
}

void SplitTarget::begin_stop(Duration limit) {
  for (const auto& [name, part] : parts_) part->begin_stop(limit);
}

bool SplitTarget::gone() const {
  return std::ranges::all_of(parts_, [](const auto& part) { return part.second->gone(); });
}

}  // namespace trunkline::autoscale
