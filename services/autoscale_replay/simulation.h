// One policy over a course of time: the live system's engine, fed with a recording or a made-up world, and what came of
// it in numbers that can be compared.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "services/autoscale/decider.h"
#include "services/autoscale/decision.h"
#include "services/autoscale/policy.h"
#include "services/autoscale_files/recording.h"
#include "services/autoscale_replay/world.h"

namespace trunkline::autoscale {

// One moment of the course, for tables and charts.
struct Moment {
  TimePoint at{};
  double demand = 0;    // in replicas
  double capacity = 0;  // replicas that serve
  int current = 0;
  int desired = 0;
  Action action = Action::hold;
  bool panic = false;
  std::string reason = {};
};

// `seconds` of a moment last until the next one; the last one lasts as long as the one before it.
struct Score {
  double replica_minutes = 0;
  double seconds_over_target = 0;  // demand above capacity
  int changes = 0;
  int flaps = 0;  // changes against the direction of one less than ten minutes before
  int largest_change = 0;
  int peak = 0;
  std::size_t decisions = 0;
};

struct Course {
  std::string policy;
  std::vector<Moment> moments = {};
};

Score score_of(const Course& course);

class Simulation {
 public:
  // Over a recording. What was decided is recorded as it really was, so that by default each decision starts from the
  // recorded `current`: "what would it have said then". A change that it asked for counts only where the next tick
  // shows that it was made. With `closed_loop` it starts from what the policy itself asked for before, while pods and
  // values stay those of the recording.
  Simulation(Policy policy, bool closed_loop) : policy_(std::move(policy)), closed_loop_(closed_loop) {
    course_.policy = policy_.name;
  }
  // In a world of its own, which obeys.
  Simulation(Policy policy, World world) : Simulation(std::move(policy), false) { world_ = std::move(world); }

  // The record of a decision at this moment; `tick` is not read when there is a world.
  const Decision& step(const Tick& tick);
  const Decision& step(TimePoint now) { return step(world_->observe(now)); }

  const Tick& seen() const { return seen_; }
  const Policy& policy() const { return policy_; }
  const Course& course() const { return course_; }

 private:
  Policy policy_;
  bool closed_loop_ = false;
  std::optional<World> world_ = {};
  State state_ = {};
  Decider decider_ = {};
  Tick seen_ = {};
  Decision decision_ = {};
  std::optional<int> replicas_ = {};  // what it asked for last
  Course course_ = {};
};

}  // namespace trunkline::autoscale
