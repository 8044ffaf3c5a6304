// What is to be seen of fleets that are being scaled: values for whoever shows them, and the seam where he asks.
// Status, the console and the metrics page know this and nothing else of the autoscaler.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/autoscale/decision.h"
#include "services/autoscale/policy.h"
#include "services/autoscale/snapshot.h"

namespace trunkline::autoscale {

struct PodStatus {
  std::string name;
  PodState state = PodState::ready;
  InputState input = InputState::fresh;  // the worst of its inputs to the last decision
  std::string reason = {};               // why that is not fresh, or why the pod is not ready
  std::string url = {};                  // where it is scraped, without credentials
  std::optional<TimePoint> started = {};
  int process = 0;   // its process id, 0: none of ours
  int restarts = 0;  // since this autoscaler started
};

// A decision and all that it was made from. Numbers count from 1 for each fleet and never come again, also not after a
// reload.
struct DecisionEntry {
  std::uint64_t number = 0;
  Decision decision;
  Snapshot seen;
};
using DecisionPtr = std::shared_ptr<const DecisionEntry>;

struct FleetStatus {
  std::string name;         // the policy's
  std::string target_kind;  // "process", "dry_run", "webhook"
  std::string compat;       // "native", "hpa", "kthena"
  int current = 0;          // replicas asked for now
  int ready = 0;
  int min = 0;
  int max = 0;
  bool paused = false;
  std::string trouble = {};  // one sentence: why it cannot be observed or scaled just now, or empty
  std::vector<PodStatus> pods = {};
  DecisionPtr last = nullptr;  // null before the first
  std::uint64_t decisions = 0;
  std::uint64_t ups = 0;
  std::uint64_t downs = 0;
  std::uint64_t gaps_survived = 0;  // decisions with inputs missing or carried that changed nothing because of them
};

// All functions may be called from any thread, and none waits for more than a lock.
class FleetView {
 public:
  FleetView() = default;
  FleetView(const FleetView&) = delete;
  FleetView& operator=(const FleetView&) = delete;
  virtual ~FleetView() = default;

  virtual std::vector<FleetStatus> fleets() const = 0;
  // The newest `most` with numbers above `after`, oldest first. Nothing when there is no such fleet.
  virtual std::vector<DecisionPtr> decisions(std::string_view fleet, std::uint64_t after, std::size_t most) const = 0;
  // The effective policy, as policy_file.h prints it.
  virtual std::optional<Policy> policy(std::string_view fleet) const = 0;
};

}  // namespace trunkline::autoscale
