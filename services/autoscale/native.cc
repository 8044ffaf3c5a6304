#include "services/autoscale/native.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "base/text.h"
#include "services/autoscale/demand.h"
#include "services/autoscale/limits.h"
#include "services/autoscale/numbers.h"
#include "services/autoscale/parts.h"
#include "services/autoscale/pause.h"
#include "services/autoscale/placement.h"
#include "services/autoscale/readings.h"
#include "services/autoscale/victims.h"

namespace trunkline::autoscale {
namespace {

// One decision on its way through the stages.
class Course {
 public:
  Course(State& state, const Snapshot& snapshot, const NativePolicy& policy, TimePoint now, Decision& decision)
      : state_(state),
        snapshot_(snapshot),
        policy_(policy),
        now_(now),
        decision_(decision),
        pods_(freeze(snapshot, policy.pods, now)),
        current_(snapshot.current) {
    const Bounds bounds = bounds_of_total(policy);
    min_ = bounds.min;
    max_ = bounds.max;
  }

  void run() {
    notice_foreign_change();
    const Demand demand = measure_demand(state_, policy_, snapshot_, pods_, now_, decision_);
    read_streams();
    if (current_ < min_ || current_ > max_) {
      step("bounds", std::clamp(current_, min_, max_), current_ < min_ ? "below the minimum" : "above the maximum");
    } else {
      decide_within_bounds(demand);
    }
    decision_.desired = value_;
  }

  // Over several targets a pause holds each of them, and the limit on streams is that of all that leave.
  void share_out(const std::optional<Pause>& pause) {
    if (policy_.targets.empty()) return choose_who_leaves();
    const auto split = split_by_cost(policy_.targets, policy_.cost_expansion_percent, decision_.desired);
    if (snapshot_.targets.empty()) {  // how the present ones are split is not known
      decision_.targets = split;
      return choose_who_leaves();
    }
    const bool paused = pause && now_ < pause->until;
    const ShareRules rules{
        .may_grow = !(paused && pause->up),
        .may_shrink = !(paused && pause->down) && !waits_for_victims() && !only_holds() && !streams_unknown(),
        .may_leave_most = !(paused && pause->down),
        .max_disrupted = policy_.drain.max_disrupted};
    std::vector<Part> parts;
    parts.reserve(split.size());
    for (std::size_t i = 0; i < split.size(); ++i) {
      const TargetCost& target = policy_.targets[i];
      const auto present = std::ranges::find(snapshot_.targets, target.name, &TargetReplicas::target);
      parts.push_back({.name = target.name,
                       .present = present == snapshot_.targets.end() ? 0 : present->replicas,
                       .wanted = split[i].replicas,
                       .cost = target.cost,
                       .least = target.min,
                       .most = target.max});
    }
    Share share = autoscale::share_out(parts, decision_.desired, rules, pods_, streams());
    decision_.targets = std::move(share.targets);
    decision_.victims = std::move(share.victims);
    decision_.disrupted = share.disrupted;
    if (share.total == decision_.desired && (!streams_unknown() || decision_.targets == split)) return;
    value_ = decision_.desired;
    const bool fewer = share.total < decision_.desired;
    step("drain", share.total, why_shared_otherwise(fewer, paused && (fewer ? pause->up : pause->down)));
    decision_.desired = value_;
  }

  // Called once the decision is final.
  void remember_outcome() {
    const int desired = decision_.desired;
    if (desired != current_ && !decision_.dry_run) {
      const int direction = desired > current_ ? 1 : -1;
      if (state_.last_direction == -direction) state_.reversals.push_back(now_);
      std::erase_if(state_.reversals, [&](TimePoint at) { return at <= now_ - policy_.flaps.window; });
      if (state_.reversals.size() > most_history) state_.reversals.erase(state_.reversals.begin());
      state_.last_direction = direction;
    }
    if (decision_.dry_run) return;
    if (desired < current_ || !decision_.victims.empty()) state_.last_down = now_;
    if (made_up_) {  // as many as were granted
      const int before = std::min(*made_up_, state_.made_up);
      state_.made_up = std::clamp(*made_up_ - (with_made_up_ - desired), before, *made_up_);
    }
    in_force(desired);
  }

