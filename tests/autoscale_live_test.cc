// Fleets of real processes: started, asked, scaled up and down, killed, drained, and never left behind.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <set>

#include "services/autoscale_live/autoscaler.h"
#include "support/http_test.h"
#include "support/process.h"

namespace trunkline::test {
namespace {

using namespace std::chrono_literals;
using autoscale::Autoscaler;
using autoscale::AutoscalerSettings;
using autoscale::FleetSettings;
using autoscale::FleetStatus;
using autoscale::NativePolicy;
using autoscale::PodState;
using autoscale::ProcessTargetSettings;

// Ports of their own for each test, so that none waits for another's.
autoscale::PortRange next_ports(int count) {
  static int next = 16000 + static_cast<int>(getpid() % 200) * 20;  // see tests/README.md
  next += count;
  return {next - count, next - 1};
}

NativePolicy ten_for_each(int min, int max) {
  NativePolicy policy{.bounds = {min, max}};
  policy.metrics = {{.name = "load", .target = {.value = 10}}};
  policy.down.stabilise = 0s;
  policy.down.policies.clear();
  policy.up.policies.clear();
  policy.gaps.carry = 0s;
  policy.fast.enabled = false;
  return policy;
}

class AutoscaleLive : public ::testing::Test {
 protected:
  void SetUp() override { load(10); }

  void load(double of_each) { put("load", std::to_string(of_each)); }
  void put(const std::string& name, const std::string& text = "") { folder_.write("pods/" + name, text); }
  void take_away(const std::string& name) { std::filesystem::remove(pods() + "/" + name); }
  std::string pods() const { return (folder_.path() / "pods").string(); }
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }

  FleetSettings fleet(NativePolicy policy, int ports = 8) const {
    ProcessTargetSettings target{
        .command = {"/usr/bin/python3", TRUNKLINE_TESTS_DIR "/support/metrics_server.py", "${port}", pods()},
        .ports = next_ports(ports),
        .drain = 10s,
        .backoff = 100ms};
    return {.policy = {.name = "web", .rules = std::move(policy)}, .target = std::move(target)};
  }
  static AutoscalerSettings settings(const FleetSettings& fleet) {
    return {.interval = slowed(300, 1500), .fleets = {fleet}};
  }
  static std::unique_ptr<Autoscaler> running(const AutoscalerSettings& settings) {
    auto made = Autoscaler::create(settings);
    EXPECT_TRUE(made) << (made ? "" : made.error().message);
    EXPECT_TRUE((*made)->start());
    return std::move(*made);
  }
  static FleetStatus status(const Autoscaler& autoscaler) {
    std::vector<FleetStatus> all = autoscaler.fleets();
    return all.empty() ? FleetStatus{} : all.front();
  }
  // As many as there are, and all of them ready.
  static bool comes_to(const Autoscaler& autoscaler, int replicas) {
    const bool there = eventually([&] {
      const FleetStatus now = status(autoscaler);
      return now.current == replicas && now.ready == replicas && std::ssize(now.pods) == replicas;
    });
    if (!there) {
      const FleetStatus now = status(autoscaler);
      ADD_FAILURE() << now.current << " asked for, " << now.ready << " ready, " << now.pods.size() << " there; "
                    << now.trouble << (now.last ? "; " + now.last->decision.reason : "");
      for (const auto& pod : now.pods) ADD_FAILURE() << pod.name << ' ' << to_string(pod.state) << ' ' << pod.reason;
    }
    return there;
  }
  // One that has ended and that nobody has asked about is none.
  static bool is_alive(pid_t pid) {
    const std::string stat = read_file("/proc/" + std::to_string(pid) + "/stat");
    const std::size_t state = stat.rfind(')');
    return state != std::string::npos && stat.substr(state).find(") Z") != 0;
  }
  // Of every process that was ever started.
  std::set<pid_t> started() const {
    std::ifstream in(pods() + "/starts");
    std::set<pid_t> all;
    for (int port = 0, pid = 0; in >> port >> pid;) all.insert(pid);
    return all;
  }
  bool nothing_is_left() const { return std::ranges::none_of(started(), is_alive); }

