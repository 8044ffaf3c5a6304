// What a collector would have found, made up for tests.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "metrics/exposition_parser.h"
#include "services/scrape/snapshot.h"

namespace trunkline::autoscale::test {

struct ScrapedPod {
  std::string url;
  std::optional<std::string> body = {};  // none: it did not answer
  scrape::Outcome outcome = scrape::Outcome::timed_out;
  Duration age = std::chrono::seconds(2);
};

inline std::shared_ptr<const scrape::SampleSet> samples_in(const std::string& body) {
  scrape::SampleCollector collector(1 << 20);
  const metrics::Format format = body.ends_with("# EOF\n") ? metrics::Format::openmetrics : metrics::Format::text;
  EXPECT_TRUE(metrics::parse_exposition(body, format, collector)) << body;
  EXPECT_EQ(collector.problem(), "");
  return std::make_shared<const scrape::SampleSet>(collector.take());
}

inline scrape::SnapshotPtr cycle_of(TimePoint cut_off, const std::vector<ScrapedPod>& pods,
                                    const std::string& job = "web") {
  auto snapshot = std::make_shared<scrape::Snapshot>();
  snapshot->cut_off = cut_off;
  snapshot->interval = std::chrono::seconds(15);
  const auto asked_by = std::make_shared<scrape::Job>(scrape::Job{.name = job});
  for (const ScrapedPod& pod : pods) {
    scrape::TargetSnapshot& target = snapshot->targets.emplace_back();
    target.target = scrape::make_target(asked_by, pod.url).value();
    target.state = pod.body ? scrape::TargetState::fresh : scrape::TargetState::missing;
    target.report.outcome = pod.body ? scrape::Outcome::ok : pod.outcome;
    if (!pod.body) continue;
    target.taken = cut_off - pod.age;
    target.age = pod.age;
    target.samples = samples_in(*pod.body);
  }
  return snapshot;
}

}  // namespace trunkline::autoscale::test
