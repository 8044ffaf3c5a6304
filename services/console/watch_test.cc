#include "services/console/watch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "services/config/document.h"
#include "services/console/test_sources.h"

namespace trunkline::console {
namespace {

class CollectingSink final : public Sink {
 public:
  explicit CollectingSink(std::shared_ptr<std::string> got) : got_(std::move(got)) {}
  bool write(std::string_view bytes) override { return got_->append(bytes), true; }

 private:
  std::shared_ptr<std::string> got_;
};

class ConsoleWatch : public ::testing::Test {
 protected:
  void look(double t) {
    got->clear();
    watch.step(
        {WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::duration<double>(t))), Clock::now()});
  }
  void come(std::string_view last_id = "") { events.add(std::make_unique<CollectingSink>(got), last_id); }
  std::string last_id() const {
    const std::size_t at = got->rfind("id: ") + 4;
    return got->substr(at, got->find('\n', at) - at);
  }
  bool told(std::string_view text) const { return got->find(text) != std::string::npos; }
  // The data of the first event of this name.
  config::Node event(std::string_view name) const {
    const std::size_t at = got->find("event: " + std::string(name) + "\n");
    EXPECT_NE(at, std::string::npos) << name << " is not in " << *got;
    if (at == std::string::npos) return {};
    const std::size_t data = got->find("data: ", at) + 6;
    auto node = config::parse_json(std::string_view(*got).substr(data, got->find('\n', data) - data), name);
    EXPECT_TRUE(node) << node.error().message;
    return node ? std::move(*node) : config::Node();
  }

  TestSources made;
  ConsoleSources sources = made.all();
  Events events{"p"};
  Watch watch{sources, events};
  std::shared_ptr<std::string> got = std::make_shared<std::string>();
};

TEST_F(ConsoleWatch, tells_everything_once_and_then_what_has_changed) {
  come();
  made.fleet.decide(1000, 30);
  look(1000);
  for (const char* name : {"status", "transport", "targets", "fleet", "decision"}) event(name);
  EXPECT_EQ(event("transport").find("routes")->children.size(), 1U);
  look(1001);
  EXPECT_TRUE(event("transport").find("routes")->children.empty());
  for (const char* name : {"status", "targets", "fleet", "decision"}) {
    EXPECT_FALSE(told("event: " + std::string(name) + "\n")) << *got;
  }
  made.stats.routes[0].counters.granted += 5;
  made.fleet.decide(1002, 60);
  look(1002);
  EXPECT_EQ(event("transport").find("routes")->children.size(), 1U);
  EXPECT_EQ(event("decision").find("decision")->find("number")->text, "2");
  EXPECT_EQ(event("fleet").find("last")->find("number")->text, "2");
}

TEST_F(ConsoleWatch, leaves_single_pods_out_of_the_stream) {
  come();
  made.fleet.decide(1000, 30);
  look(1000);
  const config::Node decision = event("decision");
  EXPECT_TRUE(decision.find("decision")->find("pods")->children.empty());
  EXPECT_EQ(decision.find("decision")->find("metrics")->children.at(0).find("missing")->text, "1");
}

TEST_F(ConsoleWatch, keeps_an_event_small_and_leaves_no_route_out_for_long) {
  const RouteStats one = made.stats.routes[0];
  for (int i = 1; i < 100; ++i) {
    made.stats.routes.push_back(one);
    made.stats.routes.back().key = "key" + std::to_string(i);
  }
  come();
  std::size_t told_routes = 0;
  for (int t = 0; t < 4; ++t) {
    look(1000 + t);
    const std::size_t now = event("transport").find("routes")->children.size();
    EXPECT_LE(now, 32U);
    told_routes += now;
  }
  EXPECT_EQ(told_routes, 100U);
}

TEST_F(ConsoleWatch, remembers_though_nobody_looks) {
  made.fleet.decide(1000, 30);
  made.fleet.decide(1001, 40);
  look(1001);
  look(1002);
  EXPECT_NE(watch.transport_history().find("\"t\":[1001,1002]"), std::string::npos) << watch.transport_history();
  EXPECT_NE(watch.route_history("http://127.0.0.1:9100", "0a1b2c3d").value_or("").find("\"open\":[3,3]"),
            std::string::npos);
  const std::string fleet = watch.fleet_history("chat").value_or("");
  EXPECT_NE(fleet.find("\"t\":[1000,1001]"), std::string::npos) << fleet;
  EXPECT_NE(fleet.find("\"value\":[30,40]"), std::string::npos) << fleet;
  EXPECT_NE(fleet.find("\"missing\":[1,"), std::string::npos) << fleet;
  EXPECT_FALSE(watch.route_history("http://127.0.0.1:9100", "nobody"));
  EXPECT_FALSE(watch.fleet_history("nobody"));
}

TEST_F(ConsoleWatch, forgets_the_route_that_was_not_seen_for_longest) {
  for (int t = 0; t < 200; ++t) {
    made.stats.routes[0].key = "key" + std::to_string(t);
    look(1000 + t);
  }
  EXPECT_FALSE(watch.route_history("http://127.0.0.1:9100", "key0"));
  EXPECT_TRUE(watch.route_history("http://127.0.0.1:9100", "key199"));
  EXPECT_TRUE(watch.route_history("http://127.0.0.1:9100", "key100"));
}

