// A collector under test, with short cycles, and the snapshots that it has made.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "services/scrape/collector.h"
#include "support/http_test.h"

namespace trunkline::test {

inline constexpr std::string_view exposition = "# TYPE jobs gauge\njobs{queue=\"a\"} 3\njobs{queue=\"b\"} 4\nother 1\n";

// Cycles of a twentieth of the usual length. Machines under load may take long: a scrape has all of its cycle.
inline scrape::CollectorSettings short_cycles(milliseconds interval = slowed(600, 2000)) {
  scrape::CollectorSettings settings;
  settings.schedule.interval = interval;
  settings.schedule.timeout = interval;
  settings.schedule.budget = interval / 2;
  settings.schedule.second_try = interval / 4;
  settings.discovery = milliseconds(20);
  settings.aligned = false;
  return settings;
}

inline scrape::TargetPtr target_at(const std::string& url, scrape::Job job = {}) {
  return scrape::make_target(std::make_shared<scrape::Job>(std::move(job)), url).value();
}

class Scraper {
 public:
  Scraper(const scrape::CollectorSettings& settings, std::vector<std::shared_ptr<scrape::Source>> sources)
      : collector_(settings, std::move(sources)) {
    collector_.subscribe({.names = {"jobs"}}, [this](const scrape::SnapshotPtr& snapshot) {
      const std::lock_guard lock(mutex_);
      snapshots_.push_back(snapshot);
    });
  }
  Scraper(const scrape::CollectorSettings& settings, std::vector<scrape::TargetPtr> targets)
      : Scraper(settings, {std::make_shared<scrape::StaticSource>(std::move(targets))}) {}

  void start() { EXPECT_GOOD(collector_.start()); }
  // Stops after so many cycles.
  std::vector<scrape::SnapshotPtr> run(std::size_t cycles) {
    start();
    EXPECT_TRUE(has_cycles(cycles));
    collector_.stop();
    return snapshots();
  }
  [[nodiscard]] bool has_cycles(std::size_t count) {
    return eventually([&] { return snapshots().size() >= count; });
  }
  std::vector<scrape::SnapshotPtr> snapshots() const {
    const std::lock_guard lock(mutex_);
    return snapshots_;
  }
  scrape::SnapshotPtr last() const { return snapshots().back(); }
  scrape::Collector& collector() { return collector_; }

 private:
  mutable std::mutex mutex_;
  std::vector<scrape::SnapshotPtr> snapshots_;
  scrape::Collector collector_;
};

}  // namespace trunkline::test
