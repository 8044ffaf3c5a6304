#include "services/demo/gap_maker.h"

#include <algorithm>

namespace trunkline::demo {

std::optional<std::string> GapMaker::due(const std::vector<std::string>& serving, TimePoint now) {
  std::erase_if(since_,
                [&](const auto& one) { return std::find(serving.begin(), serving.end(), one.first) == serving.end(); });
  for (const std::string& backend : serving) since_.try_emplace(backend, now);
  if (every_ == Clock::duration::zero() || now < next_) return std::nullopt;
  std::vector<std::string> candidates;
  for (const auto& [backend, since] : since_) {
    if (now - since >= settled) candidates.push_back(backend);
  }
  if (candidates.empty()) return std::nullopt;
  next_ = now + every_;
  return candidates[turn_++ % candidates.size()];
}

}  // namespace trunkline::demo
