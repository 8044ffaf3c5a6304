// The record of one decision: all that went in, every step on the way, and what came out. Status, events, metrics and
// `explain` are made from it and from nothing else, so that they cannot disagree.
#pragma once

#include <string>
#include <vector>

#include "services/autoscale/snapshot.h"

namespace trunkline::autoscale {

enum class InputState : unsigned char {
  fresh,     // read, and young enough
  carried,   // not read this time; its last value stands in
  missing,   // unknown
  starting,  // no load yet, no capacity yet
  draining,  // on its way out
  excluded,  // no part of this decision
};

// What one pod gave to one metric.
struct PodInput {
  std::string pod;
  InputState state = InputState::missing;
  double value = 0;         // what was used; when missing, the last value ever seen, or 0
  Duration age{0};          // of that value
  std::string reason = {};  // why it is not fresh; empty when it is
  bool operator==(const PodInput&) const = default;
};

enum class Verdict : unsigned char { proposes, no_data, too_few, vetoes, silent };

struct MetricRecord {
  std::string metric;
  std::string target = {};  // which role it speaks for; empty: the only one
  Verdict verdict = Verdict::no_data;
  double low = 0;   // in the metric's unit, over all pods: surely there
  double best = 0;  // known values alone
  double high = 0;  // possibly there
  double target_value = 0;
  double demand_low = 0;  // in replicas
  double demand_high = 0;
  int expected = 0;  // pods that should have given a value
  int fresh = 0;
  int carried = 0;
  int missing = 0;
  double coverage = 1;       // fresh / expected
  Duration worst_age{0};     // of the values used
  double current_value = 0;  // what a status shows: utilisation in percent (HPA), or the mean
  int proposal = 0;
  std::string reason = {};
  std::vector<PodInput> pods = {};
  bool operator==(const MetricRecord&) const = default;
};

// One step: what went in, what came out, and why. The last stage's `after` is the decision.
struct Stage {
  std::string stage;
  int before = 0;
  int after = 0;
  std::string reason = {};
  bool operator==(const Stage&) const = default;
};

enum class Action : unsigned char { hold, up, down };
enum class Truth : unsigned char { no, yes, unknown };

struct Condition {
  std::string type;
  Truth status = Truth::yes;
  std::string reason;
  std::string message = {};
  bool operator==(const Condition&) const = default;
};

struct Event {
  bool warning = false;
  std::string reason;
  std::string message = {};
  bool operator==(const Event&) const = default;
};

// Who would leave first, and what that would cut.
struct Victim {
  std::string pod;
  double streams = 0;
  bool operator==(const Victim&) const = default;
};

struct Decision {
  std::string policy;
  TimePoint at{};
  int current = 0;
  int desired = 0;
  Action action = Action::hold;
  std::string reason = {};  // of the stage that settled it
  bool dry_run = false;
  bool panic = false;
  std::vector<MetricRecord> metrics = {};
  std::vector<Stage> stages = {};
  std::vector<TargetReplicas> targets = {};  // several targets or roles: how the total is split
  std::vector<Victim> victims = {};          // of a step down, in the order in which they should leave
  double disrupted = 0;                      // streams that the victims hold
  std::vector<Condition> conditions = {};
  std::vector<Event> events = {};
  bool operator==(const Decision&) const = default;
};

std::string_view to_string(PodState state);
std::string_view to_string(InputState state);
std::string_view to_string(Verdict verdict);
std::string_view to_string(Action action);
std::string_view to_string(Truth truth);

}  // namespace trunkline::autoscale
