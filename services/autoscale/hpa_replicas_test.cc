#include "services/autoscale/hpa_replicas.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace trunkline::autoscale {
namespace hpa_replicas_test {

using namespace std::chrono_literals;

const TimePoint noon{std::chrono::hours(12)};

struct Usage {
  double milli = 0;
  double request = 1;  // cores
  bool ready = true;
};

Pod pod_of(std::size_t number, const Usage& usage, const std::string& metric) {
  return {.name = "pod-" + std::to_string(number),
          .samples = {{.metric = metric, .value = usage.milli / 1000}},
          .started = noon - 10min,
          .phase = PodPhase::running,
          .ready = usage.ready,
          // An unready pod was never ready: its condition has not changed since it began.
          .ready_changed = usage.ready ? noon - 9min : noon - 10min,
          .requests = {{.container = "app", .resource = metric, .amount = usage.request}}};
}

Snapshot snapshot_of(int current, const std::vector<Usage>& usages, int silent, const std::string& metric) {
  Snapshot snapshot{.current = current};
  for (const Usage& usage : usages) snapshot.pods.push_back(pod_of(snapshot.pods.size(), usage, metric));
  for (int i = 0; i < silent; ++i) {
    snapshot.pods.push_back(pod_of(snapshot.pods.size(), {}, metric));
    snapshot.pods.back().samples.clear();
  }
  return snapshot;
}

HpaPolicy with_tolerance(double up, double down) {
  return {.behavior = HpaBehavior{.up = {.tolerance = up}, .down = {.tolerance = down}}};
}

struct ResourceRow {
  const char* name;
  int current;
  double target;
  std::vector<Usage> usages;
  int silent;
  int expected;
  double shown;
  HpaPolicy policy = {};
};

std::vector<ResourceRow> resource_rows() {
  return {
      {"R1 up", 3, 30, {{300}, {500}, {700}}, 0, 5, 50},
      {"R2 up with one unready", 3, 30, {{300, 1, false}, {500}, {700}}, 0, 4, 60},
      {"R3 up with two of three unready", 3, 30, {{400}, {500, 1, false}, {700, 1, false}}, 0, 3, 40},
      {"R5 down", 5, 50, {{100}, {300}, {500}, {250}, {250}}, 0, 3, 28},
      {"R6 down without the unready", 5, 50, {{100}, {300}, {500}, {250, 1, false}, {250, 1, false}}, 0, 2, 30},
      {"M1 missing damps a shrink", 4, 100, {{400}, {95}}, 2, 3, 24},
      {"M2 one of two missing, at the target", 2, 100, {{1000}}, 1, 2, 100},
      {"M3 one of two missing, above", 2, 100, {{1900}}, 1, 2, 190},
      {"M4 one of two missing, below", 2, 100, {{600}}, 1, 2, 60},
      {"M5 unready and missing, direction flips", 3, 50, {{100, 1, false}, {450}}, 1, 3, 45},
      {"M6 unready and missing, up", 3, 50, {{100, 1, false}, {2000}}, 1, 4, 200},
      {"M7 unready and missing, down", 4, 50, {{100, 1, false}, {100}, {100}}, 1, 3, 10},
      {"M8 target above all requests", 4, 300, {{200, 1, false}, {100, 1}, {100, 2}}, 1, 2, 6},
      {"S1 surge contradicts the direction", 2, 50, {{100}, {100}}, 1, 2, 10},
      {"T1 default tolerance", 3, 100, {{1010, .9}, {1030, 1}, {1020, 1.1}}, 0, 3, 102},
      {"T2 no tolerance", 3, 100, {{909, .9}, {1010, 1}, {1111, 1.1}}, 0, 4, 101, with_tolerance(0, 0)},
      {"T3 tolerance up 200 %", 3, 100, {{1890, .9}, {1910, 1}, {1900, 1.1}}, 0, 3, 190, with_tolerance(2, .1)},
      {"T4 up 8 %, down 200 %", 3, 100, {{1100, .9}, {1080, 1}, {1090, 1.1}}, 0, 4, 109, with_tolerance(.08, 2)},
      {"T5 tolerance down 36 %", 3, 100, {{660, .9}, {640, 1}, {650, 1.1}}, 0, 3, 65, with_tolerance(.1, .36)},
      {"T6 tolerance down 34 %", 3, 100, {{660, .9}, {640, 1}, {650, 1.1}}, 0, 2, 65, with_tolerance(.1, .34)},
  };
}

TEST(HpaReplicas, resource_utilisation_as_the_table_has_it) {
  for (const ResourceRow& row : resource_rows()) {
    Snapshot snapshot = snapshot_of(row.current, row.usages, row.silent, "cpu");
    if (std::string_view(row.name).starts_with("M8")) snapshot.pods.back().requests.front().amount = 2;
    const HpaMetric metric{.type = HpaMetric::Type::resource, .name = "cpu", .value = row.target};
    const HpaProposal proposal = hpa_propose(metric, row.policy, snapshot, noon);
    EXPECT_EQ(proposal.error, "") << row.name;
    EXPECT_EQ(proposal.replicas, row.expected) << row.name;
    EXPECT_EQ(proposal.shown, row.shown) << row.name;
  }
}

TEST(HpaReplicas, container_resource_looks_at_one_container_only) {
  for (const ResourceRow& row : resource_rows()) {
    Snapshot snapshot = snapshot_of(row.current, row.usages, row.silent, "cpu");
    if (std::string_view(row.name).starts_with("M8")) snapshot.pods.back().requests.front().amount = 2;
    for (Pod& pod : snapshot.pods) {
      for (Sample& sample : pod.samples) sample.container = "app";
      if (!pod.samples.empty()) pod.samples.push_back({.metric = "cpu", .value = 7, .container = "sidecar"});
      pod.requests.push_back({.container = "sidecar", .resource = "cpu", .amount = .1});
    }
    const HpaMetric metric{
        .type = HpaMetric::Type::container_resource, .name = "cpu", .container = "app", .value = row.target};
    const HpaProposal proposal = hpa_propose(metric, row.policy, snapshot, noon);
    EXPECT_EQ(proposal.replicas, row.expected) << row.name << ' ' << proposal.error;
    EXPECT_EQ(proposal.shown, row.shown) << row.name;
  }
}

TEST(HpaReplicas, pods_that_are_over_do_not_count) {  // R4
  Snapshot snapshot = snapshot_of(2, {{500}, {700}, {900}, {900}, {900}}, 0, "cpu");
  snapshot.pods[2].phase = PodPhase::failed;
  snapshot.pods[3].phase = PodPhase::succeeded;
  snapshot.pods[4].deleted = noon - 1s;
  const HpaProposal proposal =
      hpa_propose({.type = HpaMetric::Type::resource, .name = "cpu", .value = 30}, {}, snapshot, noon);
  EXPECT_EQ(proposal.replicas, 4);
  EXPECT_EQ(proposal.shown, 60);
}

// M9. A recording has samples only of pods that it lists, so there is nothing to leave out: what remains of the row.
TEST(HpaReplicas, usage_far_above_the_target) {
  const Snapshot snapshot = snapshot_of(4, {{4000}, {9500}, {3000}, {7000}}, 0, "cpu");
  const HpaProposal proposal =
      hpa_propose({.type = HpaMetric::Type::resource, .name = "cpu", .value = 100}, {}, snapshot, noon);
  EXPECT_EQ(proposal.replicas, 24);
  EXPECT_EQ(proposal.shown, 587);
}

TEST(HpaReplicas, nothing_to_calculate_with_is_an_error_and_not_zero) {  // M10
  const HpaMetric cpu{.type = HpaMetric::Type::resource, .name = "cpu", .value = 100};
  EXPECT_NE(hpa_propose(cpu, {}, snapshot_of(4, {}, 4, "cpu"), noon).error, "");
  EXPECT_NE(hpa_propose(cpu, {}, Snapshot{.current = 4}, noon).error, "");
  Snapshot no_request = snapshot_of(2, {{500}, {500}}, 0, "cpu");
  no_request.pods[1].requests.clear();
  EXPECT_NE(hpa_propose(cpu, {}, no_request, noon).error.find("missing request for cpu in pod pod-1"),
            std::string::npos);
  for (const double amount :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), -1.0}) {
    const HpaMetric part{
        .type = HpaMetric::Type::resource, .name = "cpu", .target = HpaMetric::TargetType::utilization, .value = 50};
    Snapshot absurd = snapshot_of(2, {{500}, {500}}, 0, "cpu");
    absurd.pods[1].requests.front().amount = amount;
    EXPECT_NE(hpa_propose(part, {}, absurd, noon).error.find("missing request for cpu in pod pod-1"), std::string::npos)
        << amount;
  }
  Snapshot broken = snapshot_of(1, {{500}}, 0, "cpu");
  broken.pods[0].samples[0].value = std::numeric_limits<double>::quiet_NaN();
  EXPECT_NE(hpa_propose(cpu, {}, broken, noon).error, "");
}

