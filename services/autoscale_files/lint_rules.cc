#include "services/autoscale_files/lint_rules.h"

#include <algorithm>

#include "base/text.h"

namespace trunkline::autoscale {
namespace {

using config::Node;
using config::Place;
using std::chrono::seconds;

bool has_any(const std::string& text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return text.find(word) != std::string::npos; });
}

bool is_error_signal(std::string_view text) {
  return has_any(in_small_letters(text), {"error", "5xx", "_500", "=~\"5", "=\"5", "fail", "exception", "timeouts"});
}
bool is_average(const std::string& text) { return has_any(text, {"avg", "average", "mean", "per_pod", "per_replica"}); }

// As deep as the path goes in what was written, so that a default has the place of the block that it belongs to.
Place place_of(const Node& root, std::initializer_list<std::string_view> path) {
  const Node* here = &root;
  for (const std::string_view name : path) {
    const Node* next = here->find(name);
    if (!next) break;
    here = next;
  }
  return here->place;
}

Place place_of_metric(const Node& root, std::size_t index) {
  const Node* spec = root.find("spec");
  const Node* metrics = (spec ? *spec : root).find("metrics");
  return metrics && index < metrics->children.size() ? metrics->children[index].place : root.place;
}

class Findings {
 public:
  void add(std::string code, Place place, std::string why, std::string cure) {
    list_.push_back({std::move(code), {}, place, std::move(why), std::move(cure)});
  }
  std::vector<Finding> take() { return std::move(list_); }

 private:
  std::vector<Finding> list_;
};

void look_at_query(const Node& node, Findings& out) {
  const std::string text = in_small_letters(node.text);
  if (has_any(text, {"or vector(0)", "or on() vector(0)"})) {
    out.add(
        "zero-for-unknown", node.place,
        "\"or vector(0)\" turns \"nothing is known\" into \"there is no load\", and the service is scaled in when its "
        "metrics are lost",
        "leave it out: an empty answer is unknown, and nothing goes down on what is unknown");
  }
  const bool is_query = node.key == "query" || node.key == "expr";
  if (is_query && text.starts_with("avg")) {
    out.add("average-query", node.place,
            "an average over the pods that answered loses those that did not, and new empty pods pull it down at once",
            "query the sum, and give the target per pod (AverageValue, perPod)");
  }
  if (is_query && is_error_signal(text)) {
    out.add("errors-as-load", node.place,
            "errors are no load: they grow for other reasons, and more replicas seldom make them fewer",
            "scale on what is being worked on; make errors a veto that forbids going down");
  }
}

void walk(const Node& node, Findings& out) {
  if (node.kind == Node::Kind::scalar) look_at_query(node, out);
  for (const Node& child : node.children) walk(child, out);
}

void look_at_triggers(const Node& document, Findings& out) {
  const Node* spec = document.find("spec");
  const Node* triggers = spec ? spec->find("triggers") : nullptr;
  if (!triggers) return;
  for (const Node& trigger : triggers->children) {
    const Node* type = trigger.find("type");
    const Node* metadata = trigger.find("metadata");
    const Node* ignores = metadata ? metadata->find("ignoreNullValues") : nullptr;
    if (type && type->text == "prometheus" && (!ignores || ignores->text != "false")) {
      out.add(
          "zero-for-unknown", trigger.place,
          "KEDA takes an empty answer of Prometheus for 0 unless it is told not to, and scales in when it loses its "
          "metrics",
          "ignoreNullValues: \"false\", with a fallback");
    }
  }
  if (spec->find("fallback") == nullptr) {
    out.add("no-fallback", spec->place, "without a fallback nothing says what holds while the metrics cannot be read",
            "fallback: {failureThreshold: 3, replicas: N, behavior: currentReplicasIfHigher}");
  }
}

