#include "services/run/news.h"

namespace trunkline::run {

std::vector<NewsItem> News::look(const std::vector<ServiceStatus>& services, const autoscale::FleetView& fleets,
                                 TimePoint now) {
  std::vector<NewsItem> out;
  look_at_troubles(services, now, out);
  look_at_fleets(fleets, out);
  return out;
}

void News::look_at_troubles(const std::vector<ServiceStatus>& services, TimePoint now, std::vector<NewsItem>& out) {
  for (const ServiceStatus& service : services) {
    Told& told = told_[service.name];
    if (service.trouble == told.trouble) continue;
    if (service.trouble.empty()) {
      out.push_back({LogLevel::info, "trouble_over", "all is as configured again", {"service", service.name}});
    } else if (!told.trouble.empty() && now - told.at < quiet_) {
      continue;
    } else {
      out.push_back({LogLevel::warning, "trouble", service.trouble, {"service", service.name}});
    }
    told = {service.trouble, now};
  }
}

void News::look_at_fleets(const autoscale::FleetView& fleets, std::vector<NewsItem>& out) {
  for (const autoscale::FleetStatus& fleet : fleets.fleets()) {
    std::uint64_t& last = last_decisions_[fleet.name];
    if (!fleet.last || fleet.last->number == last) continue;
    for (const autoscale::DecisionPtr& entry : fleets.decisions(fleet.name, last, most_decisions)) {
      const autoscale::Decision& decision = entry->decision;
      last = entry->number;
      if (decision.desired == decision.current) continue;
      out.push_back(
          {LogLevel::info,
           decision.dry_run                 ? "would_scale"
           : fleet.target_kind == "webhook" ? "ordered"  // whether it was taken is the target's to say
                                            : "scaled",
           std::to_string(decision.current) + " -> " + std::to_string(decision.desired) + ": " + decision.reason,
           {"fleet", fleet.name}});
    }
  }
}

}  // namespace trunkline::run
