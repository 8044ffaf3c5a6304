#include "services/autoscale_files/state_file.h"

#include "services/autoscale_files/whole_file.h"
#include "services/config/print.h"
#include "services/config/reader.h"
#include "services/config/writer.h"

namespace trunkline::autoscale {
namespace {

constexpr std::string_view what_it_is = "trunkline autoscale state";
constexpr int any_count = 2'000'000'000;
constexpr config::Limits state_limits = {.bytes = 256 << 20, .depth = 24, .nodes = 20'000'000};

template <class Io>
void saved_replicas(Io& io, ReplicasAt& entry) {
  io.time("t", entry.at);
  io.integer("replicas", entry.replicas, 0, any_count);
}

template <class Io>
void last_value(Io& io, LastValue& last) {
  io.text("pod", last.pod);
  io.number("value", last.value, config::anything);
  io.time("t", last.at);
}

template <class Io>
void series_fields(Io& io, SeriesHistory& series) {
  io.text("pod", series.pod);
  io.text("series", series.series);
  io.numbers("bounds", series.bounds);
  io.numbers("raw", series.raw);
  io.time("since", series.since);
  io.list("points", series.points, [](auto& in, TotalsAt& point) {
    in.time("t", point.at);
    in.numbers("totals", point.totals);
  });
  // The engine walks them side by side.
  const std::size_t length = series.raw.size();
  io.require(series.bounds.empty() ? length <= 1 : series.bounds.size() == length, "raw", "is not as long as bounds");
  for (const TotalsAt& point : series.points) {
    if (point.totals.size() == length) continue;
    io.require(false, "points", "totals is not as long as raw");
    break;
  }
}

template <class Io>
void metric_fields(Io& io, MetricState& metric) {
  io.list("last", metric.last, [](auto& in, LastValue& last) { last_value(in, last); });
  io.list("series", metric.series, [](auto& in, SeriesHistory& series) { series_fields(in, series); });
  io.list("demand", metric.demand, [](auto& in, DemandAt& demand) {
    in.time("t", demand.at);
    in.number("low", demand.low, config::anything);
    in.number("high", demand.high, config::anything);
  });
  io.optional_object("external", metric.external, [](auto& in, LastValue& last) { last_value(in, last); });
}

// A map of lists, as a list of named lists.
struct NamedHistograms {
  std::string name;
  std::vector<KthenaHistogram> snapshots = {};
};

template <class Io>
void kthena_fields(Io& io, KthenaState& kthena) {
  io.list("recommendations", kthena.recommendations, [](auto& in, ReplicasAt& entry) { saved_replicas(in, entry); });
  io.list("corrected", kthena.corrected, [](auto& in, ReplicasAt& entry) { saved_replicas(in, entry); });
  io.time("panicUntil", kthena.panic_until);
  std::vector<NamedHistograms> histograms;
  histograms.reserve(kthena.histograms.size());
  for (const auto& [name, snapshots] : kthena.histograms) histograms.push_back({name, snapshots});
  io.list("histograms", histograms, [](auto& named, NamedHistograms& one) {
    named.text("name", one.name);
    named.list("snapshots", one.snapshots, [](auto& in, KthenaHistogram& histogram) {
      in.time("t", histogram.at);
      in.time("podStarted", histogram.pod_started);
      in.number("count", histogram.count, config::anything);
      in.list("buckets", histogram.buckets, [](auto& out, Bucket& bucket) {
        out.number("le", bucket.upper, config::anything);
        out.number("count", bucket.cumulative, config::anything);
      });
    });
  });
  if constexpr (Io::reading) {
    for (NamedHistograms& one : histograms) kthena.histograms[one.name] = std::move(one.snapshots);
  }
}

template <class Io>
void hpa_fields(Io& io, HpaState& hpa) {
  const auto event = [](auto& in, HpaEvent& one) {
    in.time("t", one.at);
    in.integer("change", one.change, 0, any_count);
  };
  io.list("recommendations", hpa.recommendations, [](auto& in, ReplicasAt& entry) { saved_replicas(in, entry); });
  io.list("ups", hpa.ups, event);
  io.list("downs", hpa.downs, event);
  io.integer("watched", hpa.watched, 0, any_count);
}

template <class Io>
void state_fields(Io& io, State& state) {
  io.time("lastDecision", state.last_decision);
  io.list("recommendations", state.recommendations, [](auto& in, ReplicasAt& entry) { saved_replicas(in, entry); });
  io.list("replicas", state.replicas, [](auto& in, ReplicasAt& entry) { saved_replicas(in, entry); });
  io.list("targets", state.targets, [](auto& in, TargetReplicas& entry) {
    in.text("target", entry.target);
    in.integer("replicas", entry.replicas, 0, any_count);
  });
  io.time("panicUntil", state.panic_until);
  io.integer("panicFloor", state.panic_floor, 0, any_count);
  io.integer("madeUp", state.made_up, 0, any_count);
  io.time("noDataSince", state.no_data_since);
  io.optional_object("held", state.held, [](auto& in, ReplicasAt& entry) { saved_replicas(in, entry); });
  io.time("zeroSince", state.zero_since);
  io.time("lastDown", state.last_down);
  io.integer("lastDirection", state.last_direction, -1, 1);
  io.times("reversals", state.reversals);
  io.map("metrics", state.metrics, [](auto& in, MetricState& metric) { metric_fields(in, metric); });
  io.object("hpa", [&](auto& in) { hpa_fields(in, state.hpa); });
  io.map("kthena", state.kthena, [](auto& in, KthenaState& kthena) { kthena_fields(in, kthena); });
}

}  // namespace

std::string print_states(const States& states, TimePoint now) {
  States copy = states;
  config::Node root;
  config::Writer io(root);
  io.text("what", std::string(what_it_is));
  io.integer("version", state_version);
  io.time("savedAt", now);
  io.map("states", copy, [](auto& in, State& state) { state_fields(in, state); });
  return config::print_json(root) + "\n";
}

Result<States> read_states(std::string_view text, std::string_view file, TimePoint now) {
  const Result<config::Node> root = config::parse_json(text, file, state_limits);
  if (!root) return root.error();
  const config::Node* what = root->find("what");
  if (!what || what->text != what_it_is) {
    return config::error_at(file, root->place, "is not a state of trunkline's autoscaler; name another file");
  }
  const config::Node* version = root->find("version");
  if (!version || version->text != std::to_string(state_version)) {
    return config::error_at(file, version ? version->place : root->place,
                            "is of version " + (version ? version->text.substr(0, 20) : "none") +
                                ", and this program reads version " + std::to_string(state_version) +
                                "; move it away to start without a memory");
  }
  config::Problems problems{std::string(file)};
  config::Reader io(*root, problems);
  std::optional<TimePoint> saved_at;
  States states;
  io.ignore("what");
  io.ignore("version");
  io.time("savedAt", saved_at);
  io.map("states", states, [](auto& in, State& state) { state_fields(in, state); });
  io.require(saved_at.has_value() && io.has("states"), "", "is not complete: savedAt or states is missing");
  io.require(!saved_at || *saved_at <= now + std::chrono::minutes(1), "savedAt",
             "is later than now: a clock was set back, and what it remembers cannot be used");
  io.finish();
  if (problems.any()) return problems.error();
  return states;
}

Result<void> save_states(const std::string& path, const States& states, TimePoint now) {
  return replace_file(path, print_states(states, now));
}

Result<States> load_states(const std::string& path, TimePoint now) {
  const Result<std::optional<std::string>> text = read_file(path, state_limits.bytes);
  if (!text) return text.error();
  if (!*text) return States{};
  return read_states(**text, path, now);
}

}  // namespace trunkline::autoscale
