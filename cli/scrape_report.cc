#include "scrape_report.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>

#include "base/text.h"
#include "json_writer.h"
#include "metrics/number.h"

namespace trunkline::cli {
namespace {

using scrape::Snapshot;
using scrape::TargetSnapshot;

std::string padded(std::string text, std::size_t width, bool right = false) {
  if (text.size() >= width) return text;
  const std::string space(width - text.size(), ' ');
  return right ? space + text : text + space;
}

std::string decimals(double value, int digits) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

double milliseconds_of(Duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }
double seconds_of(Duration duration) { return std::chrono::duration<double>(duration).count(); }

std::string sample_text(const scrape::SampleSet& samples, std::size_t index) {
  std::string text = printable(samples.name(index), 1024);
  for (std::size_t label = 0; label < samples.label_count(index); ++label) {
    const auto [name, value] = samples.label(index, label);
    text += (label == 0 ? "{" : ",") + printable(name) + "=\"" + printable(value) + "\"";
  }
  if (samples.label_count(index) > 0) text += "}";
  text += ' ';
  metrics::append_number(text, samples.value(index));
  return text;
}

void write_samples(JsonWriter& json, const scrape::SampleSet& samples) {
  json.key("wanted").open('[');
  for (std::size_t index = 0; index < samples.size(); ++index) {
    json.open('{').key("name").text(samples.name(index)).key("labels").open('{');
    for (std::size_t label = 0; label < samples.label_count(index); ++label) {
      json.key(samples.label(index, label).name).text(samples.label(index, label).value);
    }
    json.close('}').key("value").measured(samples.value(index)).close('}');
  }
  json.close(']');
}

void write_target(JsonWriter& json, const TargetSnapshot& one, Duration interval, bool with_samples) {
  const scrape::TargetReport& report = one.report;
  const bool known = one.state != scrape::TargetState::missing;
  json.open('{').key("url").text(one.target->url).key("labels").open('{');
  for (const auto& [name, value] : one.target->labels) json.key(name).text(value);
  json.close('}').key("state").text(to_string(one.state)).key("up").boolean(report.up());
  json.key("outcome").text(to_string(report.outcome)).key("reason").text_or_null(report.reason);
  json.key("status").integer(report.status).key("seconds").seconds(report.duration);
  json.key("bytes").integer(static_cast<std::int64_t>(report.bytes));
  json.key("samples").integer(static_cast<std::int64_t>(report.samples));
  json.key("age");
  if (known) {
    json.seconds(one.age);
  } else {
    json.null();
  }
  json.key("connection").text(connection_text(report)).key("second_try").boolean(report.second_try);
  const scrape::IdleTrouble trouble = idle_trouble(report, interval);
  json.key("idle_trouble").text(to_string(trouble)).key("advice").text_or_null(advice(trouble, report, interval));
  if (with_samples && one.samples) write_samples(json, *one.samples);
  json.close('}');
}

std::uint64_t dials_of(const scrape::CollectorCounters& counters) {
  std::uint64_t sum = 0;
  for (const std::uint64_t dials : counters.dials) sum += dials;
  return sum;
}

}  // namespace

std::string cycle_table(const Snapshot& snapshot, bool with_samples) {
  std::size_t width = 6;
  for (const TargetSnapshot& one : snapshot.targets) width = std::max(width, one.target->url.size());
  std::string out = padded("TARGET", width) + "  STATE         ms      bytes  samples    age  CONNECTION\n";
  std::map<std::string, std::size_t> advised;
  for (const TargetSnapshot& one : snapshot.targets) {
    const scrape::TargetReport& report = one.report;
    const bool known = one.state != scrape::TargetState::missing;
    out += padded(one.target->url, width) + "  " + padded(std::string(to_string(one.state)), 7);
    out += padded(decimals(milliseconds_of(report.duration), 1), 9, true) +
           padded(std::to_string(report.bytes), 11, true) + padded(std::to_string(report.samples), 9, true);
    out += padded(known ? decimals(seconds_of(one.age), 1) : "-", 7, true) + "  " + connection_text(report);
    if (!report.up()) out += "  " + std::string(to_string(report.outcome)) + ": " + report.reason;
    out += "\n";
    if (with_samples && one.samples) {
      for (std::size_t index = 0; index < one.samples->size(); ++index) {
        out += "    " + sample_text(*one.samples, index) + "\n";
      }
    }
    const std::string what = advice(idle_trouble(report, snapshot.interval), report, snapshot.interval);
    if (!what.empty()) ++advised[what];
  }
  const scrape::CycleTotals& totals = snapshot.totals;
  out += std::to_string(totals.fresh) + " fresh, " + std::to_string(totals.late) + " late, " +
         std::to_string(totals.missing) + " missing; " + std::to_string(totals.dials) + " dials, " +
         std::to_string(totals.reused) + " reused, " + std::to_string(totals.retried) + " retried\n";
  for (const auto& [what, count] : advised) out += "advice for " + std::to_string(count) + ": " + what + "\n";
  return out + "\n";
}

std::string cycle_json(const Snapshot& snapshot, bool with_samples) {
  JsonWriter json;
  const auto number = [&](std::string_view name, std::uint64_t value) {
    json.key(name).integer(static_cast<std::int64_t>(value));
  };
  const scrape::CycleTotals& totals = snapshot.totals;
  json.open('{');
  number("cycle", snapshot.cycle);
  number("fresh", totals.fresh);
  number("late", totals.late);
  number("missing", totals.missing);
  number("dials", totals.dials);
  number("reused", totals.reused);
  number("retried", totals.retried);
  number("second_tries", totals.second_tries);
  json.key("targets").open('[');
  for (const TargetSnapshot& one : snapshot.targets) write_target(json, one, snapshot.interval, with_samples);
  json.close(']').close('}');
  return json.take() + "\n";
}

std::string scrape_summary(const scrape::CollectorCounters& counters) {
  std::string out = std::to_string(counters.cycles) + " cycles, " + std::to_string(counters.scrapes) + " scrapes, " +
                    std::to_string(counters.bytes) + " bytes, " + std::to_string(counters.samples) + " samples\n";
  out += std::to_string(dials_of(counters)) + " dials";
  std::string reasons;
  for (std::size_t i = 0; i < counters.dials.size(); ++i) {
    if (counters.dials[i] == 0) continue;
    reasons += (reasons.empty() ? " (" : ", ") + std::string(to_string(static_cast<DialReason>(i))) + " " +
               std::to_string(counters.dials[i]);
  }
  out += reasons + (reasons.empty() ? "" : ")") + ", " + std::to_string(counters.reused) + " reused, " +
         std::to_string(counters.retried) + " retried, " + std::to_string(counters.late) + " late\n";
  return out;
}

std::string scrape_summary_json(const scrape::CollectorCounters& counters) {
  JsonWriter json;
  const auto number = [&](std::string_view name, std::uint64_t value) {
    json.key(name).integer(static_cast<std::int64_t>(value));
  };
  json.open('{').key("summary").open('{');
  number("cycles", counters.cycles);
  number("scrapes", counters.scrapes);
  json.key("outcomes").open('{');
  for (std::size_t i = 0; i < counters.by_outcome.size(); ++i) {
    if (counters.by_outcome[i] > 0) number(to_string(static_cast<scrape::Outcome>(i)), counters.by_outcome[i]);
  }
  json.close('}').key("dials").open('{');
  for (std::size_t i = 0; i < counters.dials.size(); ++i) {
    if (counters.dials[i] > 0) number(to_string(static_cast<DialReason>(i)), counters.dials[i]);
  }
  json.close('}');
  number("reused", counters.reused);
  number("retried", counters.retried);
  number("late", counters.late);
  number("bytes", counters.bytes);
  number("samples", counters.samples);
  json.close('}').close('}');
  return json.take() + "\n";
}

}  // namespace trunkline::cli
