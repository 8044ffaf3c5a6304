#include "services/autoscale/series.h"

#include <algorithm>
#include <tuple>

namespace trunkline::autoscale {
namespace {

bool is_before(const SeriesHistory& history, std::string_view pod, std::string_view series) {
  return std::tuple<std::string_view, std::string_view>(history.pod, history.series) < std::tie(pod, series);
}

std::vector<double> totals_of(const Sample& sample) {
  if (sample.buckets.empty()) return {sample.value};
  std::vector<double> totals;
  totals.reserve(sample.buckets.size());
  for (const Bucket& bucket : sample.buckets) totals.push_back(bucket.cumulative);
  return totals;
}

std::vector<double> bounds_of(const Sample& sample) {
  std::vector<double> bounds;
  bounds.reserve(sample.buckets.size());
  for (const Bucket& bucket : sample.buckets) bounds.push_back(bucket.upper);
  return bounds;
}

bool began_anew(const SeriesHistory& history, const Sample& sample, const std::vector<double>& raw) {
  if (sample.since && history.since && *sample.since > *history.since) return true;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] < history.raw[i]) return true;
  }
  return false;
}

void forget(std::vector<TotalsAt>& points, TimePoint cutoff) {
  // The newest point that is too old stays: the window's gain is counted from it.
  while (points.size() > 2 && points[1].at <= cutoff) points.erase(points.begin());
  if (points.size() <= most_points) return;
  std::vector<TotalsAt> thinned;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (i == 0 || i + 1 == points.size() || i % 2 == 0) thinned.push_back(std::move(points[i]));
  }
  points = std::move(thinned);
}

}  // namespace

SeriesHistory& history_of(std::vector<SeriesHistory>& histories, std::string_view pod, std::string_view series) {
  auto place = std::ranges::partition_point(
      histories, [&](const SeriesHistory& history) { return is_before(history, pod, series); });
  if (place == histories.end() || place->pod != pod || place->series != series) {
    place = histories.insert(place, SeriesHistory{.pod = std::string(pod), .series = std::string(series)});
  }
  return *place;
}

void take_in(SeriesHistory& history, const Sample& sample, TimePoint at, Duration window) {
  if (!history.points.empty() && at <= history.points.back().at) return;
  std::vector<double> raw = totals_of(sample);
  std::vector<double> bounds = bounds_of(sample);
  if (raw.size() != history.raw.size() || bounds != history.bounds) {
    history.points.clear();
    history.bounds = std::move(bounds);
  }
  std::vector<double> totals = raw;
  if (!history.points.empty()) {
    const bool anew = began_anew(history, sample, raw);
    const std::vector<double>& last = history.points.back().totals;
    for (std::size_t i = 0; i < raw.size(); ++i) totals[i] = last[i] + (anew ? raw[i] : raw[i] - history.raw[i]);
  }
  history.raw = std::move(raw);
  history.since = sample.since;
  history.points.push_back({at, std::move(totals)});
  forget(history.points, at - window);
}

std::optional<Gain> gain_of(const SeriesHistory& history, TimePoint now, Duration window) {
  if (history.points.empty()) return std::nullopt;
  const TotalsAt& last = history.points.back();
  if (last.at <= now - window) return std::nullopt;
  const TotalsAt* first = &history.points.front();
  for (const TotalsAt& point : history.points) {
    if (point.at <= now - window) first = &point;
  }
  if (first->at < last.at) {
    Gain gain{last.totals, last.at - first->at};
    for (std::size_t i = 0; i < gain.totals.size(); ++i) gain.totals[i] -= first->totals[i];
    return gain;
  }
  // The first sight of a series that says when it began: all of it was gained since.
  if (history.points.size() == 1 && history.since && *history.since < last.at && last.at - *history.since <= window) {
    return Gain{last.totals, last.at - *history.since};
  }
  return std::nullopt;
}

}  // namespace trunkline::autoscale
