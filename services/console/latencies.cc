#include "services/console/latencies.h"

#include <algorithm>
#include <cmath>

#include <trunkline/url.hpp>

namespace trunkline::console {

Duration quantile(std::vector<Duration> values, double part) {
  if (values.empty()) return Duration(0);
  const auto rank = static_cast<std::ptrdiff_t>(std::ceil(part * static_cast<double>(values.size())));
  const auto at = values.begin() + std::max<std::ptrdiff_t>(rank - 1, 0);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

void Latencies::add(std::size_t collector, const scrape::Snapshot& snapshot) {
  const auto [last, is_new] = last_cycles_.try_emplace(collector, snapshot.cycle);
  if (!is_new && last->second == snapshot.cycle) return;
  last->second = snapshot.cycle;
  const scrape::Target* before = nullptr;
  for (const scrape::TargetSnapshot& target : snapshot.targets) {
    if (!target.report.up() || target.target == nullptr) continue;
    // One that several jobs name stands there for each of them, side by side, and was asked once.
    const bool asked_once = before != nullptr && before->identity == target.target->identity;
    before = target.target.get();
    if (asked_once) continue;
    const auto url = Url::parse(target.target->url);
    if (!url) continue;
    const std::string route = url->origin();
    auto found = routes_.find(route);
    if (found == routes_.end()) {
      if (routes_.size() >= most_routes) {
        routes_.erase(std::ranges::min_element(routes_, {}, [](const auto& known) { return known.second.last; }));
      }
      found = routes_.try_emplace(route).first;
    }
    Ring& ring = found->second;
    ring.durations[ring.count++ % kept] = target.report.duration;
    ring.last = ++adds_;
  }
}

std::vector<RouteLatency> Latencies::all() const {
  std::vector<RouteLatency> result;
  result.reserve(routes_.size());
  for (const auto& [route, ring] : routes_) {
    const std::size_t size = std::min(ring.count, kept);
    const std::vector<Duration> values(ring.durations.begin(),
                                       ring.durations.begin() + static_cast<std::ptrdiff_t>(size));
    result.push_back({route, quantile(values, 0.5), quantile(values, 0.99), size});
  }
  return result;
}

}  // namespace trunkline::console
