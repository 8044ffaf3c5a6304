#include "services/autoscale/kthena.h"

#include <gtest/gtest.h>

#include <limits>
#include <optional>
#include <vector>

#include "services/autoscale/engine.h"
#include "services/autoscale/kthena_histogram.h"
#include "services/autoscale/kthena_recommend.h"
#include "services/autoscale/placement.h"

namespace trunkline::autoscale {
namespace kthena_test {

using namespace std::chrono_literals;

const TimePoint noon{std::chrono::hours(12)};

TimePoint at(int seconds) { return noon + std::chrono::seconds(seconds); }

struct Row {
  const char* name;
  KthenaBounds bounds;
  int current;
  double tolerance;
  int unready;
  std::vector<KthenaInput> inputs;
  std::optional<int> expected;
};

KthenaInput pods(double target, std::size_t count, double each, int missing = 0) {
  return {.target = target, .instances = std::vector<double>(count, each), .missing = missing};
}
KthenaInput external(double target, double value) { return {.target = target, .external = value}; }

TEST(KthenaRecommend, as_the_table_has_it) {
  const KthenaBounds wide{1, 1000};
  const std::vector<Row> rows = {
      {"below the minimum", {5, 10}, 4, .1, 0, {}, 5},
      {"above the maximum", {5, 10}, 11, .1, 0, {}, 10},
      {"no data", {5, 10}, 5, .1, 0, {}, std::nullopt},
      {"the largest of three metrics", wide, 3, .1, 0, {pods(3, 3, 6), pods(5, 3, 500), pods(4, 3, 20)}, 300},
      {"a target of nothing", {1, 10}, 3, .1, 0, {pods(0, 3, 1)}, 10},
      {"saturates", wide, 3, .1, 0, {pods(1e-100, 1, 1e100)}, 1000},
      {"rounds up", wide, 3, .1, 0, {{.target = 1, .instances = {19.1, 3.1, 7.1}}}, 30},
      {"held at the minimum", {5, 20}, 10, .1, 0, {pods(1, 10, .1)}, 5},
      {"held at the maximum", {5, 20}, 10, .1, 0, {pods(1, 10, 3.0)}, 20},
      {"tolerance, just above half", wide, 9, .5, 0, {pods(1, 10, .51)}, 9},
      {"tolerance, just below half", wide, 9, .5, 0, {pods(1, 10, .49)}, 5},
      {"tolerance, just below one and a half", wide, 9, .5, 0, {pods(1, 10, 1.49)}, 9},
      {"tolerance, just above one and a half", wide, 9, .5, 0, {pods(1, 10, 1.51)}, 16},
      {"unready pods do not matter on the way down", wide, 58, .1, 50, {pods(1, 8, .15)}, 2},
      {"unready pods take their part on the way up", wide, 18, .1, 10, {pods(1, 8, 3.9)}, 32},
      {"so many that it turns", wide, 58, .1, 50, {pods(1, 8, 3.9)}, 58},
      {"missing ones carry the target on the way down", wide, 10, .1, 0, {pods(1, 8, .5, 2)}, 6},
      {"missing ones carry nothing on the way up", wide, 10, .1, 0, {pods(1, 8, 2.9, 2)}, 24},
      {"so many missing that it turns", wide, 58, .1, 0, {pods(1, 8, 2.9, 50)}, 58},
      {"up, but fewer than there are", wide, 58, .1, 0, {pods(1, 8, 2.9, 4)}, 58},
      {"external, within 51 % below", wide, 10, .51, 0, {external(3, 14.9)}, 10},
      {"external, beyond 49 % below", wide, 10, .49, 0, {external(3, 14.9)}, 5},
      {"external, within 51 % above", wide, 10, .51, 0, {external(3, 44.9)}, 10},
      {"external, beyond 49 % above", wide, 10, .49, 0, {external(3, 44.9)}, 15},
      {"at exactly one it is up, unlike the HPA", wide, 10, .1, 5, {pods(1, 10, 1)}, 10},
      {"not a number is nothing", {0, 10}, 3, .1, 0, {pods(0, 3, 0)}, 0},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(kthena_recommend(row.bounds, row.current, row.tolerance, row.unready, row.inputs), row.expected)
        << row.name;
  }
}

// Recommendations and corrected values are given as of one second ago.
struct CorrectRow {
  const char* name;
  int current;
  int recommended;
  KthenaPolicy policy;
  std::optional<int> was_recommended;
  std::optional<int> was_corrected;
  int expected;
};

KthenaPolicy stable_down(int instances, int percent, KthenaSelect select) {
  return {.min = 0,
          .max = 1000,
          .down = {.instances = instances, .percent = percent, .period = 60s, .select = select, .stabilization = 60s},
          .panic = {.hold = 0s}};
}
KthenaPolicy stable_up(int instances, int percent, KthenaSelect select) {
  return {.min = 0,
          .max = 1000,
          .up = {.instances = instances, .percent = percent, .period = 60s, .select = select, .stabilization = 60s},
          .panic = {.hold = 0s}};
}
KthenaPolicy panicking(int percent) {
  return {.min = 0, .max = 1000, .panic = {.percent = percent, .period = 60s, .threshold_percent = 110, .hold = 60s}};
}
KthenaPolicy bounded(KthenaPolicy policy, int min, int max) {
  policy.min = min;
  policy.max = max;
  return policy;
}

TEST(KthenaCorrect, as_the_table_has_it) {
  using S = KthenaSelect;
  const auto none = std::nullopt;
  KthenaPolicy in_panic = panicking(1000);
  in_panic.panic.threshold_percent = 20;
  const std::vector<CorrectRow> rows = {
      {"down, the larger change", 10, 5, stable_down(1, 40, S::any), none, none, 6},
      {"down, the smaller change", 10, 5, stable_down(1, 40, S::both), none, none, 9},
      {"down, not limited", 10, 5, stable_down(1, 40, S::unknown), none, none, 5},
      {"down, held by a recommendation", 10, 5, stable_down(1, 100, S::any), 9, none, 9},
      {"down, from the highest of the period", 10, 3, stable_down(3, 25, S::any), none, 12, 9},
      {"up, the larger change", 5, 20, stable_up(3, 100, S::any), none, none, 10},
      {"up, the smaller change", 5, 20, stable_up(3, 100, S::both), none, none, 8},
      {"up, not limited", 5, 20, stable_up(3, 100, S::unknown), none, none, 20},
      {"up, the rate binds before a recommendation", 5, 20, stable_up(3, 100, S::any), 12, none, 10},
      {"up, from the lowest of the period", 10, 50, stable_up(2, 50, S::any), none, 6, 10},
      {"panic", 5, 15, panicking(1000), none, none, 15},
      {"panic, at most double", 5, 15, panicking(100), none, none, 10},
      {"panic, from the lowest of the period", 10, 30, panicking(100), none, 6, 12},
      {"panic from zero", 0, 5, panicking(1000), none, none, 5},
      {"panic from zero with zero before", 0, 5, panicking(1000), none, 0, 5},
      {"panic never goes down", 10, 3, in_panic, none, none, 10},
      {"the minimum", 10, 5, bounded(stable_down(9, 100, S::unknown), 8, 20), none, none, 8},
      {"the maximum", 5, 20, bounded(stable_up(9, 100, S::unknown), 1, 10), none, none, 10},
      {"half of seven up rounds down, unlike the HPA", 7, 50, stable_up(1, 50, S::any), none, none, 10},
      {"half of seven down rounds up, unlike the HPA", 7, 1, stable_down(1, 50, S::any), none, none, 4},
  };
  for (const CorrectRow& row : rows) {
    KthenaState state;
    if (row.was_recommended) state.recommendations = {{noon - 1s, *row.was_recommended}};
    if (row.was_corrected) state.corrected = {{noon - 1s, *row.was_corrected}};
    EXPECT_EQ(kthena_correct(state, row.policy, {row.policy.min, row.policy.max}, row.current, row.recommended, noon),
              row.expected)
        << row.name;
  }
}

TEST(KthenaWindows, a_record_counts_until_it_is_older_than_the_window) {
  const std::vector<ReplicasAt> falling = {{at(1), 6}, {at(3), 3}, {at(5), 5}, {at(7), 2}};
  const std::vector<ReplicasAt> rising = {{at(1), 6}, {at(3), 3}, {at(5), 5}, {at(7), 7}};
  const auto most = [&](int now) { return kthena_recorded(falling, 10s, at(now), -1, true); };
  EXPECT_EQ(most(7), 6);
  EXPECT_EQ(most(12), 5);
  EXPECT_EQ(most(14), 5);
  EXPECT_EQ(most(16), 2);
  EXPECT_EQ(most(18), -1);
  const auto least = [&](int now) { return kthena_recorded(rising, 10s, at(now), 99, false); };
  EXPECT_EQ(least(7), 3);
  EXPECT_EQ(least(12), 3);
  EXPECT_EQ(least(14), 5);
  EXPECT_EQ(least(16), 7);
  EXPECT_EQ(least(18), 99);
  EXPECT_EQ(kthena_recorded(falling, 0s, at(7), -1, true), -1) << "a window of nothing holds nothing";
}

TEST(KthenaWindows, a_value_holds_until_the_next_and_the_last_for_two_windows) {
  const std::vector<ReplicasAt> values = {{at(1), 6}, {at(3), 3}, {at(5), 5}, {at(7), 2}};
  const auto most = [&](int now) { return kthena_line(values, 10s, at(now), 0, true); };
  EXPECT_EQ(most(7), 6);
  EXPECT_EQ(most(12), 6);
  EXPECT_EQ(most(14), 5);
  EXPECT_EQ(most(16), 5);
  EXPECT_EQ(most(18), 2);
  EXPECT_EQ(most(26), 2);
  EXPECT_EQ(most(28), 0);
}

TEST(KthenaWindows, the_past_of_a_histogram_is_the_newest_that_is_old_enough) {
  std::vector<KthenaHistogram> kept;
  const auto keep = [&](int second, double count) { kthena_keep(kept, {.at = at(second), .count = count}, 10s, 15s); };
  keep(1, 1);
  keep(3, 2);
  keep(5, 3);
  keep(7, 4);
  const auto past = [&](int now) {
    const KthenaHistogram* found = kthena_past(kept, at(now), 10s, 15s);
    return found ? found->count : 0;
  };
  EXPECT_EQ(past(12), 1);
  EXPECT_EQ(past(14), 2);
  EXPECT_EQ(past(16), 3);
  EXPECT_EQ(past(18), 4);
  EXPECT_EQ(past(21), 4);
  EXPECT_EQ(past(23), 0);
}

KthenaCounts counts(double first, double second, double all) {
  return {all, {{.5, first}, {.75, second}, {std::numeric_limits<double>::infinity(), all}}};
}

TEST(KthenaHistogram, quantiles_as_the_table_has_them) {
  const KthenaCounts past = counts(2, 4, 5);
  EXPECT_EQ(kthena_quantile(past, counts(4, 8, 10), 100).value(), 1.5);
  EXPECT_EQ(kthena_quantile({}, counts(2, 4, 8), 95).value(), 1.5);
  EXPECT_EQ(kthena_quantile({}, {}, 95).value(), 0);
  EXPECT_EQ(kthena_quantile(past, counts(3, 8, 10), 1).value(), .5);
  EXPECT_NEAR(kthena_quantile(past, counts(2, 9, 10), 50).value(), .65, 1e-12);
  EXPECT_EQ(kthena_quantile(past, past, 50).value(), 0) << "nothing new";
  EXPECT_FALSE(kthena_quantile(past, counts(1, 2, 4), 50)) << "it fell";
  EXPECT_FALSE(kthena_quantile(past, {10, {{.5, 10}}}, 50)) << "other buckets";
  EXPECT_FALSE(kthena_quantile(past, counts(8, 6, 10), 50)) << "buckets that do not rise";
}

TEST(Placement, keeps_two_roles_in_proportion) {
  struct RatioRow {
    int numerator, denominator, most_numerator, most_denominator;
    bool constrained;
    std::pair<int, int> expected;
  };
  const RatioConstraint quarter{.numerator = "prefill", .denominator = "decode", .min = .25, .max = 1};
  for (const RatioRow& row : std::vector<RatioRow>{{2, 4, 8, 16, true, {2, 4}},
                                                   {1, 8, 8, 16, true, {2, 8}},
                                                   {6, 2, 8, 16, true, {6, 6}},
                                                   {2, 20, 3, 20, true, {3, 12}},
                                                   {0, 4, 8, 16, true, {1, 4}},
                                                   {4, 0, 8, 16, true, {4, 4}},
                                                   {0, 0, 8, 16, true, {0, 0}},
                                                   {10, 4, 8, 16, false, {8, 4}}}) {
    const KthenaRole above{"prefill", 0, row.most_numerator};
    const KthenaRole below{"decode", 0, row.most_denominator};
    EXPECT_EQ(repair_ratio(row.numerator, row.denominator, above, below, row.constrained ? &quarter : nullptr),
              row.expected)
        << row.numerator << " to " << row.denominator;
  }
}

TEST(Placement, fills_the_cheapest_block_first_and_depends_on_the_total_alone) {
  const std::vector<TargetCost> golden = {{"a", 10, 1, 5}, {"b", 20, 2, 4}};
  EXPECT_EQ(split_by_cost(golden, 100, 9), (std::vector<TargetReplicas>{{"a", 5}, {"b", 4}}));
  // Blocks of a: 1 at 10, 2 at 20, 1 at 10 (what is left of 4); of b: 1 at 20, 1 at 20.
  EXPECT_EQ(split_by_cost(golden, 200, 3), (std::vector<TargetReplicas>{{"a", 1}, {"b", 2}}));
  EXPECT_EQ(split_by_cost(golden, 200, 5), (std::vector<TargetReplicas>{{"a", 3}, {"b", 2}}));
  EXPECT_EQ(split_by_cost(golden, 200, 8), (std::vector<TargetReplicas>{{"a", 5}, {"b", 3}}));
  EXPECT_EQ(split_by_cost(golden, 200, 9), (std::vector<TargetReplicas>{{"a", 5}, {"b", 4}}));
  EXPECT_EQ(split_by_cost({{"dear", 9, 0, 3}, {"cheap", 1, 0, 3}}, 100, 4),
            (std::vector<TargetReplicas>{{"dear", 1}, {"cheap", 3}}));
}

// The wiring, with its peculiarities: one target's pods come in as a single sum.
Snapshot with_load(int current, std::vector<double> loads) {
  Snapshot snapshot{.current = current};
  for (const double load : loads) {
    snapshot.pods.push_back(
        {.name = "pod-" + std::to_string(snapshot.pods.size()), .samples = {{.metric = "load", .value = load}}});
  }
  return snapshot;
}
Policy kthena_policy(double target) {
  return {.name = "test", .rules = KthenaPolicy{.min = 1, .max = 100, .metrics = {{.name = "load", .target = target}}}};
}
int decided(const Policy& policy, const Snapshot& snapshot) {
  State state;
  return decide(state, snapshot, policy, noon).desired;
}

TEST(KthenaEngine, takes_its_tolerance_around_the_load_of_one_pod_only) {
  KthenaPolicy unlimited{.min = 1, .max = 100, .metrics = {{.name = "load", .target = 10}}};
  unlimited.down.period = unlimited.up.period = 0s;
  const Policy policy{.rules = unlimited};
  EXPECT_EQ(decided(policy, with_load(10, {100.1})), 11) << "no tolerance around the whole";
  EXPECT_EQ(decided(policy, with_load(10, {99.9})), 10);
  EXPECT_EQ(decided(policy, with_load(10, {50})), 5);
  Snapshot one_unready = with_load(10, {50});
  one_unready.pods.push_back({.name = "young", .state = PodState::unready});
  EXPECT_EQ(decided(policy, one_unready), 10) << "any unready pod keeps it from going down";
}

TEST(KthenaEngine, ten_of_load_with_a_target_of_one_are_ten) {
  EXPECT_EQ(decided(kthena_policy(1), with_load(5, {10})), 10);
}

TEST(KthenaEngine, one_pod_that_cannot_be_read_silences_the_metric) {
  for (const PodState state : {PodState::missing, PodState::terminating, PodState::finished}) {
    Snapshot snapshot = with_load(2, {40, 40});
    snapshot.pods[1].state = state;
    EXPECT_EQ(decided(kthena_policy(1), snapshot), 2) << to_string(state);
  }
  Snapshot restarted = with_load(2, {40, 40});
  restarted.pods[1].restarted = true;
  EXPECT_EQ(decided(kthena_policy(1), restarted), 2);
  EXPECT_GT(decided(kthena_policy(1), with_load(2, {40, 40})), 2);
}

TEST(KthenaEngine, forgets_the_histograms_of_pods_that_are_gone) {
  const KthenaPolicy policy{
      .min = 1, .max = 10, .metrics = {{.name = "seconds", .target = 1, .kind = KthenaMetric::Kind::histogram}}};
  State state;
  for (int generation = 0; generation < 100; ++generation) {
    Snapshot snapshot{.current = 1};
    snapshot.pods = {{.name = "pod-" + std::to_string(generation),
                      .samples = {{.metric = "seconds", .value = 10, .buckets = {{1, 5}, {2, 10}}}}}};
    decide(state, snapshot, {.rules = policy}, noon + generation * 60s);
  }
  EXPECT_LE(state.kthena[""].histograms.size(), 6U) << "five minutes' worth";
}

TEST(KthenaEngine, two_backends_share_a_load_by_cost) {
  KthenaPolicy policy{.metrics = {{.name = "load", .target = 1}},
                      .targets = {{"a", 10, 1, 5}, {"b", 20, 2, 4}},
                      .cost_expansion_percent = 100};
  Snapshot snapshot = with_load(3, {50, 50});
  snapshot.pods[0].target = "a";
  snapshot.pods[1].target = "b";
  State state;
  const Decision decision = decide(state, snapshot, {.rules = policy}, noon);
  EXPECT_EQ(decision.desired, 9);
  EXPECT_EQ(decision.targets, (std::vector<TargetReplicas>{{"a", 5}, {"b", 4}}));
}

TEST(KthenaEngine, a_pause_holds_each_target_and_each_role) {
  const KthenaPolicy targets{.metrics = {{.name = "load", .target = 1}},
                             .targets = {{"a", 10, 1, 5}, {"b", 20, 2, 4}},
                             .cost_expansion_percent = 100};
  Snapshot snapshot = with_load(3, {50, 50});
  snapshot.pods[0].target = "a";
  snapshot.pods[1].target = "b";
  snapshot.targets = {{"a", 1}, {"b", 2}};
  const Pause up{.up = true, .down = false, .until = noon + std::chrono::seconds(60)};
  State state;
  const Decision held = decide(state, snapshot, {.rules = targets, .pause = up}, noon);
  EXPECT_EQ(held.targets, snapshot.targets);
  EXPECT_EQ(held.desired, 3);
  EXPECT_EQ(held.action, Action::hold);
  EXPECT_EQ(held.reason, "scaling up is paused");
  State later;
  EXPECT_EQ(decide(later, snapshot, {.rules = targets, .pause = up}, noon + std::chrono::seconds(60)).desired, 9);

  // One up and one down, at a total that stays: the pause is of one direction.
  const KthenaPolicy roles{.metrics = {{.name = "load", .target = 1}}, .roles = {{"a", 3, 3}, {"b", 1, 1}}};
  snapshot.targets = {{"a", 2}, {"b", 2}};
  State apart;
  EXPECT_EQ(decide(apart, snapshot, {.rules = roles, .pause = up}, noon).targets,
            (std::vector<TargetReplicas>{{"a", 2}, {"b", 1}}));
}

TEST(KthenaEngine, a_tolerance_of_a_hundred_percent_never_goes_down) {
  KthenaPolicy policy{.tolerance_percent = 100,
                      .metrics = {{.name = "load", .target = 10}},
                      .targets = {{"a", 10, 1, 5}, {"b", 20, 2, 4}}};
  Snapshot snapshot = with_load(6, {1, 1});
  snapshot.pods[0].target = "a";
  snapshot.pods[1].target = "b";
  EXPECT_EQ(decided({.rules = policy}, snapshot), 6);
}

TEST(KthenaEngine, roles_are_decided_apart_and_then_kept_in_proportion) {
  const KthenaPolicy policy{.metrics = {{.name = "load", .target = 1}},
                            .roles = {{"prefill", 1, 8}, {"decode", 1, 16}},
                            .ratio = RatioConstraint{.numerator = "prefill", .denominator = "decode", .max = 1}};
  Snapshot snapshot = with_load(2, {6, 2});
  snapshot.pods[0].target = "prefill";
  snapshot.pods[1].target = "decode";
  snapshot.targets = {{"prefill", 4}, {"decode", 2}};
  State state;
  const Decision decision = decide(state, snapshot, {.rules = policy}, noon);
  EXPECT_EQ(decision.targets, (std::vector<TargetReplicas>{{"prefill", 6}, {"decode", 6}}));
}

TEST(KthenaEngine, several_targets_record_what_was_corrected_and_one_what_was_recommended) {
  KthenaPolicy policy = stable_down(1, 10, KthenaSelect::any);
  KthenaState one;
  kthena_correct(one, policy, {1, 100}, 10, 2, noon);
  EXPECT_EQ(one.recommendations.back().replicas, 2);
  policy.targets = {{"a", 1, 1, 100}};
  KthenaState several;
  kthena_correct(several, policy, {1, 100}, 10, 2, noon);
  EXPECT_EQ(several.recommendations.back().replicas, 9);
}

}  // namespace kthena_test
}  // namespace trunkline::autoscale
