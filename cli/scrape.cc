#include "scrape.h"

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <mutex>
#include <set>
#include <utility>

#include "base/text.h"
#include "exit_code.h"
#include "fail.h"
#include "interrupt.h"
#include "output.h"
#include "scrape_report.h"
#include "services/scrape/collector.h"
#include "transport_options.h"

namespace trunkline::cli {
namespace {

struct ScrapePlan {
  scrape::CollectorSettings settings;
  std::vector<std::shared_ptr<scrape::Source>> sources;
  std::size_t cycles = 0;  // 0: until interrupted
};

Result<scrape::Job> job_from(const ScrapeFlags& flags, const Options& options) {
  scrape::Job job;
  job.tls = options.tls;
  job.proxy = options.proxy;
  job.bearer_token_file = flags.token_file;
  if (!flags.user.empty()) {
    const std::size_t colon = flags.user.find(':');
    job.basic_user = flags.user.substr(0, colon);
    if (colon != std::string::npos) job.basic_password = flags.user.substr(colon + 1);
  }
  if (!flags.prewarm.empty()) {
    const auto prewarm = parse_duration(flags.prewarm);
    if (!prewarm) return misuse("--prewarm: " + prewarm.error().message);
    job.prewarm = *prewarm;
  }
  if (Result<void> good = check(job); !good) return std::move(good).error();
  return job;
}

// A scrape has limits of its own, so that others would say nothing.
Result<void> check_limits(const ScrapeFlags& flags) {
  if (!flags.timeout.empty() && !flags.transport.max_time.empty()) {
    return misuse("-m and --timeout-scrape are the same: give one of them");
  }
  const auto gives = [](const std::vector<std::string>& list, std::string_view name) {
    return std::ranges::any_of(list, [name](const std::string& one) { return one.starts_with(name); });
  };
  if (gives(flags.transport.timeouts, "total=")) return misuse("--timeout total: give --timeout-scrape");
  if (gives(flags.transport.limits, "body_bytes=")) return misuse("--limit body_bytes: give --max-body");
  return {};
}

Result<ScrapePlan> scrape_plan(const ScrapeFlags& flags) {
  const Result<Options> options = options_from(flags.transport);
  if (!options) return options.error();
  const auto interval = parse_duration(flags.interval);
  if (!interval) return misuse("--interval: " + interval.error().message);
  ScrapePlan plan;
  plan.settings.options = *options;
  plan.settings.schedule = scrape::settings_for(*interval);
  plan.settings.aligned = false;  // whoever looks on wants the first cycle to be a whole one
  if (Result<void> good = check_limits(flags); !good) return std::move(good).error();
  if (const std::string& given = flags.timeout.empty() ? flags.transport.max_time : flags.timeout; !given.empty()) {
    const auto timeout = parse_duration(given);
    if (!timeout) return misuse("--timeout-scrape: " + timeout.error().message);
    plan.settings.schedule.timeout = *timeout;
  }
  if (flags.transport.max_body) plan.settings.limits.body_bytes = options->response.body_bytes;
  if (flags.concurrency < 1) return misuse("--concurrency: want at least 1");
  plan.settings.schedule.concurrency = static_cast<std::size_t>(flags.concurrency);
  if (Result<void> good = check(plan.settings.schedule); !good) return std::move(good).error();
  if (flags.cycles && *flags.cycles < 1) return misuse("--cycles: want at least 1");
  plan.cycles = static_cast<std::size_t>(flags.cycles.value_or(0));

  Result<scrape::Job> job = job_from(flags, *options);
  if (!job) return std::move(job).error();
  const auto shared_job = std::make_shared<const scrape::Job>(std::move(*job));
  std::vector<scrape::TargetPtr> targets;
  for (const std::string& url : flags.urls) {
    Result<scrape::TargetPtr> target = make_target(shared_job, url);
    if (!target) return std::move(target).error();
    targets.push_back(std::move(*target));
  }
  if (!targets.empty()) plan.sources.push_back(std::make_shared<scrape::StaticSource>(std::move(targets)));
  if (!flags.targets.empty()) {
    auto file = std::make_shared<scrape::FileSource>(flags.targets, shared_job);
    // Here and now a file that cannot be used is a mistake; later on the targets stay as they were.
    file->refresh(Clock::now());
    if (!file->trouble().empty()) return misuse(file->trouble());
    plan.sources.push_back(std::make_shared<scrape::FileSource>(flags.targets, shared_job));
  }
  if (plan.sources.empty()) return misuse("name targets, or give a file with --targets");
  return plan;
}

// Snapshots from the collector's thread to ours, which writes: a slow terminal must not slow the scrapes.
class Mail {
 public:
  void put(const scrape::SnapshotPtr& snapshot) {
    const std::lock_guard lock(mutex_);
    if (queue_.size() < most) queue_.push_back(snapshot);
    arrived_.notify_one();
  }
  // Null when nothing came for a moment, so that Ctrl-C is seen.
  scrape::SnapshotPtr take() {
    std::unique_lock lock(mutex_);
    arrived_.wait_for(lock, std::chrono::milliseconds(100), [&] { return !queue_.empty(); });
    if (queue_.empty()) return nullptr;
    scrape::SnapshotPtr first = std::move(queue_.front());
    queue_.pop_front();
    return first;
  }

 private:
  static constexpr std::size_t most = 100;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<scrape::SnapshotPtr> queue_;
};

}  // namespace

int run_scrape(const ScrapeFlags& flags) {
  Result<ScrapePlan> plan = scrape_plan(flags);
  if (!plan) return fail("scrape", plan.error().message, exit_misuse);
  note_interrupts();
  Mail mail;
  Output out = Output::to_stdout();
  scrape::Collector collector(plan->settings, plan->sources);
  collector.subscribe({.names = {}, .prefixes = flags.wanted},
                      [&](const scrape::SnapshotPtr& snapshot) { mail.put(snapshot); });
  if (Result<void> started = collector.start(); !started) {
    return fail("scrape", started.error().message, exit_misuse);
  }
  const bool with_samples = !flags.wanted.empty();
  bool all_fresh = false;
  std::set<std::string> told;
  std::size_t cycles = 0;
  while (!interrupted() && !out.failed() && (plan->cycles == 0 || cycles < plan->cycles)) {
    for (const std::string& trouble : collector.troubles()) {
      if (told.insert(trouble).second) std::fprintf(stderr, "trunkline scrape: %s\n", trouble.c_str());
    }
    const scrape::SnapshotPtr snapshot = mail.take();
    if (!snapshot) continue;
    ++cycles;
    all_fresh = snapshot->totals.missing == 0 && !snapshot->targets.empty();
    out.write(flags.json ? cycle_json(*snapshot, with_samples) : cycle_table(*snapshot, with_samples));
  }
  collector.stop();
  const scrape::CollectorCounters counters = collector.counters();
  out.write(flags.json ? scrape_summary_json(counters) : scrape_summary(counters));
  return written("scrape", out, all_fresh ? exit_ok : exit_invalid);
}

}  // namespace trunkline::cli
