#include "services/console/simulate.h"

#include <algorithm>
#include <utility>

#include "services/autoscale_files/policy_file.h"
#include "services/autoscale_replay/simulation.h"
#include "services/config/json_writer.h"

namespace trunkline::console {
namespace {

using autoscale::Course;
using autoscale::Moment;

constexpr std::size_t changes_limit = 200;

double seconds(TimePoint time) { return std::chrono::duration<double>(time.time_since_epoch()).count(); }

template <class Get>
void write_column(config::JsonWriter& json, const char* name, const Course& course, Get get) {
  json.key(name).open('[');
  for (const Moment& moment : course.moments) json.measured(get(moment));
  json.close(']');
}

void write_score(config::JsonWriter& json, const autoscale::Score& score) {
  json.key("score").open('{');
  json.key("replica_minutes").number(score.replica_minutes);
  json.key("seconds_over_target").number(score.seconds_over_target);
  json.key("changes").integer(score.changes);
  json.key("flaps").integer(score.flaps);
  json.key("largest_change").integer(score.largest_change);
  json.key("peak").integer(score.peak);
  json.key("decisions").integer(static_cast<std::int64_t>(score.decisions));
  json.close('}');
}

// The last ones, as sentences need them.
void write_changes(config::JsonWriter& json, const Course& course) {
  std::vector<const Moment*> changes;
  for (const Moment& moment : course.moments) {
    if (moment.desired != moment.current) changes.push_back(&moment);
  }
  if (changes.size() > changes_limit) {
    changes.erase(changes.begin(), changes.end() - static_cast<std::ptrdiff_t>(changes_limit));
  }
  json.key("changes").open('[');
  for (const Moment* moment : changes) {
    json.open('{');
    json.key("t").seconds(moment->at.time_since_epoch());
    json.key("from").integer(moment->current);
    json.key("to").integer(moment->desired);
    json.key("reason").text(moment->reason);
    json.close('}');
  }
  json.close(']');
}

void write_course(config::JsonWriter& json, const char* name, const Course& course) {
  json.key(name).open('{');
  json.key("policy").text(course.policy);
  write_column(json, "t", course, [](const Moment& moment) { return seconds(moment.at); });
  write_column(json, "demand", course, [](const Moment& moment) { return moment.demand; });
  write_column(json, "capacity", course, [](const Moment& moment) { return moment.capacity; });
  write_column(json, "desired", course, [](const Moment& moment) { return moment.desired; });
  write_score(json, score_of(course));
  write_changes(json, course);
  json.close('}');
}

// What was decided, in the simulator's form. `simulated` went over the same values, so its demand is also that of then.
Course recorded_course(const std::vector<autoscale::DecisionPtr>& past, const Course& simulated) {
  Course course{.policy = past.front()->decision.policy};
  for (std::size_t i = 0; i < past.size(); ++i) {
    const autoscale::Decision& decision = past[i]->decision;
    course.moments.push_back({.at = decision.at,
                              .demand = simulated.moments[i].demand,
                              .capacity = static_cast<double>(decision.current),
                              .current = decision.current,
                              .desired = decision.desired,
                              .action = decision.action,
                              .panic = decision.panic,
                              .reason = decision.reason});
  }
  return course;
}

}  // namespace

Result<std::string> simulate(std::string_view policy, const std::vector<autoscale::DecisionPtr>& past,
                             bool closed_loop) {
  auto policies = autoscale::read_policies(policy, "policy");
  if (!policies) return std::move(policies).error();
  if (policies->size() != 1) {
    return Error(ErrorCode::invalid_options, Phase::prepare,
                 "policy: holds " + std::to_string(policies->size()) + " policies, and one is to be tried");
  }
  if (past.empty()) {
    return Error(ErrorCode::invalid_options, Phase::prepare,
                 "nothing is recorded yet: try again after the fleet's first decisions");
  }
  autoscale::Simulation simulation(std::move(policies->front()), closed_loop);
  for (const autoscale::DecisionPtr& entry : past) simulation.step({.at = entry->decision.at, .seen = entry->seen});
  config::JsonWriter json;
  json.open('{');
  json.key("closed_loop").boolean(closed_loop);
  write_course(json, "recorded", recorded_course(past, simulation.course()));
  write_course(json, "simulated", simulation.course());
  json.close('}');
  return json.take();
}

}  // namespace trunkline::console
