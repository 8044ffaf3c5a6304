#include "services/run/log.h"

#include <gtest/gtest.h>

#include "services/run/probes.h"

namespace trunkline::run {
namespace {

TEST(LogLine, is_for_people_or_for_machines) {
  EXPECT_EQ(log_line(LogFormat::text, "NOW", LogLevel::info, "ready", "running", {{"pid", "7"}}),
            "NOW info ready: running pid=7\n");
  EXPECT_EQ(
      log_line(LogFormat::json, "NOW", LogLevel::error, "refused", "a \"b\"", {{"file", "x"}}),
      "{\"time\":\"NOW\",\"level\":\"error\",\"event\":\"refused\",\"message\":\"a \\\"b\\\"\",\"file\":\"x\"}\n");
}

TEST(LogLine, stays_one_line_whatever_it_holds) {
  for (const LogFormat format : {LogFormat::text, LogFormat::json}) {
    const std::string line = log_line(format, "NOW", LogLevel::warning, "e", "a\nb\x1b", {{"f", "c\nd"}});
    EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
    EXPECT_EQ(line.find('\x1b'), std::string::npos) << line;
  }
}

TEST(Readiness, says_which_service_is_not) {
  EXPECT_EQ(readiness_json(false, {{"scrape", true, ""}, {"autoscale", false, "no \"x\""}}),
            "{\"ready\":false,\"services\":[{\"name\":\"scrape\",\"ready\":true,\"trouble\":\"\"},"
            "{\"name\":\"autoscale\",\"ready\":false,\"trouble\":\"no \\\"x\\\"\"}]}\n");
}

}  // namespace
}  // namespace trunkline::run
