#include "services/autoscale/hpa_limits.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "services/autoscale/numbers.h"

namespace trunkline::autoscale {
namespace {

using std::chrono::seconds;

const std::vector<HpaScalingPolicy>& policies_of(const HpaRules& rules, bool up) {
  static const std::vector<HpaScalingPolicy> default_up = {{HpaScalingPolicy::Type::pods, 4, seconds(15)},
                                                           {HpaScalingPolicy::Type::percent, 100, seconds(15)}};
  static const std::vector<HpaScalingPolicy> default_down = {{HpaScalingPolicy::Type::percent, 100, seconds(15)}};
  if (!rules.policies.empty()) return rules.policies;
  return up ? default_up : default_down;
}

double changed_within(const std::vector<HpaEvent>& events, seconds period, TimePoint now) {
  double total = 0;
  for (const HpaEvent& event : events) {
    if (event.at > now - period) total += event.change;
  }
  return total;
}

double start_of_period(int current, const HpaState& state, seconds period, TimePoint now) {
  return current - changed_within(state.ups, period, now) + changed_within(state.downs, period, now);
}

seconds longest_period(const HpaRules& rules, bool up) {
  seconds longest{0};
  for (const HpaScalingPolicy& policy : policies_of(rules, up)) longest = std::max(longest, policy.period);
  return longest;
}

seconds down_window(const HpaPolicy& policy) {
  if (!policy.behavior) return policy.downscale_stabilization;
  return policy.behavior->down.stabilization.value_or(policy.downscale_stabilization);
}
seconds up_window(const HpaPolicy& policy) {
  return policy.behavior ? policy.behavior->up.stabilization.value_or(seconds(0)) : seconds(0);
}

template <class Entry>
void forget_before(std::vector<Entry>& entries, TimePoint cutoff) {
  std::erase_if(entries, [&](const Entry& entry) { return entry.at < cutoff; });
  if (entries.size() > most_history) entries.erase(entries.begin());
}

}  // namespace

int hpa_up_limit(int current, const HpaRules& rules, const HpaState& state, TimePoint now) {
  if (rules.select == HpaSelect::disabled) return current;
  const bool smallest = rules.select == HpaSelect::min;
  int limit = smallest ? most_replicas : 0;
  for (const HpaScalingPolicy& policy : policies_of(rules, true)) {
    const double start = start_of_period(current, state, policy.period, now);
    const int allowed = policy.type == HpaScalingPolicy::Type::pods
                            ? saturate(start + policy.value)
                            : ceil_replicas(start * (1 + static_cast<double>(policy.value) / 100));
    limit = smallest ? std::min(limit, allowed) : std::max(limit, allowed);
  }
  return limit;
}

int hpa_down_limit(int current, const HpaRules& rules, const HpaState& state, TimePoint now) {
  if (rules.select == HpaSelect::disabled) return current;
  const bool smallest = rules.select == HpaSelect::min;
  int limit = smallest ? 0 : most_replicas;
  for (const HpaScalingPolicy& policy : policies_of(rules, false)) {
    const double start = start_of_period(current, state, policy.period, now);
    const int allowed = policy.type == HpaScalingPolicy::Type::pods
                            ? saturate(start - policy.value)
                            : saturate(start * (1 - static_cast<double>(policy.value) / 100));
    limit = smallest ? std::max(limit, allowed) : std::min(limit, allowed);
  }
  return limit;
}

HpaLimited hpa_stabilise(HpaState& state, const HpaPolicy& policy, int current, int desired, TimePoint now) {
  const seconds up = up_window(policy);
  const seconds down = down_window(policy);
  int highest_of_down = desired;
  int lowest_of_up = desired;
  for (const ReplicasAt& was : state.recommendations) {
    if (was.at > now - up) lowest_of_up = std::min(lowest_of_up, was.replicas);
    if (was.at > now - down || (!policy.behavior && down.count() > 0 && was.at == now - down)) {
      highest_of_down = std::max(highest_of_down, was.replicas);
    }
  }
  forget_before(state.recommendations, now - std::max(up, down));
  state.recommendations.push_back({now, desired});

  // Without a behaviour only the way down is stabilised, and against what was asked for, not against what there is.
  if (!policy.behavior) {
    return {highest_of_down, highest_of_down != desired ? "ScaleDownStabilized" : "ReadyForNewScale"};
  }
  int held = current;
  if (held < lowest_of_up) held = lowest_of_up;
  if (held > highest_of_down) held = highest_of_down;
  if (held == desired) return {held, "ReadyForNewScale"};
  return {held, desired >= current ? "ScaleUpStabilized" : "ScaleDownStabilized"};
}

HpaLimited hpa_limit(const HpaState& state, const HpaPolicy& policy, int current, int desired, TimePoint now) {
  if (!policy.behavior) {
    if (desired < policy.min) return {policy.min, "TooFewReplicas"};
    const int limit = static_cast<int>(std::max<std::int64_t>(2 * static_cast<std::int64_t>(current), 4));
    const bool rate_binds = policy.max > limit;
    if (desired > std::min(policy.max, limit)) {
      return {std::min(policy.max, limit), rate_binds ? "ScaleUpLimit" : "TooManyReplicas"};
    }
    return {desired, "DesiredWithinRange"};
  }
  if (desired > current) {
    const int limit = std::max(current, hpa_up_limit(current, policy.behavior->up, state, now));
    const bool rate_binds = policy.max > limit;
    const int most = std::min(policy.max, limit);
    if (desired > most) return {most, rate_binds ? "ScaleUpLimit" : "TooManyReplicas"};
  }
  if (desired < current) {
    const int limit = std::min(current, hpa_down_limit(current, policy.behavior->down, state, now));
    const bool rate_binds = policy.min < limit;
    const int least = std::max(policy.min, limit);
    if (desired < least) return {least, rate_binds ? "ScaleDownLimit" : "TooFewReplicas"};
  }
  return {desired, "DesiredWithinRange"};
}

void hpa_scaled(HpaState& state, const HpaPolicy& policy, int from, int to, TimePoint now) {
  if (!policy.behavior || from == to) return;
  const bool is_up = to > from;
  std::vector<HpaEvent>& events = is_up ? state.ups : state.downs;
  const HpaEvent event{now, std::abs(to - from)};
  // As there: one that is older than its own direction's longest period gives its place, although the other direction's
  // rate may have a longer period and would still count it.
  const seconds period = longest_period(is_up ? policy.behavior->up : policy.behavior->down, is_up);
  const auto old =
      std::find_if(events.rbegin(), events.rend(), [&](const HpaEvent& was) { return was.at < now - period; });
  if (old != events.rend()) {
    *old = event;
  } else {
    events.push_back(event);
  }
}

}  // namespace trunkline::autoscale