struct PlainRow {
  const char* name;
  int current;
  double target;
  std::vector<Usage> usages;
  int silent;
  int expected;
  HpaPolicy policy = {};
};

TEST(HpaReplicas, pods_metrics_as_the_table_has_it) {
  const std::vector<PlainRow> rows = {
      {"P1 up", 3, 15000, {{20000}, {10000}, {30000}}, 0, 4},
      {"P2 readiness does not matter", 3, 15000, {{50000, 1, false}, {10000}, {30000}}, 0, 6},
      {"P3 two unready do not matter either", 3, 15000, {{50000, 1, false}, {15000}, {30000, 1, false}}, 0, 7},
      {"P4 down", 5, 20000, {{12000}, {12000}, {12000}, {12000}, {12000}}, 0, 3},
      {"P5 within tolerance", 3, 20000, {{20000}, {21000}, {21000}}, 0, 3},
      {"P6 beyond one percent", 3, 20000, {{20000}, {21000}, {21000}}, 0, 4, with_tolerance(.01, .1)},
      {"P7 missing at the target", 5, 20000, {{20000}, {19000}, {21000}}, 2, 5},
      {"P8 surge contradicts the direction", 2, 17000, {{10000}, {10000}}, 1, 2},
  };
  for (const PlainRow& row : rows) {
    const HpaMetric metric{.type = HpaMetric::Type::pods,
                           .name = "qps",
                           .target = HpaMetric::TargetType::average_value,
                           .value = row.target / 1000};
    const HpaProposal proposal =
        hpa_propose(metric, row.policy, snapshot_of(row.current, row.usages, row.silent, "qps"), noon);
    EXPECT_EQ(proposal.replicas, row.expected) << row.name << ' ' << proposal.error;
  }
}

