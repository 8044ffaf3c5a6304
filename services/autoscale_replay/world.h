// A made-up service under made-up demand: pods that start, serve evenly, drain and go, and show whatever metrics the
// policy asks for. It obeys the policy's decisions, so that the loop is closed.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <trunkline/result.hpp>

#include "services/autoscale/decision.h"
#include "services/autoscale/policy.h"
#include "services/autoscale_files/recording.h"
#include "services/autoscale_replay/scenario.h"

namespace trunkline::autoscale {

// A metric that the pods show or somebody measures, in terms of the load: what it says under a load of exactly one
// target for each pod.
struct MadeUpMetric {
  std::string name;
  double target = 1;
  bool external = false;
  bool ratio = false;  // an external value that does not grow with the number of pods: load divided by capacity
  enum class Kind : unsigned char { gauge, counter, histogram };
  Kind kind = Kind::gauge;
  std::string container = {};  // of the HPA
  std::string resource = {};   // whose request the pods must state
};

// What a world must show for this policy; an error for policies whose load would have to be split over targets or
// roles.
Result<std::vector<MadeUpMetric>> metrics_of(const Policy& policy);

class World {
 public:
  World(const Scenario& scenario, std::vector<MadeUpMetric> metrics, int replicas);

  Tick observe(TimePoint now);
  void obey(const Decision& decision, TimePoint now);

  double demand(TimePoint now) const { return demand_at(scenario_, now.time_since_epoch()); }
  int ready(TimePoint now) const;

 private:
  struct Member {
    std::string name;
    TimePoint started{};
    TimePoint ready_at{};
    TimePoint gone_at = never;  // set: it drains
    bool old_version = true;
    std::map<std::string, double> totals = {};  // of counters and histograms
  };

  bool serves(const Member& member, TimePoint now) const { return member.ready_at <= now && member.gone_at == never; }
  void add_member(TimePoint now, TimePoint ready_at);
  void retire(Member& member, TimePoint now) { member.gone_at = now + scenario_.drain; }
  void roll_out(TimePoint now);
  Pod show(Member& member, TimePoint now, double load, bool silent);
  void show_samples(Member& member, TimePoint now, double load, Pod& pod) const;
  Sample measure(Member& member, const MadeUpMetric& metric, TimePoint now, double load) const;

  Scenario scenario_;
  std::vector<MadeUpMetric> metrics_;
  std::vector<Member> members_;
  int replicas_ = 0;  // asked for
  int rolled_out_of_ = 0;
  int next_number_ = 0;
  TimePoint last_{};
};

}  // namespace trunkline::autoscale
