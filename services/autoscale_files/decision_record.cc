#include "services/autoscale_files/decision_record.h"

#include "services/config/print.h"
#include "services/config/writer.h"

namespace trunkline::autoscale {
namespace {

using config::Writer;

void metric_fields(Writer& io, MetricRecord& metric) {
  io.text("metric", metric.metric);
  if (!metric.target.empty()) io.text("target", metric.target);
  io.text("verdict", std::string(to_string(metric.verdict)));
  io.integer("proposal", metric.proposal);
  io.number("low", metric.low);
  io.number("best", metric.best);
  io.number("high", metric.high);
  io.number("targetValue", metric.target_value);
  io.number("currentValue", metric.current_value);
  io.number("demandLow", metric.demand_low);
  io.number("demandHigh", metric.demand_high);
  io.integer("expected", metric.expected);
  io.integer("fresh", metric.fresh);
  io.integer("carried", metric.carried);
  io.integer("missing", metric.missing);
  io.number("coverage", metric.coverage);
  io.duration("worstAge", metric.worst_age);
  io.text("reason", metric.reason);
  io.list("pods", metric.pods, [](Writer& in, PodInput& pod) {
    in.text("pod", pod.pod);
    in.text("state", std::string(to_string(pod.state)));
    in.number("value", pod.value);
    in.duration("age", pod.age);
    if (!pod.reason.empty()) in.text("reason", pod.reason);
  });
}

void condition_fields(Writer& io, Condition& condition) {
  io.text("type", condition.type);
  io.text("status", std::string(to_string(condition.status)));
  io.text("reason", condition.reason);
  io.text("message", condition.message);
}

void event_fields(Writer& io, Event& event) {
  io.boolean("warning", event.warning);
  io.text("reason", event.reason);
  io.text("message", event.message);
}

void outcome_fields(Writer& io, Decision& decision) {
  io.time("t", decision.at);
  io.text("policy", decision.policy);
  io.integer("current", decision.current);
  io.integer("desired", decision.desired);
  io.text("action", std::string(to_string(decision.action)));
  io.text("reason", decision.reason);
  io.boolean("panic", decision.panic);
  io.boolean("dryRun", decision.dry_run);
}

}  // namespace

std::string print_decision(const Decision& decision, const Snapshot& seen) {
  Decision copy = decision;
  config::Node root;
  Writer io(root);
  outcome_fields(io, copy);
  io.list("stages", copy.stages, [](Writer& in, Stage& stage) {
    in.text("stage", stage.stage);
    in.integer("before", stage.before);
    in.integer("after", stage.after);
    in.text("reason", stage.reason);
  });
  io.list("metrics", copy.metrics, [](Writer& in, MetricRecord& metric) { metric_fields(in, metric); });
  std::vector<const Pod*> pods;
  pods.reserve(seen.pods.size());
  for (const Pod& pod : seen.pods) pods.push_back(&pod);
  io.list("pods", pods, [](Writer& in, const Pod*& pod) {
    in.text("name", pod->name);
    in.text("state", std::string(to_string(pod->state)));
  });
  if (!copy.targets.empty()) {
    io.list("targets", copy.targets, [](Writer& in, TargetReplicas& target) {
      in.text("target", target.target);
      in.integer("replicas", target.replicas);
    });
  }
  if (!copy.victims.empty()) {
    io.list("victims", copy.victims, [](Writer& in, Victim& victim) {
      in.text("pod", victim.pod);
      in.number("streams", victim.streams);
    });
    io.number("disrupted", copy.disrupted);
  }
  io.list("conditions", copy.conditions, [](Writer& in, Condition& condition) { condition_fields(in, condition); });
  io.list("events", copy.events, [](Writer& in, Event& event) { event_fields(in, event); });
  return config::print_json(root);
}

}  // namespace trunkline::autoscale