TEST(HpaReplicas, resource_average_value_heeds_readiness_where_pods_metrics_do_not) {
  const Snapshot snapshot = snapshot_of(3, {{50000, 1, false}, {10000}, {30000}}, 0, "cpu");
  HpaMetric metric{
      .type = HpaMetric::Type::resource, .name = "cpu", .target = HpaMetric::TargetType::average_value, .value = 15};
  EXPECT_EQ(hpa_propose(metric, {}, snapshot, noon).replicas, 3) << "20 over two is 13.3 over three: it turns";
  metric.type = HpaMetric::Type::pods;
  EXPECT_EQ(hpa_propose(metric, {}, snapshot, noon).replicas, 6);
}

struct ValueRow {
  const char* name;
  HpaMetric::Type type;
  HpaMetric::TargetType target_type;
  int current;
  double usage;   // thousandths
  double target;  // thousandths
  std::vector<Usage> pods;
  int expected;
  double shown;
  HpaPolicy policy = {};
};

TEST(HpaReplicas, object_and_external_metrics_as_the_tables_have_it) {
  using Type = HpaMetric::Type;
  using Target = HpaMetric::TargetType;
  const double largest = static_cast<double>(std::numeric_limits<std::int64_t>::max());
  const std::vector<Usage> three(3);
  const std::vector<Usage> five(5);
  const std::vector<ValueRow> rows = {
      {"O1", Type::object, Target::value, 3, 20666, 20000, three, 3, 20.666},
      {"O2", Type::object, Target::value, 3, 20666, 20000, three, 4, 20.666, with_tolerance(.01, .1)},
      {"O3", Type::object, Target::average_value, 4, 20166, 5000, {}, 4, 5.042},
      {"O4", Type::object, Target::average_value, 4, 20208, 5000, {}, 5, 5.052, with_tolerance(.01, .1)},
      {"E1", Type::external, Target::value, 3, 8600, 4400, {{0}, {0, 1, false}, {0, 1, false}}, 2, 8.6},
      {"E2", Type::external, Target::value, 5, 8600, 14334, five, 3, 8.6},
      {"E3", Type::external, Target::value, 3, 8600, 8888, three, 3, 8.6},
      {"E4", Type::external, Target::value, 3, 8900, 8800, three, 4, 8.9, with_tolerance(.01, .1)},
      {"EP1", Type::external, Target::average_value, 3, 8600, 2150, {}, 4, 2.867},
      {"EP2", Type::external, Target::average_value, 5, 8600, 2867, {}, 3, 1.72},
      {"EP3", Type::external, Target::average_value, 3, 8600, 2900, {}, 3, 2.867},
      {"EP4", Type::external, Target::average_value, 3, 8600, 2800, {}, 4, 2.867, with_tolerance(.01, .1)},
      {"EP5 without replicas", Type::external, Target::average_value, 0, 20000, 5000, {}, 4, 0},
      {"EP6 saturates", Type::external, Target::average_value, 3, largest, 1, {}, 2147483647, -1},
      {"from zero, no tolerance", Type::object, Target::value, 0, 1001, 1000, {}, 2, 1.001},
      {"from zero, one", Type::object, Target::value, 0, 500, 1000, {}, 1, 0.5},
      {"from zero, two", Type::object, Target::value, 0, 20000, 15000, {}, 2, 20},
  };
  for (const ValueRow& row : rows) {
    Snapshot snapshot = snapshot_of(row.current, row.pods, 0, "cpu");
    snapshot.external = {{.metric = "queue", .value = row.usage / 1000}};
    const HpaMetric metric{.type = row.type, .name = "queue", .target = row.target_type, .value = row.target / 1000};
    const HpaProposal proposal = hpa_propose(metric, row.policy, snapshot, noon);
    EXPECT_EQ(proposal.error, "") << row.name;
    EXPECT_EQ(proposal.replicas, row.expected) << row.name;
    if (row.shown >= 0) {
      EXPECT_NEAR(proposal.shown, row.shown, 1e-9) << row.name;
    }
  }
}

