#include "services/autoscale/hpa_replicas.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "services/autoscale/numbers.h"

namespace trunkline::autoscale {
namespace {

// Kubernetes calculates in thousandths, rounded up.
double to_milli(double value) { return std::min(std::ceil(value * 1000 - 1e-6), 9.2e18); }

enum class Group : unsigned char { ready, unready, missing, ignored };

struct Usage {
  bool known = false;
  double milli = 0;
  std::optional<TimePoint> at = {};
  Duration window{0};
};

struct Grouped {
  const Pod* pod = nullptr;
  Group group = Group::missing;
  Usage usage = {};
};

bool is_ignored(const Pod& pod) {
  return pod.deleted || pod.state == PodState::terminating || pod.state == PodState::finished ||
         pod.state == PodState::excluded || pod.phase == PodPhase::failed || pod.phase == PodPhase::succeeded;
}
bool is_pending(const Pod& pod) {
  return pod.phase ? *pod.phase == PodPhase::pending : pod.state == PodState::starting;
}
bool is_ready(const Pod& pod) {
  return pod.ready.value_or(pod.state == PodState::ready || pod.state == PodState::missing);
}

// Of a pod's containers, one that tells other resources but not this one makes the sum unknown.
bool is_partly_silent(const Pod& pod, const std::string& metric) {
  return std::ranges::any_of(pod.samples, [&](const Sample& other) {
    return !other.container.empty() && std::ranges::none_of(pod.samples, [&](const Sample& sample) {
      return sample.container == other.container && sample.metric == metric && std::isfinite(sample.value);
    });
  });
}

// As Kubernetes counts them for a value: a pod that is asked to end runs and may be ready until it has ended.
bool is_running_and_ready(const Pod& pod) {
  if (pod.phase) return *pod.phase == PodPhase::running && is_ready(pod);
  return !is_ignored(pod) && !is_pending(pod) && is_ready(pod);
}

Usage read(const Pod& pod, const HpaMetric& metric) {
  Usage usage;
  if (pod.state == PodState::missing) return usage;
  if (metric.type == HpaMetric::Type::resource && is_partly_silent(pod, metric.name)) return usage;
  for (const Sample& sample : pod.samples) {
    if (sample.metric != metric.name || !std::isfinite(sample.value)) continue;
    if (metric.type == HpaMetric::Type::container_resource && sample.container != metric.container) continue;
    if (!usage.known) usage = {.known = true, .milli = 0, .at = sample.at, .window = sample.window};
    usage.milli += to_milli(sample.value);
  }
  return usage;
}

// A processor's first minutes say nothing of the load, so a young or never ready pod's CPU does not count.
bool is_unready_for_cpu(const Pod& pod, const Usage& usage, const HpaPolicy& policy, TimePoint now) {
  if (!pod.started || !pod.ready_changed) return !is_ready(pod);
  if (*pod.started + policy.cpu_initialization > now) {
    return !is_ready(pod) || usage.at.value_or(now) < *pod.ready_changed + usage.window;
  }
  return !is_ready(pod) && *pod.started + policy.initial_readiness_delay > *pod.ready_changed;
}

Group group_of(const Pod& pod, const Usage& usage, const HpaMetric& metric, const HpaPolicy& policy, TimePoint now) {
  if (is_ignored(pod)) return Group::ignored;
  if (is_pending(pod)) return Group::unready;
  if (!usage.known) return Group::missing;
  const bool is_resource =
      metric.type == HpaMetric::Type::resource || metric.type == HpaMetric::Type::container_resource;
  // Readiness counts for CPU alone: for custom metrics a running pod that is not ready is like any other.
  if (is_resource && metric.name == "cpu" && is_unready_for_cpu(pod, usage, policy, now)) return Group::unready;
  return Group::ready;
}

void write_down(MetricRecord& record, const Grouped& one, TimePoint now) {
  PodInput input{.pod = one.pod->name};
  if (one.usage.known) {
    input.value = one.usage.milli / 1000;
    input.age = one.usage.at ? now - *one.usage.at : Duration{0};
  }
  switch (one.group) {
    case Group::ready:
      input.state = InputState::fresh;
      ++record.expected;
      ++record.fresh;
      record.worst_age = std::max(record.worst_age, input.age);
      break;
    case Group::missing:
      input.state = InputState::missing;
      input.reason = "no sample";
      ++record.expected;
      ++record.missing;
      break;
    case Group::unready:
      input.state = InputState::starting;
      input.reason = "not ready";
      break;
    case Group::ignored:
      input.state = InputState::excluded;
      input.reason = "terminating or ended";
      break;
  }
  record.pods.push_back(std::move(input));
}

// The pod is measured, and has no such container.
bool lacks_container(const Pod& pod, const HpaMetric& metric) {
  if (metric.type != HpaMetric::Type::container_resource || pod.state == PodState::missing) return false;
  const auto is_measured = [](const Sample& sample) { return !sample.container.empty(); };
  return std::ranges::any_of(pod.samples, is_measured) &&
         std::ranges::none_of(pod.samples, [&](const Sample& sample) { return sample.container == metric.container; });
}

// The sum of what a pod's containers asked for; nothing is a request, too. Unset when one did not say.
std::optional<double> request_of(const Pod& pod, const HpaMetric& metric) {
  const bool one_container = metric.type == HpaMetric::Type::container_resource;
  double total = 0;
  bool found = false;
  for (const ResourceRequest& any : pod.requests) {
    if (one_container && any.container != metric.container) continue;
    const auto request = std::ranges::find_if(pod.requests, [&](const ResourceRequest& each) {
      return each.container == any.container && each.resource == metric.name;
    });
    if (request == pod.requests.end() || !std::isfinite(request->amount) || request->amount < 0) return std::nullopt;
    if (&any != &*request) continue;  // its container is counted there
    total += to_milli(any.amount);
    found = true;
  }
  return found ? std::optional(total) : std::nullopt;
}

// One pod's part in the ratio: its usage and, for a utilisation, what it asked for.
struct PodPart {
  double usage = 0;
  double request = 0;
};

struct Ratio {
  double ratio = 0;
  double shown = 0;
};

Ratio ratio_of(const std::vector<PodPart>& parts, const HpaMetric& metric) {
  double usage = 0;
  double request = 0;
  for (const PodPart& part : parts) {
    usage += part.usage;
    request += part.request;
  }
  if (metric.target == HpaMetric::TargetType::utilization) {
    const double percent = std::trunc(usage * 100 / request);
    return {percent / metric.value, percent};
  }
  const double mean = std::trunc(usage / static_cast<double>(parts.size()));
  return {mean / to_milli(metric.value), mean / 1000};
}

HpaProposal propose_per_pod(const HpaMetric& metric, const HpaPolicy& policy, const Snapshot& snapshot, TimePoint now,
                            MetricRecord* record) {
  const HpaTolerance tolerance = hpa_tolerance(policy);
  const bool is_utilization = metric.target == HpaMetric::TargetType::utilization;
  const int current = snapshot.current;
  if (snapshot.pods.empty()) return {.error = "no pods returned by selector while calculating replica count"};

  std::vector<PodPart> parts;
  std::vector<PodPart> missing;
  std::vector<PodPart> unready;
  std::string without_request;
  for (const Pod& pod : snapshot.pods) {
    Grouped one{.pod = &pod, .usage = read(pod, metric)};
    one.group = group_of(pod, one.usage, metric, policy, now);
    if (record) write_down(*record, one, now);
    if (lacks_container(pod, metric)) {
      return {.error = "container " + metric.container + " not present in metrics for pod " + pod.name};
    }
    const std::optional<double> request = is_utilization ? request_of(pod, metric) : 0;
    // A pod that is gone may be recorded without what it asked for.
    const bool says_nothing = one.group == Group::ignored && pod.requests.empty();
    if (!request && !says_nothing && without_request.empty()) without_request = pod.name;
    if (!request || one.group == Group::ignored) continue;
    if (one.group == Group::ready) parts.push_back({one.usage.milli, *request});
    if (one.group == Group::missing) missing.push_back({0, *request});
    if (one.group == Group::unready) unready.push_back({0, *request});
  }
  if (parts.empty()) return {.error = "did not receive metrics for targeted pods (pods might be unready)"};
  if (!without_request.empty()) return {.error = "missing request for " + metric.name + " in pod " + without_request};
  if (is_utilization && std::ranges::all_of(parts, [](const PodPart& part) { return part.request == 0; })) {
    return {.error = "no metrics returned matched known pods"};
  }

  const Ratio seen = ratio_of(parts, metric);
  const bool counts_unready = !unready.empty() && seen.ratio > 1.0;
  HpaProposal proposal{.replicas = current, .shown = seen.shown};
  if (!counts_unready && missing.empty()) {
    if (!tolerance.holds(seen.ratio)) {
      proposal.replicas = ceil_replicas(seen.ratio * static_cast<double>(parts.size()));
    }
    return proposal;
  }
  if (seen.ratio == 1.0) return proposal;
  // What is not known is assumed to be what makes the change smaller.
  for (PodPart part : missing) {
    if (seen.ratio < 1.0) {
      part.usage =
          is_utilization ? std::trunc(part.request * std::max(100.0, metric.value) / 100) : to_milli(metric.value);
    }
    parts.push_back(part);
  }
  if (counts_unready) parts.insert(parts.end(), unready.begin(), unready.end());

  const double ratio = ratio_of(parts, metric).ratio;
  const bool flipped = (seen.ratio < 1.0 && ratio > 1.0) || (seen.ratio > 1.0 && ratio < 1.0);
  if (tolerance.holds(ratio) || flipped) return proposal;
  const int wanted = ceil_replicas(ratio * static_cast<double>(parts.size()));
  const bool contradicts = (ratio < 1.0 && wanted > current) || (ratio > 1.0 && wanted < current);
  if (!contradicts) proposal.replicas = wanted;
  return proposal;
}

HpaProposal propose_from_value(const HpaMetric& metric, const HpaPolicy& policy, const Snapshot& snapshot,
                               MetricRecord* record) {
  const HpaTolerance tolerance = hpa_tolerance(policy);
  double usage = 0;
  bool found = false;
  for (const ExternalValue& value : snapshot.external) {
    if (value.metric != metric.name || !std::isfinite(value.value)) continue;
    usage += to_milli(value.value);
    found = true;
  }
  if (!found) return {.error = "no value for the metric " + metric.name};
  if (record) record->expected = record->fresh = 1;

  if (metric.target == HpaMetric::TargetType::average_value) {
    const int replicas = snapshot.status_replicas.value_or(snapshot.current);
    const double ratio = usage / (to_milli(metric.value) * replicas);
    HpaProposal proposal{.replicas = replicas, .shown = replicas > 0 ? std::ceil(usage / replicas) / 1000 : 0};
    if (!tolerance.holds(ratio)) proposal.replicas = ceil_replicas(usage / to_milli(metric.value));
    return proposal;
  }
  const double ratio = usage / to_milli(metric.value);
  HpaProposal proposal{.replicas = snapshot.current, .shown = usage / 1000};
  if (snapshot.current == 0) {
    proposal.replicas = ceil_replicas(ratio);
  } else if (!tolerance.holds(ratio)) {
    if (snapshot.pods.empty()) return {.error = "no pods returned by selector while calculating replica count"};
    const auto ready = std::ranges::count_if(snapshot.pods, is_running_and_ready);
    proposal.replicas = ceil_replicas(ratio * static_cast<double>(ready));
  }
  return proposal;
}

}  // namespace

HpaTolerance hpa_tolerance(const HpaPolicy& policy) {
  HpaTolerance tolerance{policy.tolerance, policy.tolerance};
  if (policy.behavior) {
    tolerance.up = policy.behavior->up.tolerance.value_or(policy.tolerance);
    tolerance.down = policy.behavior->down.tolerance.value_or(policy.tolerance);
  }
  return tolerance;
}

HpaProposal hpa_propose(const HpaMetric& metric, const HpaPolicy& policy, const Snapshot& snapshot, TimePoint now,
                        MetricRecord* record) {
  for (const MetricFailure& failure : snapshot.failing) {
    if (failure.metric == metric.name) return {.error = failure.reason};
  }
  if (metric.type == HpaMetric::Type::object || metric.type == HpaMetric::Type::external) {
    return propose_from_value(metric, policy, snapshot, record);
  }
  return propose_per_pod(metric, policy, snapshot, now, record);
}

}  // namespace trunkline::autoscale
