#include "server/access_log.h"

#include <gtest/gtest.h>

namespace trunkline::server {
namespace {

LogEntry entry_of(int status, bool cancelled = false) {
  LogEntry entry;
  entry.at = std::chrono::system_clock::time_point(std::chrono::milliseconds(1'000'000'000'123));
  entry.took = std::chrono::microseconds(1234);
  entry.peer = "192.0.2.1:50000";
  entry.method = "GET";
  entry.path = "/a";
  entry.status = status;
  entry.sent = 5;
  entry.cancelled = cancelled;
  return entry;
}

TEST(AccessLog, writes_a_line_of_json) {
  EXPECT_EQ(
      json_line(entry_of(200)),
      "{\"time\":\"2001-09-09T01:46:40.123Z\",\"ms\":1.234,\"peer\":\"192.0.2.1:50000\",\"protocol\":\"HTTP/1.1\","
      "\"method\":\"GET\",\"path\":\"/a\",\"status\":200,\"received\":0,\"sent\":5}\n");
}

TEST(AccessLog, escapes_what_a_client_sent) {
  LogEntry entry = entry_of(200);
  entry.user_agent = "a\"\n{\xff";
  const std::string line = json_line(entry);
  EXPECT_NE(line.find("\"user_agent\":\"a\\\"\\n{"), std::string::npos) << line;
  EXPECT_EQ(line.find('\n'), line.size() - 1);
}

TEST(AccessLog, writes_one_in_so_many_that_went_well_and_all_that_did_not) {
  std::vector<std::string> lines;
  const auto log = make_access_log({.one_in = 10}, [&](std::string_view line) { lines.emplace_back(line); });
  for (int i = 0; i < 20; ++i) log(entry_of(200));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_NE(lines[0].find("\"sampled\":10"), std::string::npos);
  for (int i = 0; i < 3; ++i) log(entry_of(503));
  log(entry_of(200, true));
  EXPECT_EQ(lines.size(), 6u);
  EXPECT_EQ(lines.back().find("sampled"), std::string::npos);
}

}  // namespace
}  // namespace trunkline::server
