#include "services/autoscale_files/native_fields.h"

#include "services/autoscale_files/policy_file.h"

namespace trunkline::autoscale {
namespace {

using config::Named;
using config::not_negative;
using config::part_of_one;
using config::positive;

constexpr Named<Source> sources[] = {{"pods", Source::pods}, {"external", Source::external}};
constexpr Named<Reading> readings[] = {
    {"gauge", Reading::gauge}, {"rate", Reading::rate}, {"quantile", Reading::quantile}};
constexpr Named<Across> across_names[] = {
    {"sum", Across::sum}, {"average", Across::average}, {"max", Across::max}, {"percentile", Across::percentile}};
constexpr Named<SeriesAcross> series_names[] = {
    {"sum", SeriesAcross::sum}, {"max", SeriesAcross::max}, {"average", SeriesAcross::average}};
constexpr Named<FallbackAction> fallback_actions[] = {
    {"hold", FallbackAction::hold}, {"maxOfLast", FallbackAction::max_of_last}, {"replicas", FallbackAction::replicas}};
constexpr Named<Select> selects[] = {{"max", Select::max}, {"min", Select::min}, {"off", Select::off}};

template <class Io>
void bounds_fields(Io& io, NativePolicy& policy) {
  Bounds& bounds = policy.bounds;
  if (Io::reading || policy.targets.empty()) {
    io.integer("min", bounds.min, 0, replicas_limit);
    io.integer("max", bounds.max, 1, replicas_limit);
  }
  io.integer("activation", bounds.activation, 1, replicas_limit);
  io.require(bounds.min <= bounds.max, "min", "must not be larger than max");
}

void target_fields(config::Reader& io, MetricTarget& target) {
  const int given = (io.has("perPod") ? 1 : 0) + (io.has("total") ? 1 : 0) + (io.has("band") ? 1 : 0);
  if (io.has("total")) target.kind = MetricTarget::Kind::total;
  if (io.has("band")) target.kind = MetricTarget::Kind::band;
  io.quantity("perPod", target.value, positive);
  io.quantity("total", target.value, positive);
  io.object("band", [&](config::Reader& band) {
    band.quantity("low", target.low, not_negative);
    band.quantity("high", target.value, positive);
    band.require(band.has("low") && band.has("high"), "", "needs low and high, the edges for each pod");
    band.require(target.low < target.value, "low", "must be below high");
  });
  io.require(given == 1, "", "needs exactly one of perPod, total and band");
}

void target_fields(config::Writer& io, MetricTarget& target) {
  if (target.kind != MetricTarget::Kind::band) {
    io.quantity(target.kind == MetricTarget::Kind::per_pod ? "perPod" : "total", target.value);
    return;
  }
  io.object("band", [&](config::Writer& band) {
    band.quantity("low", target.low);
    band.quantity("high", target.value);
  });
}

template <class Io>
void metric_fields(Io& io, MetricPolicy& metric) {
  io.text("name", metric.name);
  io.choice("source", metric.source, sources);
  io.choice("read", metric.reading, readings);
  io.seconds("window", metric.window);
  io.number("quantile", metric.quantile, part_of_one);
  io.number("minObservations", metric.min_observations, not_negative);
  io.choice("series", metric.series, series_names);
  io.choice("across", metric.across, across_names);
  io.number("percentile", metric.percentile, part_of_one);
  io.object("target", [&](auto& in) { target_fields(in, metric.target); });
  io.object("tolerance", [&](auto& in) {
    in.number("up", metric.tolerance.up, not_negative);
    in.number("down", metric.tolerance.down, not_negative);
    in.number("absolute", metric.tolerance.absolute, not_negative);
    in.number("hysteresis", metric.tolerance.hysteresis, part_of_one);
  });
  io.seconds("averageOver", metric.average_over);
  io.quantity("activation", metric.activation, not_negative);
  io.text("compareWith", metric.compare_with);
  io.optional_object("veto", metric.veto, [](auto& in, Veto& veto) {
    in.boolean("up", veto.up);
    in.boolean("down", veto.down);
    in.quantity("above", veto.above);
  });
  io.require(!metric.name.empty(), "name", "a metric needs a name");
  if constexpr (Io::reading) {
    io.require(io.has("target") || io.has("veto"), "",
               "needs a target, such as {perPod: 20}, or a veto, such as {above: 0.05}");
  }
  io.require(metric.reading == Reading::gauge || metric.window > std::chrono::seconds(0), "window",
             "a rate or quantile needs a window above 0s");
}

template <class Io>
void gaps_fields(Io& io, Gaps& gaps) {
  io.seconds("fresh", gaps.fresh);
  io.seconds("carry", gaps.carry);
  io.number("minCoverage", gaps.min_coverage, part_of_one);
  io.object("fallback", [&](auto& in) {
    Fallback& fallback = gaps.fallback;
    in.choice("noData", fallback.no_data, fallback_actions);
    in.choice("denied", fallback.denied, fallback_actions);
    in.seconds("window", fallback.window);
    in.seconds("maxHold", fallback.max_hold);
    in.integer("replicas", fallback.replicas, 0, replicas_limit);
    in.boolean("mayLower", fallback.may_lower);
    const bool needs = fallback.no_data == FallbackAction::replicas || fallback.denied == FallbackAction::replicas ||
                       fallback.max_hold > std::chrono::seconds(0);
    in.require(!needs || fallback.replicas > 0, "replicas", "noData, denied or maxHold asks for it: must be above 0");
  });
}

void rate_fields(config::Reader& io, RatePolicy& rate) {
  const bool percent = io.has("percent");
  rate.kind = percent ? RatePolicy::Kind::percent : RatePolicy::Kind::pods;
  io.number("pods", rate.value, not_negative);
  io.number("percent", rate.value, not_negative);
  io.seconds("period", rate.period);
  io.require(percent != io.has("pods"), "", "needs either pods or percent");
  io.require(rate.period > std::chrono::seconds(0), "period", "must be above 0s");
}

void rate_fields(config::Writer& io, RatePolicy& rate) {
  io.number(rate.kind == RatePolicy::Kind::percent ? "percent" : "pods", rate.value);
  io.seconds("period", rate.period);
}

template <class Io>
void direction_fields(Io& io, Direction& direction) {
  io.seconds("stabilise", direction.stabilise);
  io.choice("select", direction.select, selects);
  io.list("policies", direction.policies, [](auto& in, RatePolicy& rate) { rate_fields(in, rate); }, 100);
}

template <class Io>
void drain_fields(Io& io, Drain& drain) {
  io.text("rankBy", drain.rank_by);
  io.boolean("waitForVictims", drain.wait_for_victims);
  io.seconds("deadline", drain.deadline);
  io.number("maxDisrupted", drain.max_disrupted);
}

template <class Io>
void fast_fields(Io& io, Fast& fast) {
  io.boolean("enabled", fast.enabled);
  io.seconds("window", fast.window);
  io.number("threshold", fast.threshold, {.least = 1});
  io.seconds("hold", fast.hold);
  io.number("percent", fast.percent, not_negative);
  io.integer("replicas", fast.replicas, 0, replicas_limit);
}

// A preset is a start, not a mode: what is said besides changes it.
void preset_field(config::Reader& io, NativePolicy& policy) {
  io.object("preset", [&](config::Reader& preset) {
    preset.object("websocket", [&](config::Reader& in) {
      std::string metric;
      double per_pod = 0;
      in.text("metric", metric);
      in.quantity("perPod", per_pod, positive);
      in.require(!metric.empty() && per_pod > 0, "", "needs metric, the gauge of open streams, and perPod");
      if (!metric.empty() && per_pod > 0) policy = websocket_preset(metric, per_pod, policy.bounds);
    });
    preset.require(preset.has("websocket"), "", "the only preset there is: websocket: {metric: NAME, perPod: N}");
  });
}
void preset_field(config::Writer& /*io*/, NativePolicy& /*policy*/) {}

template <class Io>
void all_fields(Io& io, NativePolicy& policy) {
  preset_field(io, policy);
  bool total_is_bounded = false;
  io.object("bounds", [&](auto& in) {
    if constexpr (Io::reading) total_is_bounded = in.has("min") || in.has("max");
    bounds_fields(in, policy);
  });
  io.list("metrics", policy.metrics, [](auto& in, MetricPolicy& metric) { metric_fields(in, metric); }, 100);
  io.object("gaps", [&](auto& in) { gaps_fields(in, policy.gaps); });
  io.object("pods", [&](auto& in) {
    in.seconds("startupDeadline", policy.pods.startup_deadline);
    in.integer("replaceDead", policy.pods.replace_dead, 0, replicas_limit);
    in.boolean("countTerminatingDemand", policy.pods.count_terminating_demand);
    in.boolean("capSurge", policy.pods.cap_surge);
  });
  io.object("fast", [&](auto& in) { fast_fields(in, policy.fast); });
  io.object("up", [&](auto& in) { direction_fields(in, policy.up); });
  io.object("down", [&](auto& in) { direction_fields(in, policy.down); });
  io.object("drain", [&](auto& in) { drain_fields(in, policy.drain); });
  io.object("flaps", [&](auto& in) {
    in.integer("reversals", policy.flaps.reversals, 0, 1000);
    in.seconds("window", policy.flaps.window);
    in.seconds("longest", policy.flaps.longest);
  });
  io.seconds("idleBeforeZero", policy.idle_before_zero);
  io.list(
      "targets", policy.targets,
      [](auto& in, TargetCost& target) {
        in.text("name", target.name);
        in.number("cost", target.cost, not_negative);
        in.integer("min", target.min, 0, replicas_limit);
        in.integer("max", target.max, 1, replicas_limit);
        in.require(!target.name.empty(), "name", "a target needs a name");
        in.require(target.min <= target.max, "min", "must not be larger than max");
      },
      1000);
  io.require(policy.targets.empty() || !total_is_bounded, "bounds",
             "min and max are said of each target here; of the total there are none");
  io.integer("costExpansionPercent", policy.cost_expansion_percent, 0, 100'000);
  io.require(!policy.metrics.empty(), "metrics", "a policy needs at least one metric");
}

}  // namespace

void native_fields(config::Reader& io, NativePolicy& policy) { all_fields(io, policy); }
void native_fields(config::Writer& io, NativePolicy& policy) { all_fields(io, policy); }

}  // namespace trunkline::autoscale
