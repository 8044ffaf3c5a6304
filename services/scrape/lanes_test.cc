#include "services/scrape/lanes.h"

#include <gtest/gtest.h>

namespace trunkline::scrape {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

TEST(ScrapeLanes, have_room_for_every_target_and_some_more) {
  EXPECT_EQ(idle_capacity(80, 1000), 1000);
  for (const std::size_t targets : {801U, 1000U, 1001U, 5000U, 100'000U}) {
    EXPECT_GE(static_cast<std::size_t>(idle_capacity(targets, 1000)), targets + targets / 4) << targets;
  }
}

TEST(ScrapeLanes, change_seldom_while_a_fleet_grows) {
  int changes = 0;
  for (std::size_t targets = 1; targets < 10'000; ++targets) {
    changes += idle_capacity(targets, 1000) != idle_capacity(targets + 1, 1000);
  }
  EXPECT_LE(changes, 5);
}

TEST(ScrapeLanes, keep_connections_over_a_missed_cycle) {
  const Options base = Options::scrape();
  EXPECT_EQ(options_for(base, Job(), 80, seconds(10)).limits.idle_timeout, seconds(30));
  EXPECT_GT(options_for(base, Job(), 80, minutes(1)).limits.idle_timeout, minutes(2));
}

TEST(ScrapeLanes, go_where_the_job_says) {
  Job job;
  job.tls.server_name = "pod.example";
  job.proxy = "http://127.0.0.1:3128";
  const Options options = options_for(Options::scrape(), job, 80, seconds(15));
  EXPECT_EQ(options.tls.server_name, "pod.example");
  EXPECT_EQ(options.proxy, job.proxy);
}

TEST(ScrapeLanes, are_one_for_jobs_that_ask_alike) {
  Lanes lanes(Options::scrape(), seconds(15));
  auto one = std::make_shared<Job>();
  auto other = std::make_shared<Job>();
  other->name = "other";
  auto secret = std::make_shared<Job>();
  secret->bearer_token = "t";
  const std::vector<TargetPtr> targets = {*make_target(one, "a:1"), *make_target(other, "b:1"),
                                          *make_target(secret, "c:1")};
  lanes.prepare(targets, 0);
  EXPECT_EQ(&lanes.of(*targets[0]), &lanes.of(*targets[1]));
  EXPECT_NE(&lanes.of(*targets[0]), &lanes.of(*targets[2]));
  // Credentials are of requests, not of connections.
  EXPECT_EQ(lanes.of(*targets[0]).transport, lanes.of(*targets[2]).transport);
}

}  // namespace
}  // namespace trunkline::scrape
