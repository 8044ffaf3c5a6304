// `scrape.jobs` as a service: one collector for all of them.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "services/run/job_sources.h"
#include "services/run/service.h"

namespace trunkline::run {

class ScrapeService : public Service {
 public:
  std::string_view name() const override { return "scrape"; }
  Result<void> start(const Configuration& configuration) override;
  Result<void> check(const Configuration& configuration) override;
  void reload(const Configuration& configuration) override;
  bool drain(Duration limit) override;
  bool ready() const override;
  std::string trouble() const override;
  void write_metrics(metrics::ExpositionWriter& writer) const override;

  // What the last cycle has found; null before the end of the first, and without jobs.
  scrape::SnapshotPtr latest() const;
  // Null without jobs. Another rhythm makes another one: then `tell` is called, before the old one stops.
  std::shared_ptr<scrape::Collector> collector() const;
  void on_new_collector(std::function<void(const std::shared_ptr<scrape::Collector>&)> tell) {
    tell_ = std::move(tell);
  }

 private:
  struct Running {
    std::shared_ptr<JobSources> sources;
    std::shared_ptr<scrape::Collector> collector;
  };
  Result<std::shared_ptr<Running>> begin(const ScrapeSettings& settings, JobSources::Known known = {}) const;
  std::shared_ptr<Running> running() const;
  std::shared_ptr<Running> replace(std::shared_ptr<Running> next);

  ScrapeSettings settings_;
  std::function<void(const std::shared_ptr<scrape::Collector>&)> tell_;
  mutable std::mutex mutex_;
  std::shared_ptr<Running> running_;  // null: no jobs, or not started
};

}  // namespace trunkline::run
