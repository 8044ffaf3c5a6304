#include "services/autoscale/advice.h"

#include <algorithm>
#include <string>

namespace trunkline::autoscale {
namespace {

constexpr double skewed_by = 2;       // times the mean
constexpr double leaks_by = 1.2;      // times the other gauge, and
constexpr double leaks_at_least = 5;  // so many more: two scrapes are never of the same instant

// More replicas do not help a pod that keeps its streams: they have to move.
void advise_rebalance(const MetricPolicy& metric, const MetricRecord& record, Decision& decision) {
  if (metric.target.kind != MetricTarget::Kind::per_pod || metric.reading == Reading::quantile) return;
  double sum = 0;
  double most = 0;
  double count = 0;
  const PodInput* fullest = nullptr;
  for (const PodInput& input : record.pods) {
    if (input.state != InputState::fresh) continue;
    sum += input.value;
    ++count;
    if (input.value <= most) continue;
    most = input.value;
    fullest = &input;
  }
  if (!fullest || count < 2) return;
  const double mean = sum / count;
  if (mean >= metric.target.value || most <= metric.target.value || most < skewed_by * mean) return;
  decision.conditions.push_back({"RebalanceAdvised", Truth::yes, "Skewed",
                                 fullest->pod + " is above the target of " + metric.name + " while the mean is below"});
}

double total_of(const Pod& pod, const std::string& metric) {
  double total = 0;
  for (const Sample& sample : pod.samples) {
    if (sample.metric == metric) total += sample.value;
  }
  return total;
}

bool has(const Pod& pod, const std::string& metric) {
  return std::ranges::count(pod.samples, metric, &Sample::metric) > 0;
}

void suspect_leak(const MetricPolicy& metric, const Snapshot& snapshot, Decision& decision) {
  for (const Pod& pod : snapshot.pods) {
    if (!has(pod, metric.name) || !has(pod, metric.compare_with)) continue;
    const double gauge = total_of(pod, metric.name);
    const double other = total_of(pod, metric.compare_with);
    if (!(gauge > other * leaks_by) || gauge - other < leaks_at_least) continue;
    decision.conditions.push_back({"MetricSuspect", Truth::yes, "Leak",
                                   metric.name + " of " + pod.name + " counts more than " + metric.compare_with});
    return;
  }
}

}  // namespace

void advise(const MetricPolicy& metric, const Snapshot& snapshot, const MetricRecord& record, Decision& decision) {
  advise_rebalance(metric, record, decision);
  if (!metric.compare_with.empty()) suspect_leak(metric, snapshot, decision);
}

}  // namespace trunkline::autoscale
