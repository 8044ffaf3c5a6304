#include "services/autoscale/quantile.h"

#include <algorithm>
#include <cmath>

namespace trunkline::autoscale {

double percentile(std::vector<double> values, double part) {
  if (values.empty()) return 0;
  const double rank = std::ceil(std::clamp(part, 0.0, 1.0) * static_cast<double>(values.size()));
  const auto place = values.begin() + static_cast<std::ptrdiff_t>(std::max(rank, 1.0)) - 1;
  std::ranges::nth_element(values, place);
  return *place;
}

void MergedHistogram::add(const std::vector<double>& bounds, const std::vector<double>& cumulative) {
  double below = 0;
  auto place = buckets_.begin();
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    // A scrape that catches a histogram between two increments may show a bucket smaller than the one before.
    const double upto = std::max(below, cumulative[i]);
    while (place != buckets_.end() && place->upper < bounds[i]) ++place;
    if (place == buckets_.end() || place->upper != bounds[i]) place = buckets_.insert(place, {bounds[i], 0});
    place->cumulative += upto - below;
    below = upto;
  }
}

double MergedHistogram::observations() const {
  double total = at_zero_;
  for (const Bucket& bucket : buckets_) total += bucket.cumulative;
  return total;
}

std::optional<double> MergedHistogram::quantile(double part) const {
  const double total = observations();
  if (total <= 0) return std::nullopt;
  const double rank = std::clamp(part, 0.0, 1.0) * total;
  double below = at_zero_;
  if (rank <= below) return 0;
  double low = 0;
  for (const Bucket& bucket : buckets_) {
    if (std::isinf(bucket.upper)) return low;
    if (bucket.cumulative > 0 && rank <= below + bucket.cumulative) {
      return low + (bucket.upper - low) * (rank - below) / bucket.cumulative;
    }
    below += bucket.cumulative;
    low = bucket.upper;
  }
  return low;
}

}  // namespace trunkline::autoscale
