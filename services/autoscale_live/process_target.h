// A fleet of local processes: a thread of its own keeps as many of them as were asked for, finds out when they serve,
// drains those that leave and starts again those that fall over.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "services/autoscale_live/process_plan.h"
#include "services/autoscale_live/scale_target.h"

namespace trunkline::autoscale {

struct ProcessTargetSettings {
  // No shell: the program and its arguments, in which ${port} and ${name} are the pod's. Both are in its environment
  // too, as PORT and TRUNKLINE_POD.
  std::vector<std::string> command = {};
  PortRange ports = {};
  std::string host = "127.0.0.1";    // where the processes listen
  std::string ready = "/healthz";    // GET, 2xx: it serves
  std::string metrics = "/metrics";  // where it is scraped
  Duration drain = std::chrono::seconds(30);
  Duration backoff = std::chrono::seconds(1);
  Duration longest_backoff = std::chrono::minutes(1);
  Duration ready_within = std::chrono::minutes(30);   // one that is not ready so long after its start; 0: left alone
  Duration restart_silent = std::chrono::minutes(5);  // one that served and then answers nothing; 0: left alone
  std::string log_folder = {};          // a file FLEET-PORT.log for each port; empty: their output goes nowhere
  std::uint64_t log_bytes = 10U << 20;  // of one file; there is one older beside it
  bool operator==(const ProcessTargetSettings&) const = default;
};

class ProcessTarget : public ScaleTarget {
 public:
  // `on_change` is called on the target's thread after anything of observe() has become another; it must not wait.
  // The ledger is that of all targets whose ports may ever be the same; pods are numbered from `first_number`.
  ProcessTarget(std::string fleet, ProcessTargetSettings settings, int replicas, std::function<void()> on_change,
                std::shared_ptr<PortLedger> ports, int first_number = 1);
  ~ProcessTarget() override;  // kills what is left

  // For processes that start from now on.
  void change(ProcessTargetSettings settings);
  int next_number() const;  // of the next pod

  std::string_view kind() const override { return "process"; }
  TargetView observe(TimePoint now) override;
  void apply(const Decision& decision) override;
  void begin_stop(Duration limit) override;
  bool gone() const override;

 private:
  class Keeper;
  std::shared_ptr<Keeper> keeper_;  // shared with probes under way, which may end after us
};

}  // namespace trunkline::autoscale
