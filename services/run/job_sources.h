// The targets of all jobs as one source, whose jobs may change while a collector uses it. Of a job that stays as it is
// nothing begins anew, and one that has changed keeps its old targets until its own source knows any.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "services/run/scrape_settings.h"
#include "services/scrape/source.h"

namespace trunkline::run {

class JobSources : public scrape::Source {
 public:
  using Known = std::map<std::string, std::vector<scrape::TargetPtr>>;  // by job

  // `before`: what is known of jobs from elsewhere, until their sources know better.
  explicit JobSources(std::vector<ScrapeJob> jobs, Known before = {})
      : wanted_(std::move(jobs)), known_(std::move(before)) {}
  Known known();                          // from any thread
  void set(std::vector<ScrapeJob> jobs);  // from any thread; from the next look on

  bool refresh(TimePoint now) override;
  const std::vector<scrape::TargetPtr>& targets() const override { return targets_; }
  const std::string& trouble() const override { return trouble_; }

 private:
  struct Running {
    ScrapeJob job;
    std::shared_ptr<scrape::Source> source;
    std::vector<scrape::TargetPtr> before = {};  // those of the job as it was, while the source has not spoken
    const std::vector<scrape::TargetPtr>& targets() const { return before.empty() ? source->targets() : before; }
  };
  void take_wanted();
  void sum_up();

  std::mutex mutex_;  // wanted_, known_, changed_
  std::vector<ScrapeJob> wanted_;
  Known known_;
  bool changed_ = true;
  std::vector<Running> running_;
  std::vector<scrape::TargetPtr> targets_;
  std::string trouble_;
};

}  // namespace trunkline::run
