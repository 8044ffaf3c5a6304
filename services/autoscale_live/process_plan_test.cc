#include "services/autoscale_live/process_plan.h"

#include <gtest/gtest.h>

namespace trunkline::autoscale {
namespace {

using namespace std::chrono_literals;

using Answer = ProcessPlan::Answer;

// A plan whose orders are obeyed by hand, and whose clock moves when told. Read this first.
class Processes {
 public:
  explicit Processes(ProcessRules rules = {.ports = {20000, 20003}},
                     std::shared_ptr<PortLedger> ledger = std::make_shared<PortLedger>())
      : plan("web", rules, std::move(ledger)) {}

  Processes& desire(int replicas, const std::vector<Victim>& victims = {}) {
    plan.set_desired(replicas, victims, now);
    return *this;
  }
  // Performs what is due; processes start at once, and are ready when `ready` says so.
  Processes& run(bool ready = true) { return run(ready ? Answer::ready : Answer::refused); }
  Processes& run(Answer answer) {
    const ProcessOrders orders = plan.due(now);
    for (const auto& start : orders.starts) {
      ports.push_back(start.port);
      plan.started(start.replica, 100 + start.replica);
    }
    const ProcessOrders more = plan.due(now);
    for (const auto& list : {orders.probes, more.probes}) {
      for (const auto& probe : list) plan.probed(probe.replica, probe.attempt, answer, "refuses", now);
    }
    for (const auto& list : {orders.signals, more.signals}) {
      for (const auto& signal : list) signals.push_back({signal.replica, signal.kill});
    }
    return *this;
  }
  Processes& after(Duration passed) {
    now += passed;
    return *this;
  }
  std::string shown() const {
    std::string text;
    for (const auto& replica : plan.replicas()) {
      text += (text.empty() ? "" : " ") + plan.name_of(replica.number) + "=" +
              (replica.state == PodState::ready         ? "ready"
               : replica.state == PodState::unready     ? "unready"
               : replica.state == PodState::terminating ? "terminating"
                                                        : "starting");
    }
    return text;
  }

