#include "services/autoscale/pause.h"

#include <algorithm>

namespace trunkline::autoscale {
namespace {

bool is_paused(const Pause& pause, int current, int desired) {
  return desired > current ? pause.up : desired < current && pause.down;
}

void hold(const Pause& pause, const char* direction, int held, Decision& decision) {
  const std::string owner = pause.owner.empty() ? "" : " by " + pause.owner;
  decision.reason = std::string("scaling ") + direction + " is paused" + owner;
  decision.stages.push_back({"pause", decision.desired, held, decision.reason});
  decision.desired = held;
}

}  // namespace

void hold_if_paused(const std::optional<Pause>& pause, TimePoint now, Decision& decision) {
  if (!pause || now >= pause->until || !is_paused(*pause, decision.current, decision.desired)) return;
  hold(*pause, decision.desired > decision.current ? "up" : "down", decision.current, decision);
}

void hold_targets_if_paused(const std::optional<Pause>& pause, const std::vector<TargetReplicas>& present,
                            TimePoint now, Decision& decision) {
  if (!pause || now >= pause->until) return;
  int held = 0;
  bool holds_up = false;
  bool holds_down = false;
  for (TargetReplicas& target : decision.targets) {
    const auto now_there = std::ranges::find(present, target.target, &TargetReplicas::target);
    const int current = now_there == present.end() ? 0 : now_there->replicas;
    if (is_paused(*pause, current, target.replicas)) {
      (target.replicas > current ? holds_up : holds_down) = true;
      target.replicas = current;
    }
    held += target.replicas;
  }
  if (holds_up || holds_down)
    hold(*pause, holds_up && holds_down ? "up and down" : holds_up ? "up" : "down", held, decision);
}

}  // namespace trunkline::autoscale
