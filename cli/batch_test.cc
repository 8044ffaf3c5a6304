#include "batch.h"

#include <array>
#include <string>

#include <gtest/gtest.h>

namespace trunkline::cli {
namespace {

using namespace std::chrono_literals;

std::vector<PlannedRequest> good(std::string_view text, const BatchDefaults& defaults = {}) {
  auto requests = parse_batch(text, "FILE", defaults);
  EXPECT_TRUE(requests) << requests.error().message;
  return requests ? *requests : std::vector<PlannedRequest>();
}

PlannedRequest one(std::string_view line, const BatchDefaults& defaults = {}) {
  std::vector<PlannedRequest> requests = good(line, defaults);
  EXPECT_EQ(requests.size(), 1u);
  return requests.empty() ? PlannedRequest() : requests.front();
}

std::string refusal(std::string_view text) {
  auto requests = parse_batch(text, "FILE", {});
  EXPECT_FALSE(requests) << text;
  return requests ? "" : requests.error().message;
}

TEST(Batch, reads_every_field) {
  BatchDefaults defaults;
  defaults.timeouts.queue = 9s;
  const PlannedRequest request =
      one(R"({"id":"x","method":"PUT","url":"http://a/","headers":{"A":"1","B":["2","3"]},"body":"abc","chunked":true,)"
          R"("trailers":[["T","1"]],"delay":"500ms","parallel_group":7,"timeout":1.5,"timeouts":{"first_byte":"2s"},)"
          R"("fresh":true,"expect_continue":true,"idempotent":true,"include_body":true,"upgrade":"x","output":"f",)"
          R"("max_body":"1KiB"})",
          defaults);
  EXPECT_EQ(request.id, "x");
  EXPECT_EQ(request.method, "PUT");
  EXPECT_EQ(request.url, "http://a/");
  EXPECT_EQ(request.headers.size(), 3u);
  EXPECT_EQ(request.headers.get_all("b").size(), 2u);
  EXPECT_EQ(*request.body, "abc");
  EXPECT_TRUE(request.chunked && request.fresh && request.expect_continue && request.idempotent &&
              request.include_body);
  EXPECT_EQ(request.trailers.get("T"), "1");
  EXPECT_EQ(request.delay, 500ms);
  EXPECT_EQ(request.group, "7");
  EXPECT_EQ(request.total, 1500ms);
  EXPECT_EQ(request.timeouts->first_byte, 2s);
  EXPECT_EQ(request.timeouts->queue, 9s) << "the others stay the transport's";
  EXPECT_EQ(request.upgrade, "x");
  EXPECT_EQ(request.output, "f");
  EXPECT_EQ(request.body_limit, 1024u);
}

TEST(Batch, chooses_methods_and_defaults) {
  EXPECT_EQ(one(R"({"url":"http://a/"})").method, "GET");
  EXPECT_EQ(one(R"({"url":"http://a/","body":""})").method, "POST");
  EXPECT_EQ(one(R"({"url":"http://a/","body_size":5})").method, "POST");
  EXPECT_FALSE(one(R"({"url":"http://a/"})").include_body);
  EXPECT_TRUE(one(R"({"url":"http://a/"})", {.include_body = true}).include_body);
  EXPECT_EQ(one(R"({"url":"http://a/","delay":1e-3})").delay, 1ms);
}

TEST(Batch, reads_headers_in_order_and_repeated) {
  const PlannedRequest request = one(R"({"url":"http://a/","headers":[["B","1"],["A","2"],["B","3"]]})");
  ASSERT_EQ(request.headers.size(), 3u);
  EXPECT_EQ(request.headers[2].name, "B");
  EXPECT_EQ(request.headers[2].value, "3");
}

TEST(Batch, reads_bodies_that_are_no_text) {
  EXPECT_EQ(*one(R"({"url":"http://a/","body_base64":"AP8Q"})").body, std::string("\x00\xff\x10", 3));
  EXPECT_EQ(*one(R"({"url":"http://a/","body_base64":"YQ=="})").body, "a");
  EXPECT_EQ(*one(R"({"url":"http://a/","body_base64":""})").body, "");
  for (const char* wrong : {"YQ", "YQ=", "Y", "YR==", "a b=", "====", "YQ==YQ=="}) {
    EXPECT_NE(refusal(std::string(R"({"url":"http://a/","body_base64":")") + wrong + "\"}").find("body_base64"),
              std::string::npos)
        << wrong;
  }
}

TEST(Batch, makes_a_body_of_a_size_while_it_is_sent) {
  const PlannedRequest plan = one(R"({"url":"http://a/","body_size":"40"})");
  const Request request = make_request(plan);
  ASSERT_TRUE(request.source());
  EXPECT_EQ(request.source()->length(), 40u);
  for (int round = 0; round < 2; ++round) {
    std::array<char, 16> buffer;
    std::string body;
    for (auto pull = request.source()->pull(buffer, nullptr); pull.kind == BodySource::Pull::bytes;
         pull = request.source()->pull(buffer, nullptr)) {
      body.append(buffer.data(), pull.size);
    }
    EXPECT_EQ(body, "0123456789abcdef0123456789abcdef01234567");
    EXPECT_TRUE(request.source()->rewind());
  }
}

TEST(Batch, skips_empty_lines_and_remarks) {
  EXPECT_EQ(good("\n# a remark\r\n  \n{\"url\":\"http://a/\"}\r\n\n{\"url\":\"http://b/\"}").size(), 2u);
  EXPECT_TRUE(good("").empty());
}

TEST(Batch, names_the_line_and_the_field_that_is_wrong) {
  struct Row {
    const char* text;
    const char* expected;
  };
  const Row rows[] = {
      {"{\"url\":\"http://a/\"}\n\n{\"url\":\"http://a/\",\"delay\":\"soon\"}", "FILE:3: field \"delay\": "},
      {"{", "FILE:1: is not JSON: "},
      {"{\"url\":\"http://a/\"} x", "FILE:1: is not JSON: "},
      {"[]", "FILE:1: want an object"},
      {"{}", "FILE:1: field \"url\": is missing"},
      {R"({"url":7})", "FILE:1: field \"url\": want a string"},
      {R"({"url":"http://a/","methd":"GET"})", "FILE:1: field \"methd\": is not known, did you mean \"method\"?"},
      {R"({"url":"http://a/","headers":"x"})", "FILE:1: field \"headers\": want"},
      {R"({"url":"http://a/","headers":{"A":1}})", "FILE:1: field \"headers\": want a string"},
      {R"({"url":"http://a/","headers":[["A"]]})", "FILE:1: field \"headers\": want pairs"},
      {R"({"url":"http://a/","body_size":-1})", "FILE:1: field \"body_size\": want a whole number"},
      {R"({"url":"http://a/","body_size":1.5})", "FILE:1: field \"body_size\": want a whole number"},
      {R"({"url":"http://a/","fresh":1})", "FILE:1: field \"fresh\": want true or false"},
      {R"({"url":"http://a/","timeout":-1})", "FILE:1: field \"timeout\": "},
      {R"({"url":"http://a/","timeouts":{"firstbyte":1}})", "FILE:1: field \"timeouts\": there is no time limit"},
      {R"({"url":"http://a/","body":"a","body_size":1})", "FILE:1: field \"body\": only one"},
      {R"({"url":"http://a/","chunked":true})", "FILE:1: field \"chunked\": there is no body"},
      {R"({"url":"http://a/","body":"a","trailers":{"A":"1"}})", "FILE:1: field \"trailers\": only after"},
  };
  for (const Row& row : rows) {
    EXPECT_TRUE(refusal(row.text).starts_with(row.expected)) << row.text << "\n" << refusal(row.text);
  }
}

}  // namespace
}  // namespace trunkline::cli
