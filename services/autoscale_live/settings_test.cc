#include "services/autoscale_live/settings.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/test_folder.h"
#include "services/autoscale_live/recorder.h"
#include "services/config/print.h"

namespace trunkline::autoscale {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view whole = R"(
interval: 5s
state: state.json
record: recorded-${fleet}.jsonl
fleets:
  - policy:
      name: web
      bounds: {min: 2, max: 9}
      metrics:
        - {name: active, target: {perPod: 20}}
    target:
      process:
        command: [server, --listen, "127.0.0.1:${port}"]
        ports: 20000-20099
        ready: /ready
        drain: 45s
    interval: 500ms
  - policy_file: other.yaml
    target:
      webhook: {url: "http://scaler/scale", job: other, token: abc}
  - policy: {name: third, metrics: [{name: active, target: {perPod: 20}}]}
    target:
      dry_run: {job: third, replicas: 3}
)";

struct ReadSettings {
  AutoscalerSettings settings = {};
  std::string problems = {};
};

ReadSettings read(std::string_view text) {
  ReadSettings out;
  const auto documents = config::parse_documents(text, "f.yaml");
  if (!documents) return {.problems = documents.error().message};
  config::Problems problems("f.yaml");
  config::Reader io(documents->front(), problems);
  if (io.is_map()) {
    fields(io, out.settings);
    io.finish();
  }
  if (problems.any()) out.problems = problems.error().message;
  return out;
}

TEST(AutoscalerSettings, reads_every_kind_of_target) {
  const ReadSettings got = read(whole);
  EXPECT_EQ(got.problems, "");
  EXPECT_EQ(got.settings.interval, 5s);
  ASSERT_EQ(got.settings.fleets.size(), 3U);
  EXPECT_EQ(got.settings.fleets[0].policy.name, "web");
  const auto& process = std::get<ProcessTargetSettings>(got.settings.fleets[0].target);
  EXPECT_EQ(process.command, (std::vector<std::string>{"server", "--listen", "127.0.0.1:${port}"}));
  EXPECT_EQ(process.ports, (PortRange{20000, 20099}));
  EXPECT_EQ(process.ready, "/ready");
  EXPECT_EQ(process.metrics, "/metrics") << "the default";
  EXPECT_EQ(process.drain, 45s);
  EXPECT_EQ(std::get<WebhookSettings>(got.settings.fleets[1].target).token, "abc");
  EXPECT_EQ(got.settings.fleets[0].interval, 500ms);
  EXPECT_EQ(std::get<DryRunSettings>(got.settings.fleets[2].target).replicas, 3);
}

constexpr std::string_view split = R"(
fleets:
  - policy:
      name: web
      metrics: [{name: active, target: {perPod: 20}}]
      targets: [{name: cheap, cost: 1, min: 1, max: 3}, {name: dear, cost: 5, max: 4}]
    target:
      processes:
        - {target: cheap, command: [server], ports: 20000-20009}
        - {target: dear, command: [server, --fast], ports: 20010-20019}
)";

TEST(AutoscalerSettings, a_policy_of_several_targets_has_processes_for_each) {
  ReadSettings got = read(split);
  ASSERT_EQ(got.problems, "");
  const auto& parts = std::get<SplitSettings>(got.settings.fleets[0].target).parts;
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[1].target, "dear");
  EXPECT_EQ(parts[1].process.command, (std::vector<std::string>{"server", "--fast"}));
  EXPECT_TRUE(check(got.settings));

  const auto refused = [&](auto change) {
    AutoscalerSettings settings = got.settings;
    change(settings.fleets[0], std::get<SplitSettings>(settings.fleets[0].target).parts);
    const Result<void> checked = check(settings);
    return checked ? "" : checked.error().message;
  };
  using Parts = std::vector<SplitPart>;
  EXPECT_NE(refused([](FleetSettings&, Parts& all) { all.pop_back(); }).find("its target dear needs"),
            std::string::npos);
  EXPECT_NE(refused([](FleetSettings&, Parts& all) { all.push_back({.target = "odd"}); }).find("does not name"),
            std::string::npos);
  EXPECT_NE(refused([](FleetSettings&, Parts& all) { all[1].process.ports.last = 20012; }).find("dear, may have 4"),
            std::string::npos);
  EXPECT_NE(refused([](FleetSettings&, Parts& all) { all[1].process.ports.first = 20009; }).find("belong to web-cheap"),
            std::string::npos);
  EXPECT_NE(refused([](FleetSettings& fleet, Parts& all) {
              const ProcessTargetSettings one = all[0].process;
              fleet.target = one;
            }).find("give target.processes"),
            std::string::npos);
}

