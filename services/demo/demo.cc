#include "services/demo/demo.h"

#include <sys/resource.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include <trunkline/client.hpp>
#include <trunkline/url.hpp>

#include "services/demo/demo_policy.h"
#include "services/demo/fleet.h"
#include "services/demo/gap_maker.h"
#include "services/demo/page.h"
#include "services/scrape/collector.h"
#include "services/traffic/time_wait.h"

namespace trunkline::demo {
namespace {

constexpr Duration look_every = std::chrono::milliseconds(200);
constexpr Duration count_every = std::chrono::seconds(2);  // the kernel looks through all of its sockets for that
constexpr std::size_t most_points = 10'000;
constexpr std::size_t decisions_at_once = 100;

double cpu_now() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Where a pod that is scraped at this URL takes requests: "127.0.0.1:21000".
std::string place_of(const std::string& url) {
  const Result<Url> parsed = Url::parse(url);
  return parsed ? std::string(parsed->authority()) : std::string();
}

std::uint64_t time_wait_of(const DemoSettings& settings) {
  return traffic::time_wait_now(static_cast<std::uint16_t>(settings.first_port),
                                static_cast<std::uint16_t>(settings.first_port + port_count - 1));
}

traffic::TrafficSettings traffic_settings(const DemoSettings& settings) {
  traffic::TrafficSettings made;
  made.shape.kind = settings.shape;
  made.naive = settings.naive;
  return made;
}

scrape::CollectorSettings collector_settings(const DemoSettings& settings, int number) {
  scrape::CollectorSettings made;
  made.schedule = scrape::settings_for(scrape_interval);
  made.schedule.seed = static_cast<std::uint64_t>(number) + 1;
  made.aligned = false;
  made.other_targets = static_cast<std::size_t>(settings.collectors) * most_replicas;
  // One connection to a backend does for all of them: who finds it taken waits for a millisecond.
  made.options.limits.open_per_host = 1;
  return made;
}

}  // namespace

class Demo::Impl {
 public:
  explicit Impl(const DemoSettings& settings)
      : settings_(settings),
        job_(std::make_shared<scrape::Job>()),
        judge_(websockets_per_replica),
        gaps_(settings.gap_every, Clock::now()),
        started_(Clock::now()),
        cpu_before_(cpu_now()),
        time_wait_before_(time_wait_of(settings)) {}
  ~Impl() { stop(Duration::zero()); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Result<void> start();
  std::string address() const { return page_ ? page_->address() : std::string(); }
  Summary summary() const;
  Summary stop(Duration limit);

 private:
  void watch();
  void look(TimePoint now);
  void look_at(const autoscale::FleetStatus& fleet, TimePoint now);
  void show_to_collectors(const std::vector<std::string>& urls);
  void make_gap(const std::string& place);
  std::vector<std::string> present() const;
  std::vector<scrape::SnapshotPtr> snapshots() const;

  const DemoSettings settings_;
  const std::shared_ptr<const scrape::Job> job_;
  std::unique_ptr<autoscale::Autoscaler> fleet_;
  std::vector<std::shared_ptr<scrape::SetSource>> sources_;
  std::vector<std::unique_ptr<scrape::Collector>> collectors_;
  std::unique_ptr<traffic::Traffic> traffic_;
  std::unique_ptr<Page> page_;

  // The watching thread's own.
  std::vector<std::string> scraped_;  // URLs
  std::uint64_t judged_ = 0;          // the newest decision's number
  DecisionJudge judge_;
  GapMaker gaps_;
  TimePoint count_at_ = TimePoint::min();

  mutable std::mutex mutex_;  // what follows
  std::condition_variable stopping_changed_;
  bool stopping_ = false;
  std::vector<std::string> present_;  // where clients may go
  ScrapeLedger ledger_;
  Summary summary_;  // what is not asked for elsewhere

  const TimePoint started_;
  const double cpu_before_;
  const std::uint64_t time_wait_before_;
  std::thread watch_;  // last: it uses the rest
};

Result<void> Demo::Impl::start() {
  summary_.shape = settings_.shape;
  summary_.naive = settings_.naive;
  summary_.collectors = settings_.collectors;
  Result<std::unique_ptr<autoscale::Autoscaler>> fleet = start_fleet(settings_.program, settings_.first_port);
  if (!fleet) return std::move(fleet).error();
  fleet_ = *std::move(fleet);
  for (int i = 0; i < settings_.collectors; ++i) {
    sources_.push_back(std::make_shared<scrape::SetSource>());
    collectors_.push_back(std::make_unique<scrape::Collector>(
        collector_settings(settings_, i), std::vector<std::shared_ptr<scrape::Source>>{sources_.back()}));
    collectors_.back()->subscribe({.names = {"active_ws_connections"}}, [this, i](const scrape::SnapshotPtr& snapshot) {
      const std::lock_guard lock(mutex_);
      ledger_.add(i, *snapshot);
    });
    if (Result<void> begun = collectors_.back()->start(); !begun) return begun;
  }
  traffic_ = std::make_unique<traffic::Traffic>(traffic_settings(settings_), [this] { return present(); });
  if (!settings_.admin.listen.empty()) {
    Result<std::unique_ptr<Page>> page =
        Page::start(settings_.admin,
                    {.transport = [this] { return traffic_->transport_stats(); },
                     .connections = [this](const ConnectionQuery& query) { return traffic_->connections(query); },
                     .targets = [this] { return snapshots(); },
                     .fleets = fleet_.get()},
                    [this](metrics::ExpositionWriter& writer) { fleet_->write_metrics(writer); });
    if (!page) return std::move(page).error();
    page_ = *std::move(page);
  }
  traffic_->start();
  watch_ = std::thread([this] { watch(); });
  return {};
}

std::vector<std::string> Demo::Impl::present() const {
  const std::lock_guard lock(mutex_);
  return present_;
}

std::vector<scrape::SnapshotPtr> Demo::Impl::snapshots() const {
  std::vector<scrape::SnapshotPtr> all = fleet_->snapshots();
  all.reserve(all.size() + collectors_.size());
  for (const auto& collector : collectors_) all.push_back(collector->latest());
  return all;
}

void Demo::Impl::watch() {
  std::unique_lock lock(mutex_);
  while (!stopping_changed_.wait_for(lock, look_every, [this] { return stopping_; })) {
    lock.unlock();
    look(Clock::now());
    lock.lock();
  }
}

void Demo::Impl::look(TimePoint now) {
  judge_.truth(traffic_->figures().open, now);
  for (const autoscale::FleetStatus& fleet : fleet_->fleets()) look_at(fleet, now);
  std::uint64_t time_wait = 0;
  if (now >= count_at_) {
    count_at_ = now + count_every;
    const std::uint64_t all = time_wait_of(settings_);
    time_wait = all - std::min(all, time_wait_before_);
  }
  const std::lock_guard lock(mutex_);
  summary_.time_wait = std::max(summary_.time_wait, time_wait);
  summary_.decisions = judge_.figures();
}

void Demo::Impl::look_at(const autoscale::FleetStatus& fleet, TimePoint now) {
  std::vector<std::string> urls;
  std::vector<std::string> places;
  int silent = 0;
  for (const autoscale::PodStatus& pod : fleet.pods) {
    // One that does not answer its scrapes serves its clients all the same, for all we know.
    if (pod.state != autoscale::PodState::ready && pod.state != autoscale::PodState::missing) continue;
    urls.push_back(pod.url);
    places.push_back(place_of(pod.url));
    silent += pod.input == autoscale::InputState::missing || pod.input == autoscale::InputState::carried ? 1 : 0;
  }
  std::string last_reason;
  for (const autoscale::DecisionPtr& entry : fleet_->decisions(fleet.name, judged_, decisions_at_once)) {
    judge_.judge(entry->decision);
    judged_ = entry->number;
    if (entry->decision.action != autoscale::Action::hold) last_reason = entry->decision.reason;
  }
  {
    const std::lock_guard lock(mutex_);
    present_ = places;
    const bool changed = summary_.asked != fleet.current || summary_.ready != fleet.ready;
    if (changed && summary_.replicas.size() < most_points) {
      summary_.replicas.push_back({now - started_, fleet.current, fleet.ready});
    }
    summary_.asked = fleet.current;
    summary_.ready = fleet.ready;
    summary_.silent_now = silent;
    summary_.trouble = fleet.trouble;
    if (!last_reason.empty()) summary_.last_reason = last_reason;
  }
  show_to_collectors(urls);
  if (const std::optional<std::string> place = gaps_.due(places, now)) make_gap(*place);
}

void Demo::Impl::show_to_collectors(const std::vector<std::string>& urls) {
  if (urls == scraped_) return;
  scraped_ = urls;
  std::vector<scrape::TargetPtr> targets;
  for (const std::string& url : urls) {
    if (Result<scrape::TargetPtr> target = make_target(job_, url)) targets.push_back(*std::move(target));
  }
  for (const auto& source : sources_) source->set(targets);
}

void Demo::Impl::make_gap(const std::string& place) {
  const auto length = std::chrono::duration_cast<std::chrono::milliseconds>(settings_.gap_for);
  const Result<Response> told =
      Client(traffic::TrafficSettings::usual_options())
          .send(post("http://" + place + "/silence?seconds=" + std::to_string(length.count()) + "ms", "")
                    .total_timeout(std::chrono::seconds(1)));
  if (!told || told->status != 200) return;
  const std::lock_guard lock(mutex_);
  ++summary_.gaps;
  for (const std::string& url : scraped_) {
    if (place_of(url) == place) ledger_.expect_gap(url, Clock::now() + settings_.gap_for);
  }
}

Summary Demo::Impl::summary() const {
  Summary summary;
  {
    const std::lock_guard lock(mutex_);
    summary = summary_;
    if (!stopping_) summary.took = Clock::now() - started_;
    summary.scrapes = ledger_.figures();
  }
  if (traffic_) {
    summary.traffic = traffic_->figures();
    summary.transport = traffic_->transport_stats();
  }
  if (summary.cpu_seconds == 0) summary.cpu_seconds = cpu_now() - cpu_before_;
  return summary;
}

// Watching and scraping end first, so that the end itself is not counted as trouble.
Summary Demo::Impl::stop(Duration limit) {
  {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(stopping_, true)) {
      summary_.took = Clock::now() - started_;
      summary_.cpu_seconds = cpu_now() - cpu_before_;
    }
    stopping_changed_.notify_one();
  }
  if (watch_.joinable()) watch_.join();
  const TimePoint until = Clock::now() + limit;
  const auto left = [until] { return std::max(until - Clock::now(), Duration::zero()); };
  if (page_) page_->stop(std::min<Duration>(left(), std::chrono::seconds(1)));
  page_.reset();
  for (const auto& collector : collectors_) collector->stop();
  if (traffic_) traffic_->stop(left() / 2);
  if (fleet_) fleet_->drain(left());
  return summary();
}

Demo::Demo(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Demo::~Demo() = default;

Result<std::unique_ptr<Demo>> Demo::start(const DemoSettings& settings) {
  if (Result<void> good = check_page(settings.admin); !good) return good.error();
  auto impl = std::make_unique<Impl>(settings);
  if (Result<void> started = impl->start(); !started) return started.error();
  return std::unique_ptr<Demo>(new Demo(std::move(impl)));
}

std::string Demo::address() const { return impl_->address(); }

Summary Demo::summary() const { return impl_->summary(); }

Summary Demo::stop(Duration limit) { return impl_->stop(limit); }

}  // namespace trunkline::demo
