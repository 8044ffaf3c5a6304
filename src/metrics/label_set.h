// The children of a family with labels: one for each set of values, made when it is first asked for and never gone, at
// most so many. Whoever asks keeps what he gets; asking takes a lock.
#pragma once

#include <atomic>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/exposition.h"

namespace trunkline::metrics {

inline constexpr std::size_t default_children = 1000;

template <class Instrument>
class LabelSet {
 public:
  using Make = std::function<std::unique_ptr<Instrument>()>;

  LabelSet(std::vector<std::string> names, std::size_t limit, Make make)
      : names_(std::move(names)), limit_(limit), make_(std::move(make)) {}

  // One value for each name, in their order; too few are filled with "", which is to Prometheus as if not there.
  // Beyond the limit it is the child {overflow="true"}: values from outside cannot fill the memory, and nothing goes
  // uncounted.
  Instrument& with(std::initializer_list<std::string_view> values) {
    std::vector<std::string> key(values.begin(), values.end());
    key.resize(names_.size());
    const std::lock_guard lock(mutex_);
    const auto found = children_.find(key);
    if (found != children_.end()) return *found->second;
    if (children_.size() < limit_) return *children_.emplace(std::move(key), make_()).first->second;
    refused_.fetch_add(1, std::memory_order_relaxed);
    if (!overflow_) overflow_ = make_();
    return *overflow_;
  }

  // How often with() was answered with the overflow.
  std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

  // Visits (labels, instrument) in the order of the values. The lock is not held meanwhile: children never go.
  template <class Visit>
  void for_each(const Visit& visit) const {
    std::vector<std::pair<const std::vector<std::string>*, const Instrument*>> all;
    const Instrument* overflow = nullptr;
    {
      const std::lock_guard lock(mutex_);
      all.reserve(children_.size());
      for (const auto& [values, child] : children_) all.emplace_back(&values, child.get());
      overflow = overflow_.get();
    }
    std::vector<Label> labels;
    for (const auto& [values, child] : all) {
      labels.clear();
      for (std::size_t i = 0; i < names_.size(); ++i) labels.push_back({names_[i], (*values)[i]});
      visit(labels, *child);
    }
    if (overflow != nullptr) visit(std::vector<Label>{{"overflow", "true"}}, *overflow);
  }

 private:
  const std::vector<std::string> names_;
  const std::size_t limit_;
  const Make make_;
  mutable std::mutex mutex_;
  std::map<std::vector<std::string>, std::unique_ptr<Instrument>> children_;
  std::unique_ptr<Instrument> overflow_;
  std::atomic<std::uint64_t> refused_{0};
};

}  // namespace trunkline::metrics
