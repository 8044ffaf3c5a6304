#include "load_report.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include <gtest/gtest.h>
#include <boost/json.hpp>

#include "stats_sum.h"

namespace trunkline::cli {
namespace {

using namespace std::chrono_literals;

TEST(Histogram, is_exact_to_a_64th) {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> distribution(13, 2);
  Histogram histogram;
  std::vector<double> values;
  for (int i = 0; i < 20'000; ++i) {
    values.push_back(std::floor(distribution(random)));
    histogram.add(std::chrono::nanoseconds(static_cast<std::int64_t>(values.back())));
  }
  std::sort(values.begin(), values.end());
  for (const double share : {0.001, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const double exact = values[static_cast<std::size_t>(std::ceil(share * 20'000)) - 1];
    const double found = static_cast<double>(histogram.quantile(share).count());
    EXPECT_GE(found, exact);
    EXPECT_LE(found, exact * (1 + 1.0 / 64) + 1) << share;
  }
  EXPECT_EQ(static_cast<double>(histogram.max().count()), values.back());
}

TEST(Histogram, holds_every_duration) {
  Histogram histogram;
  for (const auto duration : {0ns, 1ns, 127ns, 128ns, std::chrono::nanoseconds::max()}) histogram.add(duration);
  histogram.add(-1ns);
  EXPECT_EQ(histogram.count(), 6u);
  EXPECT_EQ(histogram.quantile(1), std::chrono::nanoseconds::max());
  EXPECT_EQ(histogram.quantile(0), 0ns);
  EXPECT_EQ(Histogram().quantile(0.5), 0ns);
  Histogram sum;
  sum.add(histogram);
  sum.add(histogram);
  EXPECT_EQ(sum.count(), 12u);
}

LoadReport sample() {
  LoadReport report;
  report.url = "http://a/";
  report.method = "GET";
  report.mode = "shared";
  report.concurrency = 4;
  report.elapsed = 2s;
  report.cpu_user = 3ms;
  report.cpu_system = 1ms;
  report.tally.completed = 99;
  report.tally.statuses[200] = 99;
  report.tally.latency.add(1ms);
  report.tally.failed[static_cast<std::size_t>(ErrorKind::unreachable)] = 1;
  report.tally.failed_by_code[ErrorCode::connect_failed] = 1;
  report.tally.first_error = Error(ErrorCode::connect_failed, Phase::connect, "refused");
  report.pool.dials_started = 4;
  report.pool.dials_by_reason[static_cast<std::size_t>(DialReason::first)] = 1;
  report.pool.dials_by_reason[static_cast<std::size_t>(DialReason::busy)] = 3;
  report.pool.granted = 100;
  report.pool.reused = 96;
  report.sockets = {4, 0};
  return report;
}

TEST(LoadReport, shows_a_table) {
  const std::string table = as_table(sample());
  for (const char* words : {"GET http://a/, 4 callers, shared, callbacks, 2.00 s", "99 complete, 1 failed", "200: 99",
                            "49.5 requests/s", "40.00 us/request", "p50 1.000 ms", "4: first 1, busy 3", "96.00 %",
                            "4 open (warm, in the pool), 0 in TIME_WAIT", "1 connect_failed (unreachable)", "add up"}) {
    EXPECT_NE(table.find(words), std::string::npos) << words << "\n" << table;
  }
}

TEST(LoadReport, is_one_json_object) {
  const boost::json::object object = boost::json::parse(as_json(sample())).as_object();
  EXPECT_EQ(object.at("requests").as_int64(), 100);
  EXPECT_DOUBLE_EQ(object.at("requests_per_second").as_double(), 49.5);
  EXPECT_EQ(object.at("dials_by_reason").as_object().at("busy").as_int64(), 3);
  EXPECT_EQ(object.at("errors_by_kind").as_object().at("unreachable").as_int64(), 1);
  EXPECT_TRUE(object.at("broken_law").is_null());
  EXPECT_TRUE(boost::json::parse(as_json(LoadReport())).is_object());
}

TEST(StatsSum, counts_the_shared_pool_once_and_private_ones_each) {
  Stats stats;
  stats.requests.started = stats.requests.completed = 10;
  stats.pool.dials_started = stats.pool.dials_succeeded = 2;
  stats.pool.dials_by_reason[static_cast<std::size_t>(DialReason::first)] = 2;
  stats.pool.open = stats.pool.idle = 2;
  StatsSum shared;
  shared.add_shared(stats);
  shared.add_shared(stats);
  EXPECT_EQ(shared.total().requests.started, 20u);
  EXPECT_EQ(shared.total().pool.dials_started, 2u);
  StatsSum isolated;
  isolated.add_private(stats);
  isolated.add_private(stats);
  EXPECT_EQ(isolated.total().pool.dials_started, 4u);
  EXPECT_EQ(isolated.total().broken_law(), "");
}

}  // namespace
}  // namespace trunkline::cli
