#include "demo_report.h"

#include <gtest/gtest.h>

namespace trunkline::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

demo::Summary a_summary() {
  demo::Summary summary;
  summary.took = seconds(40);
  summary.traffic.wanted = 80.4;
  summary.traffic.open = 79;
  summary.traffic.requests = 2000;
  summary.traffic.reused = 1990;
  summary.traffic.dials[static_cast<std::size_t>(DialReason::first)] = 7;
  summary.traffic.dials[static_cast<std::size_t>(DialReason::busy)] = 3;
  summary.traffic.request_p99 = milliseconds(4);
  summary.collectors = 4;
  summary.scrapes.reused = 90;
  summary.scrapes.dials_first_cycles = 6;
  summary.scrapes.dials_new_backends = 4;
  summary.asked = 4;
  summary.ready = 3;
  summary.replicas = {{seconds(0), 1, 1}, {seconds(10), 4, 1}, {seconds(30), 2, 4}};
  summary.decisions.with_gap = 5;
  summary.decisions.gaps_survived = 5;
  summary.gaps = 2;
  return summary;
}

TEST(DemoReport, the_line_fits_into_its_columns) {
  const std::string line = demo_line(a_summary(), 200);
  EXPECT_EQ(line, "  40s   79/80  WebSockets   3/4 replicas  2000 requests, 99.5% reused  scrapes 90.0%");
  EXPECT_EQ(demo_line(a_summary(), 20).size(), 20U);
}

TEST(DemoReport, the_table_tells_reasons_and_draws_the_replicas) {
  const std::string table = demo_table(a_summary());
  EXPECT_NE(table.find("10 (7 first, 3 busy)"), std::string::npos) << table;
  EXPECT_NE(table.find("6 in the first two cycles, 4 to new backends, 0 after gaps"), std::string::npos) << table;
  EXPECT_NE(table.find("[▂"), std::string::npos) << table;
  EXPECT_NE(table.find("█▄"), std::string::npos) << table;
  EXPECT_NE(table.find("from 1 to 4"), std::string::npos) << table;
  EXPECT_TRUE(
      table.ends_with("trunkline demo: all went well: 2000 requests over 10 dials and 0 WebSockets, 0 failed; "
                      "0 steps because of 2 gaps\n"))
      << table;
}

TEST(DemoReport, the_last_line_hides_no_failure) {
  demo::Summary failed = a_summary();
  failed.traffic.connects_failed = 2;
  EXPECT_NE(demo_table(failed).find("not all went well: 2000 requests over 10 dials and 0 WebSockets, 2 failed"),
            std::string::npos);
  demo::Summary moved = a_summary();
  moved.decisions.moved_by_gap = 1;
  EXPECT_NE(demo_table(moved).find("not all went well"), std::string::npos);
  demo::Summary troubled = a_summary();
  troubled.trouble = "no port is free";
  EXPECT_NE(demo_table(troubled).find("not all went well"), std::string::npos);
}

TEST(DemoReport, nothing_yet_is_reported_without_dividing_by_it) {
  EXPECT_NE(demo_table({}).find("0.0%"), std::string::npos);
  EXPECT_NE(demo_json({}).find("\"reuse_ratio\":0"), std::string::npos);
}

TEST(DemoReport, the_json_has_every_count_under_its_name) {
  const std::string json = demo_json(a_summary());
  for (const char* part : {"\"answered\":2000", "\"dials_by_reason\":{\"first\":7,\"busy\":3}", "\"collectors\":4",
                           "\"dials_steady\":0", "\"steady_by_reason\":{}", "\"moved_by_gap\":0", "\"made\":2",
                           "{\"at_seconds\":10.000000,\"asked\":4,\"ready\":1}", "\"trouble\":null"}) {
    EXPECT_NE(json.find(part), std::string::npos) << part << " in " << json;
  }
  EXPECT_TRUE(json.ends_with("}\n"));
}

}  // namespace
}  // namespace trunkline::cli
