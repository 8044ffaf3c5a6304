#include "services/autoscale_files/state_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/test_folder.h"
#include "services/autoscale/engine.h"

namespace trunkline::autoscale {
namespace {

constexpr TimePoint now{std::chrono::nanoseconds(1'764'000'000'123'456'789)};

State full() {
  const TimePoint t = now - std::chrono::seconds(30);
  State state;
  state.last_decision = t;
  state.recommendations = {{t, 4}, {t + Duration(1), 5}};
  state.replicas = {{t, 3}};
  state.targets = {{"prefill", 1}, {"decode", 2}};
  state.panic_until = now + std::chrono::seconds(60);
  state.panic_floor = 7;
  state.made_up = 2;
  state.held = ReplicasAt{t, 8};
  state.no_data_since = t;
  state.zero_since = t;
  state.last_down = t;
  state.last_direction = -1;
  state.reversals = {t, now};
  MetricState& metric = state.metrics["streams \"x\""];
  metric.last = {{"pod-a", 0.1, t}, {"pod-b", INFINITY, t}};
  metric.series = {{"pod-a", "le", {0.5, INFINITY}, {1, 2}, t, {{t, {1e300, 0.30000000000000004}}}}};
  metric.demand = {{t, 1.25, 2.5}};
  metric.external = LastValue{"", 3, t};
  state.hpa = {{{t, 3}}, {{t, 1}}, {{t, 2}}};
  KthenaState& kthena = state.kthena["prefill"];
  kthena.recommendations = {{t, 1}};
  kthena.corrected = {{t, 2}};
  kthena.panic_until = now;
  kthena.histograms["m pod"] = {{t, t, 5, {{0.5, 2}, {INFINITY, 5}}}};
  state.kthena[""] = {};
  return state;
}

class StateFileTest : public testing::Test, protected TestFolder {};

TEST(StateFile, reads_back_every_field_as_it_was) {
  const States states = {{"chat", full()}, {"empty", {}}};
  const auto again = read_states(print_states(states, now), "s.json", now);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, states);
}

TEST(StateFile, refuses_what_it_did_not_write) {
  const std::string good = print_states({{"chat", full()}}, now);
  const auto failure = [](const std::string& text, TimePoint at = now) {
    const auto states = read_states(text, "s.json", at);
    return states ? "no error" : states.error().message;
  };
  EXPECT_NE(failure("").find("s.json:1:1"), std::string::npos);
  EXPECT_NE(failure("{}").find("is not a state of trunkline's autoscaler"), std::string::npos);
  EXPECT_NE(failure("[]").find("is not a state"), std::string::npos);
  std::string other = good;
  other.replace(other.find("\"version\":1"), 11, "\"version\":2");
  EXPECT_NE(failure(other).find("is of version 2, and this program reads version 1"), std::string::npos);
  for (std::size_t size = 0; size + 2 < good.size(); size += 97) EXPECT_NE(failure(good.substr(0, size)), "no error");
  EXPECT_NE(failure(good, now - std::chrono::minutes(2)).find("a clock was set back"), std::string::npos);
  EXPECT_EQ(failure(good, now - std::chrono::seconds(30)), "no error");
}

TEST(StateFile, refuses_lists_that_do_not_fit_each_other) {
  const auto failure = [](const auto& spoil) {
    State state = full();
    spoil(state.metrics.begin()->second.series.front());
    const auto states = read_states(print_states({{"chat", state}}, now), "s.json", now);
    return states ? "no error" : states.error().message;
  };
  EXPECT_EQ(failure([](SeriesHistory&) {}), "no error");
  EXPECT_NE(failure([](SeriesHistory& series) { series.points[0].totals.pop_back(); }).find("as long as raw"),
            std::string::npos);
  EXPECT_NE(failure([](SeriesHistory& series) { series.raw.push_back(3); }).find("as long as bounds"),
            std::string::npos);
  EXPECT_NE(failure([](SeriesHistory& series) { series.bounds.clear(); }).find("as long as bounds"), std::string::npos);
  EXPECT_NE(failure([](SeriesHistory& series) {
              series.bounds.clear();
              series.raw.clear();
            }).find("as long as raw"),
            std::string::npos);
}

TEST_F(StateFileTest, is_replaced_as_a_whole_and_leaves_nothing_beside_it) {
  ASSERT_TRUE(save_states(path("s.json"), {{"a", full()}}, now));
  ASSERT_TRUE(save_states(path("s.json"), {{"b", full()}}, now));
  const auto states = load_states(path("s.json"), now);
  ASSERT_TRUE(states) << states.error().message;
  EXPECT_EQ(states->begin()->first, "b");
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder())) ++files;
  EXPECT_EQ(files, 1u);
}

TEST_F(StateFileTest, starts_empty_without_a_file_and_says_what_it_cannot_write) {
  const auto states = load_states(path("none.json"), now);
  ASSERT_TRUE(states);
  EXPECT_TRUE(states->empty());
  const auto saved = save_states(path("no/such/folder.json"), {}, now);
  ASSERT_FALSE(saved);
  EXPECT_NE(saved.error().message.find("no file can be made beside it"), std::string::npos);
}

// The reason why there is a file at all.
TEST_F(StateFileTest, lets_a_restarted_engine_decide_as_the_uninterrupted_one) {
  NativePolicy rules{.bounds = {.min = 1, .max = 50}};
  rules.metrics = {{.name = "streams", .target = {.value = 10}}};
  const Policy policy{.name = "chat", .rules = rules};
  State state;
  TimePoint t = now;
  Snapshot snapshot{.current = 5};
  for (int i = 0; i < 40; ++i, t += std::chrono::seconds(15)) {
    snapshot.pods.clear();
    for (int pod = 0; pod < snapshot.current; ++pod) {
      snapshot.pods.push_back({.name = "p" + std::to_string(pod)});
      if ((pod + i) % 7 != 0) {
        snapshot.pods.back().samples = {{.metric = "streams", .value = 10.0 + 4 * std::sin(i)}};
      } else {
        snapshot.pods.back().state = PodState::missing;
      }
    }
    ASSERT_TRUE(save_states(path("s.json"), {{"chat", state}}, t));
    auto restarted = load_states(path("s.json"), t);
    ASSERT_TRUE(restarted) << restarted.error().message;
    const Decision after = decide((*restarted)["chat"], snapshot, policy, t);
    const Decision before = decide(state, snapshot, policy, t);
    ASSERT_EQ(after, before);
    snapshot.current = before.desired;
  }
}

}  // namespace
}  // namespace trunkline::autoscale
