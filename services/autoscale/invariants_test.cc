// The laws that hold for every policy and every sequence of snapshots, tried on thousands of random ones. A failure
// names its seed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "services/autoscale/engine.h"
#include "services/autoscale/saved.h"

namespace trunkline::autoscale {
namespace invariants_test {

using namespace std::chrono_literals;

const TimePoint noon{std::chrono::hours(12)};
constexpr unsigned rounds = 400;

class World {
 public:
  explicit World(unsigned seed) : dice(seed) {}

  int roll(int least, int most) { return std::uniform_int_distribution<int>(least, most)(dice); }
  double amount(double most) { return std::uniform_real_distribution<double>(0, most)(dice); }
  bool chance(int percent) { return roll(1, 100) <= percent; }

  NativePolicy native() {
    NativePolicy policy{.bounds = {roll(1, 4), roll(10, 60)}};
    static constexpr Across kinds[] = {Across::sum, Across::average, Across::max, Across::percentile};
    for (int i = roll(1, 2); i > 0; --i) {
      policy.metrics.push_back({.name = "load-" + std::to_string(i),
                                .across = kinds[roll(0, 3)],
                                .target = {.value = 10},
                                .tolerance = {.up = amount(.2), .down = amount(.2), .hysteresis = amount(.3)}});
    }
    policy.up = {.stabilise = std::chrono::seconds(roll(0, 60))};
    policy.down = {.stabilise = std::chrono::seconds(roll(0, 300))};
    if (chance(50))
      policy.up.policies = {{RatePolicy::Kind::pods, double(roll(1, 5)), std::chrono::seconds(roll(5, 90))}};
    if (chance(50))
      policy.down.policies = {{RatePolicy::Kind::percent, double(roll(5, 60)), std::chrono::seconds(roll(5, 90))}};
    policy.fast.enabled = chance(50);
    policy.gaps.carry = std::chrono::seconds(chance(50) ? 30 : 0);
    return policy;
  }

  // Ready pods only, one for each replica.
  Snapshot full(int current, double most) {
    Snapshot snapshot{.current = current};
    for (int i = 0; i < current; ++i) snapshot.pods.push_back(pod(i, most));
    return snapshot;
  }
  Pod pod(int number, double most) {
    Pod pod{.name = "pod-" + std::to_string(number)};
    for (const char* metric : {"load-1", "load-2"}) pod.samples.push_back({.metric = metric, .value = amount(most)});
    return pod;
  }
  static void silence(Pod& pod) {
    pod.state = PodState::missing;
    pod.samples.clear();
  }
  void disturb(Snapshot& snapshot) {
    static constexpr PodState states[] = {PodState::missing, PodState::unready, PodState::starting,
                                          PodState::terminating, PodState::excluded};
    for (Pod& pod : snapshot.pods) {
      if (!chance(20)) continue;
      pod.state = states[roll(0, 4)];
      if (pod.state == PodState::missing || chance(50)) pod.samples.clear();
    }
  }

  // A memory that some past left behind, and the moment after it.
  State past(const Policy& policy, int& current, TimePoint& now) {
    State state;
    for (int i = roll(0, 12); i > 0; --i) {
      current = decide(state, full(current, 20), policy, now).desired;
      now += std::chrono::seconds(roll(1, 40));
    }
    return state;
  }

