#include "services/autoscale/saved.h"

#include <utility>

namespace trunkline::autoscale {
namespace {

// Clocks of one machine are set right by a few seconds now and then.
constexpr std::int64_t seconds_ahead = 60;

Error unusable(std::string message) {
  return {ErrorCode::invalid_options, Phase::prepare,
          "the autoscaler's saved state cannot be used: " + std::move(message) + "; starting without it"};
}

void move_all(std::vector<ReplicasAt>& all, Duration shift) {
  for (ReplicasAt& one : all) one.at += shift;
}
void move_one(std::optional<TimePoint>& at, Duration shift) {
  if (at) *at += shift;
}

void move_metric(MetricState& metric, Duration shift) {
  for (LastValue& last : metric.last) last.at += shift;
  for (DemandAt& demand : metric.demand) demand.at += shift;
  if (metric.external) metric.external->at += shift;
  for (SeriesHistory& series : metric.series) {
    move_one(series.since, shift);
    for (TotalsAt& point : series.points) point.at += shift;
  }
}

void move_kthena(KthenaState& kthena, Duration shift) {
  move_all(kthena.recommendations, shift);
  move_all(kthena.corrected, shift);
  move_one(kthena.panic_until, shift);
  for (auto& [name, snapshots] : kthena.histograms) {
    for (KthenaHistogram& snapshot : snapshots) {
      snapshot.at += shift;
      move_one(snapshot.pod_started, shift);
    }
  }
}

}  // namespace

void move_times(State& state, Duration shift) {
  move_one(state.last_decision, shift);
  move_all(state.recommendations, shift);
  move_all(state.replicas, shift);
  move_one(state.panic_until, shift);
  move_one(state.no_data_since, shift);
  if (state.held) state.held->at += shift;
  move_one(state.zero_since, shift);
  move_one(state.last_down, shift);
  for (TimePoint& at : state.reversals) at += shift;
  for (auto& [name, metric] : state.metrics) move_metric(metric, shift);
  move_all(state.hpa.recommendations, shift);
  for (HpaEvent& event : state.hpa.ups) event.at += shift;
  for (HpaEvent& event : state.hpa.downs) event.at += shift;
  for (auto& [role, kthena] : state.kthena) move_kthena(kthena, shift);
}

Result<State> restore(Saved saved, const std::string& policy, std::int64_t wall_unix_seconds, TimePoint now,
                      Duration most_age) {
  if (saved.version != saved_version) return unusable("it is of version " + std::to_string(saved.version));
  if (saved.policy != policy) return unusable("it belongs to the policy \"" + saved.policy + "\"");
  const std::int64_t passed = wall_unix_seconds - saved.wall_unix_seconds;
  if (passed < -seconds_ahead) return unusable("it was written in what is now the future");
  const std::chrono::seconds age(passed > 0 ? passed : 0);
  if (age > most_age) return unusable("it is too old");
  move_times(saved.state, now - age - saved.monotonic);
  return std::move(saved.state);
}

}  // namespace trunkline::autoscale