TEST(HpaReplicas, a_value_is_multiplied_by_what_runs_and_is_ready_even_if_it_is_asked_to_end) {
  Snapshot snapshot = snapshot_of(3, {{0}, {0}, {0}, {0}, {0, 1, false}}, 0, "cpu");
  snapshot.pods[3].deleted = noon - 1s;
  snapshot.external = {{.metric = "queue", .value = 2}};
  const HpaMetric metric{
      .type = HpaMetric::Type::external, .name = "queue", .target = HpaMetric::TargetType::value, .value = 1};
  EXPECT_EQ(hpa_propose(metric, {}, snapshot, noon).replicas, 8);
}

TEST(HpaReplicas, external_values_below_zero_count_in_the_sum) {
  Snapshot snapshot = snapshot_of(2, {}, 0, "cpu");
  snapshot.external = {{.metric = "queue", .value = 10}, {.metric = "queue", .value = -2}};
  const HpaMetric metric{
      .type = HpaMetric::Type::external, .name = "queue", .target = HpaMetric::TargetType::average_value, .value = 1};
  EXPECT_EQ(hpa_propose(metric, {}, snapshot, noon).replicas, 8);
}

TEST(HpaReplicas, a_replica_count_of_the_status_is_what_an_average_is_held_against) {
  Snapshot snapshot{.current = 4, .status_replicas = 5};
  snapshot.external = {{.metric = "queue", .value = 4}};
  const HpaMetric metric{
      .type = HpaMetric::Type::external, .name = "queue", .target = HpaMetric::TargetType::average_value, .value = 1};
  EXPECT_EQ(hpa_propose(metric, with_tolerance(.1, .3), snapshot, noon).replicas, 5) << "within the tolerance of 5";
  snapshot.status_replicas = 4;
  EXPECT_EQ(hpa_propose(metric, with_tolerance(.1, .3), snapshot, noon).replicas, 4);
}

