#include "services/autoscale_files/kthena_manifest.h"

#include <map>

#include "services/autoscale_files/policy_file.h"

namespace trunkline::autoscale {
namespace {

using config::Named;
using config::not_negative;
using config::positive;
using std::chrono::seconds;

constexpr Named<KthenaSelect> kthena_selects[] = {{"Or", KthenaSelect::any}, {"And", KthenaSelect::both}};
constexpr Named<KthenaMetric::Kind> kinds[] = {{"gauge", KthenaMetric::Kind::gauge},
                                               {"counter", KthenaMetric::Kind::counter},
                                               {"histogram", KthenaMetric::Kind::histogram}};

// What the webhook puts where nothing is written at all.
constexpr KthenaStable down_left_out{.instances = 0, .period = seconds(60), .stabilization = seconds(300)};
constexpr KthenaStable up_left_out{.instances = 4, .period = seconds(60)};
constexpr KthenaPanic panic_left_out{.percent = 0, .hold = seconds(0)};

template <class Io>
void stable_fields(Io& io, KthenaStable& stable) {
  io.integer("instances", stable.instances, 0, replicas_limit);
  io.integer("percent", stable.percent, 0, 1000);
  io.seconds("period", stable.period);
  io.choice("selectPolicy", stable.select, kthena_selects);
  io.seconds("stabilizationWindow", stable.stabilization);
}

template <class Io>
void panic_fields(Io& io, KthenaPanic& panic) {
  io.integer("percent", panic.percent, 0, 1000);
  io.seconds("period", panic.period);
  io.integer("panicThresholdPercent", panic.threshold_percent, 110, 1000);
  io.seconds("panicModeHold", panic.hold);
}

template <class Io>
void metric_fields(Io& io, KthenaMetric& metric) {
  if (Io::reading) io.text("metricName", metric.name);  // its name in older versions
  io.text("name", metric.name);
  io.quantity("targetValue", metric.target, not_negative);
  // Ours: a recording does not say what kthena learns from the exposition's TYPE line.
  io.choice("kind", metric.kind, kinds);
  io.require(!metric.name.empty(), "name", "a metric needs a name");
  if constexpr (Io::reading) io.require(io.has("targetValue"), "", "needs targetValue");
}

// Where a metric comes from; all that counts here is whether it is one value for all.
void sources_fields(config::Reader& io, std::vector<KthenaMetric>& metrics, std::string_view role) {
  io.object("metricSources", [&](config::Reader& sources) {
    sources.ignore_others();
    std::map<std::string_view, const config::Node*> by_name;
    for (const config::Node& source : sources.node().children) by_name.emplace(source.key, &source);
    for (KthenaMetric& metric : metrics) {
      const auto found = by_name.find(metric.name);
      if (found == by_name.end() || metric.role != role) continue;
      metric.external = found->second->find("prometheus") != nullptr;
    }
  });
}

void sources_fields(config::Writer& io, std::vector<KthenaMetric>& metrics, std::string_view role) {
  io.object("metricSources", [&](config::Writer& sources) {
    for (const KthenaMetric& metric : metrics) {
      if (!metric.external || metric.role != role) continue;
      sources.object(metric.name, [](config::Writer& source) { source.object("prometheus", [](config::Writer&) {}); });
    }
  });
}

template <class Io>
void target_fields(Io& io, std::vector<KthenaMetric>& metrics) {
  io.ignore("targetRef");
  io.ignore("metricEndpoint");
  sources_fields(io, metrics, "");
}

template <class Io>
void homogeneous(Io& io, KthenaPolicy& policy) {
  io.object("target", [&](auto& in) { target_fields(in, policy.metrics); });
  io.integer("minReplicas", policy.min, 0, replicas_limit);
  io.integer("maxReplicas", policy.max, 1, replicas_limit);
  io.require(policy.min <= policy.max, "minReplicas", "must not be larger than maxReplicas");
}

template <class Io>
void heterogeneous(Io& io, KthenaPolicy& policy) {
  io.list(
      "params", policy.targets,
      [&](auto& in, TargetCost& target) {
        in.object("target", [&](auto& named) {
          named.object("targetRef", [&](auto& reference) {
            reference.ignore("apiVersion");
            reference.ignore("kind");
            reference.ignore("namespace");
            reference.text("name", target.name);
          });
          target_fields(named, policy.metrics);
        });
        in.number("cost", target.cost, not_negative);
        in.integer("minReplicas", target.min, 0, replicas_limit);
        in.integer("maxReplicas", target.max, 1, replicas_limit);
        in.require(!target.name.empty(), "target", "targetRef needs a name");
        in.require(target.min <= target.max, "minReplicas", "must not be larger than maxReplicas");
      },
      1000);
  io.integer("costExpansionRatePercent", policy.cost_expansion_percent, 0, 100'000);
  policy.min = policy.max = 0;
  for (const TargetCost& target : policy.targets) {
    policy.min += target.min;
    policy.max += target.max;
  }
  io.require(!policy.targets.empty(), "params", "needs at least one target");
}

template <class Io>
void disaggregated(Io& io, KthenaPolicy& policy) {
  io.ignore("targetRef");
  std::map<std::string, KthenaRole> roles;
  for (const KthenaRole& role : policy.roles) roles[role.name] = role;
  std::map<std::string, std::vector<KthenaMetric>> own;
  for (const KthenaMetric& metric : policy.metrics) own[metric.role].push_back(metric);
  io.map("roles", roles, [&](auto& in, KthenaRole& role) {
    std::string name;
    for (const auto& [key, value] : roles) {
      if (&value == &role) name = key;
    }
    role.name = name;
    in.integer("minReplicas", role.min, 0, replicas_limit);
    in.integer("maxReplicas", role.max, 1, replicas_limit);
    in.require(role.min <= role.max, "minReplicas", "must not be larger than maxReplicas");
    if (Io::reading || own.contains(name)) {
      std::vector<KthenaMetric>& metrics = own[name];
      in.list("metrics", metrics, [](auto& one, KthenaMetric& metric) { metric_fields(one, metric); }, 100);
      for (KthenaMetric& metric : metrics) metric.role = name;
      sources_fields(in, metrics, name);
    }
  });
  io.optional_object("ratioConstraint", policy.ratio, [](auto& in, RatioConstraint& ratio) {
    in.text("numeratorRole", ratio.numerator);
    in.text("denominatorRole", ratio.denominator);
    in.quantity("minRatio", ratio.min, not_negative);
    if (Io::reading || ratio.max < std::numeric_limits<double>::infinity()) {
      in.quantity("maxRatio", ratio.max, positive);
    }
    in.require(ratio.min <= ratio.max, "minRatio", "must not be larger than maxRatio");
    in.require(!ratio.numerator.empty() && !ratio.denominator.empty(), "", "needs numeratorRole and denominatorRole");
  });
  if constexpr (Io::reading) {
    policy.roles.clear();
    for (const auto& [name, role] : roles) policy.roles.push_back(role);
    policy.metrics.clear();
    for (const auto& [name, metrics] : own) policy.metrics.insert(policy.metrics.end(), metrics.begin(), metrics.end());
    io.require(!roles.empty() && roles.size() <= 2, "roles", "needs one or two roles");
  }
}

template <class Io>
void behavior_fields(Io& io, KthenaPolicy& policy) {
  io.object("scaleDown", [&](auto& in) {
    if (Io::reading) policy.down = {};
    stable_fields(in, policy.down);
  });
  io.object("scaleUp", [&](auto& up) {
    up.object("stablePolicy", [&](auto& in) {
      if (Io::reading) policy.up = {};
      stable_fields(in, policy.up);
    });
    up.object("panicPolicy", [&](auto& in) {
      if (Io::reading) policy.panic = {};
      panic_fields(in, policy.panic);
    });
  });
}

int read_targets(config::Reader& io, KthenaPolicy& policy) {
  int given = 0;
  io.object("homogeneousTarget", [&](config::Reader& in) { ++given, homogeneous(in, policy); });
  io.object("heterogeneousTarget", [&](config::Reader& in) { ++given, heterogeneous(in, policy); });
  io.object("disaggregatedTarget", [&](config::Reader& in) { ++given, disaggregated(in, policy); });
  return given;
}

// Those of the policy itself; a role's own stand with the role.
std::vector<KthenaMetric> of_everybody(const KthenaPolicy& policy) {
  std::vector<KthenaMetric> out;
  for (const KthenaMetric& metric : policy.metrics) {
    if (metric.role.empty()) out.push_back(metric);
  }
  return out;
}

}  // namespace

void kthena_fields(config::Reader& io, KthenaPolicy& policy, const config::Node* binding, config::Problems& problems) {
  policy.down = down_left_out;
  policy.up = up_left_out;
  policy.panic = panic_left_out;
  io.ignore("status");
  io.object("spec", [&](config::Reader& spec) {
    spec.integer("tolerancePercent", policy.tolerance_percent, 0, 100);
    spec.list("metrics", policy.metrics, [](auto& in, KthenaMetric& metric) { metric_fields(in, metric); }, 100);
    spec.object("behavior", [&](config::Reader& in) { behavior_fields(in, policy); });
    int given = read_targets(spec, policy);
    if (binding) {
      config::Reader root(*binding, problems);
      root.object("spec", [&](config::Reader& in) {
        in.ignore("policyRef");
        given += read_targets(in, policy);
      });
    }
    spec.require(given == 1, "",
                 "needs exactly one of homogeneousTarget, heterogeneousTarget and disaggregatedTarget, here or in an "
                 "AutoscalingPolicyBinding whose policyRef names it, in the same file");
    spec.require(!policy.metrics.empty(), "metrics", "needs at least one metric");
  });
  io.require(io.has("spec"), "", "an AutoscalingPolicy needs a spec");
}

void kthena_fields(config::Writer& io, KthenaPolicy& policy) {
  io.object("spec", [&](config::Writer& spec) {
    spec.integer("tolerancePercent", policy.tolerance_percent);
    std::vector<KthenaMetric> metrics = of_everybody(policy);
    spec.list("metrics", metrics, [](auto& in, KthenaMetric& metric) { metric_fields(in, metric); });
    spec.object("behavior", [&](config::Writer& in) { behavior_fields(in, policy); });
    if (!policy.targets.empty()) {
      spec.object("heterogeneousTarget", [&](config::Writer& in) { heterogeneous(in, policy); });
    } else if (!policy.roles.empty()) {
      spec.object("disaggregatedTarget", [&](config::Writer& in) { disaggregated(in, policy); });
    } else {
      spec.object("homogeneousTarget", [&](config::Writer& in) { homogeneous(in, policy); });
    }
  });
}

}  // namespace trunkline::autoscale
