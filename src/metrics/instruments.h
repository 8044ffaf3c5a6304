// What is counted and measured: counters, gauges, histograms. Handles to be kept: an increment is one relaxed atomic
// operation, without lock, allocation or look-up. Any thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace trunkline::metrics {

// On cache lines of their own: instruments of one family are counted by different threads.
inline constexpr std::size_t instrument_alignment = 64;

// Goes up only.
class alignas(instrument_alignment) Counter {
 public:
  void add(std::uint64_t count = 1) { value_.fetch_add(count, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class alignas(instrument_alignment) Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  void add(double difference) { value_.fetch_add(difference, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

// Up for as long as it lives: what is open or under way never drifts.
class GaugeHold {
 public:
  explicit GaugeHold(Gauge& gauge) : gauge_(&gauge) { gauge.add(1); }
  GaugeHold(GaugeHold&& other) noexcept : gauge_(other.gauge_) { other.gauge_ = nullptr; }
  GaugeHold& operator=(GaugeHold&&) = delete;
  ~GaugeHold() {
    if (gauge_ != nullptr) gauge_->add(-1);
  }

 private:
  Gauge* gauge_;
};

// `count` bounds, each `factor` times (or `step` more than) the one before. The bucket beyond the last comes by itself.
std::vector<double> exponential_bounds(double start, double factor, std::size_t count);
std::vector<double> linear_bounds(double start, double step, std::size_t count);

class alignas(instrument_alignment) Histogram {
 public:
  // Bounds are put in order; what is not finite or there twice is left out.
  explicit Histogram(std::vector<double> bounds);

  // Counts with all that is at most the bound. NaN is not counted: it would make the sum NaN for ever.
  void observe(double value) {
    if (std::isnan(value)) return;
    const auto bucket =
        static_cast<std::size_t>(std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin());
    counts_[bucket].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
  }

  std::span<const double> bounds() const { return bounds_; }
  // Of each bucket alone; one more than there are bounds. While others count, the sum may be ahead or behind.
  std::vector<std::uint64_t> counts() const;
  double sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  std::vector<double> bounds_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> counts_;
  std::atomic<double> sum_{0};
};

}  // namespace trunkline::metrics
