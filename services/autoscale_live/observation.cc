#include "services/autoscale_live/observation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <unordered_map>
#include <utility>

#include "services/config/number.h"

namespace trunkline::autoscale {
namespace {

using scrape::SampleSet;

constexpr std::string_view count_suffix = "_count";
constexpr std::string_view bucket_suffix = "_bucket";
constexpr std::string_view created_suffix = "_created";

void add_native(const NativePolicy& policy, std::vector<std::string>& names) {
  for (const MetricPolicy& metric : policy.metrics) {
    if (metric.source == Source::pods) names.push_back(metric.name);
    if (!metric.compare_with.empty()) names.push_back(metric.compare_with);
  }
  if (!policy.drain.rank_by.empty()) names.push_back(policy.drain.rank_by);
}

// Labels but `le`, in one spelling: series are told apart by it.
std::string series_of(const SampleSet& set, std::size_t sample) {
  std::vector<std::pair<std::string_view, std::string_view>> labels;
  for (std::size_t i = 0; i < set.label_count(sample); ++i) {
    const SampleSet::Label label = set.label(sample, i);
    if (label.name != "le") labels.emplace_back(label.name, label.value);
  }
  std::ranges::sort(labels);
  std::string text;
  for (const auto& [name, value] : labels) {
    text += (text.empty() ? "" : ",");
    text += std::string(name) + "=" + std::string(value);
  }
  return text;
}

std::optional<double> bound_of(const SampleSet& set, std::size_t sample) {
  for (std::size_t i = 0; i < set.label_count(sample); ++i) {
    const SampleSet::Label label = set.label(sample, i);
    if (label.name == "le") return config::read_number(label.value);
  }
  return std::nullopt;
}

std::optional<TimePoint> moment(double seconds_since_1970) {
  constexpr double most = 9e9;  // seconds; beyond it nanoseconds have no room
  if (!std::isfinite(seconds_since_1970) || std::abs(seconds_since_1970) > most) return std::nullopt;
  return TimePoint(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds_since_1970)));
}

// "requests_total" began when "requests_created" says, as does a histogram "requests".
std::string_view base_of(std::string_view metric) {
  constexpr std::string_view total = "_total";
  return metric.ends_with(total) ? metric.substr(0, metric.size() - total.size()) : metric;
}

class Samples {
 public:
  Samples(const SampleSet& set, TimePoint taken, const EngineTime& time)
      : set_(set), taken_(time.of(taken)), time_(time) {}

  void add(const std::string& metric) {
    std::map<std::string, Sample> by_series;
    const auto of = [&](std::size_t i) -> Sample& {
      Sample& sample = by_series[series_of(set_, i)];
      sample.metric = metric;
      sample.at = taken_;
      if (const auto said = set_.timestamp(i)) sample.at = said_at(*said).value_or(taken_);
      return sample;
    };
    std::map<std::string, bool> complete;
    for (std::size_t i = 0; i < set_.size(); ++i) {
      const std::string_view name = set_.name(i);
      if (name == metric) {
        of(i).value = set_.value(i);
        complete[series_of(set_, i)] = true;
      } else if (is(name, metric, count_suffix) && set_.type(i) == metrics::Type::histogram) {
        of(i).value = set_.value(i);
        complete[series_of(set_, i)] = true;
      } else if (is(name, metric, bucket_suffix)) {
        if (const auto bound = bound_of(set_, i)) of(i).buckets.push_back({*bound, set_.value(i)});
      }
    }
    for (std::size_t i = 0; i < set_.size(); ++i) {
      if (!is(set_.name(i), base_of(metric), created_suffix)) continue;
      const auto found = by_series.find(series_of(set_, i));
      // Left as it was said: it is compared with what was said before, and must not move when our clock is set.
      if (found != by_series.end()) found->second.since = moment(set_.value(i));
    }
    for (auto& [series, sample] : by_series) {
      if (!complete[series]) continue;
      std::ranges::sort(sample.buckets, {}, &Bucket::upper);
      sample.series = series;
      out.push_back(std::move(sample));
    }
  }

  std::vector<Sample> out = {};

 private:
  static bool is(std::string_view name, std::string_view metric, std::string_view suffix) {
    return name.size() == metric.size() + suffix.size() && name.starts_with(metric) && name.ends_with(suffix);
  }

  std::optional<TimePoint> said_at(double seconds_since_1970) const {
    const std::optional<TimePoint> said = moment(seconds_since_1970);
    return said ? std::optional(time_.of_wall(*said)) : std::nullopt;
  }

  const SampleSet& set_;
  const TimePoint taken_;
  const EngineTime& time_;
};