TEST(AutoscalerSettings, what_is_printed_reads_back_as_the_same) {
  ReadSettings got = read(std::string(whole) + std::string(split.substr(split.find("  - policy"))));
  config::Node node;
  config::Writer io(node);
  fields(io, got.settings);
  const std::string printed = config::print_yaml(node);
  const ReadSettings again = read(printed);
  EXPECT_EQ(again.problems, "") << printed;
  EXPECT_EQ(again.settings, got.settings) << printed;
}

TEST(AutoscalerSettings, mistakes_are_told_by_place_and_field) {
  const struct {
    std::string_view text;
    std::string_view message;
  } cases[] = {
      {"fleet: []", "f.yaml:1:1: fleet: there is no such field, did you mean \"fleets\""},
      {"fleets:\n  - target: {dry_run: {job: a}}", "f.yaml:2:5: fleets[0]: needs either policy or policy_file"},
      {"fleets:\n  - policy_file: a\n    target: {}", "fleets[0].target: needs exactly one of process, dry_run and"},
      {"fleets:\n  - policy_file: a\n    target:\n      process: {command: [a], ports: 9-1}",
       "f.yaml:4:38: fleets[0].target.process.ports: expected a range such as 20000-20099"},
      {"fleets:\n  - policy_file: a\n    target:\n      process: {command: [a, \"${prot}\"], ports: 1-9}",
       "command: the ${...} in number 2 stands for nothing here; ${port} and ${name} are the pod's"},
      {"fleets:\n  - policy_file: a\n    interval: 5s\n    target: {dry_run: {job: a}}",
       "fleets[0].interval: is that of processes; a fleet with a job is decided on when its job is scraped"},
      {"fleets:\n  - policy_file: a\n    target:\n      process: {command: [a], ports: 1-9, drian: 3s}",
       "drian: there is no such field, did you mean \"drain\""},
      {"fleets:\n  - policy:\n      name: web\n      metrics: [{name: a, target: {perpod: 1}}]\n    target: {dry_run: "
       "{job: a}}",
       "f.yaml:4:36: fleets[0].policy.metrics[0].target.perpod: there is no such field, did you mean \"perPod\""},
      {"fleets:\n  - policy: {metrics: [{name: a, target: {perPod: 1}}]}\n    target: {dry_run: {job: a}}",
       "fleets[0].policy: needs a name"},
      {"fleets:\n  - policy_file: a\n    target: {webhook: {url: \"http://u:p@h/\", job: a}}",
       "fleets[0].target.webhook.url: needs an http or https URL"},
      {"record: r\nfleets:\n  - {policy_file: a, target: {dry_run: {job: a}}}\n  - {policy_file: b, target: {dry_run: "
       "{job: a}}}",
       "f.yaml:1:9: record: must hold ${fleet}"},
  };
  for (const auto& one : cases) {
    const std::string problems = read(one.text).problems;
    EXPECT_NE(problems.find(one.message), std::string::npos) << one.text << "\ngave: " << problems;
    EXPECT_EQ(problems.find("u:p"), std::string::npos);
  }
}

TEST(AutoscalerSettings, two_targets_of_a_policy_do_not_share_a_name) {
  const KthenaPolicy policy{.targets = {{"a", 1, 1, 2}, {"a", 1, 1, 2}}};
  const SplitSettings processes{.parts = {{.target = "a", .process = {.command = {"x"}, .ports = {1, 9}}},
                                          {.target = "b", .process = {.command = {"x"}, .ports = {10, 19}}}}};
  const auto checked = check({.fleets = {{.policy = {.name = "f", .rules = policy}, .target = processes}}});
  ASSERT_FALSE(checked);
  EXPECT_NE(checked.error().message.find("two of its targets have the name a"), std::string::npos);
}

