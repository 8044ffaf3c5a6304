// kthena's quantile of what a histogram gained between two looks. It differs from Prometheus's: it counts down from a
// bucket's upper end, and gives the unbounded bucket twice the last bound.
#pragma once

#include <vector>

#include <trunkline/result.hpp>

#include "services/autoscale/state.h"

namespace trunkline::autoscale {

struct KthenaCounts {
  double count = 0;
  std::vector<Bucket> buckets = {};
};

Result<double> kthena_quantile(const KthenaCounts& past, const KthenaCounts& now, double percent);

// Kept for five minutes; the past is the newest that is older than one. Null: nothing is that old yet.
void kthena_keep(std::vector<KthenaHistogram>& snapshots, KthenaHistogram snapshot, Duration fresh, Duration kept);
const KthenaHistogram* kthena_past(const std::vector<KthenaHistogram>& snapshots, TimePoint now, Duration fresh,
                                   Duration kept);

}  // namespace trunkline::autoscale
