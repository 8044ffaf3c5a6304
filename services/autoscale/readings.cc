#include "services/autoscale/readings.h"

#include <algorithm>
#include <optional>

#include "services/autoscale/numbers.h"
#include "services/autoscale/series.h"

namespace trunkline::autoscale {
namespace {

// A clock of another machine may run ahead a little; a time beyond that is nonsense.
constexpr std::chrono::seconds most_ahead{5};

struct Read {
  std::optional<double> value = {};
  TimePoint at{};
  const char* reason = "no sample";
};

const char* refusal(const Sample& sample, TimePoint now) {
  if (std::isnan(sample.value)) return "rejected: not a number";
  if (std::isinf(sample.value)) return "rejected: infinite";
  if (sample.value < 0) return "rejected: negative";
  if (sample.at && *sample.at > now + most_ahead) return "rejected: its time lies ahead";
  for (const Bucket& bucket : sample.buckets) {
    if (!is_usable(bucket.cumulative) || std::isnan(bucket.upper)) return "rejected: a bucket is no count";
  }
  return nullptr;
}

class Combined {
 public:
  explicit Combined(SeriesAcross across) : across_(across) {}
  void add(double value) {
    value_ = across_ == SeriesAcross::max ? std::max(value_, value) : value_ + value;
    ++count_;
  }
  bool empty() const { return count_ == 0; }
  double value() const { return across_ == SeriesAcross::average ? value_ / count_ : value_; }

