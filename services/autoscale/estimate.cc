#include "services/autoscale/estimate.h"

#include <algorithm>
#include <cmath>

#include "services/autoscale/numbers.h"

namespace trunkline::autoscale {
namespace {

// What a pod may carry of which nothing is known: what it last did, and no less than it should.
double possible(const PodReading& reading, double target) { return std::max(reading.value, target); }

struct Bounds3 {
  double low = 0;
  double best = 0;
  double high = 0;
};

Bounds3 add_up(const std::vector<PodReading>& readings, double target, bool with_draining) {
  Bounds3 sum;
  for (const PodReading& reading : readings) {
    const bool draining = with_draining && reading.state == InputState::draining;
    if (reading.is_known() || (draining && reading.surely_there)) {
      sum.low += reading.value;
      sum.best += reading.value;
      sum.high += reading.value;
    } else if (draining) {
      sum.high += reading.value;  // still there, or with the others already: up is decided without it, down with it
    } else if (reading.state == InputState::missing) {
      sum.high += possible(reading, target);
    }
  }
  return sum;
}

Bounds3 rank(const std::vector<PodReading>& readings, double target, double part) {
  std::vector<double> low;
  std::vector<double> best;
  std::vector<double> high;
  for (const PodReading& reading : readings) {
    if (!reading.is_expected()) continue;
    low.push_back(reading.is_known() ? reading.value : 0);
    high.push_back(reading.is_known() ? reading.value : possible(reading, target));
    if (reading.is_known()) best.push_back(reading.value);
  }
  return {percentile(std::move(low), part), percentile(std::move(best), part), percentile(std::move(high), part)};
}

void count(const std::vector<PodReading>& readings, MetricRecord& record) {
  record.pods.reserve(readings.size());
  for (const PodReading& reading : readings) {
    record.expected += reading.is_expected();
    record.fresh += reading.state == InputState::fresh;
    record.carried += reading.state == InputState::carried;
    record.missing += reading.state == InputState::missing;
    if (reading.is_known()) record.worst_age = std::max(record.worst_age, reading.age);
    record.pods.push_back({reading.pod->name, reading.state, reading.value, reading.age, reading.reason});
  }
  record.coverage = record.expected > 0 ? static_cast<double>(record.fresh) / record.expected : 0;
  const bool any = record.fresh + record.carried > 0;
  record.verdict = any ? Verdict::proposes : Verdict::no_data;
  if (!any) record.reason = record.expected > 0 ? "no pod gave a value" : "no pod serves yet";
}

// Demand of a value that is a ratio to its target: on the way up over the pods that are known, on the way down over all
// that were asked for, so that neither surge nor silence makes a change larger.
void demand_by_ratio(const MetricPolicy& metric, int known, int current, MetricRecord& record) {
  const double down_target = metric.target.kind == MetricTarget::Kind::band ? metric.target.low : metric.target.value;
  record.demand_low = record.low / metric.target.value * std::min(known, current);
  record.demand_high = down_target > 0 ? record.high / down_target * current : current;
}

void demand_by_sum(const MetricPolicy& metric, double low, double high, int current, MetricRecord& record) {
  record.demand_low = low / metric.target.value;
  record.demand_high = high / metric.target.value;
  if (metric.target.kind != MetricTarget::Kind::band) return;
  // Down when even at the lower edge fewer would do, and then no further than the upper edge allows.
  const double at_low_edge = metric.target.low > 0 ? std::floor(high / metric.target.low) : current;
  record.demand_high = std::max(std::ceil(record.demand_high), at_low_edge);
}

void estimate_quantile(const MetricState& state, const MetricPolicy& metric, const std::vector<PodReading>& readings,
                       int current, TimePoint now, MetricRecord& record) {
  MergedGains gains = merge_gains(state, metric, readings, now);
  const double observations = gains.histogram.observations();
  if (observations < std::max(1.0, metric.min_observations)) {
    record.verdict = Verdict::too_few;
    record.reason = "too few observations to tell a quantile";
    return;
  }
  record.best = gains.histogram.quantile(metric.quantile).value_or(0);
  record.high = record.missing > 0 ? std::max(record.best, metric.target.value) : record.best;
  if (record.missing > 0) gains.histogram.add_at_zero(observations / std::max(1, gains.pods) * record.missing);
  record.low = gains.histogram.quantile(metric.quantile).value_or(0);
  demand_by_ratio(metric, gains.pods, current, record);
}

}  // namespace

void estimate_pods(MetricState& state, const MetricPolicy& metric, const NativePolicy& policy, const PodSet& pods,
                   int current, TimePoint now, MetricRecord& record) {
  const auto readings = read_pods(state, metric, policy.gaps, policy.pods, pods, now);
  count(readings, record);
  if (record.verdict != Verdict::proposes) return;
  if (metric.reading == Reading::quantile) return estimate_quantile(state, metric, readings, current, now, record);

  const int known =
      policy.pods.cap_surge ? std::min(record.fresh + record.carried, current) : record.fresh + record.carried;
  const bool is_total = metric.target.kind == MetricTarget::Kind::total;
  const double share = is_total ? metric.target.value / std::max(1, current) : metric.target.value;
  if (metric.across == Across::max || metric.across == Across::percentile) {
    const double part = metric.across == Across::max ? 1 : metric.percentile;
    const Bounds3 ranked = rank(readings, metric.target.value, part);
    record.low = ranked.low;
    record.best = ranked.best;
    record.high = ranked.high;
    return demand_by_ratio(metric, known, current, record);
  }
  const Bounds3 sum = add_up(readings, share, metric.across == Across::sum);
  const double pods_of_mean = metric.across == Across::average ? std::max(1, record.expected) : 1;
  record.low = sum.low / pods_of_mean;
  record.best = metric.across == Across::average ? sum.best / std::max(1, record.fresh + record.carried) : sum.best;
  record.high = sum.high / pods_of_mean;
  // An average per pod times the pods is their sum again: numerator and denominator are the same pods.
  if (is_total) return demand_by_ratio(metric, known, current, record);
  demand_by_sum(metric, sum.low, sum.high, current, record);
}

void estimate_external(MetricState& state, const MetricPolicy& metric, const NativePolicy& policy,
                       const Snapshot& snapshot, const PodSet& pods, TimePoint now, MetricRecord& record) {
  record.expected = 1;
  record.coverage = 0;
  record.reason = "no value";
  bool complete = true;
  double sum = 0;
  std::optional<TimePoint> oldest;
  for (const ExternalValue& value : snapshot.external) {
    if (value.metric != metric.name) continue;
    complete = complete && is_usable(value.value);
    sum += value.value;
    const TimePoint at = std::min(now, value.at.value_or(now));
    oldest = std::min(oldest.value_or(at), at);
  }
  if (!complete) record.reason = "rejected: not a number, infinite or negative";
  if (oldest && complete && (!state.external || *oldest >= state.external->at)) {
    state.external = LastValue{.pod = {}, .value = sum, .at = *oldest};
  }
  if (state.external) record.worst_age = now - state.external->at;
  const bool fresh = oldest && complete && record.worst_age <= policy.gaps.fresh;
  const bool carried = state.external && !fresh && record.worst_age <= policy.gaps.carry;
  if (!fresh && !carried) {
    record.missing = 1;
    return;
  }
  record.verdict = Verdict::proposes;
  record.reason = carried ? "carried over" : "";
  record.fresh = fresh;
  record.carried = carried;
  record.coverage = 1;
  record.low = record.best = record.high = state.external->value;
  if (metric.target.kind == MetricTarget::Kind::total) {
    if (snapshot.current == 0) {
      record.demand_low = record.demand_high = record.best / metric.target.value;
      return;
    }
    return demand_by_ratio(metric, pods.pods.empty() ? snapshot.current : pods.serving, snapshot.current, record);
  }
  demand_by_sum(metric, record.low, record.high, snapshot.current, record);
}

int propose(const MetricPolicy& metric, double min_coverage, int current, MetricRecord& record) {
  const Tolerance& tolerance = metric.tolerance;
  const double low = record.demand_low;
  const double high = record.demand_high;
  // Sums of many small numbers are off by as little; that is not demand for one more.
  const auto whole = [](double demand) { return ceil_replicas(demand - 1e-9 * std::max(1.0, demand)); };
  record.proposal = current;
  if (low > current * (1 + tolerance.up) && low - current > tolerance.absolute) {
    const int wanted = whole(low);
    const bool beyond = wanted != current + 1 || low - current >= tolerance.hysteresis;
    record.reason = beyond ? "demand is above what there is" : "above, but not by a replica's hysteresis";
    return record.proposal = beyond ? std::max(wanted, current) : current;
  }
  if (high < current * (1 - tolerance.down) && current - high > tolerance.absolute) {
    const int wanted = std::min(whole(high), current);
    if (record.coverage < min_coverage) {
      record.reason = "demand is below, but too few pods were heard to go down";
      return current;
    }
    const bool beyond = wanted == 0 || wanted != current - 1 || (current - 1) - high >= tolerance.hysteresis;
    record.reason = beyond ? "demand is below what there is" : "below, but not by a replica's hysteresis";
    return record.proposal = beyond ? wanted : current;
  }
  const bool gap = record.missing > 0 && high >= current * (1 - tolerance.down) && low <= current * (1 + tolerance.up);
  record.reason = gap ? "within tolerance of what is known and what may be" : "within tolerance";
  return current;
}

}  // namespace trunkline::autoscale
