#include "services/autoscale/kthena_histogram.h"

#include <cmath>

namespace trunkline::autoscale {
namespace {

Error refuse(std::string message) { return {ErrorCode::invalid_response, Phase::done, std::move(message)}; }

}  // namespace

Result<double> kthena_quantile(const KthenaCounts& past, const KthenaCounts& now, double percent) {
  const double gained = now.count - past.count;
  if (gained < 0) return refuse("the histogram counts less than before");
  if (gained == 0) return 0.0;
  if (!past.buckets.empty() && past.buckets.size() != now.buckets.size()) {
    return refuse("the histogram has other buckets than before");
  }
  const auto gained_until = [&](std::size_t i) {
    return now.buckets[i].cumulative - (past.buckets.empty() ? 0 : past.buckets[i].cumulative);
  };
  for (std::size_t i = 1; i < now.buckets.size(); ++i) {
    if (gained_until(i) < gained_until(i - 1)) return refuse("the histogram's buckets do not rise");
  }
  const double rank = std::ceil(gained * percent / 100);
  double below = 0;
  double low = 0;
  for (std::size_t i = 0; i < now.buckets.size(); ++i) {
    const double cumulative = gained_until(i);
    const double own = cumulative - below;
    const double high = std::isinf(now.buckets[i].upper) ? 2 * low : now.buckets[i].upper;
    if (own > 0 && cumulative >= rank) return high - (cumulative - rank) * (high - low) / own;
    below = cumulative;
    low = high;
  }
  return refuse("the histogram's buckets hold less than its count");
}

void kthena_keep(std::vector<KthenaHistogram>& snapshots, KthenaHistogram snapshot, Duration fresh, Duration kept) {
  const TimePoint now = snapshot.at;
  while (!snapshots.empty() && snapshots.front().at + kept < now) snapshots.erase(snapshots.begin());
  // Of those that are old enough to be the past only the newest will ever be asked for.
  while (snapshots.size() > 1 && snapshots[1].at + fresh < now) snapshots.erase(snapshots.begin());
  snapshots.push_back(std::move(snapshot));
}

const KthenaHistogram* kthena_past(const std::vector<KthenaHistogram>& snapshots, TimePoint now, Duration fresh,
                                   Duration kept) {
  const KthenaHistogram* past = nullptr;
  for (const KthenaHistogram& snapshot : snapshots) {
    if (snapshot.at + fresh < now && snapshot.at + kept >= now) past = &snapshot;
  }
  return past;
}

}  // namespace trunkline::autoscale
