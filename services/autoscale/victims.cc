#include "services/autoscale/victims.h"

#include <algorithm>
#include <tuple>

namespace trunkline::autoscale {
namespace {

struct Candidate {
  const Pod* pod = nullptr;
  double streams = 0;

  auto key() const {
    const bool serves = pod->state == PodState::ready || pod->state == PodState::missing;
    const auto age = -pod->started.value_or(TimePoint{}).time_since_epoch();
    return std::tuple<bool, double, Duration, const std::string&>(serves, streams, age, pod->name);
  }
};

}  // namespace

std::vector<Victim> rank_victims(const PodSet& pods, const MetricRecord* record, std::optional<std::string_view> part) {
  double most = 0;
  if (record) {
    for (const PodInput& input : record->pods) most = std::max(most, input.value);
  }
  std::vector<Candidate> candidates;
  for (std::size_t i = 0; i < pods.pods.size(); ++i) {
    const Pod& pod = *pods.pods[i];
    if (pod.state == PodState::terminating || pod.state == PodState::finished || pod.state == PodState::excluded)
      continue;
    if (part && pod.target != *part) continue;
    // The record lists the pods of the same set in the same order.
    const PodInput* input = record && i < record->pods.size() ? &record->pods[i] : nullptr;
    const bool unheard = input && input->state == InputState::missing && input->value == 0;
    candidates.push_back({&pod, unheard ? most : input ? input->value : 0});
  }
  std::ranges::sort(candidates, {}, &Candidate::key);
  std::vector<Victim> ranking;
  ranking.reserve(candidates.size());
  for (const Candidate& candidate : candidates) ranking.push_back({candidate.pod->name, candidate.streams});
  return ranking;
}

std::vector<Victim> choose_victims(const std::vector<Victim>& ranking, int count, double max_disrupted) {
  std::vector<Victim> chosen;
  double disrupted = 0;
  for (const Victim& victim : ranking) {
    if (static_cast<int>(chosen.size()) >= count) break;
    // One that serves no more may hold many all the same: then it stays, and others go.
    if (max_disrupted >= 0 && disrupted + victim.streams > max_disrupted) continue;
    disrupted += victim.streams;
    chosen.push_back(victim);
  }
  return chosen;
}

}  // namespace trunkline::autoscale
