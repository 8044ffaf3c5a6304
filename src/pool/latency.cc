#include "pool/latency.h"

#include <cmath>
#include <numeric>

namespace trunkline::pool {

void Latency::age(std::int64_t epoch) {
  halve(halvings(epoch));
  epoch_ = epoch;
}

void Latency::halve(int times) {
  for (std::uint16_t& count : counts_) count = static_cast<std::uint16_t>(count >> times);
}

std::uint64_t Latency::weight(int shift) const {
  return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0},
                         [shift](std::uint64_t sum, std::uint16_t count) { return sum + (count >> shift); });
}

std::uint64_t Latency::samples(TimePoint now) const { return (weight(halvings(epoch_of(now))) + whole - 1) / whole; }

std::chrono::nanoseconds Latency::quantile(double part, TimePoint now) const {
  const int shift = halvings(epoch_of(now));
  const std::uint64_t all = weight(shift);
  if (all == 0) return std::chrono::nanoseconds(0);
  const auto rank = static_cast<std::uint64_t>(std::max(1.0, std::ceil(part * static_cast<double>(all))));
  std::uint64_t passed = 0;
  std::size_t bucket = 0;
  while (bucket + 1 < buckets && passed + (counts_[bucket] >> shift) < rank) passed += counts_[bucket++] >> shift;
  // The middle of the bucket.
  const std::size_t doublings = bucket < (2U << steps) ? 0 : (bucket >> steps) - 1;
  const std::uint64_t low = (bucket - (doublings << steps)) << doublings;
  return std::chrono::nanoseconds((low << 10) + (std::uint64_t{1} << doublings << 9));
}

}  // namespace trunkline::pool
