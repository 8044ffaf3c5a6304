#include "services/autoscale/parts.h"

#include <gtest/gtest.h>

#include "services/autoscale/engine.h"

namespace trunkline::autoscale {
namespace {

using namespace std::chrono_literals;

const TimePoint shared_at{std::chrono::hours(12)};

// Two targets whose pods hold so many streams each, under a policy of ten streams for a pod. Read this first.
class TwoParts {
 public:
  TwoParts(const std::vector<double>& cheap, const std::vector<double>& dear) {
    policy.bounds = {0, 100};
    policy.metrics = {{.name = "streams", .target = {.value = 10}}};
    policy.up = {};
    policy.down = {};
    policy.fast.enabled = false;
    policy.drain.rank_by = "streams";
    policy.targets = {{"cheap", 1, 0, 8}, {"dear", 100, 0, 8}};
    policy.cost_expansion_percent = 100;
    add("cheap", cheap);
    add("dear", dear);
  }

  TwoParts& limit(double streams) {
    policy.drain.max_disrupted = streams;
    return *this;
  }
  Decision decide() { return autoscale::decide(state, snapshot, {.rules = policy, .pause = pause}, shared_at); }

  NativePolicy policy;
  std::optional<Pause> pause = {};
  Snapshot snapshot;
  State state;

