#include "services/autoscale_live/observation.h"

#include <gtest/gtest.h>

#include "services/autoscale_live/scraped.h"

namespace trunkline::autoscale {
namespace {

using namespace std::chrono_literals;
using test::cycle_of;
using test::ScrapedPod;

// The machine has been up for an hour, and it is a day after 1970 began.
const EngineTime time_of_test(23h);
const TimePoint cut_off{1h};

TargetPod pod(std::string name, std::string url, PodState state = PodState::ready) {
  return {.name = std::move(name), .url = std::move(url), .state = state, .started = cut_off - 10min};
}

std::vector<Sample> samples(const std::string& body, const std::string& metric) {
  return samples_of(*test::samples_in(body), {metric}, cut_off - 2s, time_of_test);
}

TEST(Observation, takes_samples_with_their_series_and_their_age) {
  const auto read = samples("active{b=\"2\",a=\"1\"} 3\nactive{a=\"2\"} 4 86395000\nother 5\n", "active");
  ASSERT_EQ(read.size(), 2U);
  EXPECT_EQ(read[0], (Sample{.metric = "active", .value = 3, .series = "a=1,b=2", .at = TimePoint(24h - 2s)}));
  EXPECT_EQ(read[1], (Sample{.metric = "active", .value = 4, .series = "a=2", .at = TimePoint(24h - 5s)}));
}

TEST(Observation, what_a_pod_says_of_the_time_is_read_by_the_wall_clock_of_now) {
  // NTP has set the clock of the machine by an hour since the process began.
  const EngineTime set_since(23h, [] { return Clock::duration(24h + 20ms); });
  const auto set = test::samples_in("# TYPE sent counter\nsent_total 4 89995\nsent_created 89600\n# EOF\n");
  const auto read = samples_of(*set, {"sent_total"}, cut_off - 2s, set_since);
  ASSERT_EQ(read.size(), 1U);
  EXPECT_EQ(read[0].at, TimePoint(24h - 5s)) << "five seconds ago, by a clock that was always right";
  EXPECT_EQ(read[0].since, TimePoint(89600s)) << "as it was said: another one would be another counter";
}

TEST(Observation, pods_behind_one_address_are_told_apart_by_their_urls) {
  const TargetView view{.replicas = 3, .job = "web"};
  const auto cycle = cycle_of(cut_off, {{"http://proxy:80/a/metrics", "active 1\n"},
                                        {"http://proxy:80/b/metrics", "active 2\n"},
                                        {"http://other:80/metrics", "active 3\n"}});
  const Snapshot seen = observe(view, cycle.get(), {"active"}, {}, time_of_test);
  std::vector<std::string> names;
  for (const Pod& pod : seen.pods) names.push_back(pod.name);
  EXPECT_EQ(names, (std::vector<std::string>{"http://proxy/a/metrics", "http://proxy/b/metrics", "other:80"}));
}

TEST(Observation, puts_a_histogram_together_again) {
  const auto read = samples(
      "# TYPE wait histogram\nwait_bucket{le=\"+Inf\"} 9\nwait_bucket{le=\"0.5\"} 4\nwait_sum 2\nwait_count 9\n",
      "wait");
  ASSERT_EQ(read.size(), 1U);
  EXPECT_EQ(read[0].value, 9);
  EXPECT_EQ(read[0].buckets, (std::vector<Bucket>{{0.5, 4}, {std::numeric_limits<double>::infinity(), 9}}));
}

TEST(Observation, knows_when_a_counter_began) {
  const auto read = samples("# TYPE sent counter\nsent_total 7\nsent_created 86000\n# EOF\n", "sent_total");
  ASSERT_EQ(read.size(), 1U);
  EXPECT_EQ(read[0].since, TimePoint(86000s));
}

TEST(Observation, a_pod_that_serves_and_is_silent_is_missing_and_one_that_has_not_been_asked_yet_starts) {
  TargetView view{.replicas = 5};
  view.pods = {pod("heard", "http://127.0.0.1:1/metrics"),
               pod("silent", "http://127.0.0.1:2/metrics"),
               pod("new", "http://127.0.0.1:3/metrics"),
               pod("forgotten", "http://127.0.0.1:4/metrics"),
               pod("leaving", "http://127.0.0.1:5/metrics", PodState::terminating),
               pod("waiting", "", PodState::starting)};
  view.pods[2].started = cut_off - 1s;
  view.pods[4].told_to_go = cut_off - 3s;
  const auto cycle = cycle_of(cut_off, {{"http://127.0.0.1:1/metrics", "active 3\n"},
                                        {"http://127.0.0.1:2/metrics"},
                                        {"http://127.0.0.1:3/metrics", {}, scrape::Outcome::not_asked},
                                        {"http://127.0.0.1:4/metrics", {}, scrape::Outcome::not_asked},
                                        {"http://127.0.0.1:5/metrics", "active 1\n"}});
  const Snapshot seen = observe(view, cycle.get(), {"active"}, {}, time_of_test);
  EXPECT_EQ(seen.current, 5);
  EXPECT_EQ(seen.status_replicas, 5);
  std::vector<PodState> states;
  for (const Pod& one : seen.pods) states.push_back(one.state);
  EXPECT_EQ(states, (std::vector{PodState::ready, PodState::missing, PodState::starting, PodState::missing,
                                 PodState::terminating, PodState::starting}));
  EXPECT_EQ(seen.pods[0].started, TimePoint(24h - 10min)) << "in the engine's time";
  EXPECT_EQ(seen.pods[4].deleted, TimePoint(24h - 3s));
  EXPECT_EQ(seen.pods[4].samples.size(), 1U);
}

TEST(Observation, the_pods_of_somebody_else_are_the_targets_of_a_job) {
  const auto cycle = cycle_of(cut_off, {{"http://10.0.0.1:80/metrics", "active 3\n"}, {"http://10.0.0.2:80/metrics"}});
  const TargetView counted{.job = "web", .follows_job = true};
  EXPECT_EQ(replicas_of(counted, cycle.get()), 2);
  EXPECT_FALSE(replicas_of(counted, nullptr)) << "nothing is known yet";
  EXPECT_EQ(replicas_of({.replicas = 3, .job = "web"}, cycle.get()), 3);
  const Snapshot seen = observe({.replicas = 3, .job = "web"}, cycle.get(), {"active"}, {}, time_of_test);
  EXPECT_EQ(seen.current, 3);
  ASSERT_EQ(seen.pods.size(), 3U);
  EXPECT_EQ(seen.pods[0].name, "10.0.0.1:80");
  EXPECT_EQ(seen.pods[0].state, PodState::ready);
  EXPECT_EQ(seen.pods[1].state, PodState::missing);
}

// Discovery hides those that are not ready: they carry load all the same.
TEST(Observation, replicas_that_a_job_does_not_list_are_silent_and_not_gone) {
  const auto cycle = cycle_of(cut_off, {{"http://10.0.0.1:80/metrics", "active 3\n"}});
  const Snapshot seen = observe({.replicas = 3, .job = "web"}, cycle.get(), {"active"}, {}, time_of_test);
  ASSERT_EQ(seen.pods.size(), 3U);
  EXPECT_EQ(seen.pods[1].name, "unlisted-1");
  EXPECT_EQ(seen.pods[2].name, "unlisted-2");
  EXPECT_EQ(seen.pods[2].state, PodState::missing);
  EXPECT_EQ(observe({.replicas = 1, .job = "web"}, cycle.get(), {}, {}, time_of_test).pods.size(), 1U);
  EXPECT_EQ(observe({.job = "web", .follows_job = true}, cycle.get(), {}, {}, time_of_test).pods.size(), 1U);
  EXPECT_EQ(observe({.replicas = 2'000'000'000, .job = "web"}, cycle.get(), {}, {}, time_of_test).pods.size(), 10'001U)
      << "a number that nobody can mean";
}

TEST(Observation, every_dialect_says_what_it_reads_of_pods) {
  NativePolicy native = websocket_preset("active", 20, {.min = 1, .max = 9});
  native.metrics.push_back({.name = "queue", .source = Source::external});
  native.metrics[0].compare_with = "sockets";
  EXPECT_EQ(metrics_of_pods({.rules = native}), (std::vector<std::string>{"active", "sockets"}));
  const HpaPolicy hpa{.metrics = {{.type = HpaMetric::Type::pods, .name = "active"},
                                  {.type = HpaMetric::Type::external, .name = "queue"}}};
  EXPECT_EQ(metrics_of_pods({.rules = hpa}), (std::vector<std::string>{"active"}));
  const KthenaPolicy kthena{.metrics = {{.name = "sent_total"}, {.name = "queue", .external = true}}};
  EXPECT_EQ(wants_of({.rules = kthena}).names, (std::vector<std::string>{"sent_total", "sent_created"}));
}

}  // namespace
}  // namespace trunkline::autoscale
