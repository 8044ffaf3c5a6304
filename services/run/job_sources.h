// The targets of all jobs as one source, whose jobs may change while a collector uses it. Of a job that stays as it is
// nothing begins anew.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "services/run/scrape_settings.h"
#include "services/scrape/source.h"

namespace trunkline::run {

class JobSources : public scrape::Source {
 public:
  explicit JobSources(std::vector<ScrapeJob> jobs) : wanted_(std::move(jobs)) {}
  void set(std::vector<ScrapeJob> jobs);  // from any thread; from the next look on

  bool refresh(TimePoint now) override;
  const std::vector<scrape::TargetPtr>& targets() const override { return targets_; }
  const std::string& trouble() const override { return trouble_; }

 private:
  struct Running {
    ScrapeJob job;
    std::shared_ptr<scrape::Source> source;
  };
  void take_wanted();
  void sum_up();

  std::mutex mutex_;  // wanted_, changed_
  std::vector<ScrapeJob> wanted_;
  bool changed_ = true;
  std::vector<Running> running_;
  std::vector<scrape::TargetPtr> targets_;
  std::string trouble_;
};

}  // namespace trunkline::run
