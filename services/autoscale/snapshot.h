// What was seen of one target at one moment: its pods, their samples, and values from elsewhere. Values only; whoever
// scrapes, replays or simulates fills it in. What is optional may be left out; the comments say what that means.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace trunkline::autoscale {

using Duration = Clock::duration;

enum class PodState : unsigned char {
  ready,        // serves
  unready,      // served before, or should by now, but does not
  starting,     // not ready for the first time yet: promised capacity
  missing,      // serves for all we know, but did not answer: nothing is known of its load
  terminating,  // on its way out: its load is still there and will come back elsewhere, its capacity is gone
  finished,     // ended or failed: neither load nor capacity
  excluded,     // not part of this target's decision, such as a canary
};

// A bucket of a histogram as the exposition formats have it: how many observations were at most `upper`.
struct Bucket {
  double upper = 0;
  double cumulative = 0;
  bool operator==(const Bucket&) const = default;
};

// One series of one metric of one pod. A pod may show several series of a metric; the policy says how they combine.
struct Sample {
  std::string metric;
  double value = 0;                     // of a gauge or counter; a histogram's count
  std::string series = {};              // its labels in any stable spelling, to tell the series of one metric apart
  std::string container = {};           // HPA: whose usage it is; empty for the whole pod
  std::optional<TimePoint> at = {};     // when it was true; unset: the time of the snapshot
  Duration window{0};                   // HPA: over what time it was measured
  std::optional<TimePoint> since = {};  // when a counter or histogram began at zero (`_created`)
  std::vector<Bucket> buckets = {};     // of a histogram, by rising bound
  bool operator==(const Sample&) const = default;
};

enum class PodPhase : unsigned char { pending, running, succeeded, failed, unknown };

// What a container of a pod asked for, in the metric's unit (cores, bytes).
struct ResourceRequest {
  std::string container;
  std::string resource;
  double amount = 0;
  bool operator==(const ResourceRequest&) const = default;
};

struct Pod {
  std::string name;
  PodState state = PodState::ready;
  std::string target = {};  // which of the policy's targets or roles it belongs to; empty: the only one
  std::vector<Sample> samples = {};
  std::optional<TimePoint> started = {};

  // What only the HPA's rules ask for. Unset fields follow from `state`.
  std::optional<PodPhase> phase = {};
  std::optional<bool> ready = {};               // its Ready condition
  std::optional<TimePoint> ready_changed = {};  // when that condition last changed
  std::optional<TimePoint> deleted = {};
  std::vector<ResourceRequest> requests = {};
  bool restarted = false;  // kthena: a container of it has been restarted, ever

  bool operator==(const Pod&) const = default;
};

// A value that belongs to no pod: a query's result, an object's metric, or the transport's own count.
struct ExternalValue {
  std::string metric;
  double value = 0;
  std::optional<TimePoint> at = {};  // unset: the time of the snapshot
  std::string target = {};           // which target or role it speaks of; empty: the only one
  bool operator==(const ExternalValue&) const = default;
};

// A metric that could not be read at all, and why. `denied` when it was a matter of credentials.
struct MetricFailure {
  std::string metric;
  std::string reason;
  bool denied = false;
  bool operator==(const MetricFailure&) const = default;
};

// How many replicas one of several targets or roles has now.
struct TargetReplicas {
  std::string target;
  int replicas = 0;
  bool operator==(const TargetReplicas&) const = default;
};

struct Snapshot {
  int current = 0;                          // replicas asked for now (the scale's spec)
  std::chrono::nanoseconds interval{0};     // how often pods are asked, where that is known: see suited_to()
  std::optional<int> status_replicas = {};  // replicas that exist (the scale's status); unset: `current`
  bool scaled_to_zero = false;              // HPA: it was the autoscaler that went to 0, nobody switched it off
  bool ambiguous = false;                   // another autoscaler has the same target
  std::vector<Pod> pods = {};
  std::vector<ExternalValue> external = {};
  std::vector<MetricFailure> failing = {};
  std::vector<TargetReplicas> targets = {};
  bool operator==(const Snapshot&) const = default;
};

}  // namespace trunkline::autoscale
