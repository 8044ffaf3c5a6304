#include "services/autoscale_files/keda_manifest.h"

#include <algorithm>
#include <array>
#include <optional>

#include <trunkline/headers.hpp>

#include "base/text.h"
#include "services/autoscale_files/hpa_manifest.h"
#include "services/autoscale_files/policy_file.h"
#include "services/config/number.h"

namespace trunkline::autoscale {
namespace {

using config::Node;
using config::Reader;
using std::chrono::seconds;

// Everything that is not mapped, with its place: fields that are known to have no counterpart, and fields that KEDA
// would not know either.
class Notes {
 public:
  explicit Notes(std::string_view file) : file_(file) {}

  void add(config::Place place, const std::string& sentence) {
    list_.push_back(config::error_at(file_, place, sentence).message);
  }
  void unmapped(Reader& io, std::string_view field, std::string_view why) {
    const Node* node = io.take(field);
    if (node) add(node->key_place, std::string(field) + ": " + std::string(why));
  }
  std::vector<std::string> take() { return std::move(list_); }

 private:
  std::string file_;
  std::vector<std::string> list_;
};

std::string text_at(const Node& map, std::string_view field) {
  const Node* node = map.find(field);
  return node && node->kind == Node::Kind::scalar ? node->text : "";
}

// Each kind of trigger has a name of its own for its target, and "activation" before it for what wakes it.
constexpr std::array<std::string_view, 9> target_names = {"threshold",   "targetValue",  "value",
                                                          "queueLength", "lagThreshold", "targetQueueSize",
                                                          "listLength",  "lagCount",     "pendingEntriesCount"};

// The first of them that the trigger's metadata has.
std::optional<double> target_of(const Node& metadata) {
  for (const std::string_view name : target_names) {
    const auto value = config::read_quantity(text_at(metadata, name));
    if (value && *value > 0) return value;
  }
  return std::nullopt;
}

bool activates(std::string_view key) {
  constexpr std::string_view prefix = "activation";
  return std::ranges::any_of(target_names, [&](std::string_view name) {
    return key.size() == prefix.size() + name.size() && equals_ignore_case(key.substr(prefix.size()), name);
  });
}

std::string name_of(const Node& trigger, std::string_view type, std::size_t index) {
  const Node* metadata = trigger.find("metadata");
  if (const std::string name = text_at(trigger, "name"); !name.empty()) return name;
  if (const std::string name = metadata ? text_at(*metadata, "metricName") : ""; !name.empty()) return name;
  return std::string(type) + "-" + std::to_string(index);
}

void read_trigger(const Node& trigger, std::size_t index, NativePolicy& rules, Notes& notes) {
  const std::string type = text_at(trigger, "type");
  const Node* metadata = trigger.find("metadata");
  if (type == "cron") {
    notes.add(trigger.place, "a cron trigger: there are no schedules; change bounds.min from outside, at the time");
    return;
  }
  const auto target = metadata ? target_of(*metadata) : std::nullopt;
  if (!target) {
    notes.add(trigger.place, "a trigger of type " + type + " without a target that is known here is left out");
    return;
  }
  std::string metric_type = text_at(trigger, "metricType");
  if (metric_type.empty()) metric_type = text_at(*metadata, "type");
  MetricPolicy metric{.name = name_of(trigger, type, index), .target = {.value = *target}};
  if (type == "cpu" || type == "memory") {
    metric.name = type;
    if (metric_type != "AverageValue") {
      metric.target.value = *target / 100;
      notes.add(trigger.place, type +
                                   ": utilisation is a part of what pods request; target.perPod is right for a "
                                   "request of 1, multiply it by the request");
    }
    rules.metrics.push_back(std::move(metric));
    return;
  }
  metric.source = Source::external;
  if (metric_type == "Value") metric.target.kind = MetricTarget::Kind::total;
  const std::string query = text_at(*metadata, "query");
  notes.add(trigger.place, "the value of metric " + metric.name + " must come from an external source" +
                               (query.empty() ? ", which the trigger's metadata describes" : ": " + query));
  for (const Node& entry : metadata->children) {
    if (!entry.key.starts_with("activation")) continue;
    const auto value = config::read_quantity(entry.text);
    if (value && activates(entry.key)) {
      metric.activation = *value;
    } else {
      notes.add(entry.place, entry.key + ": " + printable(entry.text, 60) + " is not an activation that is known here");
    }
  }
  if (type == "prometheus" && text_at(*metadata, "ignoreNullValues") != "false") {
    notes.add(trigger.place, "KEDA takes an empty answer for 0 here; the native policy takes it for unknown");
  }
  rules.metrics.push_back(std::move(metric));
}

void read_fallback(Reader& io, Fallback& fallback, Notes& notes) {
  notes.unmapped(io, "failureThreshold", "a fallback begins when carried values are too old (gaps.carry)");
  std::string behavior = "static";
  io.integer("replicas", fallback.replicas, 0, replicas_limit);
  io.text("behavior", behavior);
  if (behavior == "currentReplicas" || fallback.replicas == 0) return;
  fallback.no_data = fallback.denied = FallbackAction::replicas;
  fallback.may_lower = behavior == "static" || behavior == "currentReplicasIfLower";
  if (behavior != "static" && behavior != "currentReplicasIfHigher") {
    notes.add(io.node().place, "fallback.behavior " + behavior + " has no exact counterpart");
  }
}

void read_advanced(Reader& io, HpaPolicy& hpa, Notes& notes) {
  notes.unmapped(io, "restoreToOriginalReplicaCount", "nothing is done when a policy goes away");
  notes.unmapped(io, "scalingModifiers", "there are no formulas: the largest proposal of all metrics counts");
  io.object("horizontalPodAutoscalerConfig", [&](Reader& config) {
    config.ignore("name");
    config.optional_object("behavior", hpa.behavior,
                           [](Reader& in, HpaBehavior& behavior) { behavior_fields(in, behavior); });
  });
}

void read_annotations(const Node& metadata, Policy& policy, Notes& notes) {
  const Node* annotations = metadata.find("annotations");
  if (!annotations) return;
  const std::string prefix = "autoscaling.keda.sh/";
  const auto is_true = [&](std::string_view name) {
    return text_at(*annotations, prefix + std::string(name)) == "true";
  };
  const bool in = is_true("paused-scale-in");
  const bool out = is_true("paused-scale-out");
  if (is_true("paused") || in || out) {
    policy.pause = Pause{.up = out || is_true("paused"), .down = in || is_true("paused")};
  }
  if (const Node* fixed = annotations->find(prefix + "paused-replicas")) {
    policy.pause = Pause{};
    notes.add(fixed->key_place, "paused-replicas: the policy is paused where it stands, not set to " + fixed->text);
  }
}

}  // namespace

Result<Imported> read_scaled_object(const Node& document, std::string_view file) {
  Imported out;
  Notes notes(file);
  config::Problems problems{std::string(file)};
  NativePolicy rules;
  HpaPolicy hpa;
  rules.bounds = {.min = 0, .max = 100};
  Reader root(document, problems);
  for (const std::string_view ignored : {"apiVersion", "kind", "metadata", "status"}) root.ignore(ignored);
  root.require(root.has("spec"), "", "a ScaledObject needs a spec");
  root.object("spec", [&](Reader& io) {
    io.ignore("scaleTargetRef");
    io.integer("minReplicaCount", rules.bounds.min, 0, replicas_limit);
    io.integer("maxReplicaCount", rules.bounds.max, 1, replicas_limit);
    io.whole_seconds("cooldownPeriod", rules.idle_before_zero, 86'400);
    notes.unmapped(io, "pollingInterval", "how often is decided is the live system's setting");
    notes.unmapped(io, "initialCooldownPeriod", "there is none");
    notes.unmapped(io, "idleReplicaCount", "there is one minimum; 0 is reached after idleBeforeZero");
    io.object("fallback", [&](Reader& in) { read_fallback(in, rules.gaps.fallback, notes); });
    io.object("advanced", [&](Reader& in) { read_advanced(in, hpa, notes); });
    if (const Node* triggers = io.take_list("triggers", 100)) {
      for (std::size_t i = 0; i < triggers->children.size(); ++i) read_trigger(triggers->children[i], i, rules, notes);
    }
  });
  root.finish();
  if (problems.any()) return problems.error();
  if (rules.metrics.empty())
    return config::error_at(file, document.place, "not one trigger of this ScaledObject can be mapped");

  hpa.min = rules.bounds.min;
  hpa.max = rules.bounds.max;
  const Imported behavior = native_from(hpa);
  const auto& moves = std::get<NativePolicy>(behavior.policy.rules);
  rules.up = moves.up;
  rules.down = moves.down;
  rules.fast = moves.fast;
  const Node* metadata = document.find("metadata");
  out.policy.name = metadata ? text_at(*metadata, "name") : "";
  if (out.policy.name.empty()) out.policy.name = "scaledobject";
  if (metadata) read_annotations(*metadata, out.policy, notes);
  out.policy.rules = std::move(rules);
  out.from = "ScaledObject " + out.policy.name;
  out.notes = notes.take();
  return out;
}

}  // namespace trunkline::autoscale
