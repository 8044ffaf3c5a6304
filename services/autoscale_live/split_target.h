// One policy over several kinds of processes: a dear and a cheap one, or the roles of one service. The policy decides
// the total and how it is split; each part is a fleet of processes of its own, and all their pods are one to the
// policy.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
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
// How many of each there are to be before a decision says so: as many as are known to have been there. What the total
// then lacks goes to the minima, and further as the policy splits it; of roles only a decision knows more.
std::vector<TargetReplicas> first_split(const Policy& policy, int total, const std::vector<TargetReplicas>& known);

class SplitTarget : public ScaleTarget {
 public:
  SplitTarget(std::string fleet, const SplitSettings& settings, const std::vector<TargetReplicas>& replicas,
              std::function<void()> on_change, std::shared_ptr<PortLedger> ports);

  // Parts that are still there keep their processes, those that are gone drain, and new ones start; all together there
  // are as many as before, as far as `policy` permits. Deciding thread.
  void change(const SplitSettings& settings, const Policy& policy);

  std::string_view kind() const override { return "processes"; }
  TargetView observe(TimePoint now) override;
  void apply(const Decision& decision) override;  // deciding thread
  void begin_stop(Duration limit) override;
  bool gone() const override;

 private:
  using Named = std::pair<std::string, std::shared_ptr<ProcessTarget>>;

  std::shared_ptr<ProcessTarget> make(const SplitPart& part, int replicas) const;
  void retire(const std::string& name);
  void forget_gone();

  const std::string fleet_;
  const std::function<void()> on_change_;
  const std::shared_ptr<PortLedger> ports_;
  std::map<std::string, int> next_numbers_;  // of parts that are gone: they may come back while their pods drain

  mutable std::mutex mutex_;  // what follows, which the deciding thread alone changes
  std::map<std::string, std::shared_ptr<ProcessTarget>> parts_;  // by name
  std::vector<Named> leaving_;                                   // parts that are gone, while they drain
  std::uint64_t failures_of_gone_ = 0;
};

}  // namespace trunkline::autoscale
