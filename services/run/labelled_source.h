// A source whose targets carry a job's labels too. What a target says of itself counts more.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "services/scrape/source.h"

namespace trunkline::run {

class LabelledSource : public scrape::Source {
 public:
  LabelledSource(std::shared_ptr<scrape::Source> source, scrape::Labels labels);
  bool refresh(TimePoint now) override;
  const std::vector<scrape::TargetPtr>& targets() const override { return targets_; }
  const std::string& trouble() const override { return source_->trouble(); }

 private:
  std::shared_ptr<scrape::Source> source_;
  scrape::Labels labels_;
  std::vector<scrape::TargetPtr> targets_;
};

}  // namespace trunkline::run