void add_scraped(const scrape::TargetSnapshot* scraped, const std::vector<std::string>& metrics, const EngineTime& time,
                 Pod& pod) {
  if (scraped && scraped->samples) pod.samples = samples_of(*scraped->samples, metrics, scraped->taken, time);
}

// Replicas that the job does not list, because discovery hides who is not ready, are as silent as those that do not
// answer: without them fewer pods would look like less load.
void add_unlisted(Snapshot& seen) {
  constexpr int most = 10'000;  // nobody has promised that the number is a sound one
  const int unlisted = std::min(seen.current - static_cast<int>(seen.pods.size()), most);
  for (int i = 1; i <= unlisted; ++i) {
    seen.pods.push_back({.name = "unlisted-" + std::to_string(i), .state = PodState::missing});
  }
}

}  // namespace

std::vector<std::string> metrics_of_pods(const Policy& policy) {
  std::vector<std::string> names;
  if (const auto* native = std::get_if<NativePolicy>(&policy.rules)) {
    add_native(*native, names);
  } else if (const auto* hpa = std::get_if<HpaPolicy>(&policy.rules)) {
    for (const HpaMetric& metric : hpa->metrics) {
      const bool external = metric.type == HpaMetric::Type::external || metric.type == HpaMetric::Type::object;
      if (!external) names.push_back(metric.name);
    }
  } else {
    for (const KthenaMetric& metric : std::get<KthenaPolicy>(policy.rules).metrics) {
      if (!metric.external) names.push_back(metric.name);
    }
  }
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  return names;
}

scrape::Wants wants_of(const Policy& policy) {
  scrape::Wants wants{.names = metrics_of_pods(policy)};
  const std::size_t own = wants.names.size();
  for (std::size_t i = 0; i < own; ++i) {
    wants.names.push_back(std::string(base_of(wants.names[i])) + std::string(created_suffix));
  }
  return wants;
}

std::vector<Sample> samples_of(const SampleSet& set, const std::vector<std::string>& metrics, TimePoint taken,
                               const EngineTime& time) {
  Samples samples(set, taken, time);
  for (const std::string& metric : metrics) samples.add(metric);
  return std::move(samples.out);
}

std::optional<int> replicas_of(const TargetView& view, const scrape::Snapshot* cycle) {
  if (!view.follows_job) return view.replicas;
  if (!cycle) return std::nullopt;
  return static_cast<int>(std::ranges::count_if(
      cycle->targets, [&](const scrape::TargetSnapshot& one) { return one.target->job->name == view.job; }));
}

std::string pod_name(const scrape::Target& target) { return target.usual_path ? target.instance : target.url; }

Snapshot observe(const TargetView& view, const scrape::Snapshot* cycle, const std::vector<std::string>& metrics,
                 std::vector<ExternalValue> external, const EngineTime& time) {
  Snapshot seen{.current = replicas_of(view, cycle).value_or(0), .external = std::move(external)};
  seen.targets = view.targets;
  std::unordered_map<std::string_view, const scrape::TargetSnapshot*> by_url;
  if (cycle) {
    for (const scrape::TargetSnapshot& one : cycle->targets) {
      by_url.emplace(one.target->url, &one);
      if (view.job.empty() || one.target->job->name != view.job) continue;
      const bool heard = one.state != scrape::TargetState::missing;
      Pod& pod = seen.pods.emplace_back();
      pod.name = pod_name(*one.target);
      pod.state = heard ? PodState::ready : PodState::missing;
      add_scraped(&one, metrics, time, pod);
    }
    if (!view.job.empty()) add_unlisted(seen);
  }
  for (const TargetPod& one : view.pods) {
    const auto found = by_url.find(one.url);
    const scrape::TargetSnapshot* scraped = found == by_url.end() ? nullptr : found->second;
    Pod& pod = seen.pods.emplace_back();
    pod.name = one.name;
    pod.target = one.target;
    pod.state = one.state;
    pod.started = time.of(one.started);
    pod.deleted = time.of(one.told_to_go);
    add_scraped(scraped, metrics, time, pod);
    if (one.state != PodState::ready || !pod.samples.empty()) continue;
    // Ready since so lately that nobody has asked it yet: that is no silence.
    const bool asked = scraped && scraped->report.outcome != scrape::Outcome::not_asked;
    const bool young = !cycle || (one.started && *one.started > cycle->cut_off - cycle->interval);
    if (!scraped || !scraped->samples) pod.state = !asked && young ? PodState::starting : PodState::missing;
  }
  seen.status_replicas = static_cast<int>(std::ranges::count_if(
      seen.pods, [](const Pod& pod) { return pod.state != PodState::terminating && pod.state != PodState::finished; }));
  return seen;
}

}  // namespace trunkline::autoscale