 private:
  std::string why_shared_otherwise(bool fewer, bool paused) const {
    if (paused) return "a pause holds each of the targets";
    if (fewer) return "the targets that may grow have no more room";
    if (waits_for_victims()) return std::to_string(pods_.terminating) + " pods are still leaving";
    if (only_holds()) return "a metric could not be read, so nobody leaves";
    if (streams_unknown()) return unknown_streams();
    return "more would cut too many streams at once";
  }

  // Nothing that is known says that fewer would do: then nobody is moved to another target either.
  bool only_holds() const { return in_doubt_ && decision_.desired >= current_; }

  void step(std::string_view stage, int after, std::string reason) {
    decision_.stages.push_back({std::string(stage), value_, after, reason});
    if (after != value_ || decision_.reason.empty()) decision_.reason = std::move(reason);
    value_ = after;
  }

  void in_force(int replicas) {
    if (!state_.replicas.empty() && state_.replicas.back().replicas == replicas) return;
    remember(state_.replicas, replicas, now_, longest_period(policy_), true);
  }

  void notice_foreign_change() {
    if (!state_.replicas.empty() && state_.replicas.back().replicas != current_ && !decision_.dry_run) {
      const std::string message = "somebody else set " + std::to_string(current_) + " replicas where " +
                                  std::to_string(state_.replicas.back().replicas) + " were decided";
      decision_.conditions.push_back({"ExternallyChanged", Truth::yes, "ForeignWriter", message});
      decision_.events.push_back({true, "ExternallyChanged", message});
    }
    value_ = current_;
    in_force(current_);
    // Without a memory what there is counts as wanted: a restart alone shrinks nothing for one window.
    if (state_.recommendations.empty()) remember_recommendation(current_);
  }

  void remember_recommendation(int replicas) {
    const auto window = std::max({policy_.up.stabilise, down_window(policy_, state_, now_), policy_.flaps.longest,
                                  policy_.gaps.fallback.window});
    remember(state_.recommendations, replicas, now_, window, false);
  }

  void decide_within_bounds(const Demand& demand) {
    if (current_ == 0) return wake(demand);
    in_doubt_ = !demand.valid || demand.partial || demand.veto_down;
    if (!demand.valid) return fall_back(demand);
    leave_fallback();
    step("metrics", demand.wanted, demand.reason);
    if (demand.partial && value_ < current_) {
      step("partial", current_, "a metric could not be read, so nothing goes down");
    }
    make_up_for_dead_pods();
    panic(demand);
    const int asked = value_;
    stabilise();
    remember_recommendation(asked);
    keep_one_until_idle(demand);
    veto(demand);
    limit_rate();
    drain();
    if (value_ > max_) step("bounds", max_, "above the maximum");
    if (value_ < min_) step("bounds", min_, "below the minimum");
  }

  // From zero only what belongs to no pod can tell of demand: there is no pod to ask.
  void wake(const Demand& demand) {
    leave_fallback();
    if (!demand.waiting) return step("wake", 0, "nothing waits");
    state_.zero_since.reset();
    const int wanted = std::max({demand.wanted, policy_.bounds.activation, 1});
    remember_recommendation(wanted);
    step("wake", std::clamp(wanted, min_, max_), "demand while at zero");
    veto(demand);
  }

  void fall_back(const Demand& demand) {
    const Fallback& fallback = policy_.gaps.fallback;
    if (!state_.no_data_since) {
      state_.no_data_since = now_;
      decision_.events.push_back({true, "FallbackEntered", "no metric has a value"});
    }
    const bool held_too_long = fallback.max_hold.count() > 0 && now_ - *state_.no_data_since >= fallback.max_hold;
    FallbackAction action = demand.denied ? fallback.denied : fallback.no_data;
    if (held_too_long) action = FallbackAction::replicas;
    decision_.conditions.push_back({"Fallback", Truth::yes, demand.denied ? "Denied" : "NoData", demand.reason});
    int wanted = current_;
    if (action == FallbackAction::max_of_last) {
      wanted = highest(state_.recommendations, now_, fallback.window, false, fallback.may_lower ? 0 : current_);
      if (wanted == 0) wanted = current_;
    }
    if (action == FallbackAction::replicas && fallback.replicas > 0) wanted = fallback.replicas;
    if (!fallback.may_lower) wanted = std::max(wanted, current_);
    step("fallback", std::clamp(wanted, min_, max_),
         demand.denied ? "metrics may not be read" : "no metric has a value");
    // What was held is not to fall at the first value that comes, when half of the clients are not back yet.
    state_.held = {now_, value_};
    state_.zero_since.reset();  // nobody has seen it
    drain();
  }

