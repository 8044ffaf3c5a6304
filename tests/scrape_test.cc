// The collector on connections that last: who dials, how often, and what is said where a server lets them end. The
// servers' accepts decide.
#include <algorithm>
#include <deque>

#include "support/scraper.h"

namespace trunkline::test {
namespace {

using scrape::TargetPtr;
using scrape::TargetState;

class ScrapeTest : public HttpTest {
 protected:
  // Ten groups of eight pods, as many addresses, one server.
  static std::vector<TargetPtr> fleet(const CountingServer& server, int groups = 10, int pods = 8) {
    std::vector<TargetPtr> targets;
    for (int group = 1; group <= groups; ++group) {
      for (int pod = 1; pod <= pods; ++pod) {
        const std::string host = "127.0." + std::to_string(group) + "." + std::to_string(pod);
        targets.push_back(target_at(server.url(host, "/metrics")));
      }
    }
    return targets;
  }
  CountingServer& serve_metrics(CountingOptions how = {}) {
    how.body = exposition;
    how.any_address = true;
    CountingServer& server = count(how);
    do_not_compare(server);  // the pool is the process's
    return server;
  }
};

// This first one teaches the kit: targets, a scraper, its snapshots, and what the server saw.
TEST_F(ScrapeTest, hands_out_what_was_wanted_of_each_target) {
  const CountingServer& server = serve_metrics();
  Scraper scraper(short_cycles(), fleet(server, 1, 3));
  const auto snapshots = scraper.run(2);
  const scrape::Snapshot& second = *snapshots[1];
  ASSERT_EQ(second.targets.size(), 3U);
  EXPECT_EQ(second.cycle, snapshots[0]->cycle + 1);
  for (const scrape::TargetSnapshot& target : second.targets) {
    EXPECT_EQ(target.state, TargetState::fresh);
    EXPECT_GE(target.age, Duration::zero());
    EXPECT_LT(target.age, second.interval);
    EXPECT_EQ(target.report.status, 200);
    EXPECT_EQ(target.report.bytes, exposition.size());
    EXPECT_EQ(target.report.samples, 3U);
    EXPECT_EQ(connection_text(target.report), "reused");
    ASSERT_EQ(target.samples->size(), 2U);  // `other` was not wanted
    EXPECT_EQ(target.samples->find("jobs", "queue", "b"), 4);
    EXPECT_EQ(target.samples->type(0), metrics::Type::gauge);
  }
  EXPECT_EQ(connection_text(snapshots[0]->targets[0].report), "new (first)");
  EXPECT_EQ(server.accepts(), 3);
}

TEST_F(ScrapeTest, four_collectors_on_eighty_targets_dial_each_target_once_in_ten_cycles) {
  const CountingServer& server = serve_metrics({.threads = 2});
  const std::vector<TargetPtr> targets = fleet(server);
  // Collectors that meet at a target take turns on its connection.
  scrape::CollectorSettings settings = short_cycles();
  settings.options.limits.open_per_host = 1;
  std::deque<Scraper> scrapers;
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    settings.schedule.seed = seed;
    scrapers.emplace_back(settings, targets);
  }
  for (Scraper& scraper : scrapers) scraper.start();
  for (Scraper& scraper : scrapers) ASSERT_TRUE(scraper.has_cycles(10));
  for (Scraper& scraper : scrapers) scraper.collector().stop();

