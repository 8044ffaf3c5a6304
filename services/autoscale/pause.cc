#include "services/autoscale/pause.h"

namespace trunkline::autoscale {

void hold_if_paused(const std::optional<Pause>& pause, TimePoint now, Decision& decision) {
  if (!pause || now >= pause->until || decision.desired == decision.current) return;
  const bool up = decision.desired > decision.current;
  if (!(up ? pause->up : pause->down)) return;
  const std::string owner = pause->owner.empty() ? "" : " by " + pause->owner;
  decision.reason = std::string("scaling ") + (up ? "up" : "down") + " is paused" + owner;
  decision.stages.push_back({"pause", decision.desired, decision.current, decision.reason});
  decision.desired = decision.current;
}

}  // namespace trunkline::autoscale
