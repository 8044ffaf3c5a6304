#include "services/autoscale/parts.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>

#include "services/autoscale/victims.h"

namespace trunkline::autoscale {
namespace {

// One part that shrinks: whoever would leave it, in turn.
struct Leaving {
  const Part* part = nullptr;
  std::vector<Victim> ranking = {};
  int allowed = 0;
  int gone = 0;

  // A replica that has no pod yet holds nothing.
  double next_streams() const {
    const auto at = static_cast<std::size_t>(gone);
    return at < ranking.size() ? ranking[at].streams : 0;
  }
};

class Sharing {
 public:
  Sharing(const std::vector<Part>& parts, int total, const ShareRules& rules, const PodSet& pods,
          const MetricRecord* record)
      : parts_(parts), rules_(rules) {
    std::int64_t after_growth = 0;
    for (const Part& part : parts) {
      const int grown = rules.may_grow ? std::max(part.present, part.wanted) : part.present;
      share_.targets.push_back({part.name, grown});
      after_growth += grown;
      const int surplus = rules.may_leave_most ? part.present - std::max(part.wanted, part.most) : 0;
      const int allowed = rules.may_shrink ? part.present - part.wanted : surplus;
      if (allowed > 0) leaving_.push_back({&part, rank_victims(pods, record, part.name), allowed});
    }
    too_many_ = after_growth - total;
  }

  Share run() {
    if (rules_.may_leave_most) leave_what_is_above_the_most();
    leave_while_allowed();
    grow_less();
    for (const TargetReplicas& target : share_.targets) share_.total += target.replicas;
    return std::move(share_);
  }

 private:
  void leave(Leaving& from) {
    const auto at = static_cast<std::size_t>(from.gone);
    if (at < from.ranking.size()) share_.victims.push_back(from.ranking[at]);
    share_.disrupted += from.next_streams();
    ++from.gone;
    --share_.targets[static_cast<std::size_t>(from.part - parts_.data())].replicas;
    --too_many_;
  }

  void leave_what_is_above_the_most() {
    for (Leaving& one : leaving_) {
      while (one.gone < one.allowed && one.part->present - one.gone > one.part->most) leave(one);
    }
  }

  // The next one is of the target whose next victim holds the fewest streams, so that the limit lets most of them go.
  void leave_while_allowed() {
    while (too_many_ > 0) {
      Leaving* least = nullptr;
      for (Leaving& one : leaving_) {
        if (one.gone >= one.allowed) continue;
        if (!least || one.next_streams() < least->next_streams()) least = &one;
      }
      if (!least) return;
      const double cut = share_.disrupted + least->next_streams();
      if (rules_.max_disrupted >= 0 && cut > rules_.max_disrupted) return;
      leave(*least);
    }
  }

  void grow_less() {
    std::vector<std::size_t> dearest_first(parts_.size());
    std::iota(dearest_first.begin(), dearest_first.end(), std::size_t{0});
    std::ranges::sort(dearest_first, {}, [&](std::size_t i) { return std::pair(-parts_[i].cost, i); });
    for (const std::size_t i : dearest_first) {
      if (too_many_ <= 0) return;
      int& replicas = share_.targets[i].replicas;
      const int kept = std::max(parts_[i].present, parts_[i].least);
      const auto less = std::clamp<std::int64_t>(replicas - kept, 0, too_many_);
      replicas -= static_cast<int>(less);
      too_many_ -= less;
    }
  }

  const std::vector<Part>& parts_;
  const ShareRules rules_;
  std::vector<Leaving> leaving_;
  std::int64_t too_many_ = 0;  // replicas beyond the total, as the share stands
  Share share_;
};

}  // namespace

Share share_out(const std::vector<Part>& parts, int total, const ShareRules& rules, const PodSet& pods,
                const MetricRecord* record) {
  return Sharing(parts, total, rules, pods, record).run();
}

std::vector<Victim> name_leaving(const std::vector<TargetReplicas>& present, const std::vector<TargetReplicas>& wanted,
                                 const PodSet& pods) {
  std::vector<Victim> all;
  for (const TargetReplicas& target : present) {
    const auto stays = std::ranges::find(wanted, target.target, &TargetReplicas::target);
    if (stays == wanted.end() || stays->replicas >= target.replicas) continue;
    const std::vector<Victim> ranking = rank_victims(pods, nullptr, target.target);
    for (Victim& victim : choose_victims(ranking, target.replicas - stays->replicas, -1)) {
      all.push_back(std::move(victim));
    }
  }
  return all;
}

}  // namespace trunkline::autoscale