  void leave_fallback() {
    if (!state_.no_data_since) return;
    state_.no_data_since.reset();
    decision_.events.push_back({false, "FallbackLeft", "metrics have values again"});
  }

  // A pod that will not start is no capacity. Few are made up for, or each would only be followed by another.
  void make_up_for_dead_pods() {
    made_up_ = 0;
    if (pods_.overdue == 0) return;
    decision_.conditions.push_back({"StartupDeadlineExceeded", Truth::yes, "PodsDoNotStart",
                                    std::to_string(pods_.overdue) + " pods start for too long"});
    made_up_ = std::min(pods_.overdue, policy_.pods.replace_dead);
    // What there is holds those already that were made up for before. What the metrics ask for does not, but where it
    // is what there is, within tolerance: there a stand-in is taken for one that serves, and not added over and over.
    const int more = value_ == current_ ? *made_up_ - std::min(*made_up_, state_.made_up) : *made_up_;
    with_made_up_ = static_cast<int>(std::min<std::int64_t>(std::int64_t{value_} + more, most_replicas));
    if (*made_up_ > 0) step("startup", with_made_up_, "pods that do not start are made up for");
  }

  void panic(const Demand& demand) {
    if (!policy_.fast.enabled) return;
    const int capacity = std::max(1, std::min(pods_.serving, current_));
    // While what was asked for would do, and only has to start, there is nothing to panic about.
    const bool too_few = demand.fast >= policy_.fast.threshold * capacity && demand.fast > current_;
    if (too_few) state_.panic_until = now_ + policy_.fast.hold;
    decision_.panic = state_.panic_until && now_ <= *state_.panic_until;
    if (!decision_.panic) {
      state_.panic_floor = 0;
      return;
    }
    const int wanted = std::max({value_, current_, state_.panic_floor, ceil_replicas(demand.fast - 1e-9)});
    state_.panic_floor = std::min(wanted, max_);
    step("panic", wanted, "demand far above capacity: act at once, lower nothing");
  }

  void stabilise() {
    const auto down = down_window(policy_, state_, now_);
    if (down > policy_.down.stabilise) {
      decision_.conditions.push_back({"FlapBudgetExceeded", Truth::yes, "TooManyReversals",
                                      "the window before going down is " + print_duration(down)});
    }
    const int most_recent = highest(state_.recommendations, now_, down, false, value_);
    const bool was_blind = state_.held && now_ - state_.held->at < down;
    const int least_recent = lowest(state_.recommendations, now_, policy_.up.stabilise, false, value_);
    if (value_ < current_ && most_recent > value_) {
      step("stabilise", std::min(current_, most_recent), "held by a higher recommendation " + when(most_recent));
    }
    if (was_blind && value_ < std::min(current_, state_.held->replicas)) {
      step("stabilise", std::min(current_, state_.held->replicas), "held since there was no data until lately");
    }
    if (value_ > current_ && least_recent < value_ && !decision_.panic) {
      step("stabilise", std::max(current_, least_recent), "held by a lower recommendation " + when(least_recent));
    }
  }

  std::string when(int recommended) const {
    for (auto was = state_.recommendations.rbegin(); was != state_.recommendations.rend(); ++was) {
      if (was->replicas != recommended) continue;
      return "of " + print_duration(std::chrono::duration_cast<std::chrono::seconds>(now_ - was->at)) + " ago";
    }
    return "of now";
  }

  // Zero must be seen, by every pod and every metric, and for long enough.
  void keep_one_until_idle(const Demand& demand) {
    if (!demand.seen_idle) state_.zero_since.reset();
    if (demand.seen_idle && !state_.zero_since) state_.zero_since = now_;
    const bool idle = state_.zero_since && now_ - *state_.zero_since >= policy_.idle_before_zero;
    if (value_ == 0 && !idle) step("zero", 1, demand.seen_idle ? "not idle for long enough" : "zero was not observed");
  }

  void veto(const Demand& demand) {
    if (value_ > current_ && demand.veto_up) step("veto", current_, demand.veto_reason);
    if (value_ < current_ && demand.veto_down) step("veto", current_, demand.veto_reason);
  }

