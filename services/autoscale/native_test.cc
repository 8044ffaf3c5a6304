#include "services/autoscale/native.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>
#include <tuple>
#include <vector>

#include "services/autoscale/engine.h"
#include "services/autoscale/victims.h"

namespace trunkline::autoscale {
namespace native_test {

using namespace std::chrono_literals;

const TimePoint noon{std::chrono::hours(12)};
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// A target under one policy: what was decided becomes what there is. Read this first: every test below moves its clock,
// sets its pods, and asks.
class Fleet {
 public:
  explicit Fleet(NativePolicy native, int current = 1) : policy{.name = "fleet", .rules = std::move(native)} {
    snapshot.current = current;
  }

  NativePolicy& rules() { return std::get<NativePolicy>(policy.rules); }

  // As many ready pods as there are replicas, each with the same load.
  Fleet& each(double load) { return with(std::vector<double>(static_cast<std::size_t>(snapshot.current), load)); }
  Fleet& with(const std::vector<double>& loads) {
    snapshot.pods.clear();
    for (std::size_t i = 0; i < loads.size(); ++i) snapshot.pods.push_back(pod(static_cast<int>(i), loads[i]));
    return *this;
  }
  Fleet& silence(int count) {
    for (int i = 0; i < count; ++i) {
      snapshot.pods[static_cast<std::size_t>(i)].state = PodState::missing;
      snapshot.pods[static_cast<std::size_t>(i)].samples.clear();
    }
    return *this;
  }
  Fleet& outside(const std::string& metric, double value) {
    snapshot.external = {{.metric = metric, .value = value}};
    return *this;
  }

  static Pod pod(int number, double load) {
    const std::string digits = std::to_string(number);
    return {.name = "pod-" + std::string(5 - digits.size(), '0') + digits,
            .samples = {{.metric = "load", .value = load}}};
  }

  const Decision& decide() {
    last = autoscale::decide(state, snapshot, policy, now);
    return last;
  }
  int after(Duration passed) {
    now += passed;
    snapshot.current = decide().desired;
    return snapshot.current;
  }

  bool shows(std::string_view condition) const {
    return std::ranges::count(last.conditions, condition, &Condition::type) > 0;
  }
  std::string reason() const { return last.reason; }

