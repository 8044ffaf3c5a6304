// One policy over two kinds of processes: the cheap ones first, then the dear ones, and back in the same order.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <set>

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
    AutoscalerSettings made{.interval = milliseconds(scaled(300, 1500))};
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

  TempDir folder_;
  // Of this test process alone, below the ports that the kernel gives away.
  const int first_port_ = 5000 + static_cast<int>(getpid() % 300) * 20;
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

}  // namespace
}  // namespace trunkline::test