  TempDir folder_;
};

// This one teaches the kit: a fleet follows its load up and down, and at the end nothing is left of it.
TEST_F(AutoscaleLive, follows_the_load_and_leaves_no_process_behind) {
  const auto autoscaler = running(settings(fleet(ten_for_each(1, 4))));
  ASSERT_TRUE(comes_to(*autoscaler, 1));
  load(100);
  ASSERT_TRUE(comes_to(*autoscaler, 4));
  const FleetStatus high = status(*autoscaler);
  EXPECT_EQ(high.target_kind, "process");
  EXPECT_GE(high.ups, 1U);
  std::set<int> processes;
  for (const auto& pod : high.pods) processes.insert(pod.process);
  EXPECT_EQ(processes.size(), 4U);
  EXPECT_FALSE(processes.contains(0));
  EXPECT_TRUE(eventually([&] {
    const auto cycles = autoscaler->snapshots();
    return cycles.at(0)->totals.reused == 4 && cycles.at(0)->totals.dials == 0;
  })) << "what runs is asked on connections that last";
  load(0);
  ASSERT_TRUE(comes_to(*autoscaler, 1));
  EXPECT_GE(status(*autoscaler).downs, 1U);
  EXPECT_EQ(status(*autoscaler).pods[0].restarts, 0);
  EXPECT_TRUE(autoscaler->drain(20s));
  EXPECT_EQ(started().size(), 4U);
  EXPECT_TRUE(nothing_is_left());
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "no zombie either";
}

TEST_F(AutoscaleLive, stays_as_it_is_while_one_of_four_is_silent) {
  const FleetSettings web = fleet(ten_for_each(4, 8));
  const auto autoscaler = running(settings(web));
  ASSERT_TRUE(comes_to(*autoscaler, 4));
  const std::uint64_t before = status(*autoscaler).decisions;
  put("silent-" + std::to_string(std::get<ProcessTargetSettings>(web.target).ports.first));
  ASSERT_TRUE(eventually([&] { return status(*autoscaler).gaps_survived >= 5; }));
  const FleetStatus now = status(*autoscaler);
  EXPECT_EQ(now.pods[0].state, PodState::missing);
  for (const auto& entry : autoscaler->decisions("web", before, 1000)) EXPECT_EQ(entry->decision.desired, 4);
  autoscaler->drain(20s);
  EXPECT_TRUE(nothing_is_left());
}

TEST_F(AutoscaleLive, starts_again_what_was_killed) {
  const auto autoscaler = running(settings(fleet(ten_for_each(2, 2))));
  ASSERT_TRUE(comes_to(*autoscaler, 2));
  const int victim = status(*autoscaler).pods[0].process;
  kill(victim, SIGKILL);
  ASSERT_TRUE(eventually([&] { return status(*autoscaler).pods[0].restarts == 1; }));
  ASSERT_TRUE(comes_to(*autoscaler, 2));
  EXPECT_NE(status(*autoscaler).pods[0].process, victim);
  autoscaler->drain(20s);
  EXPECT_TRUE(nothing_is_left());
}

// It takes twenty seconds, which are those of the probes.
TEST_F(AutoscaleLive, what_hangs_is_no_capacity_and_is_started_again) {
  FleetSettings web = fleet(ten_for_each(2, 2));
  auto& target = std::get<ProcessTargetSettings>(web.target);
  target.restart_silent = 12s;
  target.drain = 500ms;
  const auto autoscaler = running(settings(web));
  ASSERT_TRUE(comes_to(*autoscaler, 2));
  const int victim = status(*autoscaler).pods[0].process;
  kill(victim, SIGSTOP);
  ASSERT_TRUE(eventually([&] {
    const FleetStatus now = status(*autoscaler);
    return now.pods[0].state == PodState::unready && now.ready == 1 &&
           now.trouble.find("web-1 served and does not any more") != std::string::npos;
  }));
  ASSERT_TRUE(eventually([&] { return status(*autoscaler).pods[0].restarts == 1; }));
  ASSERT_TRUE(comes_to(*autoscaler, 2));
  EXPECT_NE(status(*autoscaler).pods[0].process, victim);
  EXPECT_EQ(status(*autoscaler).trouble, "");
  autoscaler->drain(20s);
  EXPECT_TRUE(nothing_is_left());
}

TEST_F(AutoscaleLive, kills_what_does_not_go_within_its_time) {
  put("stubborn");
  const auto autoscaler = running(settings(fleet(ten_for_each(2, 2))));
  ASSERT_TRUE(comes_to(*autoscaler, 2));
  EXPECT_TRUE(autoscaler->drain(500ms));
  EXPECT_TRUE(nothing_is_left());
}

TEST_F(AutoscaleLive, a_pod_that_is_not_ready_starts_and_one_that_cannot_be_started_is_said) {
  put("slow-start");
  FleetSettings web = fleet(ten_for_each(1, 1));
  auto autoscaler = running(settings(web));
  ASSERT_TRUE(eventually([&] {
    const FleetStatus now = status(*autoscaler);
    return now.pods.size() == 1 && now.pods[0].reason.find("answers 503") != std::string::npos;
  }));
  EXPECT_EQ(status(*autoscaler).pods[0].state, PodState::starting);
  take_away("slow-start");
  ASSERT_TRUE(comes_to(*autoscaler, 1));
  autoscaler->drain(20s);
  std::get<ProcessTargetSettings>(web.target).command = {"no-such-program-anywhere"};
  autoscaler = running(settings(web));
  ASSERT_TRUE(eventually([&] { return !autoscaler->troubles().empty(); }));
  EXPECT_NE(autoscaler->troubles()[0].find("no-such-program-anywhere"), std::string::npos);
}

TEST_F(AutoscaleLive, another_port_is_taken_where_the_first_one_crashes) {
  const FleetSettings web = fleet(ten_for_each(1, 1));
  const int first = std::get<ProcessTargetSettings>(web.target).ports.first;
  put("crash-" + std::to_string(first));
  const auto autoscaler = running(settings(web));
  ASSERT_TRUE(comes_to(*autoscaler, 1));
  EXPECT_NE(status(*autoscaler).pods[0].url.find(std::to_string(first + 1)), std::string::npos);
}

TEST_F(AutoscaleLive, a_reload_keeps_processes_and_memory_and_drains_what_is_gone) {
  FleetSettings web = fleet(ten_for_each(2, 4));
  FleetSettings other = fleet(ten_for_each(1, 1));
  other.policy.name = "other";
  AutoscalerSettings both = settings(web);
  both.fleets.push_back(other);
  const auto autoscaler = running(both);
  const auto processes = [&] {
    std::set<int> all;
    for (const auto& one : autoscaler->fleets()) {
      for (const auto& pod : one.pods) {
        if (one.name == "web") all.insert(pod.process);
      }
    }
    return all;
  };
  ASSERT_TRUE(eventually([&] {
    const auto fleets = autoscaler->fleets();
    return fleets[0].ready == 1 && fleets[1].ready == 2 && fleets[1].decisions > 1;
  }));
  EXPECT_EQ(autoscaler->snapshots().size(), 1U) << "one collector for both";
  const std::set<int> before = processes();
  const std::uint64_t number = autoscaler->decisions("web", 0, 1).at(0)->number;
  AutoscalerSettings broken = both;
  broken.fleets[1].policy.name = "web";
  EXPECT_FALSE(autoscaler->reload(broken));
  EXPECT_EQ(autoscaler->fleets().size(), 2U) << "nothing has changed";

  std::get<NativePolicy>(web.policy.rules).bounds = {3, 4};
  ASSERT_TRUE(autoscaler->reload(settings(web)));
  ASSERT_TRUE(comes_to(*autoscaler, 3));
  const std::set<int> after = processes();
  for (const int process : before) EXPECT_TRUE(after.contains(process));
  EXPECT_EQ(autoscaler->fleets().size(), 1U);
  const auto newer = autoscaler->decisions("web", number, 1000);
  ASSERT_FALSE(newer.empty());
  EXPECT_EQ(newer.front()->number, number + 1);
  ASSERT_TRUE(eventually([&] {
    int alive = 0;
    for (const pid_t pid : started()) alive += is_alive(pid);
    return alive == 3;
  })) << "the other fleet is gone";
  autoscaler->drain(20s);
  EXPECT_TRUE(nothing_is_left());
}

TEST_F(AutoscaleLive, comes_back_with_the_number_that_it_had) {
  load(100);
  NativePolicy slow_down = ten_for_each(1, 3);
  slow_down.down.stabilise = 300s;
  AutoscalerSettings remembering = settings(fleet(slow_down));
  remembering.state = path("state.json");
  remembering.record = path("recorded-${fleet}.jsonl");
  auto autoscaler = running(remembering);
  ASSERT_TRUE(comes_to(*autoscaler, 3));
  EXPECT_TRUE(autoscaler->drain(20s));
  autoscaler = running(remembering);
  EXPECT_EQ(status(*autoscaler).current, 3) << "from the first moment";
  autoscaler->drain(20s);

  std::ifstream in(path("recorded-web.jsonl"));
  autoscale::Recording recording(in, "recorded-web.jsonl");
  const auto first = recording.next();
  ASSERT_TRUE(first && *first) << (first ? "" : first.error().message);
  EXPECT_GT((*first)->at.time_since_epoch(), std::chrono::hours(24 * 365 * 50)) << "it counts from 1970";

  folder_.write("state.json", "not a state");
  autoscaler = running(remembering);
  ASSERT_FALSE(autoscaler->troubles().empty());
  EXPECT_EQ(status(*autoscaler).current, 1);
  EXPECT_TRUE(std::filesystem::exists(path("state.json.refused")));
}

TEST_F(AutoscaleLive, output_goes_to_logs_that_stay_small) {
  FleetSettings web = fleet(ten_for_each(1, 1));
  auto& target = std::get<ProcessTargetSettings>(web.target);
  target.log_folder = folder_.path().string();
  target.log_bytes = 200;
  const auto autoscaler = running(settings(web));
  const std::string log = path("web-" + std::to_string(target.ports.first) + ".log");
  // The first ones may hold nothing but the questions whether it is ready.
  ASSERT_TRUE(eventually([&] {
    return std::filesystem::exists(log + ".1") && read_file(log + ".1").find("asked for /metrics") != std::string::npos;
  }));
  EXPECT_TRUE(eventually([&] { return std::filesystem::file_size(log) < target.log_bytes; })) << "it begins anew";
}

TEST_F(AutoscaleLive, what_it_says_of_itself_is_a_valid_page) {
  const auto autoscaler = running(settings(fleet(ten_for_each(1, 2))));
  ASSERT_TRUE(eventually([&] {
    const auto cycles = autoscaler->snapshots();
    return status(*autoscaler).decisions > 0 && !cycles.empty() && cycles.front()->totals.reused == 1;
  }));
  const std::string collector = "collector=\"fleets-" + std::string(sanitized() ? "1.5s" : "300ms") + "\"";
  metrics::ExpositionWriter writer(metrics::Format::text);
  autoscaler->write_metrics(writer);
  const std::string page = writer.take();
  for (const std::string_view line :
       {"trunkline_autoscale_replicas{fleet=\"web\"} 1\n", "trunkline_autoscale_max_replicas{fleet=\"web\"} 2\n",
        "trunkline_autoscale_decisions_total{fleet=\"web\",action=\"up\"}",
        "trunkline_autoscale_inputs{fleet=\"web\",metric=\"load\",state=\"fresh\"}",
        "trunkline_autoscale_last_decision_age_seconds{fleet=\"web\"}",
        "trunkline_autoscale_pods{fleet=\"web\",state=\"ready\"} 1\n",
        "trunkline_autoscale_panic{fleet=\"web\"} 0\n"}) {
    EXPECT_NE(page.find(line), std::string::npos) << line << page;
  }
  for (const std::string& sample :
       {"trunkline_scrape_cycles_total{" + collector + "}", "trunkline_scrape_target_up{" + collector + ",job=\"web\"",
        "trunkline_scrape_target_connection{" + collector + ",job=\"web\""}) {
    EXPECT_NE(page.find(sample), std::string::npos) << sample << page;
  }
  folder_.write("page.txt", page);
  if (std::filesystem::exists("/usr/bin/promtool")) {
    EXPECT_EQ(std::system(("/usr/bin/promtool check metrics < " + path("page.txt")).c_str()), 0) << page;
  }
}

// Everything that we started goes when we are killed, though nobody can say anything to anybody.
TEST_F(AutoscaleLive, its_processes_die_with_it) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const FleetSettings web = fleet(ten_for_each(2, 2));
  const pid_t child = fork();
  if (child == 0) {
    const auto autoscaler = running(settings(web));
    const char good = comes_to(*autoscaler, 2) ? 'y' : 'n';
    [[maybe_unused]] const ssize_t told = write(pipe[1], &good, 1);
    for (;;) pause();
  }
  char good = 'n';
  EXPECT_EQ(read(pipe[0], &good, 1), 1);
  EXPECT_EQ(good, 'y');
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(eventually([&] { return nothing_is_left(); }));
  close(pipe[0]);
  close(pipe[1]);
}

}  // namespace
}  // namespace trunkline::test
