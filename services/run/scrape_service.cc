#include "services/run/scrape_service.h"

#include <array>
#include <utility>

#include "metrics/exposition.h"

namespace trunkline::run {
namespace {

// What a collector is told when it is made; jobs may change under way.
bool same_rhythm(const ScrapeSettings& a, const ScrapeSettings& b) {
  return a.interval == b.interval && a.timeout == b.timeout && a.concurrency == b.concurrency && a.limits == b.limits;
}

}  // namespace

Result<std::shared_ptr<ScrapeService::Running>> ScrapeService::begin(const ScrapeSettings& settings,
                                                                     JobSources::Known known) const {
  auto next = std::make_shared<Running>();
  next->sources = std::make_shared<JobSources>(settings.jobs, std::move(known));
  next->collector = std::make_shared<scrape::Collector>(collector_settings(settings),
                                                        std::vector<std::shared_ptr<scrape::Source>>{next->sources});
  if (Result<void> started = next->collector->start(); !started) return std::move(started).error();
  return next;
}

std::shared_ptr<ScrapeService::Running> ScrapeService::running() const {
  const std::lock_guard lock(mutex_);
  return running_;
}

std::shared_ptr<ScrapeService::Running> ScrapeService::replace(std::shared_ptr<Running> next) {
  const std::lock_guard lock(mutex_);
  return std::exchange(running_, std::move(next));
}

Result<void> ScrapeService::start(const Configuration& configuration) {
  settings_ = configuration.scrape;
  if (settings_.jobs.empty()) return {};
  auto first = begin(settings_);
  if (!first) return std::move(first).error();
  replace(std::move(*first));
  return {};
}

Result<void> ScrapeService::check(const Configuration& configuration) {
  return scrape::check(collector_settings(configuration.scrape).schedule);
}

void ScrapeService::reload(const Configuration& configuration) {
  const ScrapeSettings& wanted = configuration.scrape;
  const std::shared_ptr<Running> now = running();
  if (now && !wanted.jobs.empty() && same_rhythm(settings_, wanted)) {
    settings_ = wanted;
    now->sources->set(settings_.jobs);
    return;
  }
  std::shared_ptr<Running> next;
  // check() has said that it can start, but it may find no thread: then the settings stay those that are in force, so
  // that another reload tries again.
  if (!wanted.jobs.empty()) next = begin(wanted, now ? now->sources->known() : JobSources::Known()).value();
  settings_ = wanted;
  // The old one goes when the new one is there: what both have in use, connections among it, stays.
  replace(std::move(next));
  if (tell_) tell_(collector());
  if (now) now->collector->stop();
}

bool ScrapeService::drain(Duration /*limit*/) {
  if (const auto now = running()) now->collector->stop();
  return true;
}

bool ScrapeService::ready() const {
  // A target that does not answer is no reason not to be asked about the others.
  return true;
}

std::string ScrapeService::trouble() const {
  const auto now = running();
  if (!now) return "";
  std::string all;
  for (const std::string& one : now->collector->troubles()) all += (all.empty() ? "" : "; ") + one;
  return all;
}

void ScrapeService::write_metrics(metrics::ExpositionWriter& writer) const {
  const auto now = running();
  if (!now) return;
  // Other services may have collectors of their own.
  const std::array<metrics::Label, 1> labels{metrics::Label{"collector", "jobs"}};
  now->collector->write_metrics(writer, labels);
}

std::shared_ptr<scrape::Collector> ScrapeService::collector() const {
  const auto now = running();
  return now ? now->collector : nullptr;
}

scrape::SnapshotPtr ScrapeService::latest() const {
  const auto now = running();
  return now ? now->collector->latest() : nullptr;
}

}  // namespace trunkline::run