TEST(AutoscalerSettings, two_fleets_share_neither_name_nor_port) {
  const auto fleet = [](std::string name, PortRange ports) {
    return FleetSettings{.policy = {.name = std::move(name)},
                         .target = ProcessTargetSettings{.command = {"a"}, .ports = ports}};
  };
  EXPECT_TRUE(check({.fleets = {fleet("a", {1, 9}), fleet("b", {10, 19})}}));
  const auto same_name = check({.fleets = {fleet("a", {1, 9}), fleet("a", {10, 19})}});
  ASSERT_FALSE(same_name);
  EXPECT_NE(same_name.error().message.find("is there twice"), std::string::npos);
  const auto same_port = check({.fleets = {fleet("a", {1, 9}), fleet("b", {9, 19})}});
  ASSERT_FALSE(same_port);
  EXPECT_NE(same_port.error().message.find("ports that belong to a"), std::string::npos);
  FleetSettings larger = fleet("a", {1, 9});
  larger.policy.rules = HpaPolicy{.max = 10};
  const auto too_few_ports = check({.fleets = {larger}});
  ASSERT_FALSE(too_few_ports);
  EXPECT_NE(too_few_ports.error().message.find("may have 10 replicas, and has 9 ports"), std::string::npos);
  EXPECT_FALSE(check({.fleets = {fleet("../a", {1, 9})}}));
  const auto all =
      faults({.fleets = {fleet("a", {1, 9}), fleet("a", {10, 19}), fleet("b", {5, 9}), fleet("c", {20, 29})}});
  ASSERT_EQ(all.size(), 2U) << "of each fleet";
  EXPECT_EQ(all[0].fleet, 1U);
  EXPECT_EQ(all[1].fleet, 2U);
  EXPECT_FALSE(check({.interval = 1ms}));
}

TEST(AutoscalerSettings, what_only_kubernetes_knows_cannot_be_asked_of_scraped_pods) {
  const auto problem = [](const HpaMetric& metric) {
    AutoscalerSettings settings;
    settings.fleets = {{.policy = {.name = "web", .rules = HpaPolicy{.metrics = {metric}}},
                        .target = DryRunSettings{.job = "web", .replicas = 1}}};
    const Result<void> good = check(settings);
    return good ? "" : good.error().message;
  };
  using Type = HpaMetric::Type;
  using Target = HpaMetric::TargetType;
  EXPECT_NE(problem({.type = Type::resource, .name = "cpu", .target = Target::utilization, .value = 50})
                .find("what containers asked for"),
            std::string::npos);
  EXPECT_NE(
      problem({.type = Type::container_resource, .name = "cpu", .container = "a", .target = Target::average_value})
          .find("what containers use"),
      std::string::npos);
  EXPECT_EQ(problem({.type = Type::pods, .name = "active", .target = Target::average_value, .value = 50}), "");
}

TEST(AutoscalerSettings, policy_files_count_from_the_folder_of_the_configuration) {
  const TestFolder folder;
  folder.write("other.yaml", "name: other\nmetrics: [{name: active, target: {perPod: 20}}]\n");
  ReadSettings got = read(whole);
  EXPECT_EQ(load_policies(got.settings, folder.folder()).size(), 0U);
  EXPECT_EQ(got.settings.fleets[1].policy.name, "other");
  EXPECT_EQ(got.settings.state, folder.path("state.json"));
  EXPECT_TRUE(check(got.settings));
  folder.write("other.yaml", "name: other\nmetrics: [{nam: active}]\n");
  got = read(whole);
  const std::vector<FleetFault> broken = load_policies(got.settings, folder.folder());
  ASSERT_EQ(broken.size(), 1U);
  EXPECT_EQ(broken[0].fleet, 1U);
  EXPECT_EQ(broken[0].why.find(folder.path("other.yaml:2:")), 0U) << broken[0].why;
}

TEST(Recorder, begins_a_new_file_when_one_is_full_and_keeps_one_older) {
  const TestFolder folder;
  const Recorder recorder(folder.path("r.jsonl"), 1000);
  const Tick tick{.at = TimePoint(100s), .seen = {.current = 3}};
  const std::string line = print_tick(tick) + "\n";
  for (std::size_t i = 0; i < 3 * 1000 / line.size(); ++i) ASSERT_TRUE(recorder.add(tick));
  const auto bytes = std::filesystem::file_size(recorder.path());
  EXPECT_LE(bytes, 1000U);
  EXPECT_EQ(bytes % line.size(), 0U) << "whole lines";
  EXPECT_GT(std::filesystem::file_size(recorder.path() + ".1"), 1000 - line.size());
  std::ifstream in(recorder.path());
  Recording recording(in, "r.jsonl");
  const auto first = recording.next();
  ASSERT_TRUE(first && *first);
  EXPECT_EQ(**first, tick);
  EXPECT_FALSE(Recorder(folder.path("no/such/folder"), 1000).add(tick));
}

}  // namespace
}  // namespace trunkline::autoscale
