#include "services/autoscale/limits.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "services/autoscale/numbers.h"

namespace trunkline::autoscale {
namespace {

template <class Better>
int extreme(const std::vector<ReplicasAt>& history, TimePoint now, Duration window, bool holds, int found,
            Better better) {
  for (std::size_t i = 0; i < history.size(); ++i) {
    const bool until_now = i + 1 == history.size();
    const bool inside = history[i].at > now - window;
    const bool held = holds && (until_now || history[i + 1].at > now - window);
    if ((inside || held) && better(history[i].replicas, found)) found = history[i].replicas;
  }
  return found;
}

}  // namespace

Bounds bounds_of_total(const NativePolicy& policy) {
  if (policy.targets.empty()) return policy.bounds;
  double least = 0;
  double most = 0;
  for (const TargetCost& target : policy.targets) {
    least += target.min;
    most += target.max;
  }
  return {
      .min = saturate(least), .max = std::max(saturate(least), saturate(most)), .activation = policy.bounds.activation};
}

void remember(std::vector<ReplicasAt>& history, int replicas, TimePoint now, Duration window, bool holds) {
  if (!holds && !history.empty() && history.back().replicas == replicas) {
    history.back().at = now;  // the newest of equal ones stands for all: windows end now
    return;
  }
  const std::size_t kept_before = holds ? 1 : 0;
  std::size_t old = 0;
  while (old < history.size() && history[old].at <= now - window) ++old;
  old = old > kept_before ? old - kept_before : 0;
  history.erase(history.begin(), history.begin() + static_cast<std::ptrdiff_t>(old));
  if (history.size() >= most_history) history.erase(history.begin());
  history.push_back({now, replicas});
}

int lowest(const std::vector<ReplicasAt>& history, TimePoint now, Duration window, bool holds, int otherwise) {
  return extreme(history, now, window, holds, otherwise, std::less<>());
}
int highest(const std::vector<ReplicasAt>& history, TimePoint now, Duration window, bool holds, int otherwise) {
  return extreme(history, now, window, holds, otherwise, std::greater<>());
}

// Percentages are taken as base * (100 + p) / 100, which is exact where it comes out even: 50 and 10 % more are 55.
int up_limit(const Direction& up, const std::vector<ReplicasAt>& in_force, int current, TimePoint now) {
  if (up.select == Select::off) return current;
  if (up.policies.empty()) return most_replicas;
  int limit = up.select == Select::max ? 0 : most_replicas;
  for (const RatePolicy& policy : up.policies) {
    const double base = lowest(in_force, now, policy.period, true, current);
    const int allowed = policy.kind == RatePolicy::Kind::pods ? saturate(base + std::floor(policy.value))
                                                              : ceil_replicas(base * (100 + policy.value) / 100);
    limit = up.select == Select::max ? std::max(limit, allowed) : std::min(limit, allowed);
  }
  return std::max(limit, current);
}

int down_limit(const Direction& down, const std::vector<ReplicasAt>& in_force, int current, TimePoint now) {
  if (down.select == Select::off) return current;
  if (down.policies.empty()) return 0;
  int limit = down.select == Select::max ? most_replicas : 0;
  for (const RatePolicy& policy : down.policies) {
    const double base = highest(in_force, now, policy.period, true, current);
    const int allowed = policy.kind == RatePolicy::Kind::pods ? saturate(base - std::floor(policy.value))
                                                              : saturate(base * (100 - policy.value) / 100);
    limit = down.select == Select::max ? std::min(limit, allowed) : std::max(limit, allowed);
  }
  return std::min(limit, current);
}

int panic_limit(const Fast& fast, const std::vector<ReplicasAt>& in_force, int current, TimePoint now) {
  const double base = lowest(in_force, now, fast.hold, true, current);
  return std::max({current, saturate(base + fast.replicas), ceil_replicas(base * (100 + fast.percent) / 100)});
}

Duration longest_period(const NativePolicy& policy) {
  std::chrono::seconds longest = policy.fast.hold;
  for (const RatePolicy& rate : policy.up.policies) longest = std::max(longest, rate.period);
  for (const RatePolicy& rate : policy.down.policies) longest = std::max(longest, rate.period);
  return longest;
}

std::chrono::seconds down_window(const NativePolicy& policy, const State& state, TimePoint now) {
  const auto recent =
      std::ranges::count_if(state.reversals, [&](TimePoint reversal) { return reversal > now - policy.flaps.window; });
  std::chrono::seconds window = policy.down.stabilise;
  for (auto over = recent - policy.flaps.reversals; over > 0 && window < policy.flaps.longest; --over) window *= 2;
  return std::max(policy.down.stabilise, std::min(window, policy.flaps.longest));
}

}  // namespace trunkline::autoscale