  EXPECT_EQ(server.accepts(), 80);
  EXPECT_GE(server.requests(), 4 * 80 * 10);
  std::size_t dials = 0;
  for (Scraper& scraper : scrapers) {
    for (const scrape::SnapshotPtr& snapshot : scraper.snapshots()) {
      EXPECT_EQ(snapshot->totals.fresh, 80U);
      dials += snapshot->totals.dials;
    }
  }
  EXPECT_LE(dials, 80U);
}

TEST_F(ScrapeTest, a_server_that_closes_idle_connections_early_fails_no_scrape_and_the_reason_shows) {
  const CountingServer& server = serve_metrics({.idle_close = milliseconds(50)});
  Scraper scraper(short_cycles(), fleet(server, 1, 4));
  for (const scrape::SnapshotPtr& snapshot : scraper.run(5)) {
    EXPECT_EQ(snapshot->totals.fresh, 4U);
    if (snapshot->cycle == 0) continue;
    for (const scrape::TargetSnapshot& target : snapshot->targets) {
      const scrape::IdleTrouble trouble = idle_trouble(target.report, snapshot->interval);
      EXPECT_EQ(trouble, scrape::IdleTrouble::server_closes) << connection_text(target.report);
      EXPECT_NE(advice(trouble, target.report, snapshot->interval).find("raise its keep-alive"), std::string::npos);
    }
  }
  metrics::ExpositionWriter page(metrics::Format::text);
  scraper.collector().write_metrics(page);
  EXPECT_NE(page.take().find("trunkline_scrape_target_idle_too_short{"), std::string::npos);
}

TEST_F(ScrapeTest, a_server_that_says_how_long_it_keeps_connections_is_taken_at_its_word) {
  const CountingServer& server = serve_metrics({.more_fields = "Keep-Alive: timeout=1\r\n"});
  Scraper scraper(short_cycles(milliseconds(1500)), fleet(server, 1, 2));
  for (const scrape::SnapshotPtr& snapshot : scraper.run(2)) {
    EXPECT_EQ(snapshot->totals.fresh, 2U);
    for (const scrape::TargetSnapshot& target : snapshot->targets) {
      EXPECT_EQ(idle_trouble(target.report, snapshot->interval), scrape::IdleTrouble::server_says_shorter);
    }
  }
}

TEST_F(ScrapeTest, connections_that_a_server_lets_end_are_opened_again_just_before_the_scrape) {
  const CountingServer& server = serve_metrics({.idle_close = slowed(300, 1000)});
  scrape::Job job;
  job.prewarm = slowed(100, 300);
  std::vector<TargetPtr> targets;
  for (int pod = 1; pod <= 4; ++pod) {
    targets.push_back(target_at(server.url("127.0.1." + std::to_string(pod), "/metrics"), job));
  }
  Scraper scraper(short_cycles(slowed(1200, 4000)), targets);
  scraper.start();
  // On a machine that stands still a server may close it before it is used: in some cycle it does not.
  ASSERT_TRUE(eventually([&] {
    const auto snapshots = scraper.snapshots();
    return snapshots.size() >= 2 && std::ranges::all_of(snapshots.back()->targets, [](const auto& target) {
             return connection_text(target.report) == "warmed (peer_closed)";
           });
  })) << connection_text(scraper.last()->targets[0].report);
  scraper.collector().stop();
  const auto counters = scraper.collector().counters();
  EXPECT_GE(counters.warmed, 4U);
  EXPECT_GE(server.accepts(), static_cast<std::int64_t>(counters.warmed)) << "as the server has seen them";
  for (const scrape::TargetSnapshot& target : scraper.last()->targets) {
    EXPECT_EQ(idle_trouble(target.report, scraper.last()->interval), scrape::IdleTrouble::server_closes);
  }
}

TEST_F(ScrapeTest, opens_nothing_ahead_where_connections_last) {
  const CountingServer& server = serve_metrics();
  scrape::Job job;
  job.prewarm = milliseconds(100);
  Scraper scraper(short_cycles(), {target_at(server.url("127.0.1.1", "/metrics"), job)});
  const auto snapshots = scraper.run(4);
  EXPECT_EQ(server.accepts(), 1);
  EXPECT_EQ(scraper.collector().counters().warmed, 0U);
  EXPECT_EQ(connection_text(snapshots.back()->targets[0].report), "reused");
}

TEST_F(ScrapeTest, keeps_every_connection_when_the_fleet_outgrows_the_pool) {
  const CountingServer& server = serve_metrics({.threads = 2});
  scrape::CollectorSettings settings = short_cycles();
  settings.options.limits.idle_total = 10;
  auto set = std::make_shared<scrape::SetSource>();
  std::vector<TargetPtr> targets = fleet(server, 1, 5);
  set->set(targets);
  Scraper scraper(settings, {set});
  scraper.start();
  ASSERT_TRUE(scraper.has_cycles(2));
  for (const TargetPtr& target : fleet(server, 5, 8)) {
    if (target->url.find("127.0.1.") == std::string::npos) set->add(target);
  }
  ASSERT_TRUE(eventually([&] { return scraper.last()->totals.fresh == 37; }));
  const std::size_t cycles = scraper.snapshots().size();
  ASSERT_TRUE(scraper.has_cycles(cycles + 3));
  scraper.collector().stop();
  EXPECT_EQ(server.accepts(), 37);
  EXPECT_EQ(scraper.last()->totals.reused, 37U);
}

TEST_F(ScrapeTest, asks_once_for_all_subscribers_and_gives_each_what_any_wants) {
  const CountingServer& server = serve_metrics();
  Scraper scraper(short_cycles(), fleet(server, 1, 2));
  std::atomic<int> called{0};
  const int second =
      scraper.collector().subscribe({.prefixes = {"oth"}}, [&](const scrape::SnapshotPtr&) { ++called; });
  scraper.start();
  ASSERT_TRUE(scraper.has_cycles(2));
  EXPECT_EQ(scraper.snapshots()[0]->targets[0].samples->find("other"), 1);
  scraper.collector().unsubscribe(second);
  const std::size_t before = scraper.snapshots().size();
  ASSERT_TRUE(scraper.has_cycles(before + 2));
  scraper.collector().stop();
  EXPECT_FALSE(scraper.last()->targets[0].samples->find("other"));
  EXPECT_GE(called, 2);
  const auto cycles = static_cast<std::int64_t>(scraper.snapshots().size());
  EXPECT_LE(server.requests(), 2 * (cycles + 1));
}

TEST_F(ScrapeTest, a_subscriber_who_comes_within_a_cycle_hears_of_the_first_that_asks_for_what_he_wants) {
  const CountingServer& server = serve_metrics();
  Scraper scraper(short_cycles(), fleet(server, 1, 2));
  scraper.start();
  ASSERT_TRUE(eventually([&] { return server.requests() == 2; }));  // this cycle has asked, and not for "other"
  std::mutex mutex;
  scrape::SnapshotPtr first;
  scraper.collector().subscribe({.names = {"other"}}, [&](const scrape::SnapshotPtr& snapshot) {
    const std::lock_guard lock(mutex);
    if (!first) first = snapshot;
  });
  ASSERT_TRUE(scraper.has_cycles(3));
  scraper.collector().stop();
  ASSERT_TRUE(first);
  for (const scrape::TargetSnapshot& target : first->targets) EXPECT_EQ(target.samples->find("other"), 1);
}

TEST_F(ScrapeTest, asks_as_prometheus_does) {
  const Listener& server = serve();
  do_not_compare(server);
  scrape::Job job;
  job.bearer_token = "hush";
  scrape::CollectorSettings settings = short_cycles();
  Scraper scraper(settings, {target_at(server.raw("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\njobs 3\n"), job)});
  EXPECT_EQ(scraper.run(1)[0]->totals.fresh, 1U);
  const LoggedRequest request = server.log().requests.at(0);
  EXPECT_EQ(request.method, "GET");
  EXPECT_NE(request.field("Accept").find("application/openmetrics-text;version=1.0.0"), std::string::npos);
  EXPECT_NE(request.field("Accept").find("text/plain;version=0.0.4"), std::string::npos);
  EXPECT_NE(request.field("Accept-Encoding").find("gzip"), std::string::npos);
  EXPECT_NE(request.field("User-Agent").find("trunkline"), std::string::npos);
  EXPECT_EQ(request.field("Authorization"), "Bearer hush");
  const double told = std::stod(request.field("X-Prometheus-Scrape-Timeout-Seconds"));
  EXPECT_GT(told, 0);
  EXPECT_LE(told, std::chrono::duration<double>(settings.schedule.interval).count());
}

}  // namespace
}  // namespace trunkline::test