void look_at_name(const std::string& name, Place place, bool raw_value, bool summed, Findings& out) {
  const std::string text = in_small_letters(name);
  if (is_error_signal(text)) {
    out.add("errors-as-load", place, "the metric " + name + " counts errors: they are no load",
            "scale on what is being worked on; make errors a veto that forbids going down");
  }
  if (raw_value && (text.ends_with("_total") || text.ends_with("_count"))) {
    out.add("counter-as-gauge", place,
            "the metric " + name + " is a counter by its name, and its value since the start only ever grows",
            "read it as a rate (read: rate, or rate() in the query)");
  }
  if (summed && has_any(text, {"p50", "p90", "p95", "p99", "quantile", "percentile", "latency"})) {
    out.add(
        "sum-of-quantiles", place,
        "the metric " + name + " is a latency or a quantile by its name, and a sum of those over pods means nothing",
        "read the histogram (read: quantile), which merges buckets first, with target.total");
  }
}

void look_at_window(std::string code, std::string_view what, Place place, Duration window, const LintSettings& settings,
                    Findings& out) {
  if (window >= 2 * settings.interval) return;
  out.add(std::move(code), place,
          std::string(what) + " of " + print_duration(window) + " is shorter than two intervals of " +
              print_duration(settings.interval) + ": one missed scrape decides",
          "at least " + print_duration(2 * settings.interval) + ", for services with streams 10m");
}

void look_at_native(const NativePolicy& rules, const Node& root, const LintSettings& settings, Findings& out) {
  for (std::size_t i = 0; i < rules.metrics.size(); ++i) {
    const MetricPolicy& metric = rules.metrics[i];
    const Place place = place_of_metric(root, i);
    if (metric.veto) continue;
    const bool raw = metric.reading == Reading::gauge && metric.source == Source::pods;
    look_at_name(metric.name, place, raw, raw && metric.across == Across::sum, out);
    if (metric.reading != Reading::gauge) {
      look_at_window("short-window", "a rate or quantile over a window", place, metric.window, settings, out);
    }
    if (metric.source == Source::external && metric.target.kind == MetricTarget::Kind::total &&
        is_average(in_small_letters(metric.name))) {
      out.add("average-times-replicas", place,
              "an average (" + metric.name +
                  ") is compared with a total: those who answered and those it is multiplied "
                  "with are different pods",
              "take the sum, with target.perPod");
    }
    const Tolerance& tolerance = metric.tolerance;
    if (tolerance.up == 0 && tolerance.down == 0 && tolerance.absolute == 0 && tolerance.hysteresis == 0) {
      out.add("no-tolerance", place, "without any tolerance or hysteresis noise around a whole number moves replicas",
              "keep a relative tolerance of 0.1, or a hysteresis of 0.1 replicas");
    }
  }
  if (rules.down.select != Select::off) {
    look_at_window("short-stabilisation", "a stabilisation of the way down", place_of(root, {"down", "stabilise"}),
                   rules.down.stabilise, settings, out);
  }
  if (rules.gaps.fresh < settings.interval) {
    out.add("never-fresh", place_of(root, {"gaps", "fresh"}),
            "samples count as fresh for " + print_duration(rules.gaps.fresh) + ", and come every " +
                print_duration(settings.interval),
            "gaps.fresh of one interval at least");
  }
  if (rules.gaps.carry < settings.interval) {
    out.add("no-carry", place_of(root, {"gaps", "carry"}),
            "a value is given up before the next scrape could have replaced it", "gaps.carry of two intervals");
  }
  const bool wakes = std::any_of(rules.metrics.begin(), rules.metrics.end(),
                                 [](const MetricPolicy& metric) { return metric.source == Source::external; });
  if (rules.bounds.min == 0 && rules.targets.empty() && !wakes) {
    out.add("no-wake-signal", place_of(root, {"bounds", "min"}),
            "at zero there is no pod to ask, and no metric comes from elsewhere: it never wakes",
            "an external metric, such as what waits in the transport's queue; or bounds.min: 1");
  }
  if (rules.gaps.fallback.may_lower) {
    out.add("fallback-lowers", place_of(root, {"gaps", "fallback", "mayLower"}),
            "losing the metrics may take replicas away from a service that is under load", "mayLower: false");
  }
}