 private:
  SeriesAcross across_;
  double value_ = 0;
  int count_ = 0;
};

double value_of(const Gain& gain) {
  const double seconds = std::chrono::duration<double>(gain.over).count();
  return seconds > 0 ? std::max(0.0, gain.totals.front()) / seconds : 0;
}

// All series of a pod; one that cannot be used spoils the pod, for a part of its load is not its load.
Read read_samples(MetricState& state, const MetricPolicy& metric, const Pod& pod, TimePoint now) {
  Read read;
  Combined combined(metric.series);
  for (const Sample& sample : pod.samples) {
    if (sample.metric != metric.name) continue;
    if (const char* reason = refusal(sample, now)) return {.reason = reason};
    const TimePoint at = std::min(now, sample.at.value_or(now));
    read.at = combined.empty() ? at : std::min(read.at, at);
    if (metric.reading == Reading::gauge) {
      combined.add(sample.value);
      continue;
    }
    SeriesHistory& history = history_of(state.series, pod.name, sample.series);
    take_in(history, sample, at, metric.window);
    const std::optional<Gain> gain = gain_of(history, now, metric.window);
    if (!gain) return {.reason = "only one sample so far"};
    combined.add(metric.reading == Reading::rate ? value_of(*gain) : 0);
  }
  if (!combined.empty()) read.value = combined.value();
  return read;
}

const LastValue* last_of(const std::vector<LastValue>& all, std::size_t& place, const std::string& pod) {
  while (place < all.size() && all[place].pod < pod) ++place;
  return place < all.size() && all[place].pod == pod ? &all[place] : nullptr;
}

PodReading read_pod(const Pod& pod, const Read& read, const LastValue* last, const Gaps& gaps, TimePoint now) {
  PodReading reading{.pod = &pod, .reason = read.reason};
  const bool newer = read.value && (!last || read.at >= last->at);
  if (newer || last) {
    reading.value = newer ? *read.value : last->value;
    reading.age = now - (newer ? read.at : last->at);
  }
  const bool known = newer || last;
  if (newer && reading.age <= gaps.fresh) {
    reading.state = InputState::fresh;
    reading.reason = "";
  } else if (known && gaps.carry.count() > 0 && reading.age <= std::max(gaps.carry, gaps.fresh)) {
    reading.state = InputState::carried;
    if (read.value) reading.reason = "an old sample";
  } else if (read.value) {
    reading.reason = "too old";
  }
  return reading;
}

// What a pod's own state makes of its reading.
void settle(PodReading& reading, const PodRules& rules, TimePoint now) {
  switch (reading.pod->state) {
    case PodState::starting:
      if (reading.state == InputState::fresh) break;
      reading.state = InputState::starting;
      reading.reason = is_overdue(*reading.pod, rules, now) ? "starts for too long" : "starting";
      break;
    case PodState::terminating:
      // What it last said is no word on what it holds now: its streams may be with the others already, and counted.
      reading.surely_there =
          reading.state == InputState::fresh && now - reading.age >= reading.pod->deleted.value_or(TimePoint::min());
      reading.state = rules.count_terminating_demand ? InputState::draining : InputState::excluded;
      reading.reason = reading.surely_there ? "terminating" : "terminating, not heard since";
      break;
    case PodState::finished:
    case PodState::excluded:
      reading.state = InputState::excluded;
      reading.reason = reading.pod->state == PodState::finished ? "finished" : "excluded";
      break;
    case PodState::ready:
    case PodState::unready:
    case PodState::missing:
      break;
  }
}

bool is_silent(const Pod& pod) {
  return pod.state == PodState::missing || (pod.state == PodState::unready && pod.samples.empty());
}

// A pod that answers and no longer shows a series has given it up, such as that of a backend that is gone: what it
// gained is beyond the window by then. That of a silent pod stays, to go on from.
void forget_faded(std::vector<SeriesHistory>& histories, const PodSet& pods, TimePoint oldest) {
  std::size_t place = 0;
  std::erase_if(histories, [&](const SeriesHistory& history) {
    while (pods.pods[place]->name < history.pod) ++place;
    return !is_silent(*pods.pods[place]) && (history.points.empty() || history.points.back().at <= oldest);
  });
}

// Both are in the order of pods' names.
void forget_gone(std::vector<SeriesHistory>& histories, const PodSet& pods) {
  std::size_t place = 0;
  std::erase_if(histories, [&](const SeriesHistory& history) {
    while (place < pods.pods.size() && pods.pods[place]->name < history.pod) ++place;
    return place == pods.pods.size() || pods.pods[place]->name != history.pod;
  });
}

}  // namespace

std::vector<PodReading> read_pods(MetricState& state, const MetricPolicy& metric, const Gaps& gaps,
                                  const PodRules& rules, const PodSet& pods, TimePoint now) {
  std::vector<PodReading> readings;
  readings.reserve(pods.pods.size());
  std::vector<LastValue> next;
  next.reserve(pods.pods.size());
  forget_gone(state.series, pods);
  std::size_t place = 0;
  for (const Pod* pod : pods.pods) {
    const LastValue* last = last_of(state.last, place, pod->name);
    const Read read = is_silent(*pod) ? Read{.reason = "did not answer"} : read_samples(state, metric, *pod, now);
    PodReading reading = read_pod(*pod, read, last, gaps, now);
    if (read.value || last) next.push_back({pod->name, reading.value, now - reading.age});
    settle(reading, rules, now);
    readings.push_back(reading);
  }
  state.last = std::move(next);
  forget_faded(state.series, pods, now - std::max<Duration>(metric.window, gaps.carry));
  return readings;
}

MergedGains merge_gains(const MetricState& state, const MetricPolicy& metric, const std::vector<PodReading>& readings,
                        TimePoint now) {
  MergedGains merged;
  std::size_t place = 0;
  for (const PodReading& reading : readings) {
    while (place < state.series.size() && state.series[place].pod < reading.pod->name) ++place;
    bool counted = false;
    for (; place < state.series.size() && state.series[place].pod == reading.pod->name; ++place) {
      const SeriesHistory& history = state.series[place];
      const std::optional<Gain> gain = gain_of(history, now, metric.window);
      if (!gain || history.bounds.empty() || !reading.is_known()) continue;
      merged.histogram.add(history.bounds, gain->totals);
      counted = true;
    }
    merged.pods += counted;
  }
  return merged;
}

}  // namespace trunkline::autoscale
