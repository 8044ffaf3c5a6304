#include "services/scrape/own_metrics.h"

#include <array>
#include <cstdio>
#include <functional>
#include <string_view>

namespace trunkline::scrape {
namespace {

std::string escaped(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

class Writer {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = "trunkline_scrape_" + std::string(name);
    out_.append("# HELP ").append(name_).append(" ").append(help).append("\n# TYPE ").append(name_);
    out_.append(" ").append(type).append("\n");
  }
  void sample(const std::string& labels, double value) {
    std::array<char, 40> number{};
    std::snprintf(number.data(), number.size(), "%.17g", value);
    out_.append(name_).append(labels.empty() ? "" : "{" + labels + "}").append(" ").append(number.data()).append("\n");
  }
  void single(std::string_view name, std::string_view type, std::string_view help, double value) {
    family(name, type, help);
    sample("", value);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string name_;
  std::string out_;
};

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

std::string labels_of(const TargetSnapshot& one) {
  return "job=\"" + escaped(one.target->job->name) + "\",instance=\"" + escaped(one.target->url) + "\"";
}

void write_targets(Writer& writer, const Snapshot& snapshot) {
  const auto each = [&](std::string_view name, std::string_view help,
                        const std::function<double(const TargetSnapshot&)>& value, bool with_missing = true) {
    writer.family(name, "gauge", help);
    for (const TargetSnapshot& one : snapshot.targets) {
      if (!with_missing && one.state == TargetState::missing) continue;
      writer.sample(labels_of(one), value(one));
    }
  };
  each("target_up", "1 when the target answered in the last cycle.",
       [](const TargetSnapshot& one) { return one.report.up() ? 1.0 : 0.0; });
  each("target_duration_seconds", "How long the last scrape took.",
       [](const TargetSnapshot& one) { return seconds(one.report.duration); });
  each("target_body_bytes", "Bytes of the last body, decompressed.",
       [](const TargetSnapshot& one) { return static_cast<double>(one.report.bytes); });
  each("target_samples", "Samples of the last body.",
       [](const TargetSnapshot& one) { return static_cast<double>(one.report.samples); });
  each(
      "target_age_seconds", "Age of its samples at the last cut-off; left out while it is missing.",
      [](const TargetSnapshot& one) { return seconds(one.age); }, false);
  // As an info: one sample for each target that was reached, in words that are closed sets.
  writer.family("target_connection", "gauge",
                "1, with how the last scrape was connected: reused, warmed, new or retried, and why.");
  for (const TargetSnapshot& one : snapshot.targets) {
    if (!one.report.connected) continue;
    const ConnectionWords words = connection_words(one.report);
    writer.sample(
        labels_of(one) + ",connection=\"" + std::string(words.kind) + "\",reason=\"" + std::string(words.reason) + "\"",
        1);
  }
  each("target_idle_too_short", "1 when its connections do not last from one scrape to the next.",
       [&](const TargetSnapshot& one) {
         return idle_trouble(one.report, snapshot.interval) == IdleTrouble::none ? 0.0 : 1.0;
       });
}

}  // namespace

void count(CollectorCounters& counters, const TargetReport& report) {
  ++counters.scrapes;
  ++counters.by_outcome[static_cast<std::size_t>(report.outcome)];
  counters.bytes += report.bytes;
  counters.samples += report.samples;
  if (!report.connected) return;
  if (report.retries > 0) ++counters.retried;
  if (report.warmed) ++counters.warmed;
  if (report.reused) {
    ++counters.reused;
  } else {
    ++counters.dials[static_cast<std::size_t>(report.dial_reason)];
  }
}

std::string to_prometheus(const Snapshot* latest, const CollectorCounters& counters, std::size_t troubled_sources) {
  Writer writer;
  const auto number = [](std::uint64_t count) { return static_cast<double>(count); };
  writer.single("cycles_total", "counter", "Cut-offs so far.", number(counters.cycles));
  writer.family("scrapes_total", "counter", "Scrapes that have ended, by outcome.");
  for (std::size_t i = 0; i < counters.by_outcome.size(); ++i) {
    writer.sample("outcome=\"" + std::string(to_string(static_cast<Outcome>(i))) + "\"",
                  number(counters.by_outcome[i]));
  }
  writer.single("late_total", "counter", "Scrapes that ended behind their cycle's cut-off.", number(counters.late));
  writer.single("reused_total", "counter", "Scrapes on a connection that was open already.", number(counters.reused));
  writer.single("retried_total", "counter", "Scrapes sent again since an idle connection had died.",
                number(counters.retried));
  writer.single("warmed_total", "counter", "Scrapes on a connection that was opened for them ahead of time.",
                number(counters.warmed));
  writer.family("dials_total", "counter", "Scrapes on a new connection, by why it was dialled.");
  for (std::size_t i = 0; i < counters.dials.size(); ++i) {
    writer.sample("reason=\"" + std::string(to_string(static_cast<DialReason>(i))) + "\"", number(counters.dials[i]));
  }
  writer.single("body_bytes_total", "counter", "Bytes of bodies, decompressed.", number(counters.bytes));
  writer.single("samples_total", "counter", "Samples read.", number(counters.samples));
  writer.single("troubled_sources", "gauge", "Sources whose list of targets is not up to date.",
                static_cast<double>(troubled_sources));
  if (latest != nullptr) {
    writer.family("targets", "gauge", "Targets at the last cut-off, by state.");
    writer.sample("state=\"fresh\"", static_cast<double>(latest->totals.fresh));
    writer.sample("state=\"late\"", static_cast<double>(latest->totals.late));
    writer.sample("state=\"missing\"", static_cast<double>(latest->totals.missing));
    write_targets(writer, *latest);
  }
  return writer.take();
}

}  // namespace trunkline::scrape