  std::mt19937 dice;
};

int outcome(State state, const Snapshot& snapshot, const Policy& policy, TimePoint now) {
  return decide(state, snapshot, policy, now).desired;
}

// Calls `law` with a world, a policy, a memory, the replicas and the moment, once for each seed.
template <class Law>
void for_many(Law law) {
  for (unsigned seed = 1; seed <= rounds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(seed);
    const Policy policy{.rules = world.native()};
    const auto& native = std::get<NativePolicy>(policy.rules);
    int current = world.roll(native.bounds.min, native.bounds.max);
    TimePoint now = noon;
    const State state = world.past(policy, current, now);
    law(world, policy, state, current, now);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(Invariants, the_result_is_within_bounds_or_what_there_is) {  // 1
  for_many([](World& world, const Policy& policy, const State& state, int current, TimePoint now) {
    const Bounds& bounds = std::get<NativePolicy>(policy.rules).bounds;
    Snapshot snapshot = world.full(current, 40);
    world.disturb(snapshot);
    if (world.chance(20)) snapshot.current = world.roll(0, 100);
    const int desired = outcome(state, snapshot, policy, now);
    EXPECT_TRUE((desired >= bounds.min && desired <= bounds.max) || desired == snapshot.current) << desired;
  });
}

TEST(Invariants, more_demand_never_means_fewer_replicas) {  // 1
  for_many([](World& world, const Policy& policy, const State& state, int current, TimePoint now) {
    const Snapshot less = world.full(current, 25);
    Snapshot more = less;
    for (Pod& pod : more.pods) {
      for (Sample& sample : pod.samples) sample.value += world.chance(50) ? world.amount(10) : 0;
    }
    EXPECT_LE(outcome(state, less, policy, now), outcome(state, more, policy, now));
  });
}

TEST(Invariants, one_more_pod_that_is_not_heard_makes_no_change_larger) {  // 2
  for_many([](World& world, const Policy& policy, const State& state, int current, TimePoint now) {
    Snapshot snapshot = world.full(current, 25);
    world.disturb(snapshot);
    const int before = std::abs(outcome(state, snapshot, policy, now) - current);
    snapshot.pods.push_back({.name = "silent", .state = PodState::missing});
    EXPECT_LE(std::abs(outcome(state, snapshot, policy, now) - current), before);
  });
}

TEST(Invariants, a_sample_that_is_lost_makes_no_step_larger) {  // 3
  for_many([](World& world, const Policy& policy, const State& state, int current, TimePoint now) {
    const Snapshot whole = world.full(current, 25);
    Snapshot holed = whole;
    const auto lost = static_cast<std::size_t>(world.roll(0, current - 1));
    World::silence(holed.pods[lost]);
    State known = state;
    // The promise is about a pod that carries no more than what it last did, or than it should; and where its last
    // value still stands in, no less than that.
    for (std::size_t i = 0; i < 2; ++i) {
      const auto memory = known.metrics.find("load-" + std::to_string(i + 1));
      if (memory == known.metrics.end()) continue;
      std::erase_if(memory->second.last, [&](const LastValue& last) { return last.pod == whole.pods[lost].name; });
      const double truth = whole.pods[lost].samples[i].value;
      auto& last = memory->second.last;
      const LastValue stands_in{whole.pods[lost].name, truth, now - 10s};
      last.insert(std::ranges::lower_bound(last, stands_in.pod, {}, &LastValue::pod), stands_in);
    }
    const int full = outcome(known, whole, policy, now);
    const int partial = outcome(known, holed, policy, now);
    EXPECT_LE(partial, std::max(full, current));
    EXPECT_GE(partial, std::min(full, current));
  });
}

TEST(Invariants, the_same_arguments_give_the_same_record) {  // 4
  for_many([](World& world, const Policy& policy, const State& state, int current, TimePoint now) {
    Snapshot snapshot = world.full(current, 25);
    world.disturb(snapshot);
    State one = state;
    State two = state;
    EXPECT_EQ(decide(one, snapshot, policy, now), decide(two, snapshot, policy, now));
    EXPECT_EQ(one, two);
  });
}

TEST(Invariants, no_stretch_of_a_period_changes_more_than_its_policy_says) {  // 5
  for (unsigned seed = 1; seed <= 60; ++seed) {
    World world(seed);
    NativePolicy native{.bounds = {1, 500}, .metrics = {{.name = "load-1", .target = {.value = 10}}}};
    native.up = {.policies = {{RatePolicy::Kind::pods, 3, 60s}}};
    native.down = {.policies = {{RatePolicy::Kind::pods, 2, 90s}}};
    native.fast.enabled = false;
    struct Was {
      TimePoint at;
      int replicas;
    };
    std::vector<Was> history;
    State state;
    int current = world.roll(1, 60);
    TimePoint now = noon;
    for (int i = 0; i < 120; ++i) {
      history.push_back({now, current});
      current = decide(state, world.full(current, world.chance(50) ? 40 : 4), {.rules = native}, now).desired;
      history.push_back({now, current});
      now += std::chrono::seconds(world.roll(1, 30));
    }
    for (std::size_t i = 0; i < history.size(); ++i) {
      for (std::size_t j = i; j < history.size() && history[j].at - history[i].at < 90s; ++j) {
        const int change = history[j].replicas - history[i].replicas;
        if (history[j].at - history[i].at < 60s) {
          ASSERT_LE(change, 3) << "seed " << seed;
        }
        ASSERT_GE(change, -2) << "seed " << seed;
      }
    }
  }
}

TEST(Invariants, nothing_goes_down_within_the_window_after_a_higher_recommendation) {  // 6
  for (unsigned seed = 1; seed <= 100; ++seed) {
    World world(seed);
    NativePolicy native = world.native();
    native.down.stabilise = 120s;
    State state;
    int current = native.bounds.max;
    TimePoint now = noon;
    struct Asked {
      TimePoint at;
      int replicas;
    };
    std::vector<Asked> asked;
    for (int i = 0; i < 60; ++i) {
      const Decision decision = decide(state, world.full(current, world.chance(70) ? 6 : 14), {.rules = native}, now);
      int recommended = current;
      for (const Stage& stage : decision.stages) {
        if (stage.stage == "metrics" || stage.stage == "panic") recommended = stage.after;
      }
      asked.push_back({now, recommended});
      if (decision.desired < current) {
        for (const Asked& was : asked) {
          if (was.at <= now - 120s) continue;
          ASSERT_GE(decision.desired, was.replicas) << "seed " << seed;
        }
      }
      current = decision.desired;
      now += std::chrono::seconds(world.roll(1, 30));
    }
  }
}

TEST(Invariants, no_value_however_wrong_reaches_the_replicas) {  // 7
  const std::vector<double> wrong = {std::numeric_limits<double>::quiet_NaN(),
                                     std::numeric_limits<double>::infinity(),
                                     -std::numeric_limits<double>::infinity(),
                                     -1,
                                     1e308,
                                     std::numeric_limits<double>::denorm_min(),
                                     0,
                                     5};
  HpaPolicy hpa{.min = 1,
                .max = 60,
                .metrics = {{.type = HpaMetric::Type::pods,
                             .name = "load-1",
                             .target = HpaMetric::TargetType::average_value,
                             .value = 10}}};
  KthenaPolicy kthena{.min = 1, .max = 60, .metrics = {{.name = "load-1", .target = 10}}};
  for_many([&](World& world, const Policy& native, const State& state, int current, TimePoint now) {
    Snapshot snapshot = world.full(current, 25);
    for (Pod& pod : snapshot.pods) {
      for (Sample& sample : pod.samples) {
        if (world.chance(50)) sample.value = wrong[static_cast<std::size_t>(world.roll(0, 7))];
      }
    }
    for (const Policy& policy : {native, Policy{.rules = hpa}, Policy{.rules = kthena}}) {
      const int desired = outcome(state, snapshot, policy, now);
      EXPECT_GE(desired, 1);
      EXPECT_LE(desired, 60);
    }
  });
}

TEST(Invariants, the_order_of_pods_and_metrics_does_not_matter) {  // 9
  for_many([](World& world, const Policy& policy, const State& state, int current, TimePoint now) {
    Snapshot snapshot = world.full(current, 25);
    world.disturb(snapshot);
    Snapshot shuffled = snapshot;
    std::ranges::shuffle(shuffled.pods, world.dice);
    State one = state;
    State two = state;
    EXPECT_EQ(decide(one, snapshot, policy, now), decide(two, shuffled, policy, now));
    EXPECT_EQ(one, two);
    Policy reversed = policy;
    std::ranges::reverse(std::get<NativePolicy>(reversed.rules).metrics);
    EXPECT_EQ(outcome(state, shuffled, reversed, now), outcome(state, snapshot, policy, now));
  });
}

TEST(Invariants, a_restart_changes_no_decision) {  // 10, F15
  const HpaPolicy hpa{.min = 1,
                      .max = 60,
                      .metrics = {{.type = HpaMetric::Type::pods,
                                   .name = "load-1",
                                   .target = HpaMetric::TargetType::average_value,
                                   .value = 10}},
                      .behavior = HpaBehavior{.up = {.stabilization = 30s}}};
  const KthenaPolicy kthena{
      .min = 1, .max = 60, .metrics = {{.name = "load-1", .target = 10}}, .down = {.stabilization = 120s}};
  for (unsigned seed = 1; seed <= 100; ++seed) {
    World world(seed);
    for (const Policy& policy : {Policy{.rules = world.native()}, Policy{.rules = hpa}, Policy{.rules = kthena}}) {
      int current = 8;
      TimePoint now = noon;
      State uninterrupted = world.past(policy, current, now);
      // Another process, another clock, ten seconds later by the one on the wall.
      Saved saved{.policy = "p", .wall_unix_seconds = 1000, .monotonic = now, .state = uninterrupted};
      const TimePoint elsewhere{std::chrono::minutes(7)};
      Result<State> restarted = restore(saved, "p", 1010, elsewhere, 5min);
      ASSERT_TRUE(restarted);
      for (int i = 1; i < 10; ++i) {
        Snapshot snapshot = world.full(current, 25);
        world.disturb(snapshot);
        Decision before = decide(uninterrupted, snapshot, policy, now + 10s * i);
        Decision after = decide(*restarted, snapshot, policy, elsewhere + 10s * (i - 1));
        after.at = before.at;
        ASSERT_EQ(before, after) << "seed " << seed;
        current = before.desired;
      }
    }
  }
}

// The report's idea 12.1: without values that are carried over, the interval is the HPA's rule for missing pods.
TEST(Invariants, without_carrying_the_interval_decides_as_the_hpa_does_with_missing_pods) {
  NativePolicy native{.bounds = {0, 1000},
                      .metrics = {{.name = "load-1", .target = {.value = 10}, .tolerance = {.hysteresis = 0}}}};
  native.gaps = {.carry = 0s, .min_coverage = 0};
  native.up = native.down = {};
  native.fast.enabled = false;
  native.idle_before_zero = 0s;
  const HpaMetric metric{
      .type = HpaMetric::Type::pods, .name = "load-1", .target = HpaMetric::TargetType::average_value, .value = 10};
  HpaPolicy hpa{.min = 0, .max = 1000, .metrics = {metric}};
  hpa.behavior =
      HpaBehavior{.up = {.policies = {{HpaScalingPolicy::Type::pods, 1000, 15s}}}, .down = {.stabilization = 0s}};
  World world(1);
  for (int round = 0; round < 20000; ++round) {
    const int current = world.roll(1, 12);
    Snapshot snapshot{.current = current};
    int sum = 0;
    const int heard = world.roll(1, current);
    for (int i = 0; i < current; ++i) {
      snapshot.pods.push_back({.name = "pod-" + std::to_string(i)});
      if (i >= heard) continue;
      const int load = world.roll(0, 25);
      sum += load;
      snapshot.pods.back().samples = {{.metric = "load-1", .value = double(load)}};
    }
    // At the very edge of the tolerance their roundings differ, and zero the native rules want to see.
    const int possible = sum + 10 * (current - heard);
    if (possible == 9 * current || sum == 11 * current || possible == 0) continue;
    const int ours = outcome({}, snapshot, {.rules = native}, noon);
    State fresh;
    fresh.hpa.recommendations = {{noon - 1h, current}};
    const int theirs = decide(fresh, snapshot, {.rules = hpa}, noon).desired;
    ASSERT_EQ(ours, std::max(theirs, theirs == 0 ? 0 : 1))
        << "round " << round << ": " << sum << " of " << heard << " in " << current;
  }
}

}  // namespace invariants_test
}  // namespace trunkline::autoscale
