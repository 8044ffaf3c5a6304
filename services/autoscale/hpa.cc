#include "services/autoscale/hpa.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "services/autoscale/hpa_limits.h"
#include "services/autoscale/hpa_replicas.h"
#include "services/autoscale/pause.h"

namespace trunkline::autoscale {
namespace {

std::string_view failure_reason(HpaMetric::Type type) {
  switch (type) {
    case HpaMetric::Type::resource:
      return "FailedGetResourceMetric";
    case HpaMetric::Type::container_resource:
      return "FailedGetContainerResourceMetric";
    case HpaMetric::Type::pods:
      return "FailedGetPodsMetric";
    case HpaMetric::Type::object:
      return "FailedGetObjectMetric";
    case HpaMetric::Type::external:
      return "FailedGetExternalMetric";
  }
  return "FailedGetMetric";
}

// One condition of a type at a time: the last word counts.
void set(Decision& decision, std::string_view type, Truth status, std::string_view reason, std::string message = {}) {
  Condition condition{std::string(type), status, std::string(reason), std::move(message)};
  for (Condition& was : decision.conditions) {
    if (was.type == type) {
      was = std::move(condition);
      return;
    }
  }
  decision.conditions.push_back(std::move(condition));
}

int step(Decision& decision, std::string_view name, int before, int after, std::string_view reason) {
  decision.stages.push_back({std::string(name), before, after, std::string(reason)});
  decision.reason = reason;
  return after;
}

struct Asked {
  bool valid = false;
  int replicas = 0;
  std::string metric;
};

// The largest proposal. With some metrics unreadable it may still go up, never down.
Asked ask_metrics(const Snapshot& snapshot, const HpaPolicy& policy, TimePoint now, Decision& decision) {
  Asked asked;
  std::size_t invalid = 0;
  std::string first_error;
  std::string_view first_reason;
  for (const HpaMetric& metric : policy.metrics) {
    MetricRecord& record = decision.metrics.emplace_back();
    record.metric = metric.name;
    record.target_value = metric.value;
    const HpaProposal proposal = hpa_propose(metric, policy, snapshot, now, &record);
    record.coverage = record.expected > 0 ? static_cast<double>(record.fresh) / record.expected : 0;
    if (!proposal.error.empty()) {
      record.reason = proposal.error;
      decision.events.push_back({true, std::string(failure_reason(metric.type)), proposal.error});
      if (invalid++ == 0) {
        first_error = proposal.error;
        first_reason = failure_reason(metric.type);
      }
      continue;
    }
    record.verdict = Verdict::proposes;
    record.current_value = record.low = record.best = record.high = proposal.shown;
    record.proposal = proposal.replicas;
    if (asked.replicas == 0 || proposal.replicas > asked.replicas) {
      asked.replicas = proposal.replicas;
      asked.metric = metric.name;
    }
  }
  if (invalid >= policy.metrics.size() || (invalid > 0 && asked.replicas < snapshot.current)) {
    set(decision, "ScalingActive", Truth::no, first_reason, first_error);
    decision.events.push_back({true, "FailedComputeMetricsReplicas",
                               "invalid metrics (" + std::to_string(invalid) + " invalid out of " +
                                   std::to_string(policy.metrics.size()) + "), first error is: " + first_error});
    return asked;
  }
  set(decision, "ScalingActive", Truth::yes, "ValidMetricFound",
      "the HPA was able to successfully calculate a replica count from " + asked.metric);
  asked.valid = true;
  return asked;
}

void rescale(HpaState& state, const HpaPolicy& policy, const std::optional<Pause>& pause, TimePoint now,
             std::string_view why, Decision& decision) {
  hold_if_paused(pause, now, decision);
  if (decision.desired == decision.current || decision.dry_run) return;
  set(decision, "AbleToScale", Truth::yes, "SucceededRescale",
      "the HPA controller was able to update the target scale to " + std::to_string(decision.desired));
  decision.events.push_back(
      {false, "SuccessfulRescale", "New size: " + std::to_string(decision.desired) + "; reason: " + std::string(why)});
  hpa_scaled(state, policy, decision.current, decision.desired, now);
}

}  // namespace

void decide_as_hpa(HpaState& state, const Snapshot& snapshot, const HpaPolicy& policy,
                   const std::optional<Pause>& pause, TimePoint now, Decision& decision) {
  const int current = snapshot.current;
  decision.desired = current;
  set(decision, "AbleToScale", Truth::yes, "SucceededGetScale",
      "the HPA controller was able to get the target's current scale");
  const std::optional<int> watched = std::exchange(state.watched, std::nullopt);
  if (decision.dry_run) {
    if (watched) hpa_scaled(state, policy, *watched, current, now);
    state.watched = current;
  }
  // What there was at the start counts as a recommendation: a controller that restarts does not shrink at once.
  if (state.recommendations.empty()) state.recommendations.push_back({now, current});

  if (current == 0 && policy.min != 0 && !snapshot.scaled_to_zero) {
    set(decision, "ScalingActive", Truth::no, "ScalingDisabled",
        "scaling is disabled since the replica count of the target is zero");
    step(decision, "bounds", 0, 0, "ScalingDisabled");
    return;
  }
  if (current > policy.max) {
    decision.desired = step(decision, "bounds", current, policy.max, "TooManyReplicas");
    rescale(state, policy, pause, now, "Current number of replicas above Spec.MaxReplicas", decision);
    return;
  }
  if (current < policy.min) {
    decision.desired = step(decision, "bounds", current, policy.min, "TooFewReplicas");
    rescale(state, policy, pause, now, "Current number of replicas below Spec.MinReplicas", decision);
    return;
  }

  if (snapshot.ambiguous) {
    const std::string why = "the target's pods belong to another HPA as well";
    set(decision, "ScalingActive", Truth::no, "AmbiguousSelector", why);
    decision.events.push_back({true, "AmbiguousSelector", why});
    decision.events.push_back({true, "FailedComputeMetricsReplicas", why});
    step(decision, "selector", current, current, "AmbiguousSelector");
    return;
  }
  const Asked asked = ask_metrics(snapshot, policy, now, decision);
  if (!asked.valid) {
    step(decision, "metrics", current, current, decision.conditions.back().reason);
    return;
  }
  const std::string why = asked.replicas > current ? asked.metric + " above target" : "All metrics below target";
  step(decision, "metrics", current, asked.replicas, asked.replicas == current ? "within tolerance" : why);

  const HpaLimited held = hpa_stabilise(state, policy, current, asked.replicas, now);
  set(decision, "AbleToScale", Truth::yes, held.reason);
  step(decision, "stabilise", asked.replicas, held.replicas, held.reason);

  const HpaLimited limited = hpa_limit(state, policy, current, held.replicas, now);
  const bool is_limited = limited.replicas != held.replicas;
  set(decision, "ScalingLimited", is_limited ? Truth::yes : Truth::no, limited.reason);
  decision.desired = step(decision, "limit", held.replicas, limited.replicas, limited.reason);
  rescale(state, policy, pause, now, why, decision);
}

}  // namespace trunkline::autoscale