  Policy policy;
  Snapshot snapshot;
  State state;
  TimePoint now = noon;
  Decision last;
};

// Ten of load for each pod, and nothing that slows down.
NativePolicy quick(int min = 1, int max = 100) {
  NativePolicy policy{.bounds = {min, max}};
  policy.metrics = {{.name = "load", .target = {.value = 10}}};
  policy.up = {};
  policy.down = {};
  policy.fast.enabled = false;
  return policy;
}

TEST(NativeDemand, follows_the_sum_of_all_pods) {
  EXPECT_EQ(Fleet(quick(), 3).each(20).after(0s), 6);
  EXPECT_EQ(Fleet(quick(), 10).each(5).after(0s), 5);
  EXPECT_EQ(Fleet(quick(), 10).each(10).after(0s), 10);
}

TEST(NativeDemand, tolerance_is_relative_and_absolute_and_per_direction) {  // F6
  EXPECT_EQ(Fleet(quick(), 10).each(10.9).after(0s), 10);
  EXPECT_EQ(Fleet(quick(), 10).each(11.2).after(0s), 12);
  EXPECT_EQ(Fleet(quick(), 10).each(9.1).after(0s), 10);
  Fleet lazy(quick(), 10);
  lazy.rules().metrics[0].tolerance = {.up = 0, .down = 0.5, .absolute = 2};
  EXPECT_EQ(lazy.each(11.9).after(0s), 10);
  EXPECT_EQ(lazy.each(12.1).after(0s), 13);
  EXPECT_EQ(lazy.each(6).after(0s), 13);
}

TEST(NativeDemand, noise_around_a_whole_number_moves_nothing) {  // F6
  Fleet fleet(quick(), 10);
  fleet.rules().metrics[0].tolerance = {.up = 0, .down = 0, .hysteresis = 0.1};
  for (const double load : {10.005, 9.995, 10.009, 9.99}) EXPECT_EQ(fleet.each(load).after(15s), 10) << load;
  EXPECT_EQ(fleet.each(10.2).after(15s), 11);
}

TEST(NativeDemand, a_band_moves_only_outside_of_its_edges) {
  Fleet fleet(quick(), 10);
  fleet.rules().metrics[0].target = {.kind = MetricTarget::Kind::band, .value = 12, .low = 6};
  fleet.rules().metrics[0].tolerance = {.up = 0, .down = 0, .hysteresis = 0};
  EXPECT_EQ(fleet.each(11.9).after(0s), 10);
  EXPECT_EQ(fleet.each(6.1).after(0s), 10);
  EXPECT_EQ(fleet.each(18).after(0s), 15);
  EXPECT_EQ(fleet.each(4).after(0s), 10) << "60 at the lower edge of 6";
}

TEST(NativeDemand, maximum_and_percentile_look_at_the_fullest_pods) {
  Fleet fleet(quick(), 4);
  fleet.rules().metrics[0].across = Across::max;
  EXPECT_EQ(fleet.with({5, 5, 5, 20}).after(0s), 8);
  Fleet median(quick(), 4);
  median.rules().metrics[0].across = Across::percentile;
  median.rules().metrics[0].percentile = 0.5;
  EXPECT_EQ(median.with({5, 5, 50, 50}).after(0s), 2);
}

TEST(NativeDemand, an_average_is_of_the_same_pods_that_it_is_multiplied_by) {  // F1
  Fleet fleet(quick(), 10);
  fleet.rules().metrics[0].across = Across::average;
  fleet.rules().gaps.carry = 0s;
  fleet.each(12).silence(5);
  EXPECT_EQ(fleet.after(0s), 10) << "60 are there for certain, 110 at most";
  EXPECT_EQ(fleet.last.metrics[0].low, 6);
}

TEST(NativeDemand, several_metrics_propose_and_the_largest_counts) {
  Fleet fleet(quick(), 2);
  fleet.rules().metrics.push_back({.name = "queue", .source = Source::external, .target = {.value = 5}});
  EXPECT_EQ(fleet.each(10).outside("queue", 40).after(0s), 8);
  EXPECT_EQ(fleet.last.metrics[0].proposal, 2);
  EXPECT_EQ(fleet.last.metrics[1].proposal, 8);
}

TEST(NativeGaps, a_value_is_carried_and_then_neither_counted_nor_forgotten) {  // F2
  Fleet fleet(quick(), 10);
  fleet.each(13);
  fleet.rules().pods.cap_surge = true;
  EXPECT_EQ(fleet.decide().desired, 13);
  fleet.now += 20s;
  fleet.silence(3);
  EXPECT_EQ(fleet.decide().desired, 13) << "carried over";
  EXPECT_EQ(fleet.last.metrics[0].carried, 3);
  fleet.now += 20s;
  EXPECT_EQ(fleet.decide().desired, 10) << "91 are there for certain";
  EXPECT_EQ(fleet.last.metrics[0].missing, 3);
  EXPECT_EQ(fleet.last.metrics[0].high, 130) << "and what they had may still be there";
}

TEST(NativeGaps, nothing_heard_is_no_data_and_not_zero) {  // F3
  Fleet fleet(quick(), 10);
  EXPECT_EQ(fleet.each(10).silence(10).after(0s), 10);
  EXPECT_TRUE(fleet.shows("Fallback"));
  fleet.snapshot.pods.clear();
  EXPECT_EQ(fleet.after(600s), 10);
}

TEST(NativeGaps, one_bad_pod_freezes_nothing) {  // F4
  Fleet fleet(quick(), 10);
  EXPECT_EQ(fleet.each(20).silence(1).after(0s), 18);
}

TEST(NativeGaps, a_pod_that_restarted_once_counts_like_any_other) {  // F5
  Fleet fleet(quick(), 4);
  fleet.each(20);
  fleet.snapshot.pods[0].restarted = true;
  EXPECT_EQ(fleet.after(0s), 8);
}

TEST(NativeGaps, with_too_few_heard_nothing_goes_down) {
  Fleet fleet(quick(), 10);
  fleet.rules().metrics[0].target.value = 10;
  fleet.rules().gaps.carry = 0s;
  fleet.each(0).silence(6);
  EXPECT_EQ(fleet.after(0s), 10);
  EXPECT_NE(fleet.reason().find("too few"), std::string::npos) << fleet.reason();
  fleet.each(0).silence(4);
  EXPECT_EQ(fleet.after(15s), 4) << "those four may carry what a pod should";
}

TEST(NativeGaps, three_of_thirty_silent_for_two_minutes_move_nothing_while_an_averaging_hpa_moves) {
  Fleet streams(websocket_preset("load", 21.2, {.min = 1, .max = 60}), 30);
  Policy hpa{.rules = HpaPolicy{.min = 1,
                                .max = 60,
                                .metrics = {{.type = HpaMetric::Type::external,
                                             .name = "average",
                                             .target = HpaMetric::TargetType::value,
                                             .value = 21.2}}}};
  State hpa_state;
  int hpa_replicas = 30;
  bool hpa_moved = false;
  for (int tick = 0; tick < 40; ++tick) {
    const int silent = tick >= 12 && tick < 20 ? 3 : 0;  // two minutes
    std::vector<double> loads;
    // The three that fall silent hold no streams, so an average without them is higher than the truth.
    for (int i = 0; i < 30; ++i) loads.push_back(i < 3 ? 0 : 23.5);
    const double average = std::accumulate(loads.begin() + silent, loads.end(), 0.0) / (30 - silent);
    streams.with(loads).silence(silent);
    EXPECT_EQ(streams.after(15s), 30) << tick;
    Snapshot seen{.current = hpa_replicas, .pods = streams.snapshot.pods};
    seen.external = {{.metric = "average", .value = average}};
    hpa_replicas = decide(hpa_state, seen, hpa, streams.now).desired;
    hpa_moved = hpa_moved || hpa_replicas != 30;
  }
  EXPECT_TRUE(hpa_moved);
}

TEST(NativeGaps, a_sample_carries_its_own_age) {  // F21
  Fleet fleet(quick(), 2);
  fleet.each(30);
  for (Pod& pod : fleet.snapshot.pods) pod.samples[0].at = fleet.now - 20s;
  fleet.decide();
  EXPECT_EQ(fleet.last.metrics[0].pods[0].state, InputState::carried);
  EXPECT_EQ(fleet.last.metrics[0].worst_age, 20s);
  for (Pod& pod : fleet.snapshot.pods) pod.samples[0].at = fleet.now - 40s;
  EXPECT_EQ(Fleet(fleet).decide().metrics[0].pods[0].state, InputState::carried) << "what was seen before is younger";
  fleet.state = {};
  EXPECT_EQ(fleet.after(0s), 2) << "too old to count as anything";
  EXPECT_EQ(fleet.last.metrics[0].pods[0].reason, "too old");
}

TEST(NativeGaps, what_is_no_load_is_rejected_with_its_reason) {  // F24
  struct Bad {
    double value;
    const char* reason;
  };
  for (const Bad& bad : std::vector<Bad>{{nan, "rejected: not a number"},
                                         {std::numeric_limits<double>::infinity(), "rejected: infinite"},
                                         {-5, "rejected: negative"}}) {
    Fleet fleet(quick(), 2);
    EXPECT_EQ(fleet.with({10, bad.value}).after(0s), 2);
    EXPECT_EQ(fleet.last.metrics[0].pods[1].reason, bad.reason);
  }
  EXPECT_EQ(Fleet(quick(), 2).with({1e300, 1e300}).after(0s), 100) << "too much is the maximum";
}

TEST(NativePods, those_that_leave_bring_their_load_and_no_capacity) {  // F8
  Fleet fleet(quick(), 4);
  fleet.each(10);
  for (int i = 4; i < 8; ++i) {
    fleet.snapshot.pods.push_back(Fleet::pod(i, 10));
    fleet.snapshot.pods.back().state = PodState::terminating;
  }
  EXPECT_EQ(fleet.after(0s), 8) << "eighty of load will come back";
  EXPECT_EQ(fleet.last.metrics[0].pods[7].state, InputState::draining);
}

TEST(NativePods, those_that_leave_in_silence_are_not_counted_twice) {  // F8
  Fleet fleet(quick(), 12);
  EXPECT_EQ(fleet.each(40.0 / 12).after(0s), 4);
  // The streams of eight are with the four that stay, and the eight say nothing more.
  fleet.with({10, 10, 10, 10});
  for (int i = 4; i < 12; ++i) {
    Pod leaving = Fleet::pod(i, 0);
    leaving.state = PodState::terminating;
    leaving.samples.clear();
    fleet.snapshot.pods.push_back(leaving);
  }
  EXPECT_EQ(fleet.after(15s), 4) << "forty of load in all, whoever held it before";
  EXPECT_EQ(fleet.last.metrics[0].low, 40);
  EXPECT_NEAR(fleet.last.metrics[0].high, 40 + 8 * 40.0 / 12, 1e-9) << "but it may be on its way still";
}

TEST(NativePods, those_that_leave_keep_others_from_leaving_until_they_have_said_that_they_are_empty) {  // F8
  Fleet fleet(quick(), 4);
  fleet.each(10).after(0s);
  fleet.with({5, 5, 5, 5});
  fleet.snapshot.pods.push_back(Fleet::pod(9, 20));
  Pod& leaving = fleet.snapshot.pods.back();
  leaving.state = PodState::terminating;
  EXPECT_EQ(fleet.after(15s), 4) << "heard: its twenty will come back";
  leaving.samples.clear();
  EXPECT_EQ(fleet.after(15s), 4) << "not heard: they may be on their way";
  leaving.samples = {{.metric = "load", .value = 0}};
  EXPECT_EQ(fleet.after(15s), 2);
}

TEST(NativePods, what_one_said_before_it_was_told_to_leave_is_not_surely_there) {  // F8
  Fleet fleet(quick(), 2);
  fleet.with({10, 10});
  fleet.snapshot.pods.push_back(Fleet::pod(9, 10));
  Pod& leaving = fleet.snapshot.pods.back();
  leaving.state = PodState::terminating;
  leaving.deleted = fleet.now - 5s;
  leaving.samples[0].at = fleet.now - 6s;
  EXPECT_EQ(fleet.after(0s), 2);
  leaving.samples[0].at = fleet.now - 4s;
  EXPECT_EQ(fleet.after(0s), 3);
}

TEST(NativePods, a_surge_of_pods_does_not_make_a_ratio_larger) {  // F8
  Fleet fleet(quick(), 4);
  fleet.rules().metrics[0].across = Across::max;
  EXPECT_EQ(fleet.with({20, 20, 20, 20, 20, 20}).after(0s), 8) << "twice the four that were asked for";
}

TEST(NativePods, those_that_start_are_not_asked_for_again) {  // F9
  Fleet fleet(quick(), 10);
  fleet.rules().metrics[0].across = Across::max;
  fleet.with({15, 15, 15, 15});
  for (int i = 4; i < 10; ++i) {
    fleet.snapshot.pods.push_back({.name = "new-" + std::to_string(i), .state = PodState::starting});
  }
  EXPECT_EQ(fleet.after(0s), 10) << "six are on their way to a demand of six";
}

TEST(NativePods, one_that_never_starts_is_made_up_for_once_and_said) {  // F9
  Fleet fleet(quick(), 4);
  fleet.with({15, 15, 15});
  fleet.snapshot.pods.push_back({.name = "stuck", .state = PodState::starting, .started = fleet.now - 20min});
  EXPECT_EQ(fleet.after(0s), 6);
  EXPECT_TRUE(fleet.shows("StartupDeadlineExceeded"));
}

TEST(NativePods, one_that_never_starts_does_not_make_the_fleet_climb) {
  Fleet fleet(quick(), 10);
  fleet.rules().metrics.push_back({.name = "queue", .source = Source::external, .target = {.value = 5}});
  const auto with_one_stuck = [&](double load) {
    fleet.each(load).silence(1).snapshot.pods[0] = {
        .name = "pod-00000", .state = PodState::starting, .started = fleet.now - 20min};
    return fleet.after(15s);
  };
  EXPECT_EQ(with_one_stuck(1), 11) << "held, as one metric cannot be read, and made up for";
  for (int i = 0; i < 20; ++i) EXPECT_EQ(with_one_stuck(1), 11);
  fleet.rules().metrics.pop_back();
  EXPECT_EQ(with_one_stuck(7), 8) << "what the metrics ask for, and one";
  for (int i = 0; i < 20; ++i) EXPECT_EQ(with_one_stuck(10), 8) << "seven serve what seven can";
  fleet.each(10).after(15s);
  EXPECT_EQ(with_one_stuck(10), 9) << "another one that does not start";
}

TEST(NativePods, those_that_never_start_are_made_up_for_one_by_one_where_the_rate_says_so) {
  Fleet fleet(quick(), 10);
  fleet.rules().pods.replace_dead = 2;
  fleet.rules().up.policies = {{RatePolicy::Kind::pods, 1, 60s}};
  fleet.rules().metrics.push_back({.name = "queue", .source = Source::external, .target = {.value = 5}});
  int replicas = 0;
  for (int i = 0; i < 40; ++i) {
    fleet.each(1);
    for (const std::size_t stuck : {0U, 1U}) {
      fleet.snapshot.pods[stuck] = {
          .name = "pod-0000" + std::to_string(stuck), .state = PodState::starting, .started = fleet.now - 20min};
    }
    replicas = fleet.after(15s);
  }
  EXPECT_EQ(replicas, 12);
}

TEST(NativePods, an_excluded_one_has_no_part_in_it) {  // F13
  Fleet fleet(quick(), 2);
  fleet.with({10, 10, 500});
  fleet.snapshot.pods[2].state = PodState::excluded;
  EXPECT_EQ(fleet.after(0s), 2);
}

TEST(NativePods, one_that_is_listed_twice_counts_once) {
  Fleet fleet(quick(), 2);
  fleet.with({10, 10});
  fleet.snapshot.pods.push_back(fleet.snapshot.pods[0]);
  EXPECT_EQ(fleet.after(0s), 2);
  EXPECT_EQ(fleet.last.metrics[0].best, 20);
}

TEST(NativeReadings, a_counter_is_read_by_its_increase) {  // F18
  Fleet fleet(quick(), 2);
  fleet.rules().metrics[0].reading = Reading::rate;
  EXPECT_EQ(fleet.each(1e6).after(0s), 2) << "a single look at a counter says nothing";
  fleet.snapshot.pods[0].samples[0].value += 150;
  fleet.snapshot.pods[1].samples[0].value += 450;
  EXPECT_EQ(fleet.after(15s), 4);
  EXPECT_NEAR(fleet.last.metrics[0].best, 40, 1e-9);
}

TEST(NativeReadings, a_counter_that_begins_anew_loses_nothing) {  // F18
  Fleet fleet(quick(), 1);
  fleet.rules().metrics[0].reading = Reading::rate;
  fleet.each(1000).after(0s);
  fleet.each(1100).after(10s);
  fleet.each(200).after(10s);
  EXPECT_NEAR(fleet.last.metrics[0].best, 15, 1e-9) << "100, then 200 from nothing, in 20 s";
}

// A gateway's counter per backend, and the backends change.
TEST(NativeReadings, a_series_that_a_pod_no_longer_shows_is_forgotten) {
  Fleet fleet(quick(), 1);
  fleet.rules().metrics[0].reading = Reading::rate;
  fleet.rules().metrics[0].window = 60s;
  for (int backend = 0; backend < 50; ++backend) {
    fleet.with({1000});
    fleet.snapshot.pods[0].samples[0].series = "backend=" + std::to_string(backend);
    fleet.after(15s);
  }
  ASSERT_EQ(fleet.state.metrics.size(), 1U);
  EXPECT_LE(fleet.state.metrics.at("load").series.size(), 13U) << "no longer than they could be carried";
  fleet.silence(1).after(600s);
  EXPECT_FALSE(fleet.state.metrics.at("load").series.empty()) << "a silent pod may go on where it was";
}

TEST(NativeReadings, a_rate_is_taken_over_its_window_alone) {
  Fleet fleet(quick(1, 1), 1);
  fleet.rules().metrics[0].reading = Reading::rate;
  fleet.rules().metrics[0].window = 30s;
  double total = 0;
  for (int i = 0; i < 10; ++i) {
    total += i < 7 ? 1500 : 15;
    fleet.each(total).after(15s);
  }
  EXPECT_NEAR(fleet.last.metrics[0].best, 1, 1e-9);
  EXPECT_LE(fleet.state.metrics["load"].series[0].points.size(), 4U);
}

Sample histogram(double fast, double slow) {
  return {.metric = "load",
          .value = fast + slow,
          .buckets = {{0.1, fast}, {1, fast + slow}, {std::numeric_limits<double>::infinity(), fast + slow}}};
}

TEST(NativeReadings, a_quantile_is_taken_of_all_pods_buckets_together) {  // F19
  Fleet fleet(quick(), 2);
  fleet.rules().metrics[0].reading = Reading::quantile;
  fleet.rules().metrics[0].target.value = 0.2;
  fleet.rules().metrics[0].quantile = 0.5;
  fleet.each(0);
  for (Pod& pod : fleet.snapshot.pods) pod.samples = {histogram(0, 0)};
  fleet.after(0s);
  fleet.snapshot.pods[0].samples = {histogram(900, 0)};
  fleet.snapshot.pods[1].samples = {histogram(0, 100)};
  EXPECT_EQ(fleet.after(15s), 1) << "half of a thousand are faster than 0.06 s";
  EXPECT_NEAR(fleet.last.metrics[0].best, 0.1 * 500 / 900, 1e-9);
}

TEST(NativeReadings, a_quantile_of_a_few_observations_is_not_known) {
  Fleet fleet(quick(), 2);
  fleet.rules().metrics[0].reading = Reading::quantile;
  fleet.rules().metrics[0].target.value = 0.001;
  fleet.each(0);
  for (Pod& pod : fleet.snapshot.pods) pod.samples = {histogram(0, 0)};
  fleet.after(0s);
  fleet.snapshot.pods[0].samples = {histogram(19, 0)};
  EXPECT_EQ(fleet.after(15s), 2);
  EXPECT_EQ(fleet.last.metrics[0].verdict, Verdict::too_few);
  fleet.snapshot.pods[0].samples = {histogram(20, 0)};
  EXPECT_GT(fleet.after(15s), 2);
}

TEST(NativeReadings, several_series_of_a_pod_combine_as_the_policy_says) {
  for (const auto& [across, expected] :
       {std::pair(SeriesAcross::sum, 4), {SeriesAcross::max, 3}, {SeriesAcross::average, 2}}) {
    Fleet fleet(quick(), 1);
    fleet.rules().metrics[0].series = across;
    fleet.with({10});
    fleet.snapshot.pods[0].samples[0].series = "model=a";
    fleet.snapshot.pods[0].samples.push_back({.metric = "load", .value = 30, .series = "model=b"});
    EXPECT_EQ(fleet.after(0s), expected);
  }
}

TEST(NativeStages, a_step_down_waits_for_the_window_and_says_what_holds_it) {  // F10
  Fleet fleet(quick(), 10);
  fleet.rules().down.stabilise = 300s;
  EXPECT_EQ(fleet.each(30).after(0s), 30);
  for (int i = 0; i < 19; ++i) EXPECT_EQ(fleet.with({50, 50}).after(15s), 30) << i;
  EXPECT_NE(fleet.reason().find("held by a higher recommendation of 285s ago"), std::string::npos) << fleet.reason();
  EXPECT_EQ(fleet.after(15s), 10);
}

TEST(NativeStages, a_first_decision_shrinks_nothing_for_one_window) {  // F15
  Fleet fleet(quick(), 10);
  fleet.rules().down.stabilise = 300s;
  EXPECT_EQ(fleet.each(1).after(0s), 10);
  EXPECT_EQ(fleet.each(1).after(299s), 10);
  EXPECT_EQ(fleet.each(1).after(2s), 1);
}

TEST(NativeStages, an_edited_policy_keeps_its_memory) {  // F15
  Fleet fleet(quick(), 10);
  fleet.rules().down.stabilise = 300s;
  fleet.each(30).after(0s);
  fleet.rules().metrics[0].target.value = 20;
  EXPECT_EQ(fleet.with({100, 100}).after(60s), 30);
}

TEST(NativeStages, rates_are_counted_over_every_stretch_of_their_period) {
  Fleet fleet(quick(1, 1000), 10);
  fleet.rules().up = {.policies = {{RatePolicy::Kind::pods, 4, 60s}}};
  EXPECT_EQ(fleet.each(1000).after(0s), 14);
  EXPECT_EQ(fleet.each(1000).after(30s), 14);
  EXPECT_EQ(fleet.each(1000).after(31s), 18);
  Fleet falling(quick(), 100);
  falling.rules().down = {.select = Select::min,
                          .policies = {{RatePolicy::Kind::percent, 20, 300s}, {RatePolicy::Kind::pods, 5, 60s}}};
  EXPECT_EQ(falling.each(1).after(0s), 95);
  EXPECT_EQ(falling.each(1).after(61s), 90);
  EXPECT_EQ(falling.each(1).after(61s), 85);
  EXPECT_EQ(falling.each(1).after(61s), 80);
  EXPECT_EQ(falling.each(1).after(61s), 80) << "a fifth of a hundred in five minutes";
}

TEST(NativeStages, a_percentage_that_comes_out_even_is_that_number) {
  for (const auto& [replicas, percent, up, down] :
       {std::tuple(50, 10, 55, 45), {100, 10, 110, 90}, {10, 80, 18, 2}, {20, 90, 38, 2}}) {
    Fleet rising(quick(1, 1000), replicas);
    rising.rules().up = {.policies = {{RatePolicy::Kind::percent, static_cast<double>(percent), 60s}}};
    EXPECT_EQ(rising.each(1000).after(0s), up) << percent << " % of " << replicas;
    Fleet falling(quick(), replicas);
    falling.rules().down = {.policies = {{RatePolicy::Kind::percent, static_cast<double>(percent), 60s}}};
    EXPECT_EQ(falling.each(0.001).after(0s), down) << percent << " % of " << replicas;
  }
}

TEST(NativeStages, a_direction_can_be_switched_off) {
  Fleet fleet(quick(), 10);
  fleet.rules().down.select = Select::off;
  EXPECT_EQ(fleet.each(1).after(600s), 10);
  fleet.rules().up.select = Select::off;
  EXPECT_EQ(fleet.each(100).after(600s), 10);
}

TEST(NativeDemand, two_metrics_of_one_name_remember_each_for_itself) {
  NativePolicy policy = quick();
  policy.metrics[0].average_over = 60s;
  Fleet alone(policy, 10);
  policy.metrics.push_back(policy.metrics[0]);
  policy.metrics[1].target.value = 40;
  Fleet both(policy, 10);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(both.each(19).after(15s), alone.each(19).after(15s));
}

TEST(NativeStages, bounds_hold_without_any_metric) {
  EXPECT_EQ(Fleet(quick(5, 20), 2).after(0s), 5);
  EXPECT_EQ(Fleet(quick(5, 20), 40).after(0s), 20);
  EXPECT_EQ(Fleet(quick(5, 20), 10).each(1000).after(0s), 20);
  EXPECT_EQ(Fleet(quick(5, 20), 10).each(0).after(0s), 5);
}

TEST(NativePanic, acts_at_once_on_a_sudden_demand_and_then_lowers_nothing) {  // F7
  Fleet fleet(quick(), 10);
  fleet.rules().fast = {.enabled = true, .hold = 60s};
  fleet.rules().up = {.stabilise = 120s, .policies = {{RatePolicy::Kind::pods, 1, 60s}}};
  fleet.each(10).after(0s);
  EXPECT_EQ(fleet.each(30).after(15s), 30) << "neither the window nor the rate holds it";
  EXPECT_TRUE(fleet.last.panic);
  EXPECT_EQ(fleet.each(2).after(45s), 30) << "held";
  EXPECT_EQ(fleet.each(2).after(20s), 6) << "and over";
  EXPECT_FALSE(fleet.last.panic);
}

TEST(NativePanic, hears_the_transports_own_queue_between_two_scrapes) {  // F7
  Fleet fleet(quick(), 4);
  fleet.rules().fast = {.enabled = true, .window = 3s};
  fleet.rules().metrics.push_back({.name = "in_flight", .source = Source::external, .target = {.value = 10}});
  fleet.each(10).outside("in_flight", 40).after(0s);
  EXPECT_FALSE(fleet.last.panic);
  EXPECT_EQ(fleet.outside("in_flight", 200).after(1s), 20);
  EXPECT_TRUE(fleet.last.panic) << "40 and 200 within the window are twice the capacity of 40";
}

TEST(NativeVeto, forbids_and_never_proposes) {  // F11
  Fleet fleet(quick(), 4);
  fleet.rules().metrics.push_back({.name = "errors", .source = Source::external, .veto = Veto{.up = true, .above = 5}});
  EXPECT_EQ(fleet.each(10).outside("errors", 1000).after(0s), 4) << "errors are no load";
  EXPECT_EQ(fleet.each(30).outside("errors", 1000).after(0s), 4);
  EXPECT_EQ(fleet.reason(), "errors forbids it");
  EXPECT_EQ(fleet.each(5).outside("errors", 1000).after(15s), 4);
  EXPECT_EQ(fleet.each(30).outside("errors", 5).after(15s), 12);
}

TEST(NativeFallback, holds_raises_or_sets_and_says_when_it_begins_and_ends) {
  Fleet fleet(quick(), 10);
  fleet.rules().gaps.fallback = {.no_data = FallbackAction::max_of_last, .max_hold = 300s, .replicas = 40};
  fleet.each(30).decide();
  ASSERT_EQ(fleet.last.desired, 30);
  fleet.now += 60s;
  fleet.snapshot.pods.clear();
  EXPECT_EQ(fleet.after(0s), 30) << "the highest of the last ten minutes";
  EXPECT_EQ(fleet.last.events.back().reason, "FallbackEntered");
  EXPECT_EQ(fleet.after(299s), 30);
  EXPECT_EQ(fleet.after(1s), 40);
  fleet.each(30).after(15s);
  EXPECT_EQ(fleet.last.events.front().reason, "FallbackLeft");
}

TEST(NativeFallback, what_was_held_does_not_fall_at_the_first_value_that_comes) {
  Fleet fleet(quick(), 40);
  fleet.rules().down.stabilise = 300s;
  fleet.each(10).after(0s);
  fleet.snapshot.pods.clear();
  for (int i = 0; i < 40; ++i) ASSERT_EQ(fleet.after(15s), 40);
  EXPECT_EQ(fleet.each(1).after(15s), 40) << "half of the clients may not be back yet";
  EXPECT_EQ(fleet.each(1).after(299s), 4);
}

TEST(NativeFallback, the_highest_of_the_last_minutes_is_not_made_of_what_it_held_itself) {
  Fleet fleet(quick(), 20);
  fleet.rules().gaps.fallback = {.no_data = FallbackAction::max_of_last, .window = 600s, .may_lower = true};
  fleet.each(10).after(0s);
  fleet.each(5).after(540s);
  ASSERT_EQ(fleet.snapshot.current, 10);
  fleet.snapshot.current = 20;  // somebody's doing
  fleet.snapshot.pods.clear();
  EXPECT_EQ(fleet.after(30s), 20);
  for (int i = 0; i < 4; ++i) fleet.after(15s);
  EXPECT_EQ(fleet.snapshot.current, 10) << "twenty was ten minutes ago";
}

TEST(NativeFallback, never_lowers_unless_it_may) {
  Fleet fleet(quick(), 10);
  fleet.rules().gaps.fallback = {.no_data = FallbackAction::replicas, .replicas = 4};
  EXPECT_EQ(fleet.after(0s), 10);
  fleet.rules().gaps.fallback.may_lower = true;
  EXPECT_EQ(fleet.after(15s), 4);
}

TEST(NativeFallback, tells_refused_credentials_from_silence) {
  Fleet fleet(quick(), 10);
  fleet.rules().gaps.fallback = {.no_data = FallbackAction::replicas, .replicas = 40};
  fleet.snapshot.failing = {{.metric = "load", .reason = "401", .denied = true}};
  EXPECT_EQ(fleet.after(0s), 10) << "held";
  EXPECT_EQ(fleet.last.metrics[0].reason, "401");
}

TEST(NativeFallback, a_part_that_cannot_be_read_never_shrinks_the_rest) {
  Fleet fleet(quick(), 10);
  fleet.rules().metrics.push_back({.name = "queue", .source = Source::external, .target = {.value = 5}});
  EXPECT_EQ(fleet.each(1).after(0s), 10);
  EXPECT_EQ(fleet.each(20).after(15s), 20) << "but it may grow";
}

TEST(NativePause, stops_a_direction_until_it_ends) {
  Fleet fleet(quick(), 10);
  fleet.policy.pause = Pause{.up = false, .down = true, .until = fleet.now + 60s, .owner = "ana"};
  EXPECT_EQ(fleet.each(1).after(0s), 10);
  EXPECT_EQ(fleet.reason(), "scaling down is paused by ana");
  EXPECT_EQ(fleet.each(20).after(30s), 20);
  EXPECT_EQ(fleet.each(1).after(29s), 20);
  EXPECT_EQ(fleet.each(1).after(1s), 2);
}

TEST(NativeFlaps, beyond_the_budget_the_window_before_going_down_doubles) {
  Fleet fleet(quick(), 10);
  fleet.rules().down.stabilise = 30s;
  fleet.rules().flaps = {.reversals = 2, .window = 3600s, .longest = 100s};
  for (int i = 0; i < 2; ++i) {
    fleet.each(20).after(15s);
    fleet.each(5).after(15s);
    fleet.each(5).after(31s);
  }
  EXPECT_FALSE(fleet.shows("FlapBudgetExceeded"));
  const int high = fleet.each(20).after(15s);
  EXPECT_EQ(fleet.each(5).after(31s), high);
  EXPECT_TRUE(fleet.shows("FlapBudgetExceeded"));
  EXPECT_LT(fleet.each(5).after(90s), high) << "no longer than the longest";
}

TEST(NativeZero, goes_there_only_when_every_pod_has_shown_nothing_for_long_enough) {  // F3
  Fleet fleet(quick(0), 3);
  EXPECT_EQ(fleet.each(0).after(0s), 1);
  EXPECT_EQ(fleet.each(0).after(299s), 1);
  EXPECT_EQ(fleet.each(0).after(1s), 0);
  Fleet silent(quick(0), 3);
  silent.rules().gaps.carry = 0s;
  for (int i = 0; i < 100; ++i) EXPECT_GE(silent.each(0).silence(1).after(15s), 1);
}

TEST(NativeZero, what_was_idle_before_it_woke_or_went_blind_does_not_count) {
  Fleet fleet(quick(0), 1);
  fleet.rules().metrics.push_back({.name = "waiting", .source = Source::external, .target = {.value = 10}});
  fleet.each(0).outside("waiting", 0).after(0s);
  EXPECT_EQ(fleet.each(0).after(300s), 0);
  EXPECT_EQ(fleet.outside("waiting", 1).after(300s), 1);
  EXPECT_EQ(fleet.each(0).outside("waiting", 0).after(15s), 1) << "it has been idle for an instant";
  EXPECT_EQ(fleet.each(0).after(300s), 0);

  Fleet blind(quick(0), 1);
  blind.each(0).after(0s);
  blind.snapshot.pods.clear();
  blind.after(200s);
  EXPECT_EQ(blind.each(0).after(200s), 1) << "nobody has seen it in between";
}

TEST(NativeZero, a_veto_holds_where_there_is_nothing_too) {
  Fleet fleet(quick(0), 0);
  fleet.rules().metrics.push_back({.name = "waiting", .source = Source::external, .target = {.value = 10}});
  fleet.rules().metrics.push_back({.name = "errors", .source = Source::external, .veto = Veto{.up = true, .above = 5}});
  fleet.snapshot.external = {{.metric = "waiting", .value = 300}, {.metric = "errors", .value = 6}};
  EXPECT_EQ(fleet.after(15s), 0);
  EXPECT_EQ(fleet.reason(), "errors forbids it");
}

TEST(NativeZero, a_waiting_request_wakes_it) {  // F23
  Fleet fleet(quick(0), 0);
  fleet.rules().bounds.activation = 2;
  fleet.rules().metrics.push_back({.name = "waiting", .source = Source::external, .target = {.value = 10}});
  EXPECT_EQ(fleet.outside("waiting", 0).after(0s), 0);
  fleet.snapshot.external.clear();
  EXPECT_EQ(fleet.after(60s), 0) << "nothing known is nothing to wake for";
  EXPECT_EQ(fleet.outside("waiting", 1).after(1s), 2);
  Fleet many(fleet);
  many.snapshot.current = 0;
  EXPECT_EQ(many.outside("waiting", 95).after(1s), 10);
}

TEST(NativeDrain, the_next_step_waits_until_the_victims_of_the_last_are_gone) {  // F16
  Fleet fleet(quick(), 10);
  fleet.rules().drain = {.wait_for_victims = true, .deadline = 120s};
  EXPECT_EQ(fleet.each(8).after(0s), 8);
  fleet.each(2);
  fleet.snapshot.pods.push_back({.name = "leaving", .state = PodState::terminating});
  EXPECT_EQ(fleet.after(15s), 8);
  EXPECT_NE(fleet.reason().find("still leaving"), std::string::npos) << fleet.reason();
  EXPECT_EQ(fleet.after(105s), 2) << "the deadline has passed";
}

TEST(NativeDrain, a_step_cuts_no_more_streams_than_allowed) {  // F16
  Fleet fleet(quick(), 5);
  fleet.rules().drain = {.rank_by = "load", .max_disrupted = 2};
  EXPECT_EQ(fleet.with({0, 2, 1, 4, 9}).after(0s), 3)
      << "16 of load need two, but a third victim would cut two more streams";
  EXPECT_EQ(fleet.last.disrupted, 1);
  EXPECT_EQ(fleet.last.victims, (std::vector<Victim>{{"pod-00000", 0}, {"pod-00002", 1}}));
}

TEST(NativeDrain, streams_may_be_counted_by_a_metric_that_nothing_else_asks_for) {
  Fleet fleet(quick(), 5);
  fleet.rules().drain = {.rank_by = "streams", .max_disrupted = 2};
  fleet.each(1);
  const auto holding = [&](const std::vector<double>& streams) {
    for (std::size_t i = 0; i < streams.size(); ++i) {
      fleet.snapshot.pods[i].samples.push_back({.metric = "streams", .value = streams[i]});
    }
  };
  EXPECT_EQ(fleet.after(0s), 5) << "nobody has said what it holds";
  EXPECT_NE(fleet.reason().find("no pod has ever shown"), std::string::npos) << fleet.reason();
  holding({0, 2, 1, 4, 9});
  EXPECT_EQ(fleet.after(15s), 3) << "a third victim would cut two more streams";
  EXPECT_EQ(fleet.last.victims, (std::vector<Victim>{{"pod-00000", 0}, {"pod-00002", 1}}));
  fleet.rules().drain.max_disrupted = -1;
  EXPECT_EQ(fleet.after(15s), 1) << "without a limit";
}

TEST(NativeDrain, a_gauge_that_has_once_shown_zero_is_known_when_it_is_gone) {
  Fleet fleet(quick(), 5);
  fleet.rules().drain = {.rank_by = "streams", .max_disrupted = 2};
  fleet.each(10);
  for (Pod& pod : fleet.snapshot.pods) pod.samples.push_back({.metric = "streams", .value = 0});
  EXPECT_EQ(fleet.after(0s), 5);
  EXPECT_EQ(fleet.each(1).after(300s), 1);
}

TEST(NativeDrain, a_fallback_keeps_the_limit) {
  Fleet fleet(quick(), 5);
  fleet.rules().drain = {.rank_by = "streams", .max_disrupted = 2};
  fleet.rules().gaps.fallback = {.no_data = FallbackAction::replicas, .replicas = 2, .may_lower = true};
  EXPECT_EQ(fleet.each(1).silence(5).after(0s), 5);
  EXPECT_NE(fleet.reason().find("no pod has ever shown"), std::string::npos) << fleet.reason();
  fleet.rules().drain.max_disrupted = -1;
  EXPECT_EQ(fleet.after(15s), 2);
}

TEST(Victims, those_leave_first_whose_leaving_disturbs_least) {  // F16
  Snapshot snapshot{.current = 6};
  MetricRecord record;
  struct One {
    const char* name;
    PodState state;
    double streams;
    TimePoint started;
  };
  for (const One& one : std::vector<One>{{"busy", PodState::ready, 9, noon - 1h},
                                         {"idle-old", PodState::ready, 0, noon - 1h},
                                         {"idle-young", PodState::ready, 0, noon - 1min},
                                         {"leaving", PodState::terminating, 0, noon - 1h},
                                         {"starting", PodState::starting, 0, noon},
                                         {"unheard", PodState::missing, 0, noon - 1h}}) {
    snapshot.pods.push_back({.name = one.name, .state = one.state, .started = one.started});
    const auto state = one.state == PodState::missing ? InputState::missing : InputState::fresh;
    record.pods.push_back({.pod = one.name, .state = state, .value = one.streams});
  }
  const auto ranking = rank_victims(freeze(snapshot, {}, noon), &record);
  std::vector<std::string> names;
  for (const Victim& victim : ranking) names.push_back(victim.pod);
  EXPECT_EQ(names, (std::vector<std::string>{"starting", "idle-young", "idle-old", "busy", "unheard"}));
  EXPECT_EQ(choose_victims(ranking, 4, -1).size(), 4U);
  EXPECT_EQ(choose_victims(ranking, 4, 8).size(), 3U);
  EXPECT_EQ(choose_victims({{"overloaded", 400}, {"idle", 0}, {"busy", 60}}, 3, 50), (std::vector<Victim>{{"idle", 0}}))
      << "one that may not go keeps no other from it";
}

TEST(NativeAdvice, uneven_streams_call_for_rebalancing_and_not_for_pods) {  // F17
  Fleet fleet(quick(), 4);
  EXPECT_EQ(fleet.with({30, 2, 2, 2}).after(0s), 4);
  EXPECT_TRUE(fleet.shows("RebalanceAdvised"));
  fleet.each(9).after(15s);
  EXPECT_FALSE(fleet.shows("RebalanceAdvised"));
}

TEST(NativeAdvice, a_gauge_above_what_it_cannot_exceed_is_suspect) {  // F12
  Fleet fleet(quick(), 2);
  fleet.rules().metrics[0].compare_with = "sockets";
  fleet.with({10, 10});
  for (Pod& pod : fleet.snapshot.pods) pod.samples.push_back({.metric = "sockets", .value = 10});
  fleet.after(0s);
  EXPECT_FALSE(fleet.shows("MetricSuspect"));
  fleet.snapshot.pods[1].samples[1].value = 4;
  fleet.after(15s);
  EXPECT_TRUE(fleet.shows("MetricSuspect"));
}

TEST(NativeRecord, somebody_elses_change_is_noticed) {  // F14
  Fleet fleet(quick(), 10);
  fleet.each(10).after(0s);
  EXPECT_FALSE(fleet.shows("ExternallyChanged"));
  fleet.snapshot.current = 14;
  fleet.each(10).decide();
  EXPECT_TRUE(fleet.shows("ExternallyChanged"));
}

TEST(NativeRecord, shows_what_was_used_even_when_it_could_not_be_read) {  // F22
  Fleet fleet(quick(), 10);
  fleet.rules().gaps.carry = 0s;
  fleet.each(10).after(0s);
  fleet.each(10).silence(10).after(15s);
  const MetricRecord& record = fleet.last.metrics[0];
  EXPECT_EQ(record.verdict, Verdict::no_data);
  EXPECT_EQ(record.current_value, 0);
  EXPECT_EQ(record.pods.at(0).state, InputState::missing);
  EXPECT_EQ(record.pods.at(0).age, 15s);
  EXPECT_EQ(fleet.last.stages.back().after, fleet.last.desired);
}

TEST(NativeRecord, every_stage_begins_where_the_last_one_ended) {
  Fleet fleet(quick(2, 12), 10);
  fleet.rules().up.policies = {{RatePolicy::Kind::pods, 1, 60s}};
  fleet.each(50).after(0s);
  ASSERT_EQ(fleet.last.stages.size(), 2U);
  EXPECT_EQ(fleet.last.stages[0], (Stage{"metrics", 10, 50, "load: demand is above what there is"}));
  EXPECT_EQ(fleet.last.stages[1], (Stage{"rate", 50, 11, "as fast up as the policies allow"}));
}

TEST(NativeTargets, a_total_is_split_the_cheapest_first) {
  Fleet fleet(quick(), 3);
  fleet.rules().targets = {{"spot", 1, 1, 5}, {"reserved", 3, 2, 8}};
  fleet.rules().cost_expansion_percent = 100;
  EXPECT_EQ(fleet.with({20, 20, 30}).after(0s), 7);
  EXPECT_EQ(fleet.last.targets, (std::vector<TargetReplicas>{{"spot", 5}, {"reserved", 2}}));
  EXPECT_EQ(fleet.with({500}).after(15s), 13) << "the bounds are the sums of theirs";
}

TEST(NativeDryRun, decides_like_any_other_and_claims_nothing_was_done) {
  Fleet fleet(quick(), 10);
  fleet.policy.dry_run = true;
  EXPECT_EQ(fleet.each(20).decide().desired, 20);
  EXPECT_TRUE(fleet.last.dry_run);
  fleet.now += 15s;
  fleet.each(20).decide();
  EXPECT_FALSE(fleet.shows("ExternallyChanged"));
}

}  // namespace native_test
}  // namespace trunkline::autoscale
