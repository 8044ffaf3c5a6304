#include "services/scrape/lanes.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace trunkline::scrape {

int idle_capacity(std::size_t targets, int at_least) {
  constexpr std::size_t most = std::size_t{1} << 20;
  const std::size_t wanted = std::min(targets + targets / 4, most);
  if (wanted <= static_cast<std::size_t>(at_least)) return at_least;
  // In powers of two: each other number is another transport.
  return static_cast<int>(std::bit_ceil(wanted));
}

Options options_for(const Options& base, const Job& job, std::size_t targets, Duration interval) {
  return base.derive([&](Options& options) {
    options.tls = job.tls;
    options.proxy = job.proxy;
    options.limits.idle_total = idle_capacity(targets, base.limits.idle_total);
    options.limits.idle_timeout = std::max<Duration>(base.limits.idle_timeout, interval * 2 + std::chrono::seconds(1));
  });
}

void Lanes::prepare(const std::vector<TargetPtr>& targets, std::size_t others) {
  std::map<std::string, std::unique_ptr<Lane>> lanes;
  std::vector<std::shared_ptr<Transport>> retired;
  for (const TargetPtr& target : targets) {
    std::unique_ptr<Lane>& lane = lanes[target->access];
    if (lane) continue;
    const auto known = lanes_.find(target->access);
    lane = known == lanes_.end() ? std::make_unique<Lane>(*target->job) : std::move(known->second);
    lane->credentials.refresh();
    // Asked for anew each time: with another certificate in its files it is another transport.
    std::shared_ptr<Transport> transport =
        Transport::shared(options_for(base_, *target->job, targets.size() + others, interval_));
    if (lane->transport && lane->transport != transport) retired.push_back(std::move(lane->transport));
    lane->transport = std::move(transport);
  }
  for (auto& [key, lane] : lanes_) {
    if (lane && lane->transport) retired.push_back(std::move(lane->transport));
  }
  lanes_ = std::move(lanes);
  before_ = std::move(retired);
}

Lanes::Lane& Lanes::of(const Target& target) { return *lanes_.at(target.access); }

std::vector<std::shared_ptr<Transport>> Lanes::transports() const {
  std::vector<std::shared_ptr<Transport>> all;
  all.reserve(lanes_.size());
  for (const auto& [key, lane] : lanes_) all.push_back(lane->transport);
  return all;
}

}  // namespace trunkline::scrape
