// One fleet that is being scaled: its policy, what the engine remembers of it, and the decisions that were made. All
// but the threads: whoever calls has the clock, the target and the collector.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "services/autoscale/decider.h"
#include "services/autoscale_live/engine_time.h"
#include "services/autoscale_live/fleet_view.h"
#include "services/autoscale_live/observation.h"
#include "services/autoscale_live/settings.h"

namespace trunkline::autoscale {

struct FleetCounters {
  std::uint64_t decisions = 0;
  std::uint64_t ups = 0;
  std::uint64_t downs = 0;
  std::uint64_t holds = 0;
  std::uint64_t gaps_survived = 0;
};

class LiveFleet {
 public:
  // Decisions are numbered from `first_number`. At most `history` of them are kept.
  LiveFleet(const FleetSettings& settings, State state, std::uint64_t first_number, int history);

  // These are called by one thread.
  void change(const FleetSettings& settings, int history);
  // Null when nothing can be decided: it is not known how many replicas there are.
  DecisionPtr decide(const TargetView& view, const scrape::Snapshot* cycle, std::vector<ExternalValue> external,
                     const EngineTime& time, TimePoint now);
  const State& state() const { return state_; }
  std::uint64_t next_number() const { return next_number_; }
  const std::vector<std::string>& metrics() const { return metrics_; }

  // Any thread.
  void pause(const Pause& pause);  // instead of the policy's own
  void resume();                   // likewise: none
  // With the pause that is in force, and suited to how often its pods are asked: see suited_to().
  Policy policy() const;
  FleetStatus status(const TargetView& view, std::string_view kind, const EngineTime& time) const;
  std::vector<DecisionPtr> decisions(std::uint64_t after, std::size_t most) const;
  FleetCounters counters() const;
  DecisionPtr last() const;

 private:
  void count(const Decision& decision);

  // The deciding thread's own.
  State state_;
  Decider decider_;
  std::uint64_t next_number_;
  std::vector<std::string> metrics_;

  mutable std::mutex mutex_;  // what follows
  Policy policy_;
  bool may_refuse_ = false;    // its target is somebody else's, and may not do as it is told
  bool watched_only_ = false;  // its target is never touched, so nothing that was decided comes into force
  std::optional<std::optional<Pause>> pause_;             // set: what holds instead of the policy's
  Duration interval_{0};                                  // of the last cycle
  std::map<std::string, std::string, std::less<>> urls_;  // in it, of pods that a job knows
  std::size_t history_;
  std::size_t pods_kept_ = 0;
  std::deque<DecisionPtr> decisions_;
  FleetCounters counters_;
};

struct ReplicaBounds {
  int min = 0;
  int max = 0;
};
ReplicaBounds bounds_of(const Policy& policy);

// The number that was in force when the memory was saved, within what the policy allows now; without one its minimum.
int remembered_replicas(const State& state, const Policy& policy);
// The same of a policy that splits it: how many of each target or role there were.
std::vector<TargetReplicas> remembered_split(const State& state, const Policy& policy);

}  // namespace trunkline::autoscale