TEST_F(ConsoleWatch, tells_hosts_apart_that_share_a_key) {
  made.stats.routes.push_back(made.stats.routes[0]);
  made.stats.routes[1].route = "http://localhost:9100";
  made.stats.routes[1].counters.open = 9;
  come();
  look(1000);
  EXPECT_EQ(event("transport").find("routes")->children.size(), 2U);
  look(1001);
  EXPECT_TRUE(event("transport").find("routes")->children.empty());
  EXPECT_NE(watch.route_history("http://localhost:9100", "0a1b2c3d").value_or("").find("\"open\":[9,9]"),
            std::string::npos);
}

TEST_F(ConsoleWatch, says_once_when_a_route_has_gone_and_tells_it_again_when_it_is_back) {
  come();
  look(1000);
  const std::vector<RouteStats> routes = std::exchange(made.stats.routes, {});
  look(1001);
  EXPECT_EQ(event("route-gone").find("route")->text, "http://127.0.0.1:9100");
  EXPECT_EQ(event("route-gone").find("key")->text, "0a1b2c3d");
  look(1002);
  EXPECT_FALSE(told("route-gone")) << *got;
  made.stats.routes = routes;
  look(1003);
  EXPECT_EQ(event("transport").find("routes")->children.size(), 1U);
}

TEST_F(ConsoleWatch, says_when_a_fleet_has_gone) {
  come();
  look(1000);
  made.fleet.gone = true;
  look(1001);
  EXPECT_EQ(event("fleet-gone").find("name")->text, "chat");
  EXPECT_FALSE(watch.fleet_history("chat"));
}

TEST_F(ConsoleWatch, resumes_whoever_has_missed_no_look_and_nobody_else) {
  come();
  look(1000);
  const std::string id = last_id();
  events.disconnect();
  come(id);
  EXPECT_EQ(event("hello").find("resumed")->text, "true");
  events.disconnect();
  made.fleet.decide(1001, 30);  // told to nobody
  look(1001);
  come(id);
  EXPECT_EQ(event("hello").find("resumed")->text, "false");
}

TEST_F(ConsoleWatch, tells_a_route_again_that_went_and_came_while_nobody_watched) {
  come();
  look(1000);
  events.disconnect();
  const std::vector<RouteStats> routes = std::exchange(made.stats.routes, {});
  look(1001);
  come();
  look(1002);
  EXPECT_TRUE(event("transport").find("routes")->children.empty());
  made.stats.routes = routes;
  look(1003);
  EXPECT_EQ(event("transport").find("routes")->children.size(), 1U);
}

TEST_F(ConsoleWatch, tells_whoever_comes_all_that_it_does_not_ask_for) {
  come();
  made.fleet.decide(1000, 30);
  look(1000);
  events.disconnect();
  look(1001);
  come();
  look(1002);
  for (const char* name : {"status", "targets", "fleet"}) event(name);
  EXPECT_FALSE(told("event: decision\n")) << "those it asks for";
}

TEST_F(ConsoleWatch, takes_latencies_from_scrapes_once_a_cycle) {
  look(1000);
  look(1001);
  const std::vector<RouteLatency> latencies = watch.latencies();
  ASSERT_EQ(latencies.size(), 1U);
  EXPECT_EQ(latencies[0].route, "http://127.0.0.1:9100");
  EXPECT_EQ(latencies[0].samples, 1U);
  EXPECT_EQ(latencies[0].p99, std::chrono::microseconds(2500));
}

TEST(ConsoleLatencies, quantiles_are_of_the_values_that_were) {
  std::vector<Duration> values;
  for (int i = 100; i >= 1; --i) values.push_back(std::chrono::milliseconds(i));
  EXPECT_EQ(quantile(values, 0.5), std::chrono::milliseconds(50));
  EXPECT_EQ(quantile(values, 0.99), std::chrono::milliseconds(99));
  EXPECT_EQ(quantile({std::chrono::milliseconds(3)}, 0.99), std::chrono::milliseconds(3));
  EXPECT_EQ(quantile({Duration(1), Duration(2), Duration(3)}, 0.5), Duration(2));
  EXPECT_EQ(quantile({}, 0.5), Duration(0));
}

TEST(ConsoleLatencies, a_new_route_takes_the_place_of_the_one_that_was_silent_for_longest) {
  Latencies latencies;
  const auto job = std::make_shared<scrape::Job>(scrape::Job{.name = "web"});
  const auto answered = [&](std::uint64_t cycle, int host) {
    scrape::Snapshot snapshot;
    snapshot.cycle = cycle;
    auto target = scrape::make_target(
        job, "http://10.0." + std::to_string(host / 200) + "." + std::to_string(host % 200) + ":9100/metrics");
    ASSERT_TRUE(target);
    scrape::TargetSnapshot one;
    one.target = *target;
    one.report.outcome = scrape::Outcome::ok;
    snapshot.targets = {one};
    latencies.add(0, snapshot);
  };
  std::uint64_t cycle = 0;
  for (int host = 0; host < 256; ++host) answered(++cycle, host);
  answered(++cycle, 0);
  answered(++cycle, 300);
  const std::vector<RouteLatency> all = latencies.all();
  EXPECT_EQ(all.size(), 256U);
  const auto has = [&](std::string_view route) { return std::ranges::count(all, route, &RouteLatency::route) == 1; };
  EXPECT_TRUE(has("http://10.0.0.0:9100"));
  EXPECT_FALSE(has("http://10.0.0.1:9100"));
  EXPECT_TRUE(has("http://10.0.1.100:9100"));
}

TEST_F(ConsoleWatch, needs_no_source_at_all) {
  const ConsoleSources none;
  Watch bare(none, events);
  come();
  for (int i = 0; i < 10; ++i) bare.step({});
  EXPECT_TRUE(told("event: beat\n"));
  EXPECT_FALSE(told("event: transport"));
}

}  // namespace
}  // namespace trunkline::console
