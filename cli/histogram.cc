#include "histogram.h"

#include <algorithm>
#include <cmath>

namespace trunkline::cli {

void Histogram::add(const Histogram& other) {
  for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

// The reverse of bucket_of: the first 128 buckets hold one value each, then every 64 the width doubles.
std::uint64_t Histogram::upper_end(std::size_t bucket) {
  if (bucket < (2U << sub_bits)) return bucket;
  const std::size_t shift = (bucket >> sub_bits) - 1;
  const std::uint64_t mantissa = bucket - (shift << sub_bits);
  return ((mantissa + 1) << shift) - 1;
}

Histogram::Duration Histogram::quantile(double share) const {
  const auto wanted =
      std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_))));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= wanted) return Duration(static_cast<std::int64_t>(std::min(upper_end(i), max_)));
  }
  return max();
}

}  // namespace trunkline::cli