  ProcessPlan plan;
  TimePoint now{1000s};
  std::vector<int> ports = {};
  std::vector<std::pair<int, bool>> signals = {};
};

using Signals = std::vector<std::pair<int, bool>>;

TEST(ProcessPlan, starts_as_many_as_were_asked_for_each_on_a_port_of_its_own) {
  Processes processes;
  processes.desire(3).run(false);
  EXPECT_EQ(processes.shown(), "web-1=starting web-2=starting web-3=starting");
  EXPECT_EQ(processes.ports, (std::vector{20000, 20001, 20002}));
  processes.after(1s).run();
  EXPECT_EQ(processes.shown(), "web-1=ready web-2=ready web-3=ready");
  EXPECT_EQ(processes.desire(9).plan.desired(), 4) << "one for each port";
}

TEST(ProcessPlan, asks_again_and_more_rarely_until_it_is_ready) {
  Processes processes;
  processes.desire(1).run(false);
  EXPECT_EQ(processes.plan.replicas()[0].trouble, "refuses");
  EXPECT_EQ(processes.plan.next() - processes.now, 100ms);
  processes.after(100ms).run(false);
  EXPECT_EQ(processes.plan.next() - processes.now, 150ms);
  for (int i = 0; i < 20; ++i) processes.after(1s).run(false);
  EXPECT_EQ(processes.plan.next() - processes.now, 1s);
}

TEST(ProcessPlan, the_named_leave_first_then_those_that_do_not_serve_then_the_youngest) {
  Processes processes;
  processes.desire(3).run().after(1s);
  processes.desire(4).run(false);
  processes.desire(3, {{"web-1", 0}}).run();
  EXPECT_EQ(processes.shown(), "web-1=terminating web-2=ready web-3=ready web-4=starting");
  processes.desire(2).desire(1).run();
  EXPECT_EQ(processes.shown(), "web-1=terminating web-2=ready web-3=terminating web-4=terminating");
}

TEST(ProcessPlan, who_leaves_is_asked_once_and_killed_when_its_time_is_over) {
  Processes processes({.ports = {20000, 20000}, .drain = 30s});
  processes.desire(1).run().desire(0).run().run();
  EXPECT_EQ(processes.signals, (Signals{{1, false}}));
  processes.after(30s - 1ns).run();
  EXPECT_EQ(processes.signals.size(), 1U);
  processes.after(1ns).run().run();
  EXPECT_EQ(processes.signals, (Signals{{1, false}, {1, true}}));
  processes.plan.ended(1, "was killed by signal 9", processes.now);
  EXPECT_TRUE(processes.plan.empty());
  EXPECT_EQ(processes.plan.failures(), 0U);
}

TEST(ProcessPlan, gives_a_port_away_only_when_its_process_is_gone) {
  Processes processes({.ports = {20000, 20000}});
  processes.desire(1).run().desire(0).desire(1).run();
  EXPECT_EQ(processes.ports.size(), 1U);
  EXPECT_NE(processes.plan.trouble().find("no port of 20000-20000 is free"), std::string::npos);
  processes.plan.ended(1, "ended with code 0", processes.now);
  processes.run();
  EXPECT_EQ(processes.ports, (std::vector{20000, 20000}));
  EXPECT_EQ(processes.shown(), "web-2=ready");
}

TEST(ProcessPlan, one_that_falls_over_comes_back_later_each_time_and_on_another_port) {
  Processes processes;
  processes.desire(1);
  for (const Duration pause : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    processes.run(false);
    processes.plan.ended(1, "ended with code 1", processes.now);
    EXPECT_EQ(processes.plan.next() - processes.now, pause);
    processes.after(pause);
  }
  EXPECT_EQ(processes.ports, (std::vector{20000, 20001, 20002, 20003, 20000, 20001, 20002, 20003}));
  EXPECT_EQ(processes.plan.replicas()[0].restarts, 8);
  EXPECT_EQ(processes.plan.replicas()[0].since, TimePoint(1000s)) << "it has tried to serve ever since";
  EXPECT_EQ(processes.plan.trouble(), "web-1 does not stay up: its process ended with code 1");
}

TEST(ProcessPlan, what_served_for_long_comes_back_soon) {
  Processes processes;
  processes.desire(1);
  for (int i = 0; i < 3; ++i) {
    processes.run(false);
    processes.plan.ended(1, "ended with code 1", processes.now);
    processes.after(10s);
  }
  processes.run().after(1min);
  processes.plan.ended(1, "was killed by signal 11", processes.now);
  EXPECT_EQ(processes.plan.next() - processes.now, 1s);
  EXPECT_EQ(processes.plan.replicas()[0].since, processes.now);
}

TEST(ProcessPlan, one_that_no_longer_serves_is_no_capacity_leaves_first_and_may_come_back) {
  Processes processes;
  processes.desire(2).run();
  EXPECT_EQ(processes.plan.next() - processes.now, 10s);
  processes.after(10s).run(Answer::refused).after(1s).run(Answer::none);
  EXPECT_EQ(processes.shown(), "web-1=ready web-2=ready") << "who is busy for a moment still serves";
  processes.after(1s).run(Answer::refused);
  EXPECT_EQ(processes.shown(), "web-1=unready web-2=unready");
  EXPECT_EQ(processes.plan.trouble(), "web-1 served and does not any more: refuses");
  processes.after(1s);
  const ProcessOrders orders = processes.plan.due(processes.now);
  EXPECT_TRUE(processes.plan.probed(2, orders.probes.at(1).attempt, Answer::ready, "", processes.now));
  EXPECT_EQ(processes.shown(), "web-1=unready web-2=ready");
  processes.desire(3).run(false);
  EXPECT_EQ(processes.shown(), "web-1=unready web-2=ready web-3=starting");
  processes.desire(2).run(false);
  EXPECT_EQ(processes.signals, (Signals{{1, false}})) << "although it is the oldest one";
}

TEST(ProcessPlan, who_refuses_for_ever_lives_and_is_left_alone) {
  Processes processes;
  processes.desire(1).run();
  for (int i = 0; i < 3600; ++i) processes.after(1s).run(i % 200 == 0 ? Answer::refused : Answer::none);
  EXPECT_EQ(processes.shown(), "web-1=unready");
  EXPECT_EQ(processes.signals, Signals{});
}

TEST(ProcessPlan, who_has_answered_nothing_for_too_long_is_ended_and_started_again) {
  Processes processes({.ports = {20000, 20001}, .drain = 30s, .restart_silent = 5min});
  processes.desire(1).run().after(10s).run(Answer::none);  // which counts for five seconds
  for (int i = 0; i < 294; ++i) processes.after(1s).run(Answer::none);
  EXPECT_EQ(processes.shown(), "web-1=unready");
  EXPECT_EQ(processes.signals, Signals{});
  processes.after(1s).run(Answer::none).run();
  EXPECT_EQ(processes.signals, (Signals{{1, false}}));
  EXPECT_EQ(processes.plan.next() - processes.now, 30s) << "and is asked no more";
  processes.after(30s).run().run();
  EXPECT_EQ(processes.signals, (Signals{{1, false}, {1, true}}));
  processes.plan.ended(1, "was killed by signal 9", processes.now);
  EXPECT_EQ(processes.plan.replicas()[0].trouble,
            "its process was ended: it had served, and then answered nothing any more");
  processes.after(1s).run();
  EXPECT_EQ(processes.shown(), "web-1=ready");
  EXPECT_EQ(processes.plan.replicas()[0].restarts, 1);
  processes.desire(0).run();
  EXPECT_EQ(processes.signals.back(), std::pair(1, false)) << "what was told was another process";
}

TEST(ProcessPlan, who_is_not_ready_in_time_is_ended_and_started_again) {
  Processes processes({.ports = {20000, 20001}, .drain = 30s, .ready_within = 10min});
  processes.desire(1).run(Answer::none);
  for (int i = 0; i < 599; ++i) processes.after(1s).run(i % 2 == 0 ? Answer::refused : Answer::none);
  for (int i = 0; i < 60; ++i) processes.after(1s).run(Answer::not_asked);
  EXPECT_EQ(processes.signals, Signals{}) << "while nobody asked it may have been ready";
  processes.after(1s).run(Answer::refused).run();
  EXPECT_EQ(processes.signals, (Signals{{1, false}}));
  EXPECT_EQ(processes.shown(), "web-1=starting");
  processes.plan.ended(1, "was killed by signal 15", processes.now);
  EXPECT_EQ(processes.plan.replicas()[0].trouble,
            "its process was ended: it was not ready in time (ready_within): refuses");
  EXPECT_EQ(processes.plan.next() - processes.now, 1s);
  processes.after(1s).run(Answer::none).after(1h).run(Answer::none).run();
  EXPECT_EQ(processes.signals.size(), 1U) << "it was we who stood still";
  processes.after(1s).run();
  EXPECT_EQ(processes.shown(), "web-1=ready");
}

TEST(ProcessPlan, a_slow_start_is_borne_where_the_rules_say_so) {
  Processes processes({.ports = {20000, 20001}, .ready_within = 0s});
  processes.desire(1).run(false);
  for (int i = 0; i < 7200; ++i) processes.after(1s).run(false);
  EXPECT_EQ(processes.signals, Signals{});
}

TEST(ProcessPlan, nobody_is_silent_who_was_not_asked) {
  Processes processes({.ports = {20000, 20001}, .restart_silent = 5min});
  processes.desire(1).run();
  for (int i = 0; i < 600; ++i) processes.after(1s).run(Answer::not_asked);
  EXPECT_EQ(processes.shown(), "web-1=ready");
  for (int i = 0; i < 3; ++i) processes.after(1s).run(Answer::none);
  EXPECT_EQ(processes.shown(), "web-1=unready");
  for (int i = 0; i < 600; ++i) processes.after(1s).run(Answer::not_asked);
  processes.after(1h).run(Answer::none).run();
  EXPECT_EQ(processes.signals, Signals{}) << "it was we who stood still";
}

TEST(ProcessPlan, who_is_being_ended_leaves_instead_of_another) {
  Processes processes({.ports = {20000, 20003}, .restart_silent = 5s});
  processes.desire(2).run().after(10s);
  for (int i = 0; i < 3; ++i) {
    for (const auto& probe : processes.plan.due(processes.now).probes) {
      processes.plan.probed(probe.replica, probe.attempt, probe.replica == 1 ? Answer::none : Answer::ready, "",
                            processes.now);
    }
    processes.after(1s);
  }
  EXPECT_EQ(processes.shown(), "web-1=unready web-2=ready");
  processes.run().desire(1, {{"web-2", 0}}).run();
  EXPECT_EQ(processes.shown(), "web-1=terminating web-2=ready");
  EXPECT_EQ(processes.signals, (Signals{{1, false}})) << "once";
}

TEST(ProcessPlan, silence_is_borne_where_the_rules_say_so) {
  Processes processes({.ports = {20000, 20001}, .restart_silent = 0s});
  processes.desire(1).run();
  for (int i = 0; i < 3600; ++i) processes.after(1s).run(Answer::none);
  EXPECT_EQ(processes.shown(), "web-1=unready");
  EXPECT_EQ(processes.signals, Signals{});
}

TEST(ProcessPlan, a_late_answer_does_not_speak_for_another_process) {
  Processes processes;
  processes.desire(1);
  processes.plan.due(processes.now);
  processes.plan.started(1, 100);
  const std::uint64_t attempt = processes.plan.due(processes.now).probes.at(0).attempt;
  processes.plan.ended(1, "ended with code 1", processes.now);
  processes.after(1s).run(false);
  processes.plan.probed(1, attempt, Answer::ready, "", processes.now);
  EXPECT_EQ(processes.shown(), "web-1=starting");
}

TEST(ProcessPlan, one_that_was_told_to_go_before_it_had_started_is_ended_all_the_same) {
  Processes processes;
  processes.desire(1);
  EXPECT_EQ(processes.plan.due(processes.now).starts.size(), 1U);
  processes.desire(0);
  EXPECT_TRUE(processes.plan.due(processes.now).signals.empty()) << "there is nothing to send it to yet";
  processes.plan.started(1, 100);
  EXPECT_EQ(processes.plan.next(), TimePoint::min());
  EXPECT_EQ(processes.plan.due(processes.now).signals.size(), 1U);
}

TEST(ProcessPlan, a_stop_lets_nobody_stay_longer_than_its_limit) {
  Processes processes({.ports = {20000, 20003}, .drain = 10min});
  processes.desire(3).run().desire(2).run();
  processes.plan.stop(processes.now, processes.now + 5s);
  processes.run().after(5s).run();
  const Signals wanted = {{3, false}, {1, false}, {2, false}, {1, true}, {2, true}, {3, true}};
  EXPECT_EQ(processes.signals, wanted);
}

TEST(ProcessPlan, does_not_start_where_a_process_of_another_fleet_still_drains) {
  const auto ledger = std::make_shared<PortLedger>();
  Processes old({.ports = {20000, 20001}}, ledger);
  old.desire(2).run().desire(0).run();
  Processes other({.ports = {20000, 20002}}, ledger);
  other.desire(2).run();
  EXPECT_EQ(other.ports, (std::vector{20002}));
  EXPECT_EQ(other.plan.trouble(), "no port of 20000-20002 is free");
  EXPECT_EQ(other.plan.next() - other.now, 100ms) << "nobody says when";
  old.plan.ended(2, "ended with code 0", old.now);
  other.after(100ms).run();
  EXPECT_EQ(other.ports, (std::vector{20002, 20001}));
  EXPECT_EQ(other.plan.trouble(), "");
}

TEST(ProcessPlan, a_port_that_was_missing_once_is_not_missed_for_ever) {
  const auto ledger = std::make_shared<PortLedger>();
  Processes old({.ports = {20000, 20000}}, ledger);
  old.desire(1).run();
  Processes other({.ports = {20000, 20001}}, ledger);
  other.desire(2).run();
  EXPECT_EQ(other.plan.trouble(), "no port of 20000-20001 is free");
  other.desire(1).run();
  other.plan.ended(1, "ended with code 1", other.now);
  EXPECT_EQ(other.plan.trouble(), "") << "it waits only to be started again";
}

TEST(ProcessPlan, other_ports_are_for_those_that_start_from_then_on) {
  Processes processes;
  processes.desire(1).run();
  processes.plan.set_rules({.ports = {30000, 30001}});
  processes.desire(2).run();
  EXPECT_EQ(processes.ports, (std::vector{20000, 30000}));
  processes.desire(1, {{"web-1", 0}}).run();
  processes.plan.ended(1, "ended with code 0", processes.now);
  processes.desire(2).run();
  EXPECT_EQ(processes.ports.back(), 30001);
}

}  // namespace
}  // namespace trunkline::autoscale
