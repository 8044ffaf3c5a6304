#include "services/autoscale_live/split_target.h"

#include <algorithm>
#include <utility>

#include "services/autoscale/placement.h"

namespace trunkline::autoscale {
namespace {

constexpr std::size_t most_remembered_parts = 1000;  // that are gone

int replicas_in(const std::vector<TargetReplicas>& split, const std::string& part) {
  const auto found = std::ranges::find(split, part, &TargetReplicas::target);
  return found == split.end() ? 0 : found->replicas;
}

std::vector<TargetReplicas> split_of_total(const Policy& policy, int total) {
  if (const auto* native = std::get_if<NativePolicy>(&policy.rules)) {
    return split_by_cost(native->targets, native->cost_expansion_percent, total);
  }
  const auto* kthena = std::get_if<KthenaPolicy>(&policy.rules);
  return kthena ? split_by_cost(kthena->targets, kthena->cost_expansion_percent, total) : std::vector<TargetReplicas>{};
}

}  // namespace

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

std::vector<TargetReplicas> first_split(const Policy& policy, int total, const std::vector<TargetReplicas>& known) {
  const std::vector<TargetCost> parts = parts_of(policy);
  std::vector<TargetReplicas> split;
  split.reserve(parts.size());
  int missing = total;
  for (const TargetCost& part : parts) {
    split.push_back({part.name, replicas_in(known, part.name)});
    missing -= split.back().replicas;
  }
  const auto bring_to = [&](TargetReplicas& part, int wanted) {
    if (missing <= 0 || wanted <= part.replicas) return;
    const int more = std::min(missing, wanted - part.replicas);
    part.replicas += more;
    missing -= more;
  };
  for (std::size_t i = 0; i < parts.size(); ++i) bring_to(split[i], parts[i].min);
  const std::vector<TargetReplicas> wanted = split_of_total(policy, total);
  for (std::size_t i = 0; i < wanted.size(); ++i) bring_to(split[i], wanted[i].replicas);
  return split;
}

SplitTarget::SplitTarget(std::string fleet, const SplitSettings& settings, const std::vector<TargetReplicas>& replicas,
                         std::function<void()> on_change, std::shared_ptr<PortLedger> ports)
    : fleet_(std::move(fleet)), on_change_(std::move(on_change)), ports_(std::move(ports)) {
  for (const SplitPart& part : settings.parts) {
    parts_[part.target] = make(part, replicas_in(replicas, part.target));
  }
}

std::shared_ptr<ProcessTarget> SplitTarget::make(const SplitPart& part, int replicas) const {
  const auto known = next_numbers_.find(part.target);
  return std::make_shared<ProcessTarget>(fleet_ + "-" + part.target, part.process, replicas, on_change_, ports_,
                                         known == next_numbers_.end() ? 1 : known->second);
}

void SplitTarget::retire(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto part = parts_.find(name);
  next_numbers_[name] = part->second->next_number();
  if (next_numbers_.size() > most_remembered_parts) next_numbers_.erase(next_numbers_.begin());
  part->second->begin_stop(as_long_as_it_takes);
  leaving_.emplace_back(name, std::move(part->second));
  parts_.erase(part);
}

void SplitTarget::change(const SplitSettings& settings, const Policy& policy) {
  forget_gone();
  const TargetView before = observe(Clock::now());
  const auto wanted = first_split(policy, *before.replicas, before.targets);
  // First, for it may fail.
  std::map<std::string, std::shared_ptr<ProcessTarget>> fresh;
  for (const SplitPart& part : settings.parts) {
    if (!parts_.contains(part.target)) fresh[part.target] = make(part, replicas_in(wanted, part.target));
  }
  for (const TargetReplicas& part : before.targets) {
    if (std::ranges::count(settings.parts, part.target, &SplitPart::target) == 0) retire(part.target);
  }
  for (const SplitPart& part : settings.parts) {
    const int replicas = replicas_in(wanted, part.target);
    const auto known = parts_.find(part.target);
    if (known == parts_.end()) {
      const std::lock_guard lock(mutex_);
      parts_[part.target] = std::move(fresh[part.target]);
    } else {
      known->second->change(part.process);
      Decision grown;
      grown.desired = replicas;
      known->second->apply(grown);
    }
  }
}

// What has drained is not shown any more.
void SplitTarget::forget_gone() {
  std::vector<Named> gone;  // ended outside of the lock: that waits for a thread
  const std::lock_guard lock(mutex_);
  const auto drained = std::ranges::partition(leaving_, [](const Named& part) { return !part.second->gone(); });
  for (Named& part : drained) {
    failures_of_gone_ += part.second->observe(Clock::now()).apply_failures;
    gone.push_back(std::move(part));
  }
  leaving_.erase(drained.begin(), drained.end());
}

TargetView SplitTarget::observe(TimePoint now) {
  const std::lock_guard lock(mutex_);
  TargetView all{.replicas = 0, .apply_failures = failures_of_gone_};
  const auto add = [&](const std::string& name, TargetView one) {
    all.apply_failures += one.apply_failures;
    for (TargetPod& pod : one.pods) {
      pod.target = name;
      all.pods.push_back(std::move(pod));
    }
  };
  for (const auto& [name, part] : parts_) {
    TargetView one = part->observe(now);
    *all.replicas += one.replicas.value_or(0);
    all.targets.push_back({name, one.replicas.value_or(0)});
    if (!one.trouble.empty()) all.trouble += (all.trouble.empty() ? "" : "; ") + name + ": " + one.trouble;
    add(name, std::move(one));
  }
  for (const auto& [name, part] : leaving_) add(name, part->observe(now));
  return all;
}

// The victims that the decision named are of all parts: each knows its own.
void SplitTarget::apply(const Decision& decision) {
  forget_gone();
  for (const TargetReplicas& wanted : decision.targets) {
    const auto part = parts_.find(wanted.target);
    if (part == parts_.end()) continue;
    Decision own = decision;
    own.desired = wanted.replicas;
    part->second->apply(own);
  }
}

void SplitTarget::begin_stop(Duration limit) {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, part] : parts_) part->begin_stop(limit);
  for (const auto& [name, part] : leaving_) part->begin_stop(limit);
}

bool SplitTarget::gone() const {
  const std::lock_guard lock(mutex_);
  const auto is_gone = [](const auto& part) { return part.second->gone(); };
  return std::ranges::all_of(parts_, is_gone) && std::ranges::all_of(leaving_, is_gone);
}

}  // namespace trunkline::autoscale
