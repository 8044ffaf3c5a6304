// One policy over two kinds of processes: the cheap ones first, then the dear ones, and back in the same order.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "services/autoscale_live/autoscaler.h"
#include "support/http_test.h"
#include "support/process.h"

namespace trunkline::test {
namespace {

using namespace std::chrono_literals;
using autoscale::Autoscaler;
using autoscale::AutoscalerSettings;
using autoscale::FleetStatus;
using autoscale::NativePolicy;
using autoscale::ProcessTargetSettings;
using autoscale::SplitSettings;

class AutoscaleSplit : public ::testing::Test {
 protected:
  ProcessTargetSettings processes(int first_port) const {
    return {.command = {TRUNKLINE_POD_PROGRAM, "${port}", folder_.path().string()},
            .ports = {first_port, first_port + 9},
            .drain = 10s};
  }
  AutoscalerSettings settings() const {
    NativePolicy rules;
    rules.metrics = {{.name = "load", .target = {.value = 10}}};
    rules.targets = {{.name = "dear", .cost = 5, .min = 0, .max = 4}, {.name = "cheap", .cost = 1, .min = 1, .max = 3}};
    rules.cost_expansion_percent = 100;
    rules.down.stabilise = 0s;
    rules.down.policies.clear();
    rules.up.policies.clear();
    rules.fast.enabled = false;
    AutoscalerSettings made{.interval = slowed(300, 1500)};
    made.fleets = {{.policy = {.name = "web", .rules = rules},
                    .target = SplitSettings{{{.target = "cheap", .process = processes(first_port_)},
                                             {.target = "dear", .process = processes(first_port_ + 10)}}}}};
    return made;
  }
  // So many of each serve, and there are no others.
  bool comes_to(const Autoscaler& autoscaler, int cheap, int dear) {
    const auto count = [&](const FleetStatus& now, const std::string& prefix) {
      return std::ranges::count_if(now.pods, [&](const auto& pod) { return pod.name.starts_with(prefix); });
    };
    return eventually([&] {
      const FleetStatus now = autoscaler.fleets().at(0);
      return now.ready == cheap + dear && count(now, "web-cheap-") == cheap && count(now, "web-dear-") == dear;
    });
  }

  static std::map<std::string, int> processes_of(const Autoscaler& autoscaler) {
    std::map<std::string, int> all;
    for (const FleetStatus& fleet : autoscaler.fleets()) {
      for (const auto& pod : fleet.pods) all[pod.name] = pod.process;
    }
    return all;
  }

