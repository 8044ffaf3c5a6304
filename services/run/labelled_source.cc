#include "services/run/labelled_source.h"

#include <algorithm>
#include <utility>

namespace trunkline::run {

LabelledSource::LabelledSource(std::shared_ptr<scrape::Source> source, scrape::Labels labels)
    : source_(std::move(source)), labels_(std::move(labels)) {}

bool LabelledSource::refresh(TimePoint now) {
  if (!source_->refresh(now)) return false;
  targets_.clear();
  for (const scrape::TargetPtr& target : source_->targets()) {
    auto labelled = std::make_shared<scrape::Target>(*target);
    for (const auto& label : labels_) {
      const auto is_it = [&](const auto& own) { return own.first == label.first; };
      if (std::none_of(target->labels.begin(), target->labels.end(), is_it)) labelled->labels.push_back(label);
    }
    std::sort(labelled->labels.begin(), labelled->labels.end());
    targets_.push_back(std::move(labelled));
  }
  return true;
}

}  // namespace trunkline::run
