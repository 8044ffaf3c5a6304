// Where targets come from, and as whom they are asked: files that change while the collector runs, names, certificates.
#include <cstdio>
#include <set>

#include "base/test_folder.h"
#include "net/resolver.h"
#include "support/scraper.h"

namespace trunkline::test {
namespace {

using scrape::TargetState;

class ScrapeSourcesTest : public HttpTest, protected TestFolder {
 protected:
  CountingServer& serve_metrics(CountingOptions how = {}) {
    how.body = exposition;
    CountingServer& server = count(how);
    do_not_compare(server);  // the pool is the process's
    return server;
  }
  static std::string place(const CountingServer& server) { return "127.0.0.1:" + std::to_string(server.port()); }
};

TEST_F(ScrapeSourcesTest, follows_a_file_of_targets_while_it_runs_and_survives_a_broken_one) {
  const CountingServer& one = serve_metrics();
  const CountingServer& two = serve_metrics();
  replace("targets.json", R"([{"targets": [")" + place(one) + R"("], "labels": {"app": "x"}}])");
  Scraper scraper(short_cycles(),
                  {std::make_shared<scrape::FileSource>(path("targets.json"), std::make_shared<scrape::Job>())});
  scraper.start();
  ASSERT_TRUE(scraper.has_cycles(1));
  ASSERT_EQ(scraper.last()->targets.size(), 1U);
  EXPECT_EQ(scraper.last()->targets[0].target->labels, (scrape::Labels{{"app", "x"}}));

  replace("targets.json", R"([{"targets": [")" + place(one) + R"(", ")" + place(two) + R"("]}])");
  ASSERT_TRUE(eventually([&] { return scraper.last()->totals.fresh == 2; }));

  replace("targets.json", R"([{"targets": [)");
  ASSERT_TRUE(eventually([&] { return !scraper.collector().troubles().empty(); }));
  EXPECT_NE(scraper.collector().troubles()[0].find("targets.json"), std::string::npos);
  const std::size_t before = scraper.snapshots().size();
  ASSERT_TRUE(scraper.has_cycles(before + 2));
  EXPECT_EQ(scraper.last()->totals.fresh, 2U);

  replace("targets.json", R"([{"targets": [")" + place(two) + R"("]}])");
  ASSERT_TRUE(eventually([&] { return scraper.last()->targets.size() == 1; }));
  EXPECT_TRUE(scraper.collector().troubles().empty());
  scraper.collector().stop();
  EXPECT_EQ(one.accepts() + two.accepts(), 2);
}

TEST_F(ScrapeSourcesTest, scrapes_every_address_of_a_name) {
  const CountingServer& server = serve_metrics({.any_address = true});
  replace("hosts", "127.0.0.1 fleet.test\n127.0.0.2 fleet.test\n127.0.0.3 fleet.test\n");
  net::use_dns_for_tests({.resolv_conf = path("none"), .hosts = path("hosts"), .servers = "127.0.0.1:1"});
  scrape::DnsSource::Place place;
  place.host = "fleet.test";
  place.port = static_cast<std::uint16_t>(server.port());
  Scraper scraper(short_cycles(), {std::make_shared<scrape::DnsSource>(place, std::make_shared<scrape::Job>())});
  scraper.start();
  EXPECT_TRUE(eventually([&] { return !scraper.snapshots().empty() && scraper.last()->totals.fresh == 3; }));
  std::set<std::string> asked;
  for (const auto& target : scraper.last()->targets) asked.insert(target.target->instance);
  const std::string port = ":" + std::to_string(server.port());
  EXPECT_EQ(asked, (std::set<std::string>{"127.0.0.1" + port, "127.0.0.2" + port, "127.0.0.3" + port}));
  scraper.collector().stop();
  net::use_dns_for_tests({});
}

TEST_F(ScrapeSourcesTest, a_name_that_does_not_resolve_is_told) {
  scrape::DnsSource::Place place;
  place.host = "name.invalid";
  place.limit = seconds(5);
  Scraper scraper(short_cycles(), {std::make_shared<scrape::DnsSource>(place, std::make_shared<scrape::Job>())});
  scraper.start();
  EXPECT_TRUE(eventually([&] { return !scraper.collector().troubles().empty(); }));
  scraper.collector().stop();
}

TEST_F(ScrapeSourcesTest, sends_the_token_that_the_file_holds_now) {
  const Listener& server = serve();
  do_not_compare(server);
  replace("token", "first\n");
  scrape::Job job;
  job.bearer_token_file = path("token");
  Scraper scraper(short_cycles(), {target_at(server.url("/metrics"), job)});
  scraper.start();
  ASSERT_TRUE(server.wait_for("requests", 1));
  replace("token", "second\n");
  const auto last_sent = [&] { return server.log().requests.back().field("Authorization"); };
  EXPECT_EQ(server.log().requests.front().field("Authorization"), "Bearer first");
  EXPECT_TRUE(eventually([&] { return last_sent() == "Bearer second"; }));
  scraper.collector().stop();
}

TEST_F(ScrapeSourcesTest, shows_each_jobs_certificate_and_no_others) {
  CountingOptions how;
  how.certificate = &server_certificate();
  how.client_ca = authority().file();
  const CountingServer& server = serve_metrics(how);
  scrape::Job known;
  known.tls.ca_file = authority().file();
  known.tls.certificate_file = client_certificate().certificate_file;
  known.tls.key_file = client_certificate().key_file;
  scrape::Job unknown;
  unknown.tls.ca_file = authority().file();
  const auto url = server.url("localhost", "/metrics");
  Scraper scraper(short_cycles(milliseconds(2000)), {target_at(url, known), target_at(url, unknown)});
  const auto snapshot = scraper.run(1)[0];
  ASSERT_EQ(snapshot->targets.size(), 2U);
  for (const scrape::TargetSnapshot& target : snapshot->targets) {
    const bool shows = !target.target->job->tls.certificate_file.empty();
    EXPECT_EQ(target.state, shows ? TargetState::fresh : TargetState::missing) << target.report.reason;
  }
}

TEST_F(ScrapeSourcesTest, the_public_resolver_answers_a_literal_and_ends_in_time) {
  const auto literal = resolve("::1", seconds(5));
  ASSERT_GOOD(literal);
  EXPECT_EQ(*literal, std::vector<std::string>{"::1"});
  const auto local = resolve("localhost", seconds(5));
  ASSERT_GOOD(local);
  EXPECT_TRUE(std::is_sorted(local->begin(), local->end()));
  EXPECT_FALSE(resolve("name.invalid", seconds(5)));
}

}  // namespace
}  // namespace trunkline::test
