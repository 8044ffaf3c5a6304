#include "services/autoscale_files/recording.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.h"
#include "services/autoscale_files/sample_fields.h"
#include "services/config/print.h"
#include "services/config/reader.h"
#include "services/config/writer.h"

namespace trunkline::autoscale {
namespace {

using config::Named;

constexpr int most_replicas_seen = 10'000'000;
// Of one line: 100,000 pods with a dozen values each.
constexpr config::Limits line_limits = {.bytes = 256 << 20, .depth = 16, .nodes = 10'000'000};

constexpr Named<PodState> pod_states[] = {
    {"ready", PodState::ready},       {"unready", PodState::unready},         {"starting", PodState::starting},
    {"missing", PodState::missing},   {"terminating", PodState::terminating}, {"finished", PodState::finished},
    {"excluded", PodState::excluded},
};
constexpr Named<PodPhase> phases[] = {{"Pending", PodPhase::pending},
                                      {"Running", PodPhase::running},
                                      {"Succeeded", PodPhase::succeeded},
                                      {"Failed", PodPhase::failed},
                                      {"Unknown", PodPhase::unknown}};

template <class Io>
void phase_field(Io& io, std::optional<PodPhase>& phase) {
  if constexpr (Io::reading) {
    if (!io.has("phase")) return io.ignore("phase");
    io.choice("phase", phase.emplace(PodPhase::unknown), phases);
  } else if (phase) {
    io.choice("phase", *phase, phases);
  }
}

template <class Io>
void pod_fields(Io& io, Pod& pod, TimePoint now) {
  io.text("name", pod.name);
  io.choice("state", pod.state, pod_states);
  if (Io::reading || !pod.target.empty()) io.text("target", pod.target);
  samples_fields(io, pod.samples, now);
  io.time("started", pod.started);
  phase_field(io, pod.phase);
  io.boolean("ready", pod.ready);
  io.time("readyChanged", pod.ready_changed);
  io.time("deleted", pod.deleted);
  requests_field(io, pod.requests);
  if (Io::reading || pod.restarted) io.boolean("restarted", pod.restarted);
  io.require(!pod.name.empty(), "name", "a pod needs a name");
}

template <class Io>
void recorded_replicas(Io& io, ReplicasAt& entry) {
  io.time("t", entry.at);
  io.integer("replicas", entry.replicas, 0, most_replicas_seen);
}

template <class Io>
void history_fields(Io& io, History& history) {
  io.list("recommendations", history.recommendations,
          [](auto& in, ReplicasAt& entry) { recorded_replicas(in, entry); });
  io.list("replicas", history.replicas, [](auto& in, ReplicasAt& entry) { recorded_replicas(in, entry); });
  io.list("events", history.events, [](auto& in, ScaleEvent& event) {
    in.time("t", event.at);
    in.integer("change", event.change, -most_replicas_seen, most_replicas_seen);
  });
}

template <class Io>
void seen_fields(Io& io, Snapshot& seen, TimePoint now) {
  io.integer("current", seen.current, 0, most_replicas_seen);
  io.integer("statusReplicas", seen.status_replicas, 0, most_replicas_seen);
  if (Io::reading || seen.interval.count() > 0) io.duration("interval", seen.interval);
  if (Io::reading || seen.scaled_to_zero) io.boolean("scaledToZero", seen.scaled_to_zero);
  if (Io::reading || seen.ambiguous) io.boolean("ambiguous", seen.ambiguous);
  io.list("pods", seen.pods, [&](auto& in, Pod& pod) { pod_fields(in, pod, now); });
  external_field(io, seen.external);
  if (Io::reading || !seen.failing.empty()) {
    io.list("failing", seen.failing, [](auto& in, MetricFailure& failure) {
      in.text("metric", failure.metric);
      in.text("reason", failure.reason);
      if (Io::reading || failure.denied) in.boolean("denied", failure.denied);
    });
  }
  if (Io::reading || !seen.targets.empty()) {
    io.list("targets", seen.targets, [](auto& in, TargetReplicas& target) {
      in.text("target", target.target);
      in.integer("replicas", target.replicas, 0, most_replicas_seen);
    });
  }
}

template <class Io>
void tick_fields(Io& io, Tick& tick) {
  io.time("t", tick.at);
  seen_fields(io, tick.seen, tick.at);
  io.optional_object("history", tick.history, [](auto& in, History& history) { history_fields(in, history); });
}

std::string name_given_twice(const std::vector<Pod>& pods) {
  std::vector<std::string_view> names;
  names.reserve(pods.size());
  for (const Pod& pod : pods) names.emplace_back(pod.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  return twice == names.end() ? "" : std::string(*twice);
}

}  // namespace

Result<Tick> read_tick(std::string_view line, std::string_view file, int line_number) {
  const Result<config::Node> node = config::parse_json(line, file, line_limits, line_number);
  if (!node) return node.error();
  config::Problems problems{std::string(file)};
  config::Reader io(*node, problems);
  Tick tick;
  if (io.is_map()) {
    tick_fields(io, tick);
    io.require(io.has("t") && io.has("current"), "", "needs t, in seconds, and current, the replicas there are");
    const std::string twice = name_given_twice(tick.seen.pods);
    io.require(twice.empty(), "pods", "the pod " + printable(twice, 60) + " is there twice");
    io.finish();
  }
  if (problems.any()) return problems.error();
  return tick;
}

std::string print_tick(const Tick& tick) {
  Tick copy = tick;
  config::Node node;
  config::Writer io(node);
  tick_fields(io, copy);
  return config::print_json(node);
}

void seed(State& state, const History& history) {
  KthenaState& kthena = state.kthena[""];
  state.recommendations = state.hpa.recommendations = kthena.recommendations = history.recommendations;
  state.replicas = kthena.corrected = history.replicas;
  for (const ScaleEvent& event : history.events) {
    auto& list = event.change > 0 ? state.hpa.ups : state.hpa.downs;
    list.push_back({event.at, std::abs(event.change)});
  }
}

// As std::getline, but a line without an end is left before it fills the memory.
Recording::Line Recording::read_line() {
  line_.clear();
  std::array<char, 65536> piece;  // NOLINT(cppcoreguidelines-pro-type-member-init): written before it is read
  for (;;) {
    in_.getline(piece.data(), piece.size());
    const auto got = static_cast<std::size_t>(in_.gcount());
    const bool whole = in_.good();  // the line's end was counted
    line_.append(piece.data(), whole ? got - 1 : got);
    if (line_.size() > most_line_bytes_) return Line::too_long;
    if (whole) return Line::whole;
    if (in_.bad() || (in_.eof() && line_.empty())) return Line::none;
    if (in_.eof()) return Line::whole;
    if (got == 0) return Line::none;  // it could not be opened, or had ended before
    in_.clear();
  }
}

Result<std::optional<Tick>> Recording::next() {
  for (;;) {
    const Line read = read_line();
    if (read == Line::none) break;
    ++number_;
    if (read == Line::too_long) {
      return config::error_at(name_, {number_, 1}, "the line is longer than " + print_size(most_line_bytes_));
    }
    if (line_.find_first_not_of(" \t\r") == std::string::npos) continue;
    Result<Tick> tick = read_tick(line_, name_, number_);
    if (!tick) return std::move(tick).error();
    if (last_ && tick->at < *last_) {
      return config::error_at(name_, {number_, 1}, "t goes back: the lines of a recording stand in their order");
    }
    last_ = tick->at;
    return std::optional<Tick>(std::move(*tick));
  }
  if (in_.bad()) return config::error_at(name_, {number_, 1}, "cannot be read any further");
  return std::optional<Tick>();
}

}  // namespace trunkline::autoscale