  void limit_rate() {
    if (value_ > current_) {
      const int limit = decision_.panic ? panic_limit(policy_.fast, state_.replicas, current_, now_)
                                        : up_limit(policy_.up, state_.replicas, current_, now_);
      if (value_ > limit) step("rate", limit, "as fast up as the policies allow");
    } else if (value_ < current_) {
      const int limit = down_limit(policy_.down, state_.replicas, current_, now_);
      if (value_ < limit) step("rate", limit, "as fast down as the policies allow");
    }
  }

  void drain() {
    if (value_ >= current_) return;
    if (waits_for_victims()) {
      return step("drain", current_, std::to_string(pods_.terminating) + " pods are still leaving");
    }
    if (streams_unknown()) return step("drain", current_, unknown_streams());
    const bool is_split = !policy_.targets.empty() && !snapshot_.targets.empty();
    if (policy_.drain.max_disrupted < 0 || is_split) return;  // share_out() knows who leaves which target
    const auto chosen = choose_victims(ranking(), current_ - value_, policy_.drain.max_disrupted);
    const int allowed = current_ - static_cast<int>(chosen.size());
    if (allowed > value_) step("drain", allowed, "more would cut too many streams at once");
  }

  bool waits_for_victims() const {
    const bool leaving = pods_.terminating > 0 && state_.last_down && now_ < *state_.last_down + policy_.drain.deadline;
    return policy_.drain.wait_for_victims && leaving;
  }

  // Of a metric that only the ranking asks for. Those that the policy scales by are read already.
  void read_streams() {
    const std::string& name = policy_.drain.rank_by;
    if (name.empty() || streams() != nullptr) return;
    MetricRecord& record = own_streams_.emplace(MetricRecord{.metric = name});
    for (const PodReading& pod :
         read_pods(state_.metrics[name], {.name = name}, policy_.gaps, policy_.pods, pods_, now_)) {
      record.pods.push_back({pod.pod->name, pod.state, pod.value, pod.age, pod.reason});
    }
  }

  // Who holds how many streams, as far as the policy names a metric for that.
  const MetricRecord* streams() const {
    if (own_streams_) return &*own_streams_;
    const auto record = std::ranges::find_if(decision_.metrics, [&](const MetricRecord& metric) {
      return metric.metric == policy_.drain.rank_by && !metric.pods.empty();
    });
    return record == decision_.metrics.end() ? nullptr : &*record;
  }

  // A limit on streams of which not one pod has ever said how many it holds: a name that nobody knows, perhaps.
  bool streams_unknown() const {
    const MetricRecord* const record = streams();
    if (policy_.drain.max_disrupted < 0 || record == nullptr) return false;
    const auto memory = state_.metrics.find(record->metric);
    const bool ever_heard = memory != state_.metrics.end() && !memory->second.last.empty();
    const auto is_silent = [](const PodInput& pod) { return pod.state == InputState::missing; };
    return !ever_heard && std::ranges::any_of(record->pods, is_silent);
  }
  std::string unknown_streams() const {
    return "drain.maxDisrupted is a limit on " + policy_.drain.rank_by + ", and no pod has ever shown that metric";
  }

  std::vector<Victim> ranking() const { return rank_victims(pods_, streams()); }

  void choose_who_leaves() {
    if (decision_.desired >= current_) return;
    decision_.victims = choose_victims(ranking(), current_ - decision_.desired, -1);
    for (const Victim& victim : decision_.victims) decision_.disrupted += victim.streams;
  }

  State& state_;
  const Snapshot& snapshot_;
  const NativePolicy& policy_;
  const TimePoint now_;
  Decision& decision_;
  const PodSet pods_;
  const int current_;
  std::optional<MetricRecord> own_streams_;
  int min_ = 0;
  int max_ = 0;
  int value_ = 0;
  std::optional<int> made_up_;  // pods that will not start, as far as they are made up for; nothing: not looked at
  int with_made_up_ = 0;        // what that asks for
  bool in_doubt_ = false;       // something that was asked could not be read, or a veto holds what is there
};

}  // namespace

void decide_natively(State& state, const Snapshot& snapshot, const NativePolicy& policy,
                     const std::optional<Pause>& pause, TimePoint now, Decision& decision) {
  Course course(state, snapshot, policy, now, decision);
  course.run();
  hold_if_paused(pause, now, decision);
  course.share_out(pause);
  course.remember_outcome();
}

}  // namespace trunkline::autoscale
