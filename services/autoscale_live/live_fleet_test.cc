#include "services/autoscale_live/live_fleet.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "services/autoscale/engine.h"
#include "services/autoscale_files/recording.h"
#include "services/autoscale_files/state_file.h"
#include "services/autoscale_live/scraped.h"

namespace trunkline::autoscale {
namespace {

using namespace std::chrono_literals;
using test::cycle_of;
using test::ScrapedPod;

const EngineTime wall(1'700'000'000s);

NativePolicy ten_for_each(int min = 1, int max = 100) {
  NativePolicy policy{.bounds = {min, max}};
  policy.metrics = {{.name = "load", .target = {.value = 10}}};
  policy.down.stabilise = 0s;
  policy.up.policies.clear();
  policy.fast.enabled = false;
  policy.gaps.carry = 0s;
  return policy;
}

FleetSettings settings_of(Policy policy) {
  policy.name = "web";
  return {.policy = std::move(policy), .target = ProcessTargetSettings{.command = {"server"}, .ports = {20000, 20099}}};
}

// A fleet whose pods are numbers: how much load each has, and whether it answers. What was decided is what there is at
// the next cycle. Read this first.
class Scaled {
 public:
  explicit Scaled(const FleetSettings& settings, int replicas, State state = {}, std::uint64_t number = 1)
      : fleet(settings, std::move(state), number, 100) {
    view.replicas = replicas;
  }

  Scaled& each(double load) { return with(std::vector<double>(static_cast<std::size_t>(*view.replicas), load)); }
  Scaled& with(std::vector<double> loads) {
    loads_ = std::move(loads);
    silent_ = 0;
    return *this;
  }
  Scaled& silence(std::size_t first) {
    silent_ = first;
    return *this;
  }
  DecisionPtr after(Duration passed) {
    now += passed;
    view.pods.clear();
    std::vector<ScrapedPod> scraped;
    for (std::size_t i = 0; i < loads_.size(); ++i) {
      const std::string url = "http://127.0.0.1:" + std::to_string(20000 + i) + "/metrics";
      view.pods.push_back(
          {.name = "web-" + std::to_string(i), .url = url, .state = PodState::ready, .started = now - 1h});
      std::optional<std::string> body = "load " + std::to_string(loads_[i]) + "\n";
      if (i < silent_) body.reset();
      scraped.push_back({.url = url, .body = std::move(body)});
    }
    cycle = cycle_of(now, scraped);
    DecisionPtr entry = fleet.decide(view, cycle.get(), external, wall, now);
    if (entry && !entry->decision.dry_run) view.replicas = entry->decision.desired;
    return entry;
  }
  int replicas_after(Duration passed) {
    after(passed);
    return *view.replicas;
  }

  LiveFleet fleet;
  TargetView view;
  scrape::SnapshotPtr cycle;
  std::vector<ExternalValue> external = {};
  TimePoint now{10h};

 private:
  std::vector<double> loads_ = {};
  std::size_t silent_ = 0;
};

TEST(LiveFleet, decides_in_the_engines_time_and_numbers_what_it_decides) {
  Scaled web(settings_of({.rules = ten_for_each()}), 2);
  const DecisionPtr first = web.each(20).after(0s);
  EXPECT_EQ(first->number, 1U);
  EXPECT_EQ(first->decision.at, TimePoint(1'700'000'000s + 10h));
  EXPECT_EQ(first->decision.desired, 4);
  EXPECT_EQ(web.each(10).after(15s)->number, 2U);
  EXPECT_EQ(web.fleet.decisions(0, 10).size(), 2U);
  EXPECT_EQ(web.fleet.decisions(0, 1).at(0)->number, 2U) << "the newest of them";
  EXPECT_EQ(web.fleet.decisions(1, 10).at(0)->number, 2U);
  EXPECT_TRUE(web.fleet.decisions(2, 10).empty());
  const FleetStatus status = web.fleet.status(web.view, "process", wall);
  EXPECT_EQ(status.ups, 1U);
  EXPECT_EQ(status.decisions, 2U);
  EXPECT_EQ(status.ready, 4);
  EXPECT_EQ(status.max, 100);
}

TEST(LiveFleet, decides_nothing_while_it_is_not_known_how_many_there_are) {
  Scaled web(settings_of({.rules = ten_for_each()}), 2);
  web.view.replicas.reset();
  EXPECT_EQ(web.with({20}).after(0s), nullptr);
  EXPECT_EQ(web.fleet.next_number(), 1U);
}

TEST(LiveFleet, three_of_thirty_silent_for_two_minutes_move_nothing_while_an_averaging_hpa_moves) {
  Scaled streams(settings_of({.rules = websocket_preset("load", 21.2, {.min = 1, .max = 60})}), 30);
  // What the HPA is given is the mean over those that answered, as a query makes it.
  Scaled averaging(settings_of({.rules = HpaPolicy{.min = 1,
                                                   .max = 60,
                                                   .metrics = {{.type = HpaMetric::Type::external,
                                                                .name = "mean",
                                                                .target = HpaMetric::TargetType::value,
                                                                .value = 21.2}}}}),
                   30);
  // The three that fall silent hold no streams, so a mean without them is higher than the truth.
  std::vector<double> loads(30, 23.5);
  for (std::size_t i = 0; i < 3; ++i) loads[i] = 0;
  bool moved = false;
  for (int cycle = 0; cycle < 40; ++cycle) {
    const bool gap = cycle >= 12 && cycle < 20;  // two minutes
    const DecisionPtr entry = streams.with(loads).silence(gap ? 3 : 0).after(15s);
    EXPECT_EQ(entry->decision.desired, 30) << cycle;
    EXPECT_EQ(entry->decision.metrics[0].fresh, gap ? 27 : 30) << cycle;
    const int silent = gap ? 3 : 0;
    const double mean = std::accumulate(loads.begin() + silent, loads.end(), 0.0) / (30 - silent);
    averaging.external = {{.metric = "mean", .value = mean}};
    moved = moved || averaging.each(0).after(15s)->decision.desired != 30;
  }
  EXPECT_TRUE(moved);
  EXPECT_EQ(streams.fleet.counters().gaps_survived, 8U);
}

TEST(LiveFleet, decides_after_a_restart_as_it_would_have_without) {
  const FleetSettings settings = settings_of({.rules = websocket_preset("load", 20, {.min = 1, .max = 60})});
  Scaled first(settings, 10);
  for (const double load : {20.0, 26.0, 33.0, 21.0, 12.0, 9.0}) first.each(load).after(15s);
  const TimePoint saved_at = wall.of(first.now);
  const auto states = read_states(print_states({{"web", first.fleet.state()}}, saved_at), "state.json", saved_at + 5s);
  ASSERT_TRUE(states) << states.error().message;
  EXPECT_EQ(remembered_replicas(states->at("web"), settings.policy), *first.view.replicas);
  Scaled second(settings, remembered_replicas(states->at("web"), settings.policy), states->at("web"),
                first.fleet.next_number());
  second.now = first.now;
  for (const double load : {8.0, 4.0, 40.0}) {
    const DecisionPtr uninterrupted = first.each(load).after(15s);
    const DecisionPtr restarted = second.each(load).after(15s);
    EXPECT_EQ(restarted->decision, uninterrupted->decision);
    EXPECT_EQ(restarted->number, uninterrupted->number);
  }
}

TEST(LiveFleet, roles_decide_after_a_restart_as_they_would_have_without) {
  FleetSettings settings = settings_of({.rules = KthenaPolicy{.metrics = {{.name = "load", .target = 10}},
                                                              .roles = {{"prefill", 1, 9}, {"decode", 2, 9}}}});
  settings.target = SplitSettings{};
  // Each role has one pod for each replica, and all pods of a role the same load.
  TimePoint now{10h};
  const auto decide = [&](LiveFleet& fleet, const std::vector<TargetReplicas>& there, double prefill, double decode) {
    TargetView view{.replicas = 0, .targets = there};
    std::vector<ScrapedPod> scraped;
    for (const TargetReplicas& role : there) {
      *view.replicas += role.replicas;
      for (int i = 0; i < role.replicas; ++i) {
        const std::string name = role.target + "-" + std::to_string(i);
        view.pods.push_back({.name = name,
                             .target = role.target,
                             .url = "http://" + name + "/metrics",
                             .state = PodState::ready,
                             .started = TimePoint(1h)});
        const double load = role.target == "prefill" ? prefill : decode;
        scraped.push_back({.url = view.pods.back().url, .body = "load " + std::to_string(load) + "\n"});
      }
    }
    return fleet.decide(view, cycle_of(now, scraped).get(), {}, wall, now)->decision;
  };
  LiveFleet first(settings, {}, 1, 100);
  std::vector<TargetReplicas> there = remembered_split({}, settings.policy);
  EXPECT_EQ(there, (std::vector<TargetReplicas>{{"prefill", 1}, {"decode", 2}})) << "without a memory their minima";
  for (int i = 0; i < 4; ++i, now += 15s) there = decide(first, there, 15, 12).targets;
  ASSERT_GT(there[0].replicas, 1);
  const TimePoint saved_at = wall.of(now);
  const auto states = read_states(print_states({{"web", first.state()}}, saved_at), "state.json", saved_at + 5s);
  ASSERT_TRUE(states) << states.error().message;
  std::vector<TargetReplicas> again = remembered_split(states->at("web"), settings.policy);
  EXPECT_EQ(again, there);
  LiveFleet second(settings, states->at("web"), first.next_number(), 100);
  for (const double load : {9.0, 2.0, 30.0}) {
    now += 15s;
    const Decision uninterrupted = decide(first, there, load, 10);
    EXPECT_EQ(decide(second, again, load, 10), uninterrupted);
    there = again = uninterrupted.targets;
  }
  std::get<KthenaPolicy>(settings.policy.rules).roles = {{"prefill", 1, 2}, {"other", 1, 9}};
  State more;
  more.replicas = {{.replicas = 8}};
  more.targets = {{"prefill", 5}, {"decode", 3}};
  EXPECT_EQ(remembered_split(more, settings.policy), (std::vector<TargetReplicas>{{"prefill", 2}, {"other", 1}}))
      << "within the bounds of now, and of those that there are";
}

TEST(LiveFleet, other_dialects_remember_their_number_too) {
  const FleetSettings settings =
      settings_of({.rules = HpaPolicy{.min = 2,
                                      .max = 9,
                                      .metrics = {{.type = HpaMetric::Type::pods,
                                                   .name = "load",
                                                   .target = HpaMetric::TargetType::average_value,
                                                   .value = 10}}}});
  Scaled web(settings, 2);
  EXPECT_EQ(web.each(20).replicas_after(15s), 4);
  EXPECT_EQ(remembered_replicas(web.fleet.state(), settings.policy), 4);
  EXPECT_EQ(remembered_replicas({}, settings.policy), 2) << "without a memory the least";
  EXPECT_EQ(remembered_replicas({.replicas = {{.replicas = 50}}}, settings.policy), 9) << "within the bounds of now";
}

TEST(LiveFleet, a_pause_holds_until_it_is_over_or_taken_back) {
  Scaled web(settings_of({.rules = ten_for_each()}), 2);
  web.fleet.pause({.down = false, .until = wall.of(web.now) + 1min, .owner = "ops"});
  EXPECT_EQ(web.each(30).replicas_after(15s), 2);
  EXPECT_NE(web.fleet.last()->decision.reason.find("paused by ops"), std::string::npos);
  EXPECT_EQ(web.replicas_after(1min), 6);
  web.fleet.pause({.until = never});
  EXPECT_EQ(web.each(30).replicas_after(15s), 6);
  EXPECT_TRUE(web.fleet.status(web.view, "process", wall).paused);
  web.fleet.resume();
  EXPECT_EQ(web.replicas_after(15s), 18);
}

TEST(LiveFleet, what_is_only_watched_is_never_in_force) {
  FleetSettings settings = settings_of({.rules = ten_for_each()});
  settings.target = DryRunSettings{.job = "web", .replicas = 2};
  Scaled web(settings, 2);
  for (int i = 0; i < 3; ++i) {
    const DecisionPtr entry = web.each(20).after(15s);
    EXPECT_EQ(entry->decision.desired, 4);
    EXPECT_TRUE(entry->decision.dry_run);
    EXPECT_TRUE(entry->decision.conditions.empty()) << "nobody else has set these";
  }
}

TEST(LiveFleet, an_order_that_a_webhook_refused_was_never_in_force) {
  FleetSettings settings = settings_of({.rules = ten_for_each()});
  settings.target = WebhookSettings{.url = "http://127.0.0.1:1/", .job = "web"};
  Scaled web(settings, 2);
  const auto foreign = [&](int replicas) {
    const DecisionPtr entry = web.each(20).after(15s);
    EXPECT_EQ(entry->decision.desired, 2 * replicas);
    return std::ranges::count(entry->decision.conditions, "ExternallyChanged", &Condition::type);
  };
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(foreign(2), 0) << "nobody has set these, they are there still";
    web.view.replicas = 2;
  }
  EXPECT_EQ(foreign(2), 0);
  EXPECT_EQ(foreign(4), 0) << "now it has taken the order";
  web.view.replicas = 5;
  EXPECT_EQ(foreign(5), 1) << "and this was somebody else";
}

TEST(LiveFleet, an_edited_policy_keeps_memory_numbers_and_decisions) {
  Scaled web(settings_of({.rules = ten_for_each()}), 2);
  web.each(20).after(15s);
  const State before = web.fleet.state();
  web.fleet.change(settings_of({.rules = ten_for_each(1, 3)}), 100);
  EXPECT_EQ(web.fleet.state(), before);
  EXPECT_EQ(web.fleet.decisions(0, 10).size(), 1U);
  EXPECT_EQ(web.each(10).after(15s)->decision.desired, 3) << "the new bound";
  EXPECT_EQ(web.fleet.last()->number, 2U);
}

TEST(LiveFleet, shows_a_pod_that_nobody_hears) {
  Scaled web(settings_of({.rules = ten_for_each()}), 3);
  web.each(10).silence(1).after(15s);
  const FleetStatus status = web.fleet.status(web.view, "process", wall);
  EXPECT_EQ(status.ready, 2);
  ASSERT_EQ(status.pods.size(), 3U);
  EXPECT_EQ(status.pods[0].state, PodState::missing);
  EXPECT_EQ(status.pods[0].input, InputState::missing);
  EXPECT_NE(status.pods[0].reason, "");
  EXPECT_EQ(status.pods[1].input, InputState::fresh);
  EXPECT_EQ(status.gaps_survived, 1U);
}

TEST(LiveFleet, pods_that_are_asked_once_a_minute_are_not_silent_in_between) {
  const Policy policy{.rules = ten_for_each()};
  const auto gaps = [](const Policy& of) { return std::get<NativePolicy>(of.rules).gaps; };
  EXPECT_EQ(suited_to(5s, policy), policy);
  EXPECT_EQ(gaps(suited_to(60s, policy)).fresh, 60s);
  EXPECT_EQ(gaps(suited_to(60s, policy)).carry, 0s) << "it is off";
  EXPECT_EQ(gaps(suited_to(60s, {.rules = NativePolicy{}})).carry, 120s);
  Scaled web(settings_of(policy), 2);
  web.each(10).after(15s);
  auto slow = std::make_shared<scrape::Snapshot>(*web.cycle);
  slow->interval = 60s;
  slow->cut_off = web.now + 60s;
  for (auto& target : slow->targets) target.taken = web.now + 5s;
  const DecisionPtr entry = web.fleet.decide(web.view, slow.get(), {}, wall, slow->cut_off);
  EXPECT_EQ(entry->decision.metrics[0].fresh, 2);
  // What is recorded of it decides the same when it is replayed.
  const Result<Tick> replayed =
      read_tick(print_tick({.at = entry->decision.at, .seen = entry->seen}), "record.jsonl", 1);
  ASSERT_TRUE(replayed) << replayed.error().message;
  State fresh;
  EXPECT_EQ(autoscale::decide(fresh, replayed->seen, policy, replayed->at).metrics[0].fresh, 2);
}

TEST(LiveFleet, keeps_so_many_decisions_and_no_more) {
  Scaled web(settings_of({.rules = ten_for_each()}), 1);
  web.fleet.change(settings_of({.rules = ten_for_each()}), 3);
  for (int i = 0; i < 10; ++i) web.each(10).after(15s);
  const auto kept = web.fleet.decisions(0, 100);
  ASSERT_EQ(kept.size(), 3U);
  EXPECT_EQ(kept.front()->number, 8U);
}

}  // namespace
}  // namespace trunkline::autoscale
