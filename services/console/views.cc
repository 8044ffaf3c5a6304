#include "services/console/views.h"

#include <algorithm>

#include "services/autoscale_files/decision_record.h"
#include "services/config/json_writer.h"
#include "services/scrape/target_report.h"

namespace trunkline::console {
namespace {

using config::JsonWriter;

JsonWriter& write_integer(JsonWriter& json, std::string_view name, std::uint64_t value) {
  return json.key(name).integer(static_cast<std::int64_t>(value));
}

void write_service(JsonWriter& json, const ServiceFacts& service) {
  json.open('{');
  json.key("name").text(service.name);
  json.key("ready").boolean(service.ready);
  json.key("trouble").text(service.trouble);
  json.close('}');
}

void write_cycle(JsonWriter& json, const scrape::Snapshot& snapshot, const Now& now) {
  json.open('{');
  write_integer(json, "cycle", snapshot.cycle);
  json.key("cut_off").seconds(now.wall.time_since_epoch() - (now.steady - snapshot.cut_off));
  json.key("interval_seconds").seconds(snapshot.interval);
  write_integer(json, "fresh", snapshot.totals.fresh);
  write_integer(json, "late", snapshot.totals.late);
  write_integer(json, "missing", snapshot.totals.missing);
  write_integer(json, "dials", snapshot.totals.dials);
  write_integer(json, "reused", snapshot.totals.reused);
  write_integer(json, "retried", snapshot.totals.retried);
  write_integer(json, "second_tries", snapshot.totals.second_tries);
  write_integer(json, "bytes", snapshot.totals.bytes);
  write_integer(json, "samples", snapshot.totals.samples);
  json.close('}');
}

void write_target(JsonWriter& json, const scrape::TargetSnapshot& target, Duration interval) {
  const scrape::TargetReport& report = target.report;
  json.open('{');
  json.key("url").text(target.target->url);
  json.key("job").text(target.target->job == nullptr ? std::string_view() : std::string_view(target.target->job->name));
  json.key("state").text(to_string(target.state));
  json.key("age_seconds").seconds(target.age);
  json.key("duration_seconds").seconds(report.duration);
  json.key("outcome").text(to_string(report.outcome));
  json.key("status").integer(report.status);
  json.key("connection").text(connection_text(report));
  json.key("reused").boolean(report.connected && report.reused);
  json.key("dial_reason").text_or_null(report.connected && !report.reused ? to_string(report.dial_reason) : "");
  write_integer(json, "bytes", report.bytes);
  write_integer(json, "samples", report.samples);
  json.key("error").text(report.reason);
  json.key("advice").text(advice(idle_trouble(report, interval), report, interval));
  json.close('}');
}

void write_pod(JsonWriter& json, const autoscale::PodStatus& pod) {
  json.open('{');
  json.key("name").text(pod.name);
  json.key("state").text(to_string(pod.state));
  json.key("input").text(to_string(pod.input));
  json.key("reason").text(pod.reason);
  json.key("url").text(pod.url);
  json.key("started");
  if (pod.started) {
    json.seconds(pod.started->time_since_epoch());
  } else {
    json.null();
  }
  json.key("process").integer(pod.process);
  json.key("restarts").integer(pod.restarts);
  json.close('}');
}

void write_advice(JsonWriter& json, std::string_view route, std::string_view code, std::string_view sentence) {
  json.open('{');
  json.key("route").text(route);
  json.key("code").text(code);
  json.key("sentence").text(sentence);
  json.close('}');
}

}  // namespace

double seconds_since_1970(WallTime time) { return std::chrono::duration<double>(time.time_since_epoch()).count(); }
double seconds_since_1970(TimePoint time) { return std::chrono::duration<double>(time.time_since_epoch()).count(); }

std::string error_json(std::string_view sentence) {
  JsonWriter json;
  json.open('{').key("error").text(sentence).close('}');
  return json.take();
}

std::string status_json(const ProcessFacts& facts) {
  JsonWriter json;
  json.open('{');
  json.key("version").text(facts.version);
  json.key("pid").integer(facts.pid);
  json.key("started").seconds(facts.started.time_since_epoch());
  json.key("uptime_seconds").seconds(facts.uptime);
  json.key("ready").boolean(facts.ready);
  json.key("services").open('[');
  for (const ServiceFacts& service : facts.services) write_service(json, service);
  json.close(']').close('}');
  return json.take();
}

std::string transport_json(const Stats& stats, double t) {
  const std::string text = stats.to_json();
  JsonWriter json;
  json.open('{').key("t").measured(t);
  std::string all = json.take();
  all += ',';
  all.append(text, 1);
  return all;
}

std::string targets_json(const std::vector<scrape::SnapshotPtr>& snapshots, const Now& now, std::size_t most) {
  JsonWriter json;
  json.open('{').key("cycles").open('[');
  std::size_t count = 0;
  for (const scrape::SnapshotPtr& snapshot : snapshots) {
    if (snapshot == nullptr) continue;
    write_cycle(json, *snapshot, now);
    count += snapshot->targets.size();
  }
  json.close(']').key("targets").open('[');
  std::size_t written = 0;
  for (const scrape::SnapshotPtr& snapshot : snapshots) {
    if (snapshot == nullptr) continue;
    for (const scrape::TargetSnapshot& target : snapshot->targets) {
      if (written == most) break;
      write_target(json, target, snapshot->interval);
      ++written;
    }
  }
  json.close(']');
  write_integer(json, "left_out", count - written);
  json.close('}');
  return json.take();
}

std::string latencies_json(const std::vector<RouteLatency>& latencies) {
  JsonWriter json;
  json.open('[');
  for (const RouteLatency& latency : latencies) {
    json.open('{');
    json.key("route").text(latency.route);
    json.key("p50_seconds").seconds(latency.p50);
    json.key("p99_seconds").seconds(latency.p99);
    write_integer(json, "samples", latency.samples);
    json.close('}');
  }
  json.close(']');
  return json.take();
}

std::string advice_json(const Stats& stats, const std::vector<scrape::SnapshotPtr>& snapshots) {
  JsonWriter json;
  json.open('[');
  for (const RouteStats& route : stats.routes) {
    if (!route.advice.empty()) write_advice(json, route.route, "route", route.advice);
  }
  std::size_t room = targets_limit;
  for (const scrape::SnapshotPtr& snapshot : snapshots) {
    if (snapshot == nullptr) continue;
    for (const scrape::TargetSnapshot& target : snapshot->targets) {
      const scrape::IdleTrouble trouble = idle_trouble(target.report, snapshot->interval);
      if (trouble == scrape::IdleTrouble::none || room == 0) continue;
      --room;
      write_advice(json, target.target->url, to_string(trouble), advice(trouble, target.report, snapshot->interval));
    }
  }
  json.close(']');
  return json.take();
}

std::string fleet_json(const autoscale::FleetStatus& fleet) {
  JsonWriter json;
  json.open('{');
  json.key("name").text(fleet.name);
  json.key("target_kind").text(fleet.target_kind);
  json.key("compat").text(fleet.compat);
  json.key("current").integer(fleet.current);
  json.key("ready").integer(fleet.ready);
  json.key("min").integer(fleet.min);
  json.key("max").integer(fleet.max);
  json.key("paused").boolean(fleet.paused);
  json.key("trouble").text(fleet.trouble);
  write_integer(json, "decisions", fleet.decisions);
  write_integer(json, "ups", fleet.ups);
  write_integer(json, "downs", fleet.downs);
  write_integer(json, "gaps_survived", fleet.gaps_survived);
  json.key("pods").open('[');
  const std::size_t shown = std::min(fleet.pods.size(), pods_limit);
  for (std::size_t i = 0; i < shown; ++i) write_pod(json, fleet.pods[i]);
  json.close(']');
  write_integer(json, "pods_left_out", fleet.pods.size() - shown);
  json.key("last");
  if (fleet.last != nullptr) {
    json.json(decision_json(*fleet.last, false));
  } else {
    json.null();
  }
  json.close('}');
  return json.take();
}

std::string fleets_json(const std::vector<autoscale::FleetStatus>& fleets) {
  JsonWriter json;
  json.open('[');
  for (const autoscale::FleetStatus& fleet : fleets) json.json(fleet_json(fleet));
  json.close(']');
  return json.take();
}

std::string decision_json(const autoscale::DecisionEntry& entry, bool whole) {
  std::string text;
  if (whole) {
    text = print_decision(entry.decision, entry.seen);
  } else {
    constexpr std::size_t victims_shown = 20;
    autoscale::Decision slim = entry.decision;
    for (autoscale::MetricRecord& metric : slim.metrics) metric.pods.clear();
    slim.victims.resize(std::min(slim.victims.size(), victims_shown));
    text = print_decision(slim, {});
  }
  return "{\"number\":" + std::to_string(entry.number) + ',' + text.substr(1);
}

std::string decisions_json(const std::vector<autoscale::DecisionPtr>& entries, bool whole) {
  // The newest are what everybody wants, so it is the oldest that a full answer leaves out.
  std::vector<std::string> texts;
  std::size_t bytes = 0;
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    texts.push_back(decision_json(**entry, whole));
    bytes += texts.back().size();
    if (bytes > decisions_bytes_limit) break;
  }
  std::string all = "[";
  for (auto text = texts.rbegin(); text != texts.rend(); ++text) {
    if (all.size() > 1) all += ',';
    all += *text;
  }
  return all + ']';
}

}  // namespace trunkline::console
