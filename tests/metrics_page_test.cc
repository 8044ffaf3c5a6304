// The page of metrics as a program exposes it: a real transport's counters, the process's own, and every kind of
// instrument. promtool, which knows Prometheus' conventions, must find nothing to say.
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>
#include <trunkline/transport.hpp>

#include "metrics/exposition_parser.h"
#include "metrics/exposition_rules.h"
#include "metrics/negotiation.h"
#include "metrics/process_metrics.h"
#include "metrics/registry.h"
#include "metrics/stats_metrics.h"
#include "metrics/transcript.h"

namespace trunkline::metrics {
namespace {

struct Verdict {
  int code = 0;
  std::string words;
};

Verdict promtool(const std::string& page) {
  std::string path = testing::TempDir() + "trunkline-page-XXXXXX";
  const int fd = mkstemp(path.data());
  EXPECT_GE(fd, 0);
  std::ofstream(path) << page;
  std::FILE* const answer = popen(("promtool check metrics <" + path + " 2>&1").c_str(), "r");
  Verdict verdict;
  char buffer[512];
  while (std::fgets(buffer, sizeof buffer, answer) != nullptr) verdict.words += buffer;
  const int status = pclose(answer);
  verdict.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  std::remove(path.c_str());
  close(fd);
  return verdict;
}

Stats busy_stats() {
  Stats stats = Transport::shared()->stats();
  stats.requests.completed = 7;
  RouteStats route;
  route.route = "https://\"odd\"\\host:443\n";
  route.key = "abc";
  route.counters.granted = 5;
  stats.routes.push_back(route);
  return stats;
}

// One of each kind, and two transports that share their families.
void fill(Registry& registry) {
  registry.counter("test_calls_total", "Calls.").add();
  registry.gauge("test_temperature_celsius", "How warm it is.").set(-1.5);
  registry.histogram("test_wait_seconds", "How long they waited.", exponential_bounds(0.001, 4, 6)).observe(0.1);
  LabelSet<Counter>& set = registry.counters("test_errors_total", "Errors, by kind.", {"kind"}, 1);
  set.with({"\xff\"\\\n"}).add();
  set.with({"second"}).add();
}

void collect_all(ExpositionWriter& writer) {
  write_process_metrics(writer);
  const Stats stats = busy_stats();
  write_stats(writer, stats, "scrape");
  write_stats(writer, stats, "executor");
}

TEST(MetricsPage, promtool_finds_nothing_to_say) {
  Registry registry;
  fill(registry);
  const Registry::Collector collector = registry.collect(collect_all);
  const Verdict verdict = promtool(registry.page(Format::text));
  EXPECT_EQ(verdict.code, 0) << verdict.words;
  EXPECT_EQ(verdict.words, "");
}

TEST(MetricsPage, promtool_would_have_said_something) {
  EXPECT_EQ(promtool("# HELP calls Calls.\n# TYPE calls counter\ncalls 1\n").code, 3);
  EXPECT_EQ(promtool("calls x\n").code, 1);
}

TEST(MetricsPage, our_own_checks_find_nothing_to_say_in_either_format) {
  Registry registry;
  fill(registry);
  const Registry::Collector collector = registry.collect(collect_all);
  for (const Format format : {Format::text, Format::openmetrics}) {
    Transcript told(format);
    ExpositionRules rules(format, told);
    const auto counts = parse_exposition(registry.page(format), format, rules);
    rules.finish();
    ASSERT_TRUE(counts);
    EXPECT_EQ(counts->problems + rules.problems(), 0U) << told.text;
    EXPECT_GT(counts->told, 100U);
  }
}

TEST(MetricsPage, tells_transports_apart) {
  ExpositionWriter writer(Format::text);
  collect_all(writer);
  const std::string page = writer.take();
  EXPECT_NE(page.find("trunkline_requests_total{transport=\"scrape\",outcome=\"completed\"} 7\n"), std::string::npos);
  EXPECT_NE(page.find("trunkline_requests_total{transport=\"executor\",outcome=\"completed\"} 7\n"), std::string::npos);
  EXPECT_EQ(page.find("# TYPE trunkline_requests_total"), page.rfind("# TYPE trunkline_requests_total"));
  ExpositionWriter single(Format::text);
  write_stats(single, busy_stats());
  EXPECT_NE(single.take().find("trunkline_requests_total{outcome=\"completed\"} 7\n"), std::string::npos);
}

}  // namespace
}  // namespace trunkline::metrics
