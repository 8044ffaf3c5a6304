#include "services/scrape/own_metrics.h"

#include <gtest/gtest.h>

#include "metrics/exposition_parser.h"
#include "services/scrape/sample_set.h"

namespace trunkline::scrape {
namespace {

TEST(ScrapeOwnMetrics, are_an_exposition_that_our_own_parser_reads) {
  auto job = std::make_shared<Job>();
  job->name = "a \"quoted\" \\ name\n";
  Snapshot snapshot;
  snapshot.interval = std::chrono::seconds(15);
  TargetSnapshot fresh;
  fresh.target = *make_target(job, "a:1");
  fresh.state = TargetState::fresh;
  fresh.age = std::chrono::milliseconds(2500);
  fresh.report.outcome = Outcome::ok;
  fresh.report.bytes = 7;
  fresh.report.connected = true;
  fresh.report.keep_alive = std::chrono::seconds(5);
  TargetSnapshot missing;
  missing.target = *make_target(job, "b:1");
  snapshot.targets = {fresh, missing};
  snapshot.totals.fresh = snapshot.totals.missing = 1;
  TargetSnapshot warmed = fresh;
  warmed.target = *make_target(job, "c:1");
  warmed.report.keep_alive.reset();
  warmed.report.reused = warmed.report.warmed = true;
  warmed.report.dial_reason = DialReason::peer_closed;
  snapshot.targets.push_back(warmed);
  CollectorCounters counters;
  counters.add(warmed.report);
  counters.add(fresh.report);
  counters.add(missing.report);

  metrics::ExpositionWriter writer(metrics::Format::text);
  const metrics::Label jobs{"collector", "jobs"};
  write_own_metrics(writer, {&jobs, 1}, &snapshot, counters, 1);
  const std::string page = writer.take();
  EXPECT_NE(page.find("trunkline_scrape_target_up{collector=\"jobs\",job="), std::string::npos) << page;
  SampleCollector collector(1 << 20);
  const auto parsed = metrics::parse_exposition(page, metrics::Format::text, collector);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(collector.problem(), "");
  const SampleSet samples = collector.take();
  const auto value = [&](std::string_view name, std::string_view label = {}, std::string_view text = {}) {
    return samples.find("trunkline_scrape_" + std::string(name), label, text);
  };
  EXPECT_EQ(value("scrapes_total", "outcome", "ok"), 2);
  EXPECT_EQ(value("warmed_total"), 1);
  EXPECT_EQ(value("target_connection", "reason", "peer_closed"), 1);
  EXPECT_EQ(value("target_idle_too_short", "instance", "http://c:1/metrics"), 1) << "warmed or not";
  EXPECT_EQ(value("dials_total", "reason", "first"), 1);
  EXPECT_EQ(value("targets", "state", "missing"), 1);
  EXPECT_EQ(value("troubled_sources"), 1);
  EXPECT_EQ(value("target_up", "instance", "http://a:1/metrics"), 1);
  EXPECT_EQ(value("target_up", "instance", "http://b:1/metrics"), 0);
  EXPECT_EQ(value("target_up", "job", job->name), 1);
  EXPECT_EQ(value("target_age_seconds", "instance", "http://a:1/metrics"), 2.5);
  EXPECT_FALSE(value("target_age_seconds", "instance", "http://b:1/metrics"));
  EXPECT_EQ(value("target_body_bytes", "instance", "http://a:1/metrics"), 7);
  EXPECT_EQ(value("target_connection", "connection", "new"), 1);
  EXPECT_EQ(value("target_connection", "reason", "first"), 1);
  EXPECT_FALSE(value("target_connection", "instance", "http://b:1/metrics")) << "it was never reached";
  EXPECT_EQ(value("target_idle_too_short", "instance", "http://a:1/metrics"), 1);
}

}  // namespace
}  // namespace trunkline::scrape
