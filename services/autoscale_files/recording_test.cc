#include "services/autoscale_files/recording.h"

#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

namespace trunkline::autoscale {
namespace recording_test {

using std::chrono::milliseconds;
using std::chrono::seconds;

TimePoint at(double t) { return TimePoint(milliseconds(std::llround(t * 1000))); }

std::string failure(std::string_view line) {
  const auto tick = read_tick(line, "in.jsonl", 3);
  return tick ? "no error" : tick.error().message;
}

TEST(Recording, reads_the_documented_line) {
  const auto tick = read_tick(
      R"({"t": 15.5, "current": 3, "pods": [{"name": "a", "state": "ready", "values": {"m": 4, "n": "250m"}},)"
      R"({"name": "b", "state": "missing"}, {"name": "c", "values": {"m": "NaN", "n": null}}],)"
      R"("external": {"queue": 7}})",
      "in.jsonl", 1);
  ASSERT_TRUE(tick) << tick.error().message;
  EXPECT_EQ(tick->at, at(15.5));
  EXPECT_EQ(tick->seen.current, 3);
  ASSERT_EQ(tick->seen.pods.size(), 3u);
  EXPECT_EQ(tick->seen.pods[0].samples,
            (std::vector<Sample>{{.metric = "m", .value = 4}, {.metric = "n", .value = 0.25}}));
  EXPECT_EQ(tick->seen.pods[1].state, PodState::missing);
  EXPECT_EQ(tick->seen.pods[2].state, PodState::ready);
  ASSERT_EQ(tick->seen.pods[2].samples.size(), 1u) << "a null is no sample";
  EXPECT_TRUE(std::isnan(tick->seen.pods[2].samples[0].value));
  EXPECT_EQ(tick->seen.external, (std::vector<ExternalValue>{{.metric = "queue", .value = 7}}));
}

Tick everything() {
  Tick tick{.at = TimePoint(std::chrono::nanoseconds(1'764'000'000'123'456'789))};
  Snapshot& seen = tick.seen;
  seen.current = 4;
  seen.status_replicas = 3;
  seen.scaled_to_zero = true;
  seen.ambiguous = true;
  Pod& pod = seen.pods.emplace_back(Pod{.name = "a", .state = PodState::starting, .target = "prefill"});
  pod.samples = {
      {.metric = "m", .value = 1.5, .series = "k=\"v\"", .container = "app", .at = at(3), .window = seconds(30)},
      {.metric = "h", .value = 9, .since = at(1), .buckets = {{0.5, 3}, {INFINITY, 9}}}};
  pod.started = at(1);
  pod.phase = PodPhase::pending;
  pod.ready = false;
  pod.ready_changed = at(2);
  pod.deleted = at(5);
  pod.requests = {{"app", "cpu", 0.25}, {"", "memory", 1 << 30}};
  pod.restarted = true;
  seen.pods.push_back({.name = "b", .samples = {{.metric = "x", .value = 1}, {.metric = "y", .value = -2.25}}});
  seen.external = {{"q", 3, at(2), "decode"}, {"r", 4}};
  seen.failing = {{"q", "refused", true}, {"r", "slow"}};
  seen.targets = {{"prefill", 1}, {"decode", 3}};
  tick.history =
      History{.recommendations = {{at(1), 3}}, .replicas = {{at(0), 2}}, .events = {{at(1), 2}, {at(2), -1}}};
  return tick;
}

TEST(Recording, writes_what_it_reads_to_the_nanosecond) {
  const Tick tick = everything();
  const std::string line = print_tick(tick);
  const auto again = read_tick(line, "in.jsonl", 1);
  ASSERT_TRUE(again) << again.error().message << line;
  EXPECT_EQ(*again, tick) << line;
  EXPECT_EQ(print_tick(*again), line);
  EXPECT_EQ(line.find('\n'), std::string::npos);
}

TEST(Recording, takes_requests_by_name_and_ages_of_samples) {
  const auto tick = read_tick(R"({"t": 100, "current": 1, "pods": [{"name": "a", "requests": {"cpu": "500m"},)"
                              R"("samples": [{"metric": "cpu", "value": 0.25, "age": 12.5}]}]})",
                              "in.jsonl", 1);
  ASSERT_TRUE(tick) << tick.error().message;
  EXPECT_EQ(tick->seen.pods[0].requests, (std::vector<ResourceRequest>{{"", "cpu", 0.5}}));
  EXPECT_EQ(tick->seen.pods[0].samples[0].at, at(87.5));
}

TEST(Recording, names_line_column_and_field_of_what_is_wrong) {
  const struct {
    std::string_view line;
    std::string_view message;
  } cases[] = {
      {R"({"t": 1, "current": 1, "pods": [{"name": "a", "stat": "ready"}]})",
       "in.jsonl:3:47: pods[0].stat: there is no such field, did you mean \"state\"?"},
      {R"({"t": 1, "current": 1, "pods": [{"name": "a", "state": "read"}]})", "did you mean \"ready\"?"},
      {R"({"t": 1, "current": 1, "pods": [{"name": "a", "values": {"m": "x"}}]})",
       "in.jsonl:3:63: pods[0].values.m: expected a number, got the text \"x\""},
      {R"({"t": 1})", "needs t, in seconds, and current"},
      {R"({"t": 1, "current": null})", "needs t, in seconds, and current"},
      {R"({"t": -1e3, "current": 1})", "t: expected a time in seconds"},
      {R"({"t": 1, "current": -1})", "current: expected a whole number"},
      {R"({"t": 1, "current": 1, "pods": [{"name": "a"}, {"name": "a"}]})", "the pod a is there twice"},
      {R"({"t": 1, "current": 1)", "in.jsonl:3:22: expected \",\" or \"}\" here"},
  };
  for (const auto& one : cases) EXPECT_NE(failure(one.line).find(one.message), std::string::npos) << failure(one.line);
}

// A value that nobody knows must not pass for a fresh 0.
TEST(Recording, takes_no_sample_without_a_value) {
  const auto sample = [](std::string_view fields) {
    return failure(R"({"t": 1, "current": 1, "pods": [{"name": "a", "samples": [{"metric": "m")" + std::string(fields) +
                   "}]}]}");
  };
  EXPECT_NE(sample("").find("pods[0].samples[0].value: a sample needs its value"), std::string::npos) << sample("");
  EXPECT_NE(sample(R"(, "value": null)").find("a sample needs its value"), std::string::npos);
  EXPECT_EQ(sample(R"(, "value": "NaN")"), "no error");
  EXPECT_EQ(sample(R"(, "buckets": [{"le": "+Inf", "count": 3}])"), "no error");
  EXPECT_NE(sample(R"(, "buckets": [{"le": 1}])").find("a bucket needs le and count"), std::string::npos);

  const auto external = [](std::string_view fields) {
    return failure(R"({"t": 1, "current": 1, "external": [{"metric": "m")" + std::string(fields) + "}]}");
  };
  EXPECT_NE(external("").find("external[0].value: an entry needs its value"), std::string::npos) << external("");
  EXPECT_NE(external(R"(, "value": null)").find("an entry needs its value"), std::string::npos);
  EXPECT_EQ(external(R"(, "value": 3)"), "no error");
}

TEST(Recording, takes_no_request_that_is_no_amount) {
  const auto request = [](std::string_view amount) {
    return failure(R"({"t": 1, "current": 1, "pods": [{"name": "a", "requests": {"cpu": )" + std::string(amount) +
                   "}}]}");
  };
  for (const std::string_view amount : {"\"NaN\"", "\"+Inf\"", "-1", "\"-250m\""}) {
    EXPECT_NE(request(amount).find("requests: cpu: expected a number, 0 or more"), std::string::npos) << amount;
  }
  EXPECT_EQ(request("0"), "no error");
  EXPECT_EQ(request("\"250m\""), "no error");
}

TEST(Recording, gives_the_lines_in_order_and_refuses_time_that_goes_back) {
  std::istringstream in("{\"t\":1,\"current\":1}\n\n{\"t\":1,\"current\":2}\n{\"t\":0.5,\"current\":2}\n");
  Recording recording(in, "r");
  EXPECT_EQ((*recording.next())->seen.current, 1);
  EXPECT_EQ((*recording.next())->seen.current, 2);
  const auto back = recording.next();
  ASSERT_FALSE(back);
  EXPECT_TRUE(back.error().message.starts_with("r:4:1: t goes back")) << back.error().message;
  std::istringstream nothing("\n");
  Recording empty(nothing, "r");
  EXPECT_FALSE(empty.next()->has_value());
}

// In a time that grows with the names and not with their square, which would be minutes here.
TEST(Recording, takes_very_many_values_of_one_pod) {
  std::string line = R"({"t": 1, "current": 1, "pods": [{"name": "a", "values": {"m": 0)";
  for (int i = 0; i < 300'000; ++i) line += ", \"m" + std::to_string(i) + "\": 1";
  const auto tick = read_tick(line + "}}]}", "in.jsonl", 1);
  ASSERT_TRUE(tick) << tick.error().message;
  EXPECT_EQ(tick->seen.pods[0].samples.size(), 300'001u);
}

TEST(Recording, takes_lines_up_to_their_limit) {
  const std::string tick = "{\"t\":1,\"current\":1}";
  for (const std::size_t size : {65534u, 65535u, 65536u, 65537u, 200'000u}) {
    const std::string line = tick + std::string(size - tick.size(), ' ');
    std::istringstream in(line + "\n" + line);
    Recording recording(in, "r", size);
    for (int i = 0; i < 2; ++i) {
      const auto read = recording.next();
      ASSERT_TRUE(read) << read.error().message;
      ASSERT_TRUE(read->has_value()) << size;
    }
    EXPECT_FALSE(recording.next()->has_value()) << size;
    std::istringstream again(tick + "\n" + line);
    Recording shorter(again, "r", size - 1);
    ASSERT_TRUE(shorter.next());
    const auto too_long = shorter.next();
    ASSERT_FALSE(too_long) << size;
    EXPECT_NE(too_long.error().message.find("r:2:1: the line is longer than"), std::string::npos);
  }
}

TEST(Recording, seeds_the_memory_of_every_engine) {
  State state;
  seed(state, *everything().history);
  EXPECT_EQ(state.hpa.recommendations, (std::vector<ReplicasAt>{{at(1), 3}}));
  EXPECT_EQ(state.recommendations, state.hpa.recommendations);
  EXPECT_EQ(state.replicas, (std::vector<ReplicasAt>{{at(0), 2}}));
  EXPECT_EQ(state.hpa.ups, (std::vector<HpaEvent>{{at(1), 2}}));
  EXPECT_EQ(state.hpa.downs, (std::vector<HpaEvent>{{at(2), 1}}));
  EXPECT_EQ(state.kthena.at("").corrected, state.replicas);
}

}  // namespace recording_test
}  // namespace trunkline::autoscale