  TempDir folder_;
  const int first_port_ = 5000 + static_cast<int>(getpid() % 200) * 20;  // see tests/README.md
};

TEST_F(AutoscaleSplit, the_total_goes_where_it_costs_least_and_the_dear_ones_leave_first) {
  folder_.write("load", "10");
  auto made = Autoscaler::create(settings());
  ASSERT_TRUE(made) << describe(made.error());
  Autoscaler& autoscaler = **made;
  ASSERT_TRUE(autoscaler.start());
  ASSERT_TRUE(comes_to(autoscaler, 1, 0));
  EXPECT_EQ(autoscaler.fleets().at(0).target_kind, "processes");
  EXPECT_EQ(autoscaler.fleets().at(0).max, 7);
  folder_.write("load", "50");
  ASSERT_TRUE(comes_to(autoscaler, 3, 4)) << "each pod brings five times what it can bear";
  std::set<int> all;
  const auto fleets = autoscaler.fleets();
  for (const auto& pod : fleets.at(0).pods) all.insert(pod.process);
  metrics::ExpositionWriter writer(metrics::Format::text);
  autoscaler.write_metrics(writer);
  const std::string page = writer.take();
  EXPECT_NE(page.find("trunkline_autoscale_target_desired_replicas{fleet=\"web\",target=\"dear\"} 4"),
            std::string::npos)
      << page;
  folder_.write("load", "4");
  ASSERT_TRUE(comes_to(autoscaler, 1, 0)) << "seven bring what three can bear, three what two can, two what one can";
  EXPECT_TRUE(autoscaler.drain(20s));
  for (const int process : all) EXPECT_EQ(kill(process, 0), -1) << process << " is still there";
}

TEST_F(AutoscaleSplit, a_reload_keeps_the_processes_of_every_part) {
  folder_.write("load", "10");
  AutoscalerSettings now = settings();
  auto made = Autoscaler::create(now);
  ASSERT_TRUE(made) << describe(made.error());
  Autoscaler& autoscaler = **made;
  ASSERT_TRUE(autoscaler.start());
  ASSERT_TRUE(comes_to(autoscaler, 1, 0));
  const int before = autoscaler.fleets().at(0).pods.at(0).process;
  std::get<NativePolicy>(now.fleets[0].policy.rules).targets[0].min = 1;
  ASSERT_TRUE(autoscaler.reload(now));
  ASSERT_TRUE(comes_to(autoscaler, 1, 1));
  EXPECT_EQ(autoscaler.fleets().at(0).pods.at(0).process, before);
  autoscaler.drain(20s);
}

// The pod with the least of all is of the part that does not shrink.
TEST_F(AutoscaleSplit, those_that_are_stopped_are_those_that_the_record_names) {
  folder_.write("load", "10");
  AutoscalerSettings made_of = settings();
  auto& rules = std::get<NativePolicy>(made_of.fleets[0].policy.rules);
  rules.targets = {{.name = "cheap", .cost = 1, .min = 2, .max = 2}, {.name = "dear", .cost = 5, .min = 0, .max = 3}};
  rules.drain.rank_by = "load";
  auto made = Autoscaler::create(made_of);
  ASSERT_TRUE(made) << describe(made.error());
  Autoscaler& autoscaler = **made;
  ASSERT_TRUE(autoscaler.start());
  folder_.write("load", "30");
  ASSERT_TRUE(comes_to(autoscaler, 2, 3));
  folder_.write("load", "10");
  const auto set_load = [&](const std::string& pod, int load, double then_in_all) {
    const auto fleets = autoscaler.fleets();
    const auto of = std::ranges::find(fleets.at(0).pods, pod, &autoscale::PodStatus::name);
    if (of == fleets.at(0).pods.end()) return false;
    const std::string port = std::to_string(std::stoi(of->url.substr(of->url.rfind(':') + 1)));
    folder_.write("load-" + port, std::to_string(load));
    return eventually(
        [&] { return autoscaler.decisions("web", 0, 1).at(0)->decision.metrics.at(0).best == then_in_all; });
  };
  // One after the other, so that no cycle sees half of it.
  ASSERT_TRUE(set_load("web-cheap-2", 20, 60));
  ASSERT_TRUE(set_load("web-cheap-1", 0, 50));
  ASSERT_TRUE(set_load("web-dear-1", 3, 43));
  ASSERT_TRUE(set_load("web-dear-2", 5, 38));
  ASSERT_TRUE(comes_to(autoscaler, 2, 2));
  const std::map<std::string, int> left = processes_of(autoscaler);
  EXPECT_FALSE(left.contains("web-dear-1"));
  std::vector<autoscale::Victim> named;
  for (const auto& entry : autoscaler.decisions("web", 0, 1000)) {
    named.insert(named.end(), entry->decision.victims.begin(), entry->decision.victims.end());
  }
  EXPECT_EQ(named, (std::vector<autoscale::Victim>{{"web-dear-1", 3}}));
  autoscaler.drain(20s);
}

// The part that stays is not touched, and the one that comes has the ports of the one that goes.
TEST_F(AutoscaleSplit, a_reload_that_renames_a_part_drains_it_alone_and_takes_its_ports_only_when_they_are_free) {
  folder_.write("load", "10");
  AutoscalerSettings now = settings();
  auto& rules = std::get<NativePolicy>(now.fleets[0].policy.rules);
  auto& parts = std::get<SplitSettings>(now.fleets[0].target).parts;
  rules.targets = {{.name = "cheap", .cost = 1, .min = 2, .max = 2}, {.name = "dear", .cost = 5, .min = 1, .max = 1}};
  parts[1].process.ports = {first_port_ + 10, first_port_ + 10};
  // It does not go when it is told to.
  parts[1].process.command = {
      "/bin/sh", "-c", "trap '' TERM; exec \"$0\" \"$@\"", TRUNKLINE_POD_PROGRAM, "${port}", folder_.path().string()};
  auto made = Autoscaler::create(now);
  ASSERT_TRUE(made) << describe(made.error());
  Autoscaler& autoscaler = **made;
  ASSERT_TRUE(autoscaler.start());
  ASSERT_TRUE(comes_to(autoscaler, 2, 1));
  const std::map<std::string, int> before = processes_of(autoscaler);

  rules.targets[1].name = parts[1].target = "other";
  ASSERT_TRUE(autoscaler.reload(now));
  ASSERT_TRUE(eventually([&] {
    return autoscaler.fleets().at(0).trouble.find("no port of " + std::to_string(first_port_ + 10)) !=
           std::string::npos;
  })) << "the one that goes still has it";
  EXPECT_EQ(autoscaler.fleets().at(0).current, 3);
  std::map<std::string, int> during = processes_of(autoscaler);
  EXPECT_EQ(during.at("web-cheap-1"), before.at("web-cheap-1"));
  EXPECT_EQ(during.at("web-cheap-2"), before.at("web-cheap-2"));
  EXPECT_EQ(during.at("web-dear-1"), before.at("web-dear-1")) << "it drains, and is shown";
  EXPECT_EQ(during.at("web-other-1"), 0);

  ASSERT_EQ(kill(before.at("web-dear-1"), SIGKILL), 0);
  ASSERT_TRUE(eventually([&] {
    during = processes_of(autoscaler);
    return !during.contains("web-dear-1") && autoscaler.fleets().at(0).ready == 3;
  }));
  EXPECT_EQ(during.at("web-cheap-1"), before.at("web-cheap-1"));
  for (const auto& entry : autoscaler.decisions("web", 0, 1000)) {
    EXPECT_EQ(entry->decision.desired, 3);
    EXPECT_TRUE(std::ranges::none_of(entry->decision.conditions, [](const auto& one) {
      return one.type == "ExternallyChanged";
    })) << "nobody else has changed anything";
  }

  // It comes back, on ports of its own, under numbers that nobody had.
  rules.targets.push_back({.name = "dear", .cost = 5, .min = 1, .max = 1});
  parts.push_back({.target = "dear", .process = processes(first_port_ + 11)});
  ASSERT_TRUE(autoscaler.reload(now));
  ASSERT_TRUE(eventually([&] { return autoscaler.fleets().at(0).ready == 4; }));
  EXPECT_TRUE(processes_of(autoscaler).contains("web-dear-2"));
  EXPECT_EQ(processes_of(autoscaler).at("web-other-1"), during.at("web-other-1"));
  autoscaler.drain(1s);
}

}  // namespace
}  // namespace trunkline::test
