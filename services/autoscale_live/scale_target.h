// What is scaled, as a seam: who exists, and how many there should be. Processes of our own, targets of somebody else's
// that are only watched, and whatever answers a webhook.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <trunkline/result.hpp>

#include "services/autoscale/decision.h"

namespace trunkline::autoscale {

// A stop that nobody waits for: the target's own limit is shorter.
inline constexpr Duration as_long_as_it_takes = std::chrono::hours(24 * 366);

// A pod that the target itself knows. Times are the process's (Clock), not the engine's.
struct TargetPod {
  std::string name;
  std::string target = {};                // which of the policy's targets or roles it belongs to; empty: the only one
  std::string url;                        // where its metrics are; empty while it has no port
  PodState state = PodState::starting;    // starting, ready, unready or terminating
  std::string reason = {};                // why it is not ready
  std::optional<TimePoint> started = {};  // of one that starts: since when it has tried
  std::optional<TimePoint> told_to_go = {};  // of one that is terminating
  int process = 0;
  int restarts = 0;
};

struct TargetView {
  std::optional<int> replicas = {};  // asked for now; unset: not known, so that nothing can be decided
  std::string trouble = {};          // one sentence, or empty
  std::vector<TargetPod> pods = {};
  std::vector<TargetReplicas> targets = {};  // how `replicas` are split, where they are
  std::string job = {};                      // set: its pods are the targets of this scrape job instead
  bool follows_job = false;                  // `replicas` is the number of those
  std::uint64_t apply_failures = 0;          // since it was made
};

// Any thread may call; nothing waits for more than a lock.
class ScaleTarget {
 public:
  ScaleTarget() = default;
  ScaleTarget(const ScaleTarget&) = delete;
  ScaleTarget& operator=(const ScaleTarget&) = delete;
  virtual ~ScaleTarget() = default;

  virtual std::string_view kind() const = 0;
  virtual TargetView observe(TimePoint now) = 0;
  // Begins what was decided. What comes of it is seen by observe(); a failure is tried again by the next decision.
  virtual void apply(const Decision& decision) = 0;
  // Everything it started is to leave, within `limit`; gone() says when.
  virtual void begin_stop(Duration limit) = 0;
  virtual bool gone() const = 0;
};

}  // namespace trunkline::autoscale
