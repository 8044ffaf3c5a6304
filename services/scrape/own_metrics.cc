#include "services/scrape/own_metrics.h"

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::scrape {
namespace {

using metrics::Label;
using metrics::Type;

class Writer {
 public:
  Writer(metrics::ExpositionWriter& out, std::span<const Label> labels)
      : out_(out), labels_(labels.begin(), labels.end()) {}

  void family(std::string_view name, Type type, std::string_view help) {
    name_ = "trunkline_scrape_" + std::string(name);
    type_ = type;
    help_ = help;
  }
  void sample(std::initializer_list<Label> more, double value) {
    out_.family(name_, type_, help_);  // not before: one without samples is left out
    const std::size_t count = labels_.size();
    labels_.insert(labels_.end(), more);
    out_.sample(std::span<const Label>(labels_), value);
    labels_.resize(count);
  }
  void single(std::string_view name, Type type, std::string_view help, double value) {
    family(name, type, help);
    sample({}, value);
  }

 private:
  metrics::ExpositionWriter& out_;
  std::vector<Label> labels_;
  std::string name_;
  Type type_ = Type::gauge;
  std::string_view help_;
};

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

void write_targets(Writer& writer, const Snapshot& snapshot) {
  const auto each = [&](std::string_view name, std::string_view help,
                        const std::function<double(const TargetSnapshot&)>& value, bool with_missing = true) {
    writer.family(name, Type::gauge, help);
    for (const TargetSnapshot& one : snapshot.targets) {
      if (!with_missing && one.state == TargetState::missing) continue;
      writer.sample({{"job", one.target->job->name}, {"instance", one.target->url}}, value(one));
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
  writer.family("target_connection", Type::gauge,
                "1, with how the last scrape was connected: reused, warmed, new or retried, and why.");
  for (const TargetSnapshot& one : snapshot.targets) {
    if (!one.report.connected) continue;
    const ConnectionWords words = connection_words(one.report);
    writer.sample({{"job", one.target->job->name},
                   {"instance", one.target->url},
                   {"connection", words.kind},
                   {"reason", words.reason}},
                  1);
  }
  each("target_idle_too_short", "1 when its connections do not last from one scrape to the next.",
       [&](const TargetSnapshot& one) {
         return idle_trouble(one.report, snapshot.interval) == IdleTrouble::none ? 0.0 : 1.0;
       });
}

}  // namespace

void write_own_metrics(metrics::ExpositionWriter& out, std::span<const Label> labels, const Snapshot* latest,
                       const CollectorCounters& counters, std::size_t troubled_sources) {
  Writer writer(out, labels);
  const auto number = [](std::uint64_t count) { return static_cast<double>(count); };
  writer.single("cycles_total", Type::counter, "Cut-offs so far.", number(counters.cycles));
  writer.family("scrapes_total", Type::counter, "Scrapes that have ended, by outcome.");
  for (std::size_t i = 0; i < counters.by_outcome.size(); ++i) {
    writer.sample({{"outcome", to_string(static_cast<Outcome>(i))}}, number(counters.by_outcome[i]));
  }
  writer.single("late_total", Type::counter, "Scrapes that ended behind their cycle's cut-off.", number(counters.late));
  writer.single("reused_total", Type::counter, "Scrapes on a connection that was open already.",
                number(counters.reused));
  writer.single("retried_total", Type::counter, "Scrapes sent again since an idle connection had died.",
                number(counters.retried));
  writer.single("warmed_total", Type::counter, "Scrapes on a connection that was opened for them ahead of time.",
                number(counters.warmed));
  writer.family("dials_total", Type::counter, "Scrapes on a new connection, by why it was dialled.");
  for (std::size_t i = 0; i < counters.dials.size(); ++i) {
    writer.sample({{"reason", to_string(static_cast<DialReason>(i))}}, number(counters.dials[i]));
  }
  writer.single("body_bytes_total", Type::counter, "Bytes of bodies, decompressed.", number(counters.bytes));
  writer.single("samples_total", Type::counter, "Samples read.", number(counters.samples));
  writer.single("troubled_sources", Type::gauge, "Sources whose list of targets is not up to date.",
                static_cast<double>(troubled_sources));
  if (latest != nullptr) {
    writer.family("targets", Type::gauge, "Targets at the last cut-off, by state.");
    writer.sample({{"state", "fresh"}}, static_cast<double>(latest->totals.fresh));
    writer.sample({{"state", "late"}}, static_cast<double>(latest->totals.late));
    writer.sample({{"state", "missing"}}, static_cast<double>(latest->totals.missing));
    write_targets(writer, *latest);
  }
}

}  // namespace trunkline::scrape