 private:
  void add(const std::string& target, const std::vector<double>& streams) {
    snapshot.targets.push_back({target, static_cast<int>(streams.size())});
    snapshot.current += static_cast<int>(streams.size());
    for (std::size_t i = 0; i < streams.size(); ++i) {
      snapshot.pods.push_back({.name = target + "-" + std::to_string(i),
                               .target = target,
                               .samples = {{.metric = "streams", .value = streams[i]}}});
    }
  }
};

using Split = std::vector<TargetReplicas>;
using Victims = std::vector<Victim>;

TEST(Parts, victims_are_of_the_part_that_shrinks_though_another_holds_less) {
  TwoParts fleet({0, 0, 8}, {9, 3});
  const Decision decision = fleet.decide();
  EXPECT_EQ(decision.desired, 2);
  EXPECT_EQ(decision.targets, (Split{{"cheap", 2}, {"dear", 0}}));
  EXPECT_EQ(decision.victims, (Victims{{"cheap-0", 0}, {"dear-1", 3}, {"dear-0", 9}}));
  EXPECT_EQ(decision.disrupted, 12);
}

TEST(Parts, the_limit_on_streams_is_kept_for_those_that_leave) {
  const Decision decision = TwoParts({0, 0, 8}, {9, 3}).limit(4).decide();
  EXPECT_EQ(decision.targets, (Split{{"cheap", 2}, {"dear", 1}}));
  EXPECT_EQ(decision.desired, 3);
  EXPECT_EQ(decision.victims, (Victims{{"cheap-0", 0}, {"dear-1", 3}}));
  EXPECT_EQ(decision.disrupted, 3);
  EXPECT_EQ(decision.stages.back().stage, "drain");
  EXPECT_EQ(decision.stages.back().after, 3);
  EXPECT_EQ(decision.reason, "more would cut too many streams at once");
}

TEST(Parts, the_limit_is_one_for_all_parts_together) {
  std::vector<Part> parts = {{.name = "a", .present = 3, .wanted = 1, .most = 9},
                             {.name = "b", .present = 3, .wanted = 1, .most = 9}};
  TwoParts fleet({}, {});
  for (const char* target : {"a", "b"}) {
    for (int i = 0; i < 3; ++i) {
      fleet.snapshot.pods.push_back({.name = std::string(target) + std::to_string(i), .target = target});
    }
  }
  MetricRecord record;
  for (int i = 0; i < 6; ++i) record.pods.push_back({.pod = "", .state = InputState::fresh, .value = 2});
  const PodSet pods = freeze(fleet.snapshot, {}, shared_at);
  const Share share = share_out(parts, 2, {.max_disrupted = 6}, pods, &record);
  EXPECT_EQ(share.disrupted, 6) << "not six of each";
  EXPECT_EQ(share.total, 3);
  EXPECT_EQ(share_out(parts, 2, {}, pods, &record).total, 2);
  parts[0].most = 2;
  parts[1].most = 2;
  EXPECT_EQ(share_out(parts, 2, {.max_disrupted = 0}, pods, &record).targets, (Split{{"a", 2}, {"b", 2}}))
      << "a maximum holds, whatever it cuts, as that of a fleet without parts does";
}

TEST(Parts, nobody_moves_while_nothing_is_known) {
  TwoParts fleet({}, {10, 10, 10, 10, 10});
  for (Pod& pod : fleet.snapshot.pods) pod.samples.clear();
  const Decision decision = fleet.decide();
  EXPECT_EQ(decision.desired, 5);
  EXPECT_EQ(decision.targets, (Split{{"cheap", 0}, {"dear", 5}}));
  EXPECT_TRUE(decision.victims.empty());
}

TEST(Parts, what_moves_from_one_to_another_keeps_the_limit_and_the_total) {
  // Five are needed and five are there, but they belong into the cheap one.
  TwoParts fleet({}, {10, 10, 10, 10, 10});
  Decision decision = fleet.decide();
  EXPECT_EQ(decision.desired, 5);
  EXPECT_EQ(decision.targets, (Split{{"cheap", 5}, {"dear", 0}}));
  EXPECT_EQ(decision.victims.size(), 5U) << "a step to the side names its victims too";
  EXPECT_EQ(decision.disrupted, 50);
  decision = fleet.limit(25).decide();
  EXPECT_EQ(decision.targets, (Split{{"cheap", 2}, {"dear", 3}}));
  EXPECT_EQ(decision.desired, 5) << "whoever may not leave takes the place of one that would have come";
  EXPECT_EQ(decision.disrupted, 20);
}

TEST(Parts, nothing_moves_between_them_while_a_direction_is_paused) {
  for (const Pause& pause : {Pause{.up = true, .down = false}, Pause{.up = false, .down = true}, Pause{}}) {
    TwoParts fleet({}, {10, 10, 10, 10, 10});
    fleet.pause = pause;
    const Decision decision = fleet.decide();
    EXPECT_EQ(decision.targets, fleet.snapshot.targets) << pause.up << pause.down;
    EXPECT_TRUE(decision.victims.empty());
  }
  TwoParts fleet({}, {5, 5, 5, 5});
  fleet.pause = Pause{.up = true, .down = false};
  EXPECT_EQ(fleet.decide().targets, (Split{{"cheap", 0}, {"dear", 2}})) << "down it still goes, and no further";
}

TEST(Parts, nobody_leaves_a_part_while_the_victims_of_the_last_step_are_leaving) {
  TwoParts fleet({}, {10, 10, 10, 10, 10});
  fleet.policy.drain.wait_for_victims = true;
  fleet.limit(25).decide();
  fleet.snapshot.targets = {{"cheap", 2}, {"dear", 3}};
  fleet.snapshot.pods[0].state = fleet.snapshot.pods[1].state = PodState::terminating;
  fleet.snapshot.pods[0].samples[0].value = fleet.snapshot.pods[1].samples[0].value = 0;
  for (int i = 0; i < 2; ++i) {
    fleet.snapshot.pods.push_back(
        {.name = "cheap-" + std::to_string(i), .target = "cheap", .samples = {{.metric = "streams", .value = 10}}});
  }
  EXPECT_EQ(fleet.decide().targets, (Split{{"cheap", 2}, {"dear", 3}}));
  fleet.policy.drain.wait_for_victims = false;
  EXPECT_EQ(fleet.decide().targets, (Split{{"cheap", 4}, {"dear", 1}}));
}

TEST(Parts, a_part_comes_to_its_minimum_though_nobody_may_leave_another) {
  const std::vector<Part> parts = {{.name = "a", .present = 4, .wanted = 2, .most = 9},
                                   {.name = "b", .present = 1, .wanted = 3, .least = 3, .most = 9}};
  const Share share = share_out(parts, 5, {.may_shrink = false}, {}, nullptr);
  EXPECT_EQ(share.targets, (Split{{"a", 4}, {"b", 3}}));
  EXPECT_EQ(share.total, 7);
}

TEST(Parts, where_few_may_leave_the_dearest_grows_less) {
  const std::vector<Part> parts = {{.name = "dear", .wanted = 2, .cost = 9, .most = 9},
                                   {.name = "cheap", .wanted = 2, .cost = 1, .most = 9},
                                   {.name = "old", .present = 4, .cost = 5, .most = 9}};
  EXPECT_EQ(share_out(parts, 4, {.max_disrupted = 0}, {}, nullptr).targets,
            (Split{{"dear", 2}, {"cheap", 2}, {"old", 0}}))
      << "nobody has streams";
  EXPECT_EQ(share_out(parts, 5, {.may_shrink = false}, {}, nullptr).targets,
            (Split{{"dear", 0}, {"cheap", 1}, {"old", 4}}));
}

TEST(Parts, a_recording_without_its_split_is_decided_as_one_fleet) {
  TwoParts fleet({0, 0, 8}, {9, 3});
  fleet.snapshot.targets.clear();
  const Decision decision = fleet.limit(3).decide();
  EXPECT_EQ(decision.victims, (Victims{{"cheap-0", 0}, {"cheap-1", 0}, {"dear-1", 3}}));
  EXPECT_EQ(decision.targets, (Split{{"cheap", 2}, {"dear", 0}}));
}

TEST(Parts, roles_name_their_own_victims_the_youngest_first) {
  KthenaPolicy rules{.metrics = {{.name = "load", .target = 10}}, .roles = {{"prefill", 1, 9}, {"decode", 1, 9}}};
  rules.tolerance_percent = 0;
  Snapshot snapshot{.targets = {{"prefill", 2}, {"decode", 2}}};
  for (const auto& [name, load] : {std::pair("prefill", 9.0), {"decode", 1.0}}) {
    for (int i = 0; i < 2; ++i) {
      snapshot.pods.push_back({.name = std::string(name) + std::to_string(i),
                               .target = name,
                               .samples = {{.metric = "load", .value = load}},
                               .started = shared_at - 1h + i * 1min});
    }
  }
  State state;
  const Decision decision = decide(state, snapshot, {.rules = rules}, shared_at);
  EXPECT_EQ(decision.targets, (Split{{"prefill", 2}, {"decode", 1}}));
  EXPECT_EQ(decision.victims, (Victims{{"decode1", 0}}));
}

}  // namespace
}  // namespace trunkline::autoscale