void look_at_hpa(const HpaPolicy& rules, const Node& root, const LintSettings& settings, Findings& out) {
  for (std::size_t i = 0; i < rules.metrics.size(); ++i) {
    const HpaMetric& metric = rules.metrics[i];
    const Place place = place_of_metric(root, i);
    const bool pods = metric.type == HpaMetric::Type::pods;
    if (pods || metric.type == HpaMetric::Type::external) look_at_name(metric.name, place, pods, pods, out);
    if (metric.type == HpaMetric::Type::external && metric.target == HpaMetric::TargetType::value) {
      out.add("average-times-replicas", place,
              "an external metric with a Value is multiplied with the ready pods" +
                  std::string(is_average(in_small_letters(metric.name)) ? ", and this one is an average by its name:"
                                                                        : "; if it is an average,") +
                  " those who answered and those who are ready are different pods",
              "query the sum, with type: AverageValue");
    }
  }
  const HpaBehavior behavior = rules.behavior.value_or(HpaBehavior{});
  if (behavior.down.select != HpaSelect::disabled) {
    look_at_window("short-stabilisation", "a stabilisation of the way down",
                   place_of(root, {"spec", "behavior", "scaleDown", "stabilizationWindowSeconds"}),
                   behavior.down.stabilization.value_or(rules.downscale_stabilization), settings, out);
  }
}

void look_at_kthena(const KthenaPolicy& rules, const Node& root, const LintSettings& settings, Findings& out) {
  for (std::size_t i = 0; i < rules.metrics.size(); ++i) {
    const KthenaMetric& metric = rules.metrics[i];
    const Place place = place_of_metric(root, i);
    look_at_name(metric.name, place, !metric.external, false, out);
    if (metric.kind == KthenaMetric::Kind::histogram) {
      out.add("sum-of-quantiles", place, "kthena adds up the 95th percentiles of all pods",
              "import the policy: the native one merges buckets before it takes a quantile");
    }
  }
  const Place behavior = place_of(root, {"spec", "behavior"});
  if (rules.targets.empty() && rules.tolerance_percent > 0) {
    out.add(
        "tolerance-without-effect", place_of(root, {"spec", "tolerancePercent"}),
        "kthena compares the sum over all pods with the target of one, so that the tolerance has no effect from two "
        "replicas on",
        "give the stabilisation windows the work, or import the policy");
  }
  if (rules.panic.hold == seconds(0)) {
    out.add(
        "panic-is-off", behavior,
        "a panicPolicy that is left out is off; one that is written in part is on, with other defaults",
        "write panicPolicy with period, panicThresholdPercent and panicModeHold, or panicModeHold: 0s if off is meant");
  }
  look_at_window("short-stabilisation", "a stabilisation of the way down",
                 place_of(root, {"spec", "behavior", "scaleDown", "stabilizationWindow"}), rules.down.stabilization,
                 settings, out);
}

}  // namespace

std::vector<Finding> lint_document(const Node& document) {
  Findings out;
  walk(document, out);
  look_at_triggers(document, out);
  return out.take();
}

std::vector<Finding> lint_policy(const Policy& policy, const Node& document, const LintSettings& settings) {
  Findings out;
  if (const auto* native = std::get_if<NativePolicy>(&policy.rules)) {
    look_at_native(*native, document, settings, out);
  } else if (const auto* hpa = std::get_if<HpaPolicy>(&policy.rules)) {
    look_at_hpa(*hpa, document, settings, out);
  } else {
    look_at_kthena(std::get<KthenaPolicy>(policy.rules), document, settings, out);
  }
  if (settings.server_keep_alive && *settings.server_keep_alive <= settings.interval) {
    out.add("keep-alive-under-interval", document.place,
            "the servers close idle connections after " + print_duration(*settings.server_keep_alive) +
                ", and are asked every " + print_duration(settings.interval) +
                ": every scrape dials anew, and some meet a closing connection",
            "a keep-alive of two intervals on the server, or a shorter interval");
  }
  return out.take();
}

}  // namespace trunkline::autoscale
