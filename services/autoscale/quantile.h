// Quantiles: of plain values, and of histograms that are merged first, since quantiles themselves cannot be added.
#pragma once

#include <optional>
#include <vector>

#include "services/autoscale/snapshot.h"

namespace trunkline::autoscale {

// Of values in any order: the smallest that at least this part of them does not exceed. 0 of none.
double percentile(std::vector<double> values, double part);

class MergedHistogram {
 public:
  // Cumulative counts by bound. Where bounds differ, observations count at the next bound that both have or below it.
  void add(const std::vector<double>& bounds, const std::vector<double>& cumulative);
  // Observations of which nothing is known but that they are not negative.
  void add_at_zero(double observations) { at_zero_ += observations; }

  double observations() const;
  // As Prometheus's histogram_quantile: linear within a bucket; in the unbounded one the last finite bound.
  std::optional<double> quantile(double part) const;

 private:
  std::vector<Bucket> buckets_;  // by bound, each with its own count, not cumulative
  double at_zero_ = 0;
};

}  // namespace trunkline::autoscale
