#include "metrics/registry.h"

#include <thread>

#include <gtest/gtest.h>

#include "metrics/transcript.h"

namespace trunkline::metrics {
namespace {

constexpr const char* nothing_refused =
    "# HELP trunkline_metrics_refused_total Look-ups that found a metric full and were counted under "
    "overflow=\"true\".\n# TYPE trunkline_metrics_refused_total counter\ntrunkline_metrics_refused_total 0\n";

// The first teaches: register once, keep the reference, count through it.
TEST(Registry, shows_what_was_counted) {
  Registry registry;
  Counter& calls = registry.counter("calls_total", "Calls.");
  Gauge& open = registry.gauge("open", "Open now.");
  LabelSet<Counter>& errors = registry.counters("errors_total", "Errors.", {"kind", "phase"});
  Counter& timeouts = errors.with({"timeout", "dial"});
  calls.add();
  calls.add(2);
  open.set(1.5);
  timeouts.add();
  EXPECT_EQ(registry.page(Format::text),
            "# HELP calls_total Calls.\n# TYPE calls_total counter\ncalls_total 3\n"
            "# HELP open Open now.\n# TYPE open gauge\nopen 1.5\n"
            "# HELP errors_total Errors.\n# TYPE errors_total counter\n"
            "errors_total{kind=\"timeout\",phase=\"dial\"} 1\n" +
                std::string(nothing_refused));
}

TEST(Registry, histograms_share_their_bounds_in_a_family) {
  Registry registry;
  registry.histogram("plain", "x", {1}).observe(0.5);
  registry.histograms("waits", "x", {"route"}, {1}).with({"a"}).observe(2);
  const std::string page = registry.page(Format::openmetrics);
  EXPECT_NE(page.find("plain_bucket{le=\"1.0\"} 1\nplain_bucket{le=\"+Inf\"} 1\nplain_sum 0.5\nplain_count 1\n"),
            std::string::npos);
  EXPECT_NE(page.find("waits_bucket{route=\"a\",le=\"1.0\"} 0\nwaits_bucket{route=\"a\",le=\"+Inf\"} 1\n"),
            std::string::npos);
  EXPECT_EQ(transcript(page, Format::openmetrics).find("problem"), std::string::npos);
}

TEST(Registry, gives_the_same_child_for_the_same_values) {
  Registry registry;
  LabelSet<Gauge>& set = registry.gauges("g", "x", {"a", "b"});
  EXPECT_EQ(&set.with({"1", "2"}), &set.with({"1", "2"}));
  EXPECT_NE(&set.with({"1", "2"}), &set.with({"2", "1"}));
  EXPECT_EQ(&set.with({"1"}), &set.with({"1", ""}));
}

TEST(Registry, counts_under_overflow_what_is_beyond_the_bound) {
  Registry registry;
  LabelSet<Counter>& set = registry.counters("c_total", "x", {"path"}, 2);
  for (const char* path : {"a", "b", "c", "d", "a"}) set.with({path}).add();
  const std::string page = registry.page(Format::text);
  EXPECT_NE(page.find("c_total{path=\"a\"} 2\nc_total{path=\"b\"} 1\nc_total{overflow=\"true\"} 2\n"),
            std::string::npos)
      << page;
  EXPECT_NE(page.find("trunkline_metrics_refused_total 2\n"), std::string::npos);
}

TEST(Registry, asks_collectors_for_as_long_as_they_are_kept) {
  Registry registry;
  int asked = 0;
  {
    const Registry::Collector collector = registry.collect([&asked](ExpositionWriter& writer) {
      writer.family("asked", Type::gauge, "x");
      writer.sample(++asked);
    });
    EXPECT_NE(registry.page(Format::text).find("asked 1\n"), std::string::npos);
  }
  EXPECT_EQ(registry.page(Format::text), nothing_refused);
  EXPECT_EQ(asked, 1);
}

TEST(Registry, a_collector_that_is_replaced_is_asked_no_more) {
  Registry registry;
  int first = 0;
  Registry::Collector collector = registry.collect([&first](ExpositionWriter&) { ++first; });
  collector = registry.collect([](ExpositionWriter&) {});
  (void)registry.page(Format::text);
  EXPECT_EQ(first, 0);
}

TEST(Registry, is_read_while_others_look_up_and_count) {
  Registry registry;
  LabelSet<Counter>& set = registry.counters("c_total", "x", {"n"}, 50);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&set] {
      for (int n = 0; n < 300; ++n) set.with({std::to_string(n % 60)}).add();
    });
  }
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(transcript(registry.page(Format::openmetrics), Format::openmetrics).find("problem"), std::string::npos);
  }
  for (std::thread& thread : threads) thread.join();
  std::uint64_t sum = 0;
  set.for_each([&sum](const std::vector<Label>&, const Counter& counter) { sum += counter.value(); });
  EXPECT_EQ(sum, 900U);
}

using RegistryDeathTest = testing::Test;

TEST(RegistryDeathTest, a_name_that_cannot_be_is_a_bug_that_shows_at_once) {
  Registry registry;
  registry.gauge("g", "x");
  EXPECT_DEATH(registry.gauge("g", "x"), "is there already");
  EXPECT_DEATH(registry.gauge("a-b", "x"), "not the name of a metric");
  EXPECT_DEATH(registry.counter("calls", "x"), "end in _total");
  EXPECT_DEATH(registry.gauge("calls_total", "x"), "end in _total");
  EXPECT_DEATH(registry.counters("c_total", "x", {"le"}), "not free");
}

}  // namespace
}  // namespace trunkline::metrics
