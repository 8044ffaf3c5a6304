#include "services/autoscale/kthena_recommend.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "services/autoscale/numbers.h"

namespace trunkline::autoscale {
namespace {

using std::chrono::seconds;

constexpr double most_asked = 1e9;

int rounded(double value) { return std::isnan(value) ? 0 : ceil_replicas(std::min(value, most_asked)); }

std::optional<int> ask_external(const KthenaInput& input, int current, double tolerance) {
  const double wanted = *input.external / input.target;
  if (std::abs(wanted / current - 1) <= tolerance) return current;
  return rounded(wanted);
}

std::optional<int> ask_instances(const KthenaInput& input, int current, double tolerance, int unready) {
  if (input.instances.empty()) return std::nullopt;
  double sum = std::accumulate(input.instances.begin(), input.instances.end(), 0.0);
  double count = static_cast<double>(input.instances.size());
  const double seen = sum / count / input.target;
  const bool up = seen >= 1;  // the HPA takes 1.0 for neither way
  const bool counts_unready = unready > 0 && up;
  if (!counts_unready && input.missing == 0) {
    return std::abs(seen - 1) <= tolerance ? current : rounded(seen * count);
  }
  count += input.missing + (counts_unready ? unready : 0);
  if (!up) sum += input.missing * input.target;
  const double ratio = sum / count / input.target;
  const bool turned = up ? ratio < 1 : ratio >= 1;
  if (std::abs(ratio - 1) <= tolerance || turned) return current;
  const int wanted = rounded(ratio * count);
  return (up ? wanted < current : wanted > current) ? current : wanted;
}

int extreme(int a, int b, bool largest) { return largest ? std::max(a, b) : std::min(a, b); }

// Whole numbers divide as kthena does, towards zero, where the HPA rounds up on the way up.
std::int64_t percent_of(std::int64_t replicas, int percent) { return replicas * percent / 100; }

int correct_in_panic(const KthenaState& state, const KthenaPanic& panic, int current, int recommended, TimePoint now) {
  const int past = kthena_line(state.corrected, panic.period, now, current, false);
  std::int64_t allowed = recommended;
  if (past > 0) allowed = std::min<std::int64_t>(allowed, past + percent_of(past, panic.percent));
  return static_cast<int>(std::max<std::int64_t>(allowed, current));
}

int correct_down(const KthenaState& state, const KthenaStable& down, int current, int recommended, TimePoint now) {
  std::int64_t allowed = kthena_recorded(state.recommendations, down.stabilization, now, recommended, true);
  if (down.period > seconds(0) && down.select != KthenaSelect::unknown) {
    const std::int64_t past = kthena_line(state.corrected, down.period, now, current, true);
    const std::int64_t by_count = past - down.instances;
    const std::int64_t by_percent = past - percent_of(past, down.percent);
    const bool any = down.select == KthenaSelect::any;
    allowed = std::max(allowed, any ? std::min(by_count, by_percent) : std::max(by_count, by_percent));
  }
  return static_cast<int>(std::min<std::int64_t>(allowed, current));
}

int correct_up(const KthenaState& state, const KthenaStable& up, int current, int recommended, TimePoint now) {
  std::int64_t allowed = kthena_recorded(state.recommendations, up.stabilization, now, recommended, false);
  if (up.period > seconds(0) && up.select != KthenaSelect::unknown) {
    const std::int64_t past = kthena_line(state.corrected, up.period, now, current, false);
    const std::int64_t by_count = past + up.instances;
    const std::int64_t by_percent = past + percent_of(past, up.percent);
    const bool any = up.select == KthenaSelect::any;
    allowed = std::min(allowed, any ? std::max(by_count, by_percent) : std::min(by_count, by_percent));
  }
  return static_cast<int>(std::max<std::int64_t>(allowed, current));
}

void remember(std::vector<ReplicasAt>& list, int replicas, seconds window, TimePoint now) {
  // The newest that is too old stays: its value held until the one that came after it.
  while (list.size() > 1 && list[1].at + 2 * window < now) list.erase(list.begin());
  if (list.size() >= most_history) list.erase(list.begin());
  list.push_back({now, replicas});
}

}  // namespace

std::optional<int> kthena_recommend(KthenaBounds bounds, int current, double tolerance, int unready,
                                    const std::vector<KthenaInput>& inputs) {
  if (current < bounds.min) return bounds.min;
  if (current > bounds.max) return bounds.max;
  std::optional<int> largest;
  for (const KthenaInput& input : inputs) {
    const auto asked =
        input.external ? ask_external(input, current, tolerance) : ask_instances(input, current, tolerance, unready);
    if (asked) largest = std::max(largest.value_or(0), *asked);
  }
  if (!largest) return std::nullopt;
  return std::clamp(*largest, bounds.min, bounds.max);
}

int kthena_recorded(const std::vector<ReplicasAt>& records, seconds window, TimePoint now, int otherwise,
                    bool largest) {
  if (window <= seconds(0)) return otherwise;
  for (const ReplicasAt& record : records) {
    if (record.at + window >= now) otherwise = extreme(otherwise, record.replicas, largest);
  }
  return otherwise;
}

int kthena_line(const std::vector<ReplicasAt>& values, seconds window, TimePoint now, int otherwise, bool largest) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool last = i + 1 == values.size();
    const bool holds = last ? values[i].at + 2 * window >= now : values[i + 1].at + window >= now;
    if (holds) otherwise = extreme(otherwise, values[i].replicas, largest);
  }
  return otherwise;
}

int kthena_correct(KthenaState& state, const KthenaPolicy& policy, KthenaBounds bounds, int current, int recommended,
                   TimePoint now) {
  const KthenaPanic& panic = policy.panic;
  if (panic.hold > seconds(0) &&
      static_cast<std::int64_t>(recommended) * 100 >= static_cast<std::int64_t>(current) * panic.threshold_percent) {
    state.panic_until = now + panic.hold;
  }
  const bool in_panic = state.panic_until && now <= *state.panic_until;

  int corrected = current;
  if (in_panic) {
    corrected = correct_in_panic(state, panic, current, recommended, now);
  } else if (recommended < current) {
    corrected = correct_down(state, policy.down, current, recommended, now);
  } else if (recommended > current) {
    corrected = correct_up(state, policy.up, current, recommended, now);
  }
  corrected = std::clamp(corrected, bounds.min, bounds.max);

  // With several targets it is the corrected value that feeds the window, so a step down can hold itself up there.
  const int recorded = policy.targets.empty() ? recommended : corrected;
  remember(state.recommendations, recorded, std::max(policy.up.stabilization, policy.down.stabilization), now);
  remember(state.corrected, corrected, std::max({policy.up.period, policy.down.period, panic.period}), now);
  return corrected;
}

}  // namespace trunkline::autoscale
