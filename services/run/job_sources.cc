#include "services/run/job_sources.h"

#include <algorithm>
#include <utility>

namespace trunkline::run {

void JobSources::set(std::vector<ScrapeJob> jobs) {
  const std::lock_guard lock(mutex_);
  wanted_ = std::move(jobs);
  changed_ = true;
}

bool JobSources::refresh(TimePoint now) {
  bool changed = false;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(changed_, false)) {
      take_wanted();
      changed = true;
    }
  }
  for (const Running& one : running_) changed |= one.source->refresh(now);
  if (changed) sum_up();
  return changed;
}

// With the lock held.
void JobSources::take_wanted() {
  std::vector<Running> next;
  next.reserve(wanted_.size());
  for (const ScrapeJob& job : wanted_) {
    const auto known =
        std::find_if(running_.begin(), running_.end(), [&](const Running& one) { return one.job == job; });
    next.push_back({job, known == running_.end() ? source_of(job) : known->source});
  }
  running_ = std::move(next);
}

void JobSources::sum_up() {
  targets_.clear();
  trouble_.clear();
  for (const Running& one : running_) {
    targets_.insert(targets_.end(), one.source->targets().begin(), one.source->targets().end());
    if (one.source->trouble().empty()) continue;
    trouble_ += (trouble_.empty() ? "job " : "; job ") + one.job.name + ": " + one.source->trouble();
  }
}

}  // namespace trunkline::run
