#include "services/run/job_sources.h"

#include <algorithm>
#include <utility>

namespace trunkline::run {

void JobSources::set(std::vector<ScrapeJob> jobs) {
  const std::lock_guard lock(mutex_);
  wanted_ = std::move(jobs);
  changed_ = true;
}

JobSources::Known JobSources::known() {
  const std::lock_guard lock(mutex_);
  return known_;
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
  for (Running& one : running_) {
    if (!one.source->refresh(now)) continue;
    changed = true;
    // A list that cannot be read says nothing of who is there.
    if (one.source->trouble().empty() || !one.source->targets().empty()) one.before.clear();
  }
  if (changed) sum_up();
  return changed;
}

// With the lock held.
void JobSources::take_wanted() {
  std::vector<Running> next;
  next.reserve(wanted_.size());
  for (const ScrapeJob& job : wanted_) {
    const auto known = std::ranges::find(running_, job.name, [](const Running& one) { return one.job.name; });
    if (known != running_.end() && known->job == job) {
      next.push_back(*known);
    } else {
      next.push_back({job, source_of(job), known_[job.name]});
    }
  }
  running_ = std::move(next);
}

void JobSources::sum_up() {
  targets_.clear();
  trouble_.clear();
  Known known;
  for (const Running& one : running_) {
    known.emplace(one.job.name, one.targets());
    targets_.insert(targets_.end(), one.targets().begin(), one.targets().end());
    if (one.source->trouble().empty()) continue;
    trouble_ += (trouble_.empty() ? "job " : "; job ") + one.job.name + ": " + one.source->trouble();
  }
  const std::lock_guard lock(mutex_);
  known_ = std::move(known);
}

}  // namespace trunkline::run
