#include "plan.h"

#include <cstdio>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace trunkline::cli {
namespace {

using namespace std::chrono_literals;

class File {
 public:
  explicit File(const std::string& text) : path_(::testing::TempDir() + "trunkline_plan_test.txt") {
    std::ofstream(path_, std::ios::binary) << text;
  }
  ~File() { std::remove(path_.c_str()); }
  std::string at() const { return "@" + path_; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

PlannedRequest planned(const RequestFlags& flags) {
  Result<PlannedRequest> plan = planned_request(flags);
  EXPECT_TRUE(plan) << plan.error().message;
  return plan ? *plan : PlannedRequest();
}

TEST(Plan, chooses_the_method_as_curl_does) {
  EXPECT_EQ(planned({}).method, "GET");
  EXPECT_EQ(planned({.data = {"x"}}).method, "POST");
  EXPECT_EQ(planned({.data_binary = {"x"}}).method, "POST");
  EXPECT_EQ(planned({.method = "PUT", .data = {"x"}}).method, "PUT");
  EXPECT_EQ(planned({.head = true}).method, "HEAD");
  EXPECT_FALSE(planned_request({.data = {"x"}, .head = true}));
}

TEST(Plan, joins_data_and_says_what_it_is) {
  const PlannedRequest plan = planned({.data = {"a=1", "b=2"}});
  EXPECT_EQ(*plan.body, "a=1&b=2");
  EXPECT_EQ(plan.headers.get("content-type"), "application/x-www-form-urlencoded");
  const PlannedRequest json = planned({.headers = {"Content-Type: application/json"}, .data = {"{}"}});
  EXPECT_EQ(json.headers.get_all("Content-Type").size(), 1u);
  EXPECT_EQ(json.headers.get("Content-Type"), "application/json");
}

TEST(Plan, reads_data_from_files) {
  const File file(std::string("one\r\ntwo\n\0three", 15));
  EXPECT_EQ(*planned({.data = {file.at()}}).body, "onetwothree");
  EXPECT_EQ(*planned({.data_binary = {file.at()}}).body, std::string("one\r\ntwo\n\0three", 15));
  Result<PlannedRequest> missing = planned_request({.data = {"@/no/such/file"}});
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("/no/such/file"), std::string::npos);
}

TEST(Plan, reads_headers_as_curl_does) {
  const File file("X-One: 1\r\n\r\nX-Two:2\n");
  const PlannedRequest plan = planned({.headers = {"Accept:  */* ", "Empty;", "Gone: 1", "Gone:", file.at()}});
  EXPECT_EQ(plan.headers.get("Accept"), "*/*");
  EXPECT_EQ(plan.headers.get("Empty"), "");
  EXPECT_FALSE(plan.headers.contains("Gone"));
  EXPECT_EQ(plan.headers.get("X-One"), "1");
  EXPECT_EQ(plan.headers.get("X-Two"), "2");
  EXPECT_FALSE(planned_request({.headers = {"no colon"}}));
}

TEST(Plan, turns_framing_headers_into_what_they_ask_for) {
  const PlannedRequest plan =
      planned({.headers = {"Transfer-Encoding: chunked", "Expect: 100-continue", "Connection: Upgrade", "Upgrade: x"},
               .data = {"abc"}});
  EXPECT_TRUE(plan.chunked);
  EXPECT_TRUE(plan.expect_continue);
  EXPECT_EQ(plan.upgrade, "x");
  EXPECT_EQ(plan.headers.size(), 1u);
  const Request request = make_request(plan);
  ASSERT_TRUE(request.source());
  EXPECT_FALSE(request.source()->length());
  EXPECT_TRUE(request.wants_continue());
  EXPECT_TRUE(request.wants_upgrade());
}

TEST(Plan, makes_basic_credentials) {
  EXPECT_EQ(planned({.user = "Aladdin:open sesame"}).headers.get("Authorization"),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

TEST(Plan, gives_each_url_its_output) {
  FetchFlags flags;
  flags.urls = {"http://a/", "http://b/", "http://c/"};
  flags.outputs = {"one", "-"};
  flags.delay = "250ms";
  Result<Plan> plan = plan_from(flags, Options());
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->requests.size(), 3u);
  EXPECT_EQ(plan->requests[0].output, "one");
  EXPECT_EQ(plan->requests[1].output, "-");
  EXPECT_EQ(plan->requests[2].output, "");
  EXPECT_EQ(plan->requests[2].delay, 250ms);
}

TEST(Plan, refuses_what_does_not_go_together) {
  FetchFlags flags;
  EXPECT_FALSE(plan_from(flags, Options())) << "no URL";
  flags.urls = {"http://a/"};
  flags.batch = "-";
  EXPECT_FALSE(plan_from(flags, Options())) << "URL and batch";
  flags.batch = "";
  flags.parallel = 0;
  EXPECT_FALSE(plan_from(flags, Options()));
  flags.parallel = 1;
  flags.repeat = 0;
  EXPECT_FALSE(plan_from(flags, Options()));
}

TEST(Plan, names_the_line_of_a_batch_file) {
  const File file("{\"url\":\"http://a/\"}\n{\"url\":1}\n");
  FetchFlags flags;
  flags.batch = file.path();
  Result<Plan> plan = plan_from(flags, Options());
  ASSERT_FALSE(plan);
  EXPECT_NE(plan.error().message.find(file.path() + ":2: field \"url\""), std::string::npos) << plan.error().message;
}

}  // namespace
}  // namespace trunkline::cli
