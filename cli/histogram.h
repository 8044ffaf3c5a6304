// Latencies in log-linear buckets: each is at most 1/64 wide relative to its value, from nanoseconds to centuries.
#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cstdint>

namespace trunkline::cli {

class Histogram {
 public:
  using Duration = std::chrono::nanoseconds;

  void add(Duration duration) {
    const std::uint64_t value = duration.count() > 0 ? static_cast<std::uint64_t>(duration.count()) : 0;
    ++counts_[bucket_of(value)];
    ++count_;
    if (value > max_) max_ = value;
  }
  void add(const Histogram& other);

  std::uint64_t count() const { return count_; }
  Duration max() const { return Duration(static_cast<std::int64_t>(max_)); }
  // The value that a share of all, from 0 to 1, does not exceed; the upper end of its bucket, and never above max().
  Duration quantile(double share) const;

 private:
  static constexpr unsigned sub_bits = 6;  // 64 buckets to an octave
  static constexpr std::size_t size = (64 - sub_bits + 1) << sub_bits;

  static std::size_t bucket_of(std::uint64_t value) {
    const unsigned width = static_cast<unsigned>(std::bit_width(value));
    const unsigned shift = width > sub_bits + 1 ? width - sub_bits - 1 : 0;
    return (static_cast<std::size_t>(shift) << sub_bits) + static_cast<std::size_t>(value >> shift);
  }
  static std::uint64_t upper_end(std::size_t bucket);

  std::array<std::uint64_t, size> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace trunkline::cli
