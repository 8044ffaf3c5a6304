#include "status.h"

#include <gtest/gtest.h>

#include "explain.h"

namespace trunkline::cli {
namespace status_test {

config::Node json(std::string_view text) { return config::parse_json(text, "test").value(); }

StatusAnswers a_quiet_process() {
  return {json(R"({"version":"1.2","pid":7,"uptime_seconds":192.4,"ready":true,)"
               R"("services":[{"name":"scrape","ready":true,"trouble":""}]})"),
          json(R"({"pool":{"open":3,"active":1,"idle":2,"granted":1000,"reused":997,)"
               R"("dials_by_reason":{"first":3,"busy":0}},"routes":[{"route":"http://h:1","protocol":"http/1.1",)"
               R"("open":3,"active":1,"idle":2,"waiting":0,"granted":1000,"reused":997,"advice":""}]})"),
          json(R"({"cycles":[],"targets":[]})"),
          json("[]"),
          {}};
}

TEST(StatusText, shows_the_process_and_its_connections) {
  EXPECT_EQ(status_text(a_quiet_process()),
            "trunkline 1.2, process 7, up for 3m12s: ready\n"
            "  service  ready  trouble\n"
            "  scrape   yes\n"
            "\n"
            "Connections: 3 open, 1 in use, 2 idle; 1000 requests, 99.7% on reused ones\n"
            "  dials: first 3\n"
            "  route       protocol  open  in use  idle  waiting  requests  reused\n"
            "  http://h:1  http/1.1     3       1     2        0      1000   99.7%\n"
            "\n"
            "Targets: no cycle has ended yet\n");
}

TEST(StatusText, shows_each_connections_life_where_it_was_asked_for) {
  StatusAnswers answers = a_quiet_process();
  answers.connections =
      json(R"({"connections":[{"route":"http://h:1","protocol":"http/1.1","state":"idle","age_seconds":90,)"
           R"("idle_seconds":0.25,"requests":331,"streams":0,"streams_allowed":1,"dial_reason":"busy",)"
           R"("local":"10.0.0.1:51966","remote":"10.0.0.2:1"},)"
           R"({"route":"https://g:2","protocol":"h2","state":"active","age_seconds":3,"idle_seconds":0,"requests":40,)"
           R"("streams":7,"streams_allowed":null,"dial_reason":"first","local":"10.0.0.1:51967",)"
           R"("remote":"10.0.0.3:2"}],"left_out":5})");
  const std::string text = status_text(answers);
  EXPECT_NE(text.find("Each connection\n"
                      "  route        protocol  state   age  idle for  requests   streams  opened  from            to\n"
                      "  http://h:1   http/1.1  idle    90s     250ms       331         0  busy    10.0.0.1:51966  "
                      "10.0.0.2:1\n"
                      "  https://g:2  h2        active   3s         -        40  7 of any  first   10.0.0.1:51967  "
                      "10.0.0.3:2\n"
                      "  and 5 more\n"),
            std::string::npos)
      << text;
}

TEST(StatusText, puts_targets_that_are_not_fresh_first_and_bounds_the_list) {
  StatusAnswers answers = a_quiet_process();
  std::string targets;
  for (int i = 0; i < 25; ++i) {
    const std::string state = i == 24 ? "missing" : "fresh";
    targets += std::string(i > 0 ? "," : "") + R"({"url":"http://h)" + std::to_string(i) +
               R"(/","job":"web","state":")" + state +
               R"(","age_seconds":0.0123,"duration_seconds":2.5,"connection":"reused","error":"late"})";
  }
  answers.targets = json(
      R"({"cycles":[{"cycle":9,"fresh":24,"late":0,"missing":1,"dials":0,"reused":24}],"targets":[)" + targets + "]}");
  const std::string text = status_text(answers);
  EXPECT_NE(text.find("Targets, cycle 9: 24 fresh, 0 late, 1 missing; 0 dials, 24 reused\n"), std::string::npos);
  EXPECT_LT(text.find("http://h24/"), text.find("http://h0/"));
  EXPECT_NE(text.find("http://h0/   web  fresh    12ms  2.5s  reused      late"), std::string::npos) << text;
  EXPECT_NE(text.find("and 5 more; --json has them all"), std::string::npos);
}

TEST(StatusText, shows_fleets_with_their_troubles) {
  StatusAnswers answers = a_quiet_process();
  answers.fleets =
      json(R"([{"name":"web","current":4,"ready":3,"min":1,"max":9,"paused":false,"trouble":"no port\u001b",)"
           R"("decisions":12,"ups":2,"downs":1,"gaps_survived":5,"last":{"reason":"at its target"}}])");
  const std::string text = status_text(answers);
  EXPECT_NE(text.find("web           4      3  1 to 9         12   2     1              5  at its target"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("  web: no port\\x1b\n"), std::string::npos) << text;
}

TEST(StatusText, tells_times_in_the_units_of_people) {
  for (const auto& [seconds, text] : {std::pair{"0.00421", "4.21ms"},
                                      {"0.042", "42ms"},
                                      {"59.94", "59.9s"},
                                      {"120", "2m"},
                                      {"5999", "99m59s"},
                                      {"7260", "2h1m"},
                                      {"864000", "10d"},
                                      {"867600", "10d1h"},
                                      {"-1", "-"}}) {
    StatusAnswers answers = a_quiet_process();
    answers.status = json(std::string(R"({"uptime_seconds":)") + seconds + "}");
    EXPECT_NE(status_text(answers).find(std::string("up for ") + text + ":"), std::string::npos) << seconds;
  }
}

TEST(StatusText, survives_an_answer_that_holds_nothing) {
  const StatusAnswers nothing{json("{}"), json("{}"), json("{}"), json("[]"), json("{}")};
  EXPECT_NE(status_text(nothing).find("NOT READY"), std::string::npos);
}

TEST(ExplainText, tells_each_metric_and_each_stage_in_a_line) {
  const config::Node decision =
      json(R"({"number":12,"t":1764000000.5,"policy":"web","current":4,"desired":6,"action":"up",)"
           R"("reason":"demand","dryRun":true,)"
           R"("metrics":[{"metric":"open","low":87,"high":90,"targetValue":20,"proposal":5,"expected":4,"fresh":3,)"
           R"("carried":0,"missing":1,"reason":""}],)"
           R"("stages":[{"stage":"bounds","before":7,"after":6,"reason":"max is 6"}]})");
  EXPECT_EQ(decision_text(decision),
            "#12 2025-11-24T16:00:00Z web: up, 4 -> 6: demand (dry run)\n"
            "  metric open: between 87 and 90, target 20, proposes 5; of 4 pods 3 fresh, 0 carried, 1 missing\n"
            "  stage   before  after  reason\n"
            "  bounds       7      6  max is 6\n");
}

}  // namespace status_test
}  // namespace trunkline::cli
