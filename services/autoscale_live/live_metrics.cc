#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "base/text.h"
#include "services/autoscale_live/autoscaler.h"

namespace trunkline::autoscale {
namespace {

using metrics::ExpositionWriter;
using metrics::Type;

constexpr std::array actions = {Action::hold, Action::up, Action::down};
constexpr std::array pod_states = {PodState::ready, PodState::unready, PodState::starting, PodState::missing,
                                   PodState::terminating};
constexpr std::array input_states = {InputState::fresh,    InputState::carried,  InputState::missing,
                                     InputState::starting, InputState::draining, InputState::excluded};

struct FleetNow {
  FleetStatus status;
  FleetCounters counters;
  std::uint64_t apply_failures = 0;
};

// One gauge or counter with a sample for each fleet.
template <class F>
void for_each_fleet(ExpositionWriter& writer, const std::vector<FleetNow>& fleets, std::string_view name, Type type,
                    std::string_view help, F value) {
  writer.family(name, type, help);
  for (const FleetNow& fleet : fleets) writer.sample({{"fleet", fleet.status.name}}, static_cast<double>(value(fleet)));
}

void write_replicas(ExpositionWriter& writer, const std::vector<FleetNow>& fleets) {
  const auto gauge = [&](std::string_view name, std::string_view help, auto value) {
    for_each_fleet(writer, fleets, name, Type::gauge, help, value);
  };
  gauge("trunkline_autoscale_replicas", "Replicas asked for now.",
        [](const FleetNow& fleet) { return fleet.status.current; });
  gauge("trunkline_autoscale_desired_replicas", "What the last decision asked for.", [](const FleetNow& fleet) {
    return fleet.status.last ? fleet.status.last->decision.desired : fleet.status.current;
  });
  gauge("trunkline_autoscale_ready_replicas", "Pods that serve.",
        [](const FleetNow& fleet) { return fleet.status.ready; });
  gauge("trunkline_autoscale_min_replicas", "The policy's lower bound.",
        [](const FleetNow& fleet) { return fleet.status.min; });
  gauge("trunkline_autoscale_max_replicas", "The policy's upper bound.",
        [](const FleetNow& fleet) { return fleet.status.max; });
  gauge("trunkline_autoscale_paused", "1 while a pause is in force.",
        [](const FleetNow& fleet) { return fleet.status.paused ? 1 : 0; });
  gauge("trunkline_autoscale_trouble", "1 while the fleet cannot be observed or scaled as configured.",
        [](const FleetNow& fleet) { return fleet.status.trouble.empty() ? 0 : 1; });
}

void write_pods(ExpositionWriter& writer, const std::vector<FleetNow>& fleets) {
  writer.family("trunkline_autoscale_pods", Type::gauge, "Pods, by what they are doing.");
  for (const FleetNow& fleet : fleets) {
    for (const PodState state : pod_states) {
      const auto count = std::ranges::count(fleet.status.pods, state, &PodStatus::state);
      writer.sample({{"fleet", fleet.status.name}, {"state", to_string(state)}}, static_cast<double>(count));
    }
  }
}

void write_conditions(ExpositionWriter& writer, const std::vector<FleetNow>& fleets) {
  writer.family("trunkline_autoscale_panic", Type::gauge, "1 while demand is so far above that nothing is lowered.");
  for (const FleetNow& fleet : fleets) {
    if (fleet.status.last) writer.sample({{"fleet", fleet.status.name}}, fleet.status.last->decision.panic ? 1.0 : 0.0);
  }
  writer.family("trunkline_autoscale_condition", Type::gauge,
                "1 while the last decision says so, 0 where it denies it.");
  for (const FleetNow& fleet : fleets) {
    if (!fleet.status.last) continue;
    std::map<std::string_view, bool> holds;  // a condition of several metrics is one
    for (const Condition& condition : fleet.status.last->decision.conditions) {
      holds[condition.type] |= condition.status == Truth::yes;
    }
    for (const auto& [type, is_so] : holds) {
      writer.sample({{"fleet", fleet.status.name}, {"condition", type}}, is_so ? 1.0 : 0.0);
    }
  }
}

void write_targets(ExpositionWriter& writer, const std::vector<FleetNow>& fleets) {
  writer.family("trunkline_autoscale_target_desired_replicas", Type::gauge,
                "How the last decision splits its total over several targets or roles.");
  for (const FleetNow& fleet : fleets) {
    if (!fleet.status.last) continue;
    for (const TargetReplicas& target : fleet.status.last->decision.targets) {
      writer.sample({{"fleet", fleet.status.name}, {"target", target.target}}, target.replicas);
    }
  }
}

void write_decisions(ExpositionWriter& writer, const std::vector<FleetNow>& fleets, TimePoint now) {
  writer.family("trunkline_autoscale_decisions_total", Type::counter, "Decisions, by what they did.");
  for (const FleetNow& fleet : fleets) {
    for (const Action action : actions) {
      const std::uint64_t count = action == Action::up     ? fleet.counters.ups
                                  : action == Action::down ? fleet.counters.downs
                                                           : fleet.counters.holds;
      writer.sample({{"fleet", fleet.status.name}, {"action", to_string(action)}}, static_cast<double>(count));
    }
  }
  for_each_fleet(writer, fleets, "trunkline_autoscale_gaps_survived_total", Type::counter,
                 "Decisions with values missing or carried over that changed nothing.",
                 [](const FleetNow& fleet) { return fleet.counters.gaps_survived; });
  for_each_fleet(writer, fleets, "trunkline_autoscale_apply_failures_total", Type::counter,
                 "Processes that ended unasked, or orders that a webhook did not take.",
                 [](const FleetNow& fleet) { return fleet.apply_failures; });
  writer.family("trunkline_autoscale_last_decision_age_seconds", Type::gauge, "Since the last decision's cut-off.");
  for (const FleetNow& fleet : fleets) {
    if (!fleet.status.last) continue;
    const std::chrono::duration<double> age = now - fleet.status.last->decision.at;
    writer.sample({{"fleet", fleet.status.name}}, std::max(0.0, age.count()));
  }
}

// A policy may name a metric for several roles, and a mistaken one may name it twice: a series may be there once only.
template <class F>
void for_each_metric(const std::vector<FleetNow>& fleets, F write) {
  for (const FleetNow& fleet : fleets) {
    if (!fleet.status.last) continue;
    std::set<std::pair<std::string_view, std::string_view>> seen;
    for (const MetricRecord& metric : fleet.status.last->decision.metrics) {
      if (!seen.emplace(metric.metric, metric.target).second) continue;
      std::vector<metrics::Label> labels = {{"fleet", fleet.status.name}, {"metric", metric.metric}};
      if (!metric.target.empty()) labels.push_back({"role", metric.target});
      write(std::move(labels), metric);
    }
  }
}

void write_inputs(ExpositionWriter& writer, const std::vector<FleetNow>& fleets) {
  const auto sample = [&](std::vector<metrics::Label> labels, metrics::Label last, double value) {
    labels.push_back(last);
    writer.sample(std::span<const metrics::Label>(labels), value);
  };
  using Labels = std::vector<metrics::Label>;
  writer.family("trunkline_autoscale_inputs", Type::gauge, "Pods by the state of what they gave to the last decision.");
  for_each_metric(fleets, [&](const Labels& labels, const MetricRecord& metric) {
    for (const InputState state : input_states) {
      const auto count = std::ranges::count(metric.pods, state, &PodInput::state);
      sample(labels, {"state", to_string(state)}, static_cast<double>(count));
    }
  });
  writer.family("trunkline_autoscale_coverage_ratio", Type::gauge,
                "Pods that gave a fresh value, of those that should.");
  for_each_metric(fleets, [&](const Labels& labels, const MetricRecord& metric) {
    writer.sample(std::span<const metrics::Label>(labels), metric.coverage);
  });
  writer.family("trunkline_autoscale_demand_replicas", Type::gauge,
                "Demand at the last decision, in replicas: what is surely there, and what may be.");
  for_each_metric(fleets, [&](const Labels& labels, const MetricRecord& metric) {
    sample(labels, {"bound", "low"}, metric.demand_low);
    sample(labels, {"bound", "high"}, metric.demand_high);
  });
}

}  // namespace

void Autoscaler::write_metrics(ExpositionWriter& writer) const {
  std::map<Duration, std::shared_ptr<scrape::Collector>> collectors;
  {
    const std::lock_guard lock(mutex_);
    collectors = collectors_;
  }
  for (const auto& [interval, collector] : collectors) {
    const std::string name = "fleets-" + print_duration(interval);
    const std::array<metrics::Label, 1> label{metrics::Label{"collector", name}};
    collector->write_metrics(writer, label);
  }
  std::vector<FleetNow> fleets;
  for (FleetStatus& status : this->fleets()) {
    FleetNow& now = fleets.emplace_back();
    now.status = std::move(status);
    const std::lock_guard lock(mutex_);
    const auto found = members_.find(now.status.name);
    if (found == members_.end()) continue;
    now.counters = found->second->fleet->counters();
    now.apply_failures = found->second->target->observe(Clock::now()).apply_failures;
  }
  if (fleets.empty()) return;
  write_replicas(writer, fleets);
  write_pods(writer, fleets);
  write_targets(writer, fleets);
  write_conditions(writer, fleets);
  write_decisions(writer, fleets, time_.now());
  write_inputs(writer, fleets);
}

}  // namespace trunkline::autoscale
