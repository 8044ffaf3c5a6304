#include "services/traffic/population.h"

#include <algorithm>

namespace trunkline::traffic {
namespace {

constexpr Clock::duration left_alone_for = std::chrono::milliseconds(500);

}  // namespace

std::size_t Population::on(const std::string& backend) const {
  const auto found = loads_.find(backend);
  return found == loads_.end() ? 0 : found->second;
}

Steps Population::steps(std::size_t wanted, const std::vector<std::string>& backends, TimePoint now) {
  std::erase_if(left_alone_, [&](const auto& one) { return one.second <= now; });
  Steps steps;
  while (members_.size() < wanted && steps.opens.size() < most_steps_) {
    const std::string backend = choose(backends);
    if (backend.empty()) break;
    members_.emplace(next_id_, backend);
    ++loads_[backend];
    steps.opens.push_back({next_id_++, backend});
  }
  while (members_.size() > wanted && steps.closes.size() < most_steps_) {
    const std::uint64_t id = who_leaves();
    steps.closes.push_back(id);
    closed(id);
  }
  return steps;
}

void Population::refused(std::uint64_t id, TimePoint now) {
  const auto member = members_.find(id);
  if (member == members_.end()) return;
  left_alone_[member->second] = now + left_alone_for;
  closed(id);
}

void Population::closed(std::uint64_t id) {
  const auto member = members_.find(id);
  if (member == members_.end()) return;
  const auto load = loads_.find(member->second);
  if (--load->second == 0) loads_.erase(load);
  members_.erase(member);
}

// Empty: there is none to go to.
std::string Population::choose(const std::vector<std::string>& backends) {
  std::vector<const std::string*> open_to_all;
  for (const std::string& backend : backends) {
    if (!left_alone_.contains(backend)) open_to_all.push_back(&backend);
  }
  if (open_to_all.empty()) return {};
  if (placement_ == Placement::round_robin) return *open_to_all[turn_++ % open_to_all.size()];
  return **std::min_element(open_to_all.begin(), open_to_all.end(),
                            [this](const auto* a, const auto* b) { return on(*a) < on(*b); });
}

// The oldest of the busiest backend.
std::uint64_t Population::who_leaves() const {
  const auto busiest =
      std::max_element(loads_.begin(), loads_.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return std::find_if(members_.begin(), members_.end(),
                      [&](const auto& member) { return member.second == busiest->first; })
      ->first;
}

}  // namespace trunkline::traffic
