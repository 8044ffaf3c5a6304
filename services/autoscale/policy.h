// The native policy: what to read, how to put it together, and how fast the answer may move. Every default stands here
// and nowhere else, so that the effective policy can be printed.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "services/autoscale/hpa_policy.h"
#include "services/autoscale/kthena_policy.h"
#include "services/autoscale/snapshot.h"

namespace trunkline::autoscale {

enum class Source : unsigned char {
  pods,      // one or more series of every pod
  external,  // one value for all: a query, or the transport's own in-flight and queued counts
};

// What a sample is, and so how it becomes a number.
enum class Reading : unsigned char {
  gauge,     // as it is
  rate,      // a counter: its increase a second over `window`, resets repaired
  quantile,  // a histogram: the buckets of all pods and series merged, then the quantile over `window`
};

enum class Across : unsigned char { sum, average, max, percentile };
enum class SeriesAcross : unsigned char { sum, max, average };

struct MetricTarget {
  enum class Kind : unsigned char {
    per_pod,  // so much for every replica: replicas = total / value
    total,    // the value itself should be this: replicas grow with value / target
    band,     // per pod between `low` and `value`: inside nothing changes
  };
  Kind kind = Kind::per_pod;
  double value = 1;  // above 0
  double low = 0;    // the band's lower edge
  bool operator==(const MetricTarget&) const = default;
};

struct Tolerance {
  double up = 0.1;          // relative: demand must exceed capacity by more than this part of it
  double down = 0.1;        // likewise below
  double absolute = 0;      // and by more than so many replicas
  double hysteresis = 0.1;  // replicas: how far beyond a whole number demand must be for one replica more or less
  bool operator==(const Tolerance&) const = default;
};

// A metric that never proposes, but may forbid.
struct Veto {
  bool up = false;
  bool down = true;
  double above = 0;  // in force while the value is larger
  bool operator==(const Veto&) const = default;
};

struct MetricPolicy {
  std::string name;
  Source source = Source::pods;
  Reading reading = Reading::gauge;
  std::chrono::seconds window{60};  // of a rate or quantile
  double quantile = 0.95;
  double min_observations = 20;  // a quantile of fewer is not known
  SeriesAcross series = SeriesAcross::sum;
  Across across = Across::sum;
  double percentile = 0.95;
  MetricTarget target = {};
  Tolerance tolerance = {};
  std::chrono::seconds average_over{0};  // proposals follow the mean over this time; 0: the newest value
  double activation = 0;                 // from zero: wakes when the value is above this
  bool wakes = false;                    // from zero: only such metrics are looked at (external ones)
  std::optional<Veto> veto = {};         // set: a veto metric, which proposes nothing
  bool operator==(const MetricPolicy&) const = default;
};

struct Bounds {
  int min = 1;
  int max = 1;
  int activation = 1;  // from zero to this many at least
  bool operator==(const Bounds&) const = default;
};

enum class FallbackAction : unsigned char {
  hold,
  max_of_last,  // the highest recommendation of the last `window`
  replicas,     // a fixed number
};

struct Fallback {
  FallbackAction no_data = FallbackAction::hold;  // not one metric can be read
  FallbackAction denied = FallbackAction::hold;   // it is a matter of credentials
  std::chrono::seconds window{600};               // of max_of_last
  std::chrono::seconds max_hold{0};               // after so long without data `replicas` applies; 0: never
  int replicas = 0;                               // 0: none set, hold instead
  bool may_lower = false;                         // without it a fallback never goes below what there is
  bool operator==(const Fallback&) const = default;
};

struct Gaps {
  std::chrono::seconds fresh{15};  // a sample up to this old is fresh
  std::chrono::seconds carry{30};  // a value up to this old stands in for one that is missing; 0: none does
  double min_coverage = 0.5;       // with a smaller part of the pods fresh nothing goes down
  Fallback fallback = {};
  bool operator==(const Gaps&) const = default;
};

struct PodRules {
  std::chrono::seconds startup_deadline{600};  // a pod that still starts after this is dead capacity
  int replace_dead = 1;                        // so many dead pods are made up for; more would only add more of them
  bool count_terminating_demand = true;
  bool cap_surge = true;  // during a rollout capacity counts up to the replicas asked for
  bool operator==(const PodRules&) const = default;
};

// Panic: a second, short look at demand that may act at once.
struct Fast {
  bool enabled = true;
  std::chrono::seconds window{6};  // demand is averaged over this
  double threshold = 2.0;          // enters when demand is this many times the ready capacity
  std::chrono::seconds hold{60};   // and stays so long after the last such sight; nothing goes down meanwhile
  double percent = 1000;           // may add this much within `hold`, at least `replicas`
  int replicas = 10;
  bool operator==(const Fast&) const = default;
};

enum class Select : unsigned char { max, min, off };  // the largest change allowed, the smallest, none at all

struct RatePolicy {
  enum class Kind : unsigned char { pods, percent };
  Kind kind = Kind::pods;
  double value = 0;
  std::chrono::seconds period{15};
  bool operator==(const RatePolicy&) const = default;
};

struct Direction {
  std::chrono::seconds stabilise{0};
  Select select = Select::max;
  std::vector<RatePolicy> policies = {};  // none: not limited
  bool operator==(const Direction&) const = default;
};

struct Drain {
  std::string rank_by = {};       // live streams: the gauge that says what a victim would disturb; empty: age alone
  bool wait_for_victims = false;  // no further step down while pods of the last one are still leaving
  std::chrono::seconds deadline{600};  // but no longer than this
  double max_disrupted = -1;           // streams that one step may cut; below 0: any number
  bool operator==(const Drain&) const = default;
};

// More than `reversals` of direction within `window` double the down window, up to `longest`.
struct FlapBudget {
  int reversals = 4;
  std::chrono::seconds window{3600};
  std::chrono::seconds longest{3600};
  bool operator==(const FlapBudget&) const = default;
};

struct Pause {
  bool up = true;
  bool down = true;
  TimePoint until = never;
  std::string owner = {};
  bool operator==(const Pause&) const = default;
};

struct NativePolicy {
  Bounds bounds = {};
  std::vector<MetricPolicy> metrics = {};
  Gaps gaps = {};
  PodRules pods = {};
  Fast fast = {};
  Direction up{.stabilise = std::chrono::seconds(0),
               .select = Select::max,
               .policies = {{RatePolicy::Kind::pods, 4, std::chrono::seconds(15)},
                            {RatePolicy::Kind::percent, 100, std::chrono::seconds(15)}}};
  Direction down{.stabilise = std::chrono::seconds(300),
                 .select = Select::max,
                 .policies = {{RatePolicy::Kind::percent, 100, std::chrono::seconds(15)}}};
  Drain drain = {};
  FlapBudget flaps = {};
  std::chrono::seconds idle_before_zero{300};  // with bounds.min 0: zero must have been seen for this long
  std::vector<TargetCost> targets = {};        // several targets: the total is split, the cheapest first
  int cost_expansion_percent = 200;
  bool operator==(const NativePolicy&) const = default;
};

struct Policy {
  std::string name;
  std::variant<NativePolicy, HpaPolicy, KthenaPolicy> rules = NativePolicy{};
  std::optional<Pause> pause = {};
  bool dry_run = false;  // decided and recorded like any other, but not to be applied
  bool operator==(const Policy&) const = default;
};

// For services that hold streams open for minutes: slow to go down, quick and bounded to go up. `metric` counts the
// streams of a pod, of which each should have `per_pod`.
NativePolicy websocket_preset(std::string metric, double per_pod, Bounds bounds);

}  // namespace trunkline::autoscale
