#include "services/autoscale/kthena.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <tuple>

#include "services/autoscale/kthena_histogram.h"
#include "services/autoscale/kthena_recommend.h"
#include "services/autoscale/numbers.h"
#include "services/autoscale/placement.h"

namespace trunkline::autoscale {
namespace {

constexpr std::chrono::seconds histogram_fresh{60};
constexpr std::chrono::seconds histogram_kept{300};
constexpr double histogram_percent = 95;

// What one decision looks at: all pods, or those of one target or role.
struct View {
  const Snapshot& snapshot;
  const KthenaPolicy& policy;
  std::string_view target;
  TimePoint now;
  bool holds(std::string_view of) const { return target.empty() || of == target; }
};

// Any pod that ends, has failed or was ever restarted, or that did not answer, silences the whole group.
bool is_silenced(const View& view) {
  return std::ranges::any_of(view.snapshot.pods, [&](const Pod& pod) {
    const bool gone = pod.deleted || pod.restarted || pod.phase == PodPhase::failed;
    return view.holds(pod.target) && (gone || pod.state == PodState::terminating || pod.state == PodState::finished ||
                                      pod.state == PodState::missing);
  });
}

int count_unready(const View& view) {
  return static_cast<int>(std::ranges::count_if(view.snapshot.pods, [&](const Pod& pod) {
    return view.holds(pod.target) && (pod.state == PodState::unready || pod.state == PodState::starting);
  }));
}

std::optional<double> read_histogram(KthenaState& state, const Pod& pod, const Sample& sample, TimePoint now) {
  std::vector<KthenaHistogram>& snapshots = state.histograms[sample.metric + " " + pod.name];
  const KthenaHistogram* was = kthena_past(snapshots, now, histogram_fresh, histogram_kept);
  KthenaCounts past;
  if (was && was->pod_started == pod.started) past = {was->count, was->buckets};
  const Result<double> quantile = kthena_quantile(past, {sample.value, sample.buckets}, histogram_percent);
  kthena_keep(snapshots, {now, pod.started, sample.value, sample.buckets}, histogram_fresh, histogram_kept);
  return quantile ? std::optional(*quantile) : std::nullopt;
}

// The sum over all pods, of quantiles too. A pod without the metric adds nothing, which counts as zero.
std::optional<double> sum_over_pods(KthenaState& state, const View& view, const KthenaMetric& metric,
                                    MetricRecord& record) {
  std::optional<double> sum;
  for (const Pod& pod : view.snapshot.pods) {
    if (!view.holds(pod.target) || pod.state != PodState::ready) continue;
    ++record.expected;
    std::optional<double> own;
    for (const Sample& sample : pod.samples) {
      if (sample.metric != metric.name) continue;
      if (metric.kind == KthenaMetric::Kind::histogram) {
        own = read_histogram(state, pod, sample, view.now);
        if (!own) return std::nullopt;
        break;  // only the first series is looked at
      }
      if (!is_usable(sample.value)) return std::nullopt;
      own = own.value_or(0) + sample.value;
    }
    record.pods.push_back({.pod = pod.name,
                           .state = own ? InputState::fresh : InputState::missing,
                           .value = own.value_or(0),
                           .reason = own ? "" : "no such metric: counts as zero"});
    if (!own) continue;
    ++record.fresh;
    sum = sum.value_or(0) + *own;
  }
  return sum;
}

bool is_averaged(std::string_view metric) {
  static constexpr std::array<std::string_view, 5> endings = {"_utilization", "_usage", "_ratio", "_percent",
                                                              "_saturation"};
  return std::ranges::any_of(endings, [&](std::string_view ending) { return metric.ends_with(ending); });
}

// Over several backends the name decides what is meant: an average weighted by replicas, or the sum.
std::optional<double> read_external(const View& view, const KthenaMetric& metric) {
  double sum = 0;
  double weighted = 0;
  double weights = 0;
  double count = 0;
  for (const ExternalValue& value : view.snapshot.external) {
    if (value.metric != metric.name || !view.holds(value.target)) continue;
    if (!is_usable(value.value)) return std::nullopt;
    double replicas = 0;
    for (const TargetReplicas& target : view.snapshot.targets) {
      if (target.target == value.target) replicas = target.replicas;
    }
    sum += value.value;
    weighted += value.value * replicas;
    weights += replicas;
    ++count;
  }
  if (count == 0) return std::nullopt;
  if (view.policy.targets.empty() || !is_averaged(metric.name)) return sum;
  return weights > 0 ? weighted / weights : sum / count;
}

std::optional<KthenaInput> read(KthenaState& state, const View& view, const KthenaMetric& metric,
                                MetricRecord& record) {
  KthenaInput input{.target = metric.target};
  if (metric.external) {
    input.external = read_external(view, metric);
    if (!input.external) return std::nullopt;
    record.best = *input.external;
    return input;
  }
  const auto add = [&](const View& of) {
    const std::optional<double> sum = is_silenced(of) ? std::nullopt : sum_over_pods(state, of, metric, record);
    if (sum) input.instances.push_back(*sum);
    record.best += sum.value_or(0);
    return sum.has_value();
  };
  if (view.policy.targets.empty()) return add(view) ? std::optional(input) : std::nullopt;
  for (const TargetCost& target : view.policy.targets) {
    if (!add(View{view.snapshot, view.policy, target.name, view.now})) ++input.missing;
  }
  return input.instances.empty() ? std::nullopt : std::optional(input);
}

// One number of replicas, of all or of one role.
int decide_one(KthenaState& state, const View& view, KthenaBounds bounds, int current, Decision& decision) {
  std::vector<KthenaInput> inputs;
  for (const KthenaMetric& metric : view.policy.metrics) {
    if (!metric.role.empty() && !view.holds(metric.role)) continue;
    MetricRecord& record = decision.metrics.emplace_back();
    record.metric = metric.name;
    record.target = view.target;
    record.target_value = metric.target;
    const std::optional<KthenaInput> input = read(state, view, metric, record);
    record.coverage = record.expected > 0 ? static_cast<double>(record.fresh) / record.expected : 0;
    if (!input) {
      record.reason = "a pod or the query could not be read, so the metric is left out";
      continue;
    }
    record.low = record.high = record.current_value = record.best;
    const auto asked = kthena_recommend({0, most_replicas}, current, view.policy.tolerance_percent / 100.0,
                                        count_unready(view), {*input});
    record.verdict = Verdict::proposes;
    record.proposal = asked.value_or(current);
    inputs.push_back(*input);
  }
  const auto recommended =
      kthena_recommend(bounds, current, view.policy.tolerance_percent / 100.0, count_unready(view), inputs);
  if (!recommended) {
    decision.stages.push_back({"metrics", current, current, "no metric has a value: nothing is decided"});
    return current;
  }
  decision.stages.push_back({"metrics", current, *recommended, "recommended within the bounds"});
  const int corrected = kthena_correct(state, view.policy, bounds, current, *recommended, view.now);
  const bool panic = state.panic_until && view.now <= *state.panic_until;
  decision.panic = decision.panic || panic;
  decision.stages.push_back({"correct", *recommended, corrected, panic ? "panic" : "stable"});
  return corrected;
}

int replicas_of(const Snapshot& snapshot, std::string_view name) {
  for (const TargetReplicas& target : snapshot.targets) {
    if (target.target == name) return target.replicas;
  }
  return 0;
}

void decide_roles(std::map<std::string, KthenaState>& states, const Snapshot& snapshot, const KthenaPolicy& policy,
                  TimePoint now, Decision& decision) {
  decision.current = 0;
  for (const KthenaRole& role : policy.roles) {
    const int current = replicas_of(snapshot, role.name);
    decision.current += current;
    const bool fixed = role.min == role.max && role.max > 0;
    const View view{snapshot, policy, role.name, now};
    const int wanted = fixed ? role.max : decide_one(states[role.name], view, {role.min, role.max}, current, decision);
    decision.targets.push_back({role.name, wanted});
  }
  const auto find = [&](const std::string& name) {
    return std::ranges::find(decision.targets, name, &TargetReplicas::target) - decision.targets.begin();
  };
  const auto size = static_cast<std::ptrdiff_t>(decision.targets.size());
  if (policy.ratio && find(policy.ratio->numerator) < size && find(policy.ratio->denominator) < size) {
    const auto numerator = static_cast<std::size_t>(find(policy.ratio->numerator));
    const auto denominator = static_cast<std::size_t>(find(policy.ratio->denominator));
    int& above = decision.targets[numerator].replicas;
    int& below = decision.targets[denominator].replicas;
    const int before = above + below;
    std::tie(above, below) =
        repair_ratio(above, below, policy.roles[numerator], policy.roles[denominator], &*policy.ratio);
    decision.stages.push_back({"ratio", before, above + below, "roles kept in proportion"});
  }
  decision.desired = 0;
  for (const TargetReplicas& target : decision.targets) decision.desired += target.replicas;
}

}  // namespace

void decide_as_kthena(std::map<std::string, KthenaState>& states, const Snapshot& snapshot, const KthenaPolicy& policy,
                      TimePoint now, Decision& decision) {
  if (!policy.roles.empty()) {
    decide_roles(states, snapshot, policy, now, decision);
  } else {
    KthenaBounds bounds{policy.min, policy.max};
    if (!policy.targets.empty()) bounds = {0, 0};
    for (const TargetCost& target : policy.targets) {
      bounds.min += target.min;
      bounds.max += target.max;
    }
    decision.desired = decide_one(states[""], View{snapshot, policy, "", now}, bounds, snapshot.current, decision);
    if (!policy.targets.empty()) {
      decision.targets = split_by_cost(policy.targets, policy.cost_expansion_percent, decision.desired);
    }
  }
  // Of pods that are gone; what is so old counts for nobody.
  for (auto& [name, state] : states) {
    std::erase_if(state.histograms, [&](const auto& item) {
      return item.second.empty() || item.second.back().at < now - histogram_kept;
    });
  }
  if (!decision.stages.empty()) decision.reason = decision.stages.back().reason;
}

}  // namespace trunkline::autoscale
