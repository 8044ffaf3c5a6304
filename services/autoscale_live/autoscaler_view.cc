// What others may ask and tell the autoscaler while it decides.
#include <utility>

#include "base/text.h"
#include "services/autoscale_live/autoscaler.h"

namespace trunkline::autoscale {

bool Autoscaler::pause(std::string_view fleet, const Pause& pause) {
  const std::lock_guard lock(mutex_);
  const auto found = members_.find(fleet);
  if (found == members_.end()) return false;
  found->second->fleet->pause(pause);
  return true;
}

bool Autoscaler::resume(std::string_view fleet) {
  const std::lock_guard lock(mutex_);
  const auto found = members_.find(fleet);
  if (found == members_.end()) return false;
  found->second->fleet->resume();
  return true;
}

std::vector<FleetStatus> Autoscaler::fleets() const {
  struct Seen {
    std::shared_ptr<LiveFleet> fleet;
    std::shared_ptr<ScaleTarget> target;
    std::string trouble;
  };
  std::vector<Seen> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, member] : members_) {
      std::string trouble = member->record_trouble;
      const bool unheard = !member->job && !member->collector;
      if (unheard) trouble = "no scrape job is being asked, so nothing is known of its pods";
      all.push_back({member->fleet, member->target, std::move(trouble)});
    }
  }
  std::vector<FleetStatus> list;
  list.reserve(all.size());
  for (const Seen& one : all) {
    FleetStatus status = one.fleet->status(one.target->observe(Clock::now()), one.target->kind(), time_);
    if (status.trouble.empty()) status.trouble = one.trouble;
    list.push_back(std::move(status));
  }
  return list;
}

std::vector<DecisionPtr> Autoscaler::decisions(std::string_view fleet, std::uint64_t after, std::size_t most) const {
  const std::lock_guard lock(mutex_);
  const auto found = members_.find(fleet);
  if (found == members_.end()) return {};
  return found->second->fleet->decisions(after, most);
}

std::optional<Policy> Autoscaler::policy(std::string_view fleet) const {
  const std::lock_guard lock(mutex_);
  const auto found = members_.find(fleet);
  if (found == members_.end()) return std::nullopt;
  return found->second->fleet->policy();
}

std::vector<std::string> Autoscaler::troubles() const {
  std::vector<std::string> all;
  std::map<Duration, std::shared_ptr<scrape::Collector>> collectors;
  {
    const std::lock_guard lock(mutex_);
    collectors = collectors_;
    if (!memory_trouble_.empty()) all.push_back(memory_trouble_);
    if (!save_trouble_.empty()) all.push_back(save_trouble_);
  }
  for (const auto& [interval, collector] : collectors) {
    for (std::string& one : collector->troubles()) all.push_back(std::move(one));
  }
  for (const FleetStatus& fleet : fleets()) {
    if (!fleet.trouble.empty()) all.push_back("the fleet " + printable(fleet.name, 60) + ": " + fleet.trouble);
  }
  return all;
}

std::vector<scrape::SnapshotPtr> Autoscaler::snapshots() const {
  std::map<Duration, std::shared_ptr<scrape::Collector>> collectors;
  {
    const std::lock_guard lock(mutex_);
    collectors = collectors_;
  }
  std::vector<scrape::SnapshotPtr> all;
  for (const auto& [interval, collector] : collectors) {
    if (scrape::SnapshotPtr latest = collector->latest()) all.push_back(std::move(latest));
  }
  return all;
}

}  // namespace trunkline::autoscale