TEST(HpaReplicas, a_container_that_a_measured_pod_has_not_is_an_error) {
  Snapshot snapshot = snapshot_of(3, {{900}, {900}, {900}}, 0, "cpu");
  for (Pod& pod : snapshot.pods) pod.samples[0].container = "app";
  const HpaMetric metric{.type = HpaMetric::Type::container_resource, .name = "cpu", .container = "app", .value = 50};
  EXPECT_EQ(hpa_propose(metric, {}, snapshot, noon).replicas, 6);
  snapshot.pods[2].samples = {{.metric = "memory", .value = 7, .container = "app"}};
  EXPECT_EQ(hpa_propose(metric, {}, snapshot, noon).replicas, 4) << "the container is there: missing";
  snapshot.pods[2].samples = {{.metric = "rps", .value = 3}};
  EXPECT_EQ(hpa_propose(metric, {}, snapshot, noon).replicas, 4) << "nothing of its containers is known: missing";
  snapshot.pods[2].samples = {{.metric = "cpu", .value = .1, .container = "sidecar"}};
  EXPECT_NE(hpa_propose(metric, {}, snapshot, noon).error.find("container app not present in metrics for pod pod-2"),
            std::string::npos);
}

TEST(HpaReplicas, a_container_without_the_resource_makes_its_pods_usage_unknown) {
  Snapshot snapshot = snapshot_of(2, {{900}, {900}}, 0, "cpu");
  for (Pod& pod : snapshot.pods) pod.samples[0].container = "app";
  const HpaMetric metric{.type = HpaMetric::Type::resource, .name = "cpu", .value = 50};
  EXPECT_EQ(hpa_propose(metric, {}, snapshot, noon).replicas, 4);
  snapshot.pods[1].samples.push_back({.metric = "memory", .value = 1, .container = "sidecar"});
  MetricRecord record;
  EXPECT_EQ(hpa_propose(metric, {}, snapshot, noon, &record).replicas, 2);
  EXPECT_EQ(record.pods.at(1).state, InputState::missing);
}

TEST(HpaReplicas, what_containers_asked_for_may_be_nothing_but_must_be_said) {
  const HpaMetric metric{.type = HpaMetric::Type::resource, .name = "cpu", .value = 30};
  Snapshot snapshot = snapshot_of(2, {{600}, {600}}, 0, "cpu");
  for (Pod& pod : snapshot.pods) pod.requests.push_back({.container = "istio", .resource = "cpu", .amount = 0});
  EXPECT_EQ(hpa_propose(metric, {}, snapshot, noon).replicas, 4);
  snapshot.pods[1].requests.back().resource = "memory";
  EXPECT_NE(hpa_propose(metric, {}, snapshot, noon).error.find("missing request for cpu in pod pod-1"),
            std::string::npos);
  snapshot.pods[1].phase = PodPhase::failed;
  EXPECT_NE(hpa_propose(metric, {}, snapshot, noon).error.find("missing request"), std::string::npos)
      << "all pods are asked, also those that are over";
  snapshot.pods[1].requests.clear();
  EXPECT_EQ(hpa_propose(metric, {}, snapshot, noon).replicas, 2) << "a recording need not say it of those";
  for (Pod& pod : snapshot.pods) pod.requests = {{.container = "app", .resource = "cpu", .amount = 0}};
  EXPECT_EQ(hpa_propose(metric, {}, snapshot, noon).error, "no metrics returned matched known pods");
}

