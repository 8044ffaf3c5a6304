// Three of thirty real pods stop answering at steady load. The replicas stay where they are, although nothing but the
// engine holds them: no window, no rate. The autoscaler that multiplies an average moves, which is why ours does not.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "services/autoscale_live/autoscaler.h"
#include "support/http_test.h"
#include "support/process.h"

namespace trunkline::test {
namespace {

using namespace std::chrono_literals;
using autoscale::Autoscaler;
using autoscale::AutoscalerSeams;
using autoscale::AutoscalerSettings;
using autoscale::FleetStatus;
using autoscale::HpaMetric;
using autoscale::HpaPolicy;
using autoscale::NativePolicy;
using autoscale::PodStatus;
using autoscale::ProcessTargetSettings;

using Rules = decltype(autoscale::Policy::rules);

constexpr int pods = 30;

class AutoscaleGap : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_.write("load", "23");
    // Few streams on the first three, many on the next three: without the ones an average rises, without the others
    // it falls, and so does a sum.
    for (int i = 0; i < 6; ++i) folder_.write("load-" + std::to_string(first_port_ + i), i < 3 ? "3" : "43");
  }
  void TearDown() override {
    if (autoscaler_) {
      go_on();
      EXPECT_TRUE(autoscaler_->drain(20s));
    }
    for (const int process : processes_) EXPECT_EQ(kill(process, 0), -1) << process << " is still there";
  }

  AutoscalerSettings settings(const Rules& rules) const {
    AutoscalerSettings settings{.interval = slowed(800, 1500)};
    settings.fleets = {
        {.policy = {.name = "web", .rules = rules},
         .target = ProcessTargetSettings{.command = {TRUNKLINE_POD_PROGRAM, "${port}", folder_.path().string()},
                                         .ports = {first_port_, first_port_ + 2 * pods - 1},
                                         .drain = 10s}}};
    return settings;
  }
  // A fleet begins with its least number of replicas; once all thirty are there, they are held by their load alone.
  template <class R>
  void start(R rules, int& (*least)(R&), AutoscalerSeams seams = {}) {
    least(rules) = pods;
    auto made = Autoscaler::create(settings(rules), std::move(seams));
    ASSERT_TRUE(made) << describe(made.error());
    autoscaler_ = std::move(*made);
    ASSERT_TRUE(autoscaler_->start());
    ASSERT_TRUE(eventually([&] { return status().ready == pods && fresh() == pods; })) << status().ready << " serve";
    for (const PodStatus& pod : status().pods) processes_.push_back(pod.process);
    least(rules) = 1;
    ASSERT_TRUE(autoscaler_->reload(settings(rules)));
    const std::uint64_t before = last_number();
    ASSERT_TRUE(eventually([&] { return last_number() >= before + 3; }));
    EXPECT_TRUE(all_asked_for(pods, before));
  }

  FleetStatus status() const {
    std::vector<FleetStatus> fleets = autoscaler_->fleets();
    return fleets.empty() ? FleetStatus{} : fleets.front();
  }
  // Of the last decision.
  int missing_inputs() const {
    const FleetStatus now = status();
    return now.last && !now.last->decision.metrics.empty() ? now.last->decision.metrics.front().missing : -1;
  }
  // Of the last cycle.
  std::size_t fresh() const {
    const auto cycles = autoscaler_->snapshots();
    return cycles.empty() ? 0 : cycles.front()->totals.fresh;
  }
  // What they hold stays, and so does the load: they just do not answer.
  void stop_answering(int first_pod) {
    for (const PodStatus& pod : status().pods) {
      const int index = port_of(pod.url) - first_port_;
      if (index < first_pod || index >= first_pod + 3) continue;
      kill(pod.process, SIGSTOP);
      stopped_.push_back(pod.process);
    }
    ASSERT_EQ(stopped_.size(), 3U);
  }
  void go_on() {
    for (const int process : std::exchange(stopped_, {})) kill(process, SIGCONT);
  }
  static int port_of(const std::string& url) { return std::atoi(url.c_str() + url.rfind(':') + 1); }
  std::uint64_t last_number() const {
    const FleetStatus now = status();
    return now.last ? now.last->number : 0;
  }
  bool all_asked_for(int replicas, std::uint64_t after) const {
    return std::ranges::all_of(autoscaler_->decisions("web", after, 1000),
                               [&](const auto& entry) { return entry->decision.desired == replicas; });
  }

  TempDir folder_;
  const int first_port_ = 10000 + static_cast<int>(getpid() % 100) * 2 * pods;  // see tests/README.md
  std::unique_ptr<Autoscaler> autoscaler_;
  std::vector<int> processes_;
  std::vector<int> stopped_;
};

TEST_F(AutoscaleGap, three_silent_pods_of_thirty_move_nothing_in_either_direction) {
  NativePolicy rules = autoscale::websocket_preset("load", 22, {.min = 1, .max = 2 * pods});
  rules.up.stabilise = rules.down.stabilise = 0s;
  rules.up.policies.clear();
  rules.down.policies.clear();
  // Or one and two intervals, if these are longer: what is silent for longer is missing.
  rules.gaps.fresh = 1s;
  rules.gaps.carry = 2s;
  start(rules, +[](NativePolicy& policy) -> int& { return policy.bounds.min; });
  for (const int first : {0, 3}) {
    const std::uint64_t before = last_number();
    stop_answering(first);
    ASSERT_TRUE(eventually([&] { return missing_inputs() == 3; })) << missing_inputs();
    const std::uint64_t missing_since = last_number();
    ASSERT_TRUE(eventually([&] { return last_number() >= missing_since + 5; }));
    EXPECT_TRUE(all_asked_for(pods, before));
    go_on();
    ASSERT_TRUE(eventually([&] { return fresh() == pods && missing_inputs() == 0; }));
    EXPECT_TRUE(all_asked_for(pods, before)) << "nor when they are back";
  }
  const FleetStatus now = status();
  EXPECT_EQ(now.ups + now.downs, 0U);
  EXPECT_GE(now.gaps_survived, 10U);
  EXPECT_EQ(std::ranges::count_if(now.pods, [](const PodStatus& pod) { return pod.restarts > 0; }), 0);
}

TEST_F(AutoscaleGap, the_same_three_move_what_multiplies_an_average) {
  HpaPolicy rules{.max = 2 * pods};
  rules.metrics = {
      {.type = HpaMetric::Type::external, .name = "average", .target = HpaMetric::TargetType::value, .value = 22}};
  AutoscalerSeams seams;
  // What a query for avg(load) sees: those that have answered.
  seams.external = [this](const std::string&) -> std::vector<autoscale::ExternalValue> {
    double sum = 0;
    double count = 0;
    for (const scrape::SnapshotPtr& cycle : autoscaler_->snapshots()) {
      for (const scrape::TargetSnapshot& one : cycle->targets) {
        if (one.state == scrape::TargetState::missing) continue;
        const int index = port_of(one.target->url) - first_port_;
        sum += index < 3 ? 3 : index < 6 ? 43 : 23;
        ++count;
      }
    }
    if (count == 0) return {};
    return {{.metric = "average", .value = sum / count}};
  };
  start(rules, +[](HpaPolicy& policy) -> int& { return policy.min; }, std::move(seams));
  stop_answering(0);
  EXPECT_TRUE(eventually([&] { return status().current > pods; })) << status().current;
  EXPECT_GE(status().ups, 1U);
}

}  // namespace
}  // namespace trunkline::test
