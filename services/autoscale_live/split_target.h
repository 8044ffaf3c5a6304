// One policy over several kinds of processes: a dear and a cheap one, or the roles of one service. The policy decides
// the total and how it is split; each part is a fleet of processes of its own, and all their pods are one to the
// policy.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "services/autoscale/policy.h"
#include "services/autoscale_live/process_target.h"

namespace trunkline::autoscale {

struct SplitPart {
  std::string target = {};  // its name among the policy's targets or roles
  ProcessTargetSettings process = {};
  bool operator==(const SplitPart&) const = default;
};

struct SplitSettings {
  std::vector<SplitPart> parts = {};
  bool operator==(const SplitSettings&) const = default;
};

// What a policy splits its total over, by name; none where it does not.
std::vector<TargetCost> parts_of(const Policy& policy);
// How the policy splits that total; roles begin with their minima, as only a decision knows more.
std::vector<TargetReplicas> initial_split(const Policy& policy, int total);

class SplitTarget : public ScaleTarget {
 public:
  SplitTarget(const std::string& fleet, const SplitSettings& settings, const std::vector<TargetReplicas>& replicas,
              const std::function<void()>& on_change);

  // For processes that start from now on. False: these are other parts, so another target is needed.
  bool change(const SplitSettings& settings);

  std::string_view kind() const override { return "processes"; }
  TargetView observe(TimePoint now) override;
  void apply(const Decision& decision) override;
  void begin_stop(Duration limit) override;
  bool gone() const override;

 private:
  std::map<std::string, std::unique_ptr<ProcessTarget>> parts_;  // by name; never another set
};

}  // namespace trunkline::autoscale