struct GroupRow {
  const char* name;
  const char* resource;
  std::optional<TimePoint> started;
  std::optional<bool> ready;
  std::optional<TimePoint> changed;
  TimePoint sampled;
  InputState expected;
};

// The second pod of each row always counts, so that there is something to calculate with.
TEST(HpaReplicas, groups_pods_by_what_their_age_and_readiness_say_of_their_usage) {
  const TimePoint begun = noon - 2min;
  const std::vector<GroupRow> rows = {
      {"young, ready, sampled since", "cpu", begun, true, noon - 90s, noon, InputState::fresh},
      {"young, ready, sampled within its first window", "cpu", begun, true, noon - 30s, noon, InputState::starting},
      {"young, unready", "cpu", begun, false, noon - 90s, noon, InputState::starting},
      {"old, unready, never ready", "cpu", noon - 10min, false, noon - 590s, noon, InputState::starting},
      {"old, unready, was ready once", "cpu", noon - 10min, false, noon - 3min, noon, InputState::fresh},
      {"old, ready", "cpu", noon - 10min, true, noon - 9min, noon, InputState::fresh},
      {"memory does not ask for readiness", "memory", begun, false, noon - 90s, noon, InputState::fresh},
  };
  for (const GroupRow& row : rows) {
    Snapshot snapshot = snapshot_of(2, {{500}, {500}}, 0, row.resource);
    Pod& pod = snapshot.pods[0];
    pod.started = row.started;
    pod.ready = row.ready;
    pod.ready_changed = row.changed;
    pod.samples[0].at = row.sampled;
    pod.samples[0].window = 60s;
    MetricRecord record;
    const HpaMetric metric{.type = HpaMetric::Type::resource, .name = row.resource, .value = 50};
    EXPECT_EQ(hpa_propose(metric, {}, snapshot, noon, &record).error, "") << row.name;
    EXPECT_EQ(record.pods.at(0).state, row.expected) << row.name;
  }
}

TEST(HpaReplicas, pending_pods_are_unready_and_silent_ones_missing) {
  Snapshot snapshot = snapshot_of(3, {{500}, {500}}, 1, "qps");
  snapshot.pods[1].phase = PodPhase::pending;
  MetricRecord record;
  const HpaMetric metric{
      .type = HpaMetric::Type::pods, .name = "qps", .target = HpaMetric::TargetType::average_value, .value = .5};
  EXPECT_EQ(hpa_propose(metric, {}, snapshot, noon, &record).replicas, 3);
  EXPECT_EQ(record.pods.at(0).state, InputState::fresh);
  EXPECT_EQ(record.pods.at(1).state, InputState::starting);
  EXPECT_EQ(record.pods.at(2).state, InputState::missing);
}

TEST(HpaReplicas, plain_states_do_where_no_conditions_are_given) {
  Snapshot snapshot{.current = 3};
  for (const char* name : {"a", "b", "c"}) {
    snapshot.pods.push_back({.name = name,
                             .samples = {{.metric = "cpu", .value = .6}},
                             .requests = {{.container = "app", .resource = "cpu", .amount = 1}}});
  }
  const HpaMetric metric{.type = HpaMetric::Type::resource, .name = "cpu", .value = 30};
  EXPECT_EQ(hpa_propose(metric, {}, snapshot, noon).replicas, 6);
  snapshot.pods[0].state = PodState::unready;
  EXPECT_EQ(hpa_propose(metric, {}, snapshot, noon).replicas, 4);
  snapshot.pods[0].state = PodState::terminating;
  EXPECT_EQ(hpa_propose(metric, {}, snapshot, noon).replicas, 4);
  snapshot.pods[0].state = PodState::missing;
  EXPECT_EQ(hpa_propose(metric, {}, snapshot, noon).replicas, 4);
}

}  // namespace hpa_replicas_test
}  // namespace trunkline::autoscale
