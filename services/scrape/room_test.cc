#include "services/scrape/room.h"

#include <gtest/gtest.h>

namespace trunkline::scrape {
namespace {

TEST(ScrapeRoom, says_nothing_where_all_connections_fit) {
  EXPECT_EQ(trouble_with_room(0, {.sockets = 256, .files = 1024}), "");
  EXPECT_EQ(trouble_with_room(256, {.sockets = 256, .files = 1024}), "");
}

TEST(ScrapeRoom, gives_the_arithmetic_and_the_limit_that_would_do) {
  EXPECT_EQ(trouble_with_room(300, {.sockets = 256, .files = 1024}),
            "300 targets need a connection each, and there is room for 256 (a quarter of the 1024 files that this "
            "process may open): at least 44 of them are dialled anew in each cycle; raise the limit of open files to "
            "1200 or more (ulimit -n, systemd's LimitNOFILE=), or scrape fewer from one process");
  EXPECT_NE(trouble_with_room(65, {.sockets = 64, .files = 100}).find("limit of open files to 260"), std::string::npos)
      << "sixty-four at least, however few files there are";
}

TEST(ScrapeRoom, does_not_blame_the_files_where_something_else_is_scarce) {
  for (const std::int64_t files : {0, 1 << 20}) {
    const std::string said = trouble_with_room(20'000, {.sockets = 14'116, .files = files});
    EXPECT_NE(said.find("half of the ephemeral ports, or what TRUNKLINE_SOCKETS says"), std::string::npos) << said;
    EXPECT_NE(said.find("set TRUNKLINE_SOCKETS=20000"), std::string::npos) << said;
  }
}

TEST(ScrapeRoom, paths_of_one_origin_share_a_connection) {
  const auto job = std::make_shared<const Job>();
  EXPECT_EQ(connections_for({*make_target(job, "a:1"), *make_target(job, "http://a:1/other"),
                             *make_target(job, "https://a:1/metrics"), *make_target(job, "a:2")}),
            3U);
}

TEST(ScrapeRoom, knows_what_this_process_may_hold) { EXPECT_GE(room_of_this_process().sockets, 1); }

}  // namespace
}  // namespace trunkline::scrape
