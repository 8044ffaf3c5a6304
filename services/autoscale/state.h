// What the engine remembers from one decision to the next. A plain value: to store it is to copy every field, and with
// that copy a new process decides as the old one would have. Every list is bounded by the windows of the policy and by
// `most_*`.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "services/autoscale/snapshot.h"

namespace trunkline::autoscale {

inline constexpr std::size_t most_history = 4096;  // entries of one history: an hour of decisions a second
inline constexpr std::size_t most_points = 64;     // of a counter's or histogram's history

struct ReplicasAt {
  TimePoint at{};
  int replicas = 0;
  bool operator==(const ReplicasAt&) const = default;
};

// The last value of one pod for one metric.
struct LastValue {
  std::string pod;
  double value = 0;
  TimePoint at{};
  bool operator==(const LastValue&) const = default;
};

// A counter's or histogram's totals as if it had never been reset.
struct TotalsAt {
  TimePoint at{};
  std::vector<double> totals = {};  // one for a counter; one a bucket for a histogram
  bool operator==(const TotalsAt&) const = default;
};

struct SeriesHistory {
  std::string pod;
  std::string series;
  std::vector<double> bounds = {};  // a histogram's
  std::vector<double> raw = {};     // as read last, to notice a reset
  std::optional<TimePoint> since = {};
  std::vector<TotalsAt> points = {};
  bool operator==(const SeriesHistory&) const = default;
};

struct DemandAt {
  TimePoint at{};
  double low = 0;
  double high = 0;
  bool operator==(const DemandAt&) const = default;
};

struct MetricState {
  std::vector<LastValue> last = {};        // by pod name
  std::vector<SeriesHistory> series = {};  // by pod name, then series
  std::vector<DemandAt> demand = {};       // in replicas
  std::optional<LastValue> external = {};
  bool operator==(const MetricState&) const = default;
};

// kthena's histogram of one pod: what it was at some moment.
struct KthenaHistogram {
  TimePoint at{};
  std::optional<TimePoint> pod_started = {};
  double count = 0;
  std::vector<Bucket> buckets = {};
  bool operator==(const KthenaHistogram&) const = default;
};

// kthena keeps such a state for each target or role.
struct KthenaState {
  std::vector<ReplicasAt> recommendations = {};
  std::vector<ReplicasAt> corrected = {};
  std::optional<TimePoint> panic_until = {};
  std::map<std::string, std::vector<KthenaHistogram>> histograms = {};  // "metric pod" to its snapshots
  bool operator==(const KthenaState&) const = default;
};

struct HpaEvent {
  TimePoint at{};
  int change = 0;  // always positive; the list says which way
  bool operator==(const HpaEvent&) const = default;
};

struct HpaState {
  std::vector<ReplicasAt> recommendations = {};
  std::vector<HpaEvent> ups = {};
  std::vector<HpaEvent> downs = {};
  std::optional<int> watched = {};  // the replicas that a dry run saw last: what others change counts against its rates
  bool operator==(const HpaState&) const = default;
};

struct State {
  std::optional<TimePoint> last_decision = {};
  std::vector<ReplicasAt> recommendations = {};  // what the metrics asked for
  std::vector<ReplicasAt> replicas = {};         // what was in force from then on
  std::vector<TargetReplicas> targets = {};      // how the last of them were split, where they are
  std::optional<TimePoint> panic_until = {};
  int panic_floor = 0;
  int made_up = 0;  // of what is in force: pods that stand in for some that will not start
  std::optional<TimePoint> no_data_since = {};
  std::optional<ReplicasAt> held = {};       // what the last decision without any data held
  std::optional<TimePoint> zero_since = {};  // demand has been seen to be zero ever since
  std::optional<TimePoint> last_down = {};
  int last_direction = 0;
  std::vector<TimePoint> reversals = {};
  std::map<std::string, MetricState> metrics = {};

  HpaState hpa = {};
  std::map<std::string, KthenaState> kthena = {};  // by role; "" for the only one

  bool operator==(const State&) const = default;
};

}  // namespace trunkline::autoscale
