#include "services/autoscale_live/live_fleet.h"

#include <algorithm>
#include <utility>

#include "services/autoscale/limits.h"
#include "services/autoscale_files/policy_file.h"

namespace trunkline::autoscale {
namespace {

// Of all decisions that are kept together: a fleet of thousands has a shorter memory for people.
constexpr std::size_t most_pods_kept = 200'000;

bool has_gap(const Decision& decision) {
  return std::ranges::any_of(decision.metrics,
                             [](const MetricRecord& metric) { return metric.missing + metric.carried > 0; });
}

// The worse of two: what is not known, then what is old, then what is no load yet or none any more.
int badness(InputState state) {
  switch (state) {
    case InputState::missing:
      return 5;
    case InputState::carried:
      return 4;
    case InputState::starting:
      return 3;
    case InputState::draining:
      return 2;
    case InputState::excluded:
      return 1;
    case InputState::fresh:
      break;
  }
  return 0;
}

std::map<std::string_view, const PodInput*> worst_inputs(const Decision& decision) {
  std::map<std::string_view, const PodInput*> worst;
  for (const MetricRecord& metric : decision.metrics) {
    for (const PodInput& input : metric.pods) {
      const PodInput*& known = worst[input.pod];
      if (!known || badness(input.state) > badness(known->state)) known = &input;
    }
  }
  return worst;
}

std::map<std::string, std::string, std::less<>> urls_of(std::string_view job, const scrape::Snapshot& cycle) {
  std::map<std::string, std::string, std::less<>> urls;
  for (const scrape::TargetSnapshot& one : cycle.targets) {
    if (!job.empty() && one.target->job->name == job) urls.emplace(pod_name(*one.target), one.target->url);
  }
  return urls;
}

void add_input(const std::map<std::string_view, const PodInput*>& inputs, PodStatus& pod) {
  const auto found = inputs.find(pod.name);
  if (found == inputs.end()) {
    pod.input = pod.state == PodState::ready     ? InputState::fresh
                : pod.state == PodState::unready ? InputState::missing
                                                 : InputState::starting;
    return;
  }
  pod.input = found->second->state;
  if (pod.reason.empty()) pod.reason = found->second->reason;
}

}  // namespace

ReplicaBounds bounds_of(const Policy& policy) {
  if (const auto* native = std::get_if<NativePolicy>(&policy.rules)) {
    const Bounds bounds = bounds_of_total(*native);
    return {bounds.min, bounds.max};
  }
  if (const std::vector<TargetCost> parts = parts_of(policy); !parts.empty()) {
    ReplicaBounds sum;
    for (const TargetCost& part : parts) {
      sum.min += part.min;
      sum.max += part.max;
    }
    return sum;
  }
  if (const auto* hpa = std::get_if<HpaPolicy>(&policy.rules)) return {hpa->min, hpa->max};
  const auto& kthena = std::get<KthenaPolicy>(policy.rules);
  return {kthena.min, kthena.max};
}

int remembered_replicas(const State& state, const Policy& policy) {
  const ReplicaBounds bounds = bounds_of(policy);
  if (state.replicas.empty()) return bounds.min;
  return std::clamp(state.replicas.back().replicas, bounds.min, std::max(bounds.min, bounds.max));
}

std::vector<TargetReplicas> remembered_split(const State& state, const Policy& policy) {
  std::vector<TargetReplicas> known;
  for (const TargetCost& part : parts_of(policy)) {
    const auto was = std::ranges::find(state.targets, part.name, &TargetReplicas::target);
    if (was != state.targets.end())
      known.push_back({part.name, std::clamp(was->replicas, part.min, std::max(part.min, part.max))});
  }
  return first_split(policy, remembered_replicas(state, policy), known);
}

LiveFleet::LiveFleet(const FleetSettings& settings, State state, std::uint64_t first_number, int history)
    : state_(std::move(state)), next_number_(first_number) {
  change(settings, history);
}

void LiveFleet::change(const FleetSettings& settings, int history) {
  metrics_ = metrics_of_pods(settings.policy);
  const std::lock_guard lock(mutex_);
  if (settings.policy.pause != policy_.pause) pause_.reset();
  policy_ = settings.policy;
  may_refuse_ = std::holds_alternative<WebhookSettings>(settings.target);
  watched_only_ = std::holds_alternative<DryRunSettings>(settings.target);
  history_ = static_cast<std::size_t>(std::max(1, history));
}

DecisionPtr LiveFleet::decide(const TargetView& view, const scrape::Snapshot* cycle,
                              std::vector<ExternalValue> external, const EngineTime& time, TimePoint now) {
  if (!replicas_of(view, cycle)) return nullptr;
  if (cycle) {
    const std::lock_guard lock(mutex_);
    interval_ = cycle->interval;
    urls_ = urls_of(view.job, *cycle);
  }
  Policy policy = this->policy();
  bool may_refuse = false;
  {
    const std::lock_guard lock(mutex_);
    policy.dry_run = policy.dry_run || watched_only_;
    may_refuse = may_refuse_;
  }
  auto entry = std::make_shared<DecisionEntry>();
  entry->number = next_number_++;
  entry->seen = observe(view, cycle, metrics_, std::move(external), time);
  entry->seen.interval = cycle ? cycle->interval : Duration(0);
  entry->decision = decider_.decide(state_, entry->seen, policy, time.of(now), may_refuse);
  if (!policy.dry_run) state_.targets = entry->decision.targets;
  // The native rules remember this by themselves; whoever starts processes again after a restart asks it of all.
  if (!policy.dry_run && !std::holds_alternative<NativePolicy>(policy.rules)) {
    state_.replicas = {{entry->decision.at, entry->decision.desired}};
  }
  const std::lock_guard lock(mutex_);
  count(entry->decision);
  pods_kept_ += entry->seen.pods.size();
  decisions_.push_back(entry);
  while (decisions_.size() > history_ || (decisions_.size() > 1 && pods_kept_ > most_pods_kept)) {
    pods_kept_ -= decisions_.front()->seen.pods.size();
    decisions_.pop_front();
  }
  return entry;
}

void LiveFleet::count(const Decision& decision) {
  ++counters_.decisions;
  counters_.ups += decision.action == Action::up;
  counters_.downs += decision.action == Action::down;
  counters_.holds += decision.action == Action::hold;
  counters_.gaps_survived += decision.action == Action::hold && has_gap(decision);
}

void LiveFleet::pause(const Pause& pause) {
  const std::lock_guard lock(mutex_);
  pause_.emplace(pause);
}

void LiveFleet::resume() {
  const std::lock_guard lock(mutex_);
  pause_.emplace(std::nullopt);
}

Policy LiveFleet::policy() const {
  const std::lock_guard lock(mutex_);
  Policy policy = policy_;
  if (pause_) policy.pause = *pause_;
  return suited_to(interval_, std::move(policy));
}

FleetStatus LiveFleet::status(const TargetView& view, std::string_view kind, const EngineTime& time) const {
  const Policy policy = this->policy();
  const ReplicaBounds bounds = bounds_of(policy);
  const TimePoint now = time.now();
  FleetStatus status{.name = policy.name, .target_kind = std::string(kind), .compat = std::string(compat_of(policy))};
  status.min = bounds.min;
  status.max = bounds.max;
  status.paused = policy.pause && now < policy.pause->until;
  status.trouble = view.trouble;
  status.last = last();
  const FleetCounters counters = this->counters();
  status.decisions = counters.decisions;
  status.ups = counters.ups;
  status.downs = counters.downs;
  status.gaps_survived = counters.gaps_survived;
  status.current = view.replicas.value_or(status.last ? status.last->seen.current : 0);

  std::map<std::string_view, const PodInput*> inputs;
  std::map<std::string_view, PodState> states;
  if (status.last) {
    inputs = worst_inputs(status.last->decision);
    for (const Pod& pod : status.last->seen.pods) states.emplace(pod.name, pod.state);
  }
  for (const TargetPod& one : view.pods) {
    PodStatus& pod = status.pods.emplace_back();
    pod.name = one.name;
    pod.state = one.state;
    // Its process serves, but nobody hears what it says of itself.
    const auto seen = states.find(one.name);
    if (one.state == PodState::ready && seen != states.end() && seen->second == PodState::missing) {
      pod.state = PodState::missing;
    }
    pod.reason = one.reason;
    pod.url = one.url;
    pod.started = time.of(one.started);
    pod.process = one.process;
    pod.restarts = one.restarts;
    add_input(inputs, pod);
  }
  if (!view.job.empty() && status.last) {
    const std::lock_guard lock(mutex_);
    for (const Pod& seen : status.last->seen.pods) {
      PodStatus& pod = status.pods.emplace_back();
      pod.name = seen.name;
      pod.state = seen.state;
      pod.started = seen.started;
      if (const auto url = urls_.find(seen.name); url != urls_.end()) pod.url = url->second;
      add_input(inputs, pod);
    }
  }
  status.ready = static_cast<int>(std::ranges::count(status.pods, PodState::ready, &PodStatus::state));
  return status;
}

std::vector<DecisionPtr> LiveFleet::decisions(std::uint64_t after, std::size_t most) const {
  const std::lock_guard lock(mutex_);
  const auto first =
      std::ranges::upper_bound(decisions_, after, {}, [](const DecisionPtr& one) { return one->number; });
  const auto newer = static_cast<std::size_t>(decisions_.end() - first);
  const auto skipped = static_cast<std::ptrdiff_t>(newer - std::min(newer, most));
  return {first + skipped, decisions_.end()};
}

FleetCounters LiveFleet::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

DecisionPtr LiveFleet::last() const {
  const std::lock_guard lock(mutex_);
  return decisions_.empty() ? nullptr : decisions_.back();
}

}  // namespace trunkline::autoscale
