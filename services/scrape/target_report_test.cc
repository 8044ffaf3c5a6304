#include "services/scrape/target_report.h"

#include <gtest/gtest.h>

namespace trunkline::scrape {
namespace {

using std::chrono::seconds;

TEST(ScrapeReport, says_which_connection_carried_it_and_why) {
  TargetReport report;
  EXPECT_EQ(connection_text(report), "-");
  report.connected = true;
  report.miss = ReuseMiss::first_for_key;
  EXPECT_EQ(connection_text(report), "new (first)");
  report.miss = ReuseMiss::learned_idle;
  report.dial_reason = DialReason::expired;
  EXPECT_EQ(connection_text(report), "new (learned_idle)");
  report.miss = ReuseMiss::stale_on_write;
  report.retries = 1;
  EXPECT_EQ(connection_text(report), "retried (stale_on_write)");
  report = {};
  report.connected = report.reused = true;
  EXPECT_EQ(connection_text(report), "reused");
  report.warmed = true;
  report.dial_reason = DialReason::peer_closed;
  EXPECT_EQ(connection_text(report), "warmed (peer_closed)");
}

TEST(ScrapeReport, reads_how_long_a_server_keeps_idle_connections) {
  EXPECT_EQ(keep_alive_timeout("timeout=5, max=100"), seconds(5));
  EXPECT_EQ(keep_alive_timeout("max=100,Timeout=75"), seconds(75));
  EXPECT_FALSE(keep_alive_timeout("max=100"));
  EXPECT_FALSE(keep_alive_timeout("timeout=-1"));
  EXPECT_FALSE(keep_alive_timeout("timeout=99999999999999999999"));
}

TEST(ScrapeReport, advises_where_connections_do_not_last_until_the_next_scrape) {
  TargetReport report;
  report.connected = true;
  report.keep_alive = seconds(5);
  EXPECT_EQ(idle_trouble(report, seconds(15)), IdleTrouble::server_says_shorter);
  EXPECT_EQ(idle_trouble(report, seconds(4)), IdleTrouble::none);
  EXPECT_NE(advice(IdleTrouble::server_says_shorter, report, seconds(15)).find("for 5s only"), std::string::npos);
  report.keep_alive.reset();
  EXPECT_EQ(idle_trouble(report, seconds(15)), IdleTrouble::none);
  report.miss = ReuseMiss::peer_closed;
  EXPECT_EQ(idle_trouble(report, seconds(15)), IdleTrouble::server_closes);
  EXPECT_NE(advice(IdleTrouble::server_closes, report, seconds(15)).find("15s"), std::string::npos);
  EXPECT_NE(advice(IdleTrouble::server_closes, report, seconds(15)).find("prewarm"), std::string::npos);
}

TEST(ScrapeReport, still_sees_a_server_that_closes_when_its_connections_are_opened_ahead) {
  TargetReport report;
  report.connected = report.reused = report.warmed = true;
  report.dial_reason = DialReason::first;
  EXPECT_EQ(idle_trouble(report, seconds(15)), IdleTrouble::none);
  report.dial_reason = DialReason::aged;
  EXPECT_EQ(idle_trouble(report, seconds(15)), IdleTrouble::none) << "that is our own rotation";
  report.dial_reason = DialReason::peer_closed;
  EXPECT_EQ(idle_trouble(report, seconds(15)), IdleTrouble::server_closes);
  EXPECT_EQ(advice(IdleTrouble::server_closes, report, seconds(15)).find("prewarm"), std::string::npos);
}

TEST(ScrapeReport, asks_again_only_where_that_may_help) {
  EXPECT_EQ(ending_of(Outcome::ok, 200), Ending::answered);
  EXPECT_EQ(ending_of(Outcome::unreachable, 0), Ending::failed);
  EXPECT_EQ(ending_of(Outcome::refused, 503), Ending::failed);
  EXPECT_EQ(ending_of(Outcome::refused, 404), Ending::hopeless);
  EXPECT_EQ(ending_of(Outcome::malformed, 200), Ending::hopeless);
  EXPECT_EQ(ending_of(Outcome::too_large, 200), Ending::hopeless);
}

}  // namespace
}  // namespace trunkline::scrape
