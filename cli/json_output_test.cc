#include "json_output.h"

#include <string>

#include <gtest/gtest.h>
#include <boost/json.hpp>

namespace trunkline::cli {
namespace json_output_test {

namespace json = boost::json;
using namespace std::chrono_literals;

// Read back by another's parser: the line is JSON, and says what it should.
json::object parsed(const std::string& line) {
  EXPECT_EQ(line.find('\n'), line.size() - 1) << "one line, and its end";
  json::error_code error;
  json::value value = json::parse(line, error);
  EXPECT_FALSE(error) << line;
  return value.is_object() ? value.get_object() : json::object();
}

Report good_report() {
  Report report;
  report.number = 3;
  report.method = "GET";
  report.url = report.final_url = "http://a/";
  report.head.emplace();
  report.head->status = 200;
  report.head->headers.add("A", "1");
  report.head->headers.add("A", "2");
  report.head->connection.id = 7;
  report.head->connection.protocol = "http/1.1";
  report.head->connection.requests = 1;
  report.head->connection.reuse_miss = ReuseMiss::first_for_key;
  report.connection = connection_report(report.head->connection);
  report.times.queue = 1ms;
  report.times.resolve = report.times.connect = report.times.tls = report.times.first_byte = 0ms;
  report.times.total = 1500ms;
  report.body = "hello";
  report.body_bytes = 5;
  return report;
}

TEST(JsonOutput, has_every_field_of_the_schema) {
  const json::object line = parsed(json_line(good_report()));
  EXPECT_EQ(line.at("url").as_string(), "http://a/");
  EXPECT_EQ(line.at("status").as_int64(), 200);
  EXPECT_EQ(line.at("protocol").as_string(), "http/1.1");
  EXPECT_EQ(json::serialize(line.at("headers")), R"([["A","1"],["A","2"]])");
  EXPECT_EQ(line.at("body_bytes").as_int64(), 5);
  EXPECT_FALSE(line.contains("body"));
  const json::object& connection = line.at("connection").as_object();
  EXPECT_EQ(connection.at("id").as_int64(), 7);
  EXPECT_FALSE(connection.at("reused").as_bool());
  EXPECT_EQ(connection.at("reuse_miss").as_string(), "first_for_key");
  EXPECT_EQ(connection.at("dial_reason").as_string(), "first");
  EXPECT_EQ(connection.at("requests").as_int64(), 1);
  EXPECT_TRUE(connection.at("stream").is_null());
  const json::object& times = line.at("times").as_object();
  for (const char* name : {"queue", "resolve", "connect", "tls", "first_byte", "total"}) {
    EXPECT_TRUE(times.at(name).is_double()) << name;
  }
  EXPECT_DOUBLE_EQ(times.at("total").as_double(), 1.5);
  EXPECT_EQ(line.at("retries").as_int64(), 0);
  EXPECT_TRUE(line.at("error").is_null());
}

TEST(JsonOutput, a_reused_connection_has_neither_miss_nor_reason) {
  Report report = good_report();
  report.head->connection.reused = true;
  report.head->connection.reuse_miss = ReuseMiss::none;
  report.connection = connection_report(report.head->connection);
  const json::object connection = parsed(json_line(report)).at("connection").as_object();
  EXPECT_TRUE(connection.at("reused").as_bool());
  EXPECT_TRUE(connection.at("reuse_miss").is_null());
  EXPECT_TRUE(connection.at("dial_reason").is_null());
}

TEST(JsonOutput, includes_bodies_as_text_or_base64) {
  Report report = good_report();
  report.include_body = true;
  report.body = "gr\xc3\xbc\xc3\x9f \"\n";
  json::object line = parsed(json_line(report));
  EXPECT_EQ(line.at("body").as_string(), "gr\xc3\xbc\xc3\x9f \"\n");
  EXPECT_EQ(line.at("body_encoding").as_string(), "utf-8");
  report.body = std::string("\xff\x00", 2);
  line = parsed(json_line(report));
  EXPECT_EQ(line.at("body").as_string(), "/wA=");
  EXPECT_EQ(line.at("body_encoding").as_string(), "base64");
}

TEST(JsonOutput, says_what_went_wrong_and_what_is_known) {
  Report report;
  report.url = "http://a/";
  report.error = Error(ErrorCode::connection_reset, Phase::first_byte, "the server \"said\" \xff");
  report.error->maybe_processed = MaybeProcessed::unknown;
  report.times.total = 2s;
  const json::object line = parsed(json_line(report));
  EXPECT_TRUE(line.at("status").is_null());
  EXPECT_TRUE(line.at("headers").as_array().empty());
  EXPECT_TRUE(line.at("connection").as_object().at("id").is_null());
  EXPECT_TRUE(line.at("times").as_object().at("queue").is_null());
  const json::object& error = line.at("error").as_object();
  EXPECT_EQ(error.at("code").as_string(), "connection_reset");
  EXPECT_EQ(error.at("kind").as_string(), "disconnected");
  EXPECT_EQ(error.at("phase").as_string(), "first_byte");
  EXPECT_EQ(error.at("maybe_processed").as_string(), "unknown");
}

TEST(JsonOutput, is_valid_whatever_a_server_sends) {
  Report report = good_report();
  std::string bytes;
  for (int c = 1; c < 256; ++c) bytes += static_cast<char>(c);
  report.head->headers.add("X", bytes);
  report.trailers.add("T", bytes);
  report.id = bytes;
  EXPECT_EQ(parsed(json_line(report)).at("headers").as_array().size(), 3u);
}

TEST(JsonOutput, tells_the_trace) {
  Report report = good_report();
  TraceEvent event;
  event.kind = TraceEvent::connected;
  event.at = 1ms;
  event.connection = 7;
  event.detail = "reused";
  report.trace = {event};
  const json::array trace = parsed(json_line(report)).at("trace").as_array();
  ASSERT_EQ(trace.size(), 1u);
  EXPECT_EQ(trace[0].as_object().at("event").as_string(), "connected");
  EXPECT_EQ(trace[0].as_object().at("connection").as_int64(), 7);
}

TEST(Report, knows_the_connection_of_a_failed_request_from_its_trace) {
  TraceEvent miss;
  miss.kind = TraceEvent::connected;
  miss.connection = 9;
  miss.detail = "all_busy";
  miss.at = 3ms;
  ConnectionReport connection = connection_report({miss});
  EXPECT_EQ(connection.id, 9u);
  EXPECT_FALSE(connection.reused);
  EXPECT_EQ(connection.reuse_miss, "all_busy");
  EXPECT_EQ(times_report({miss}, 5ms).queue, 3ms);
  EXPECT_EQ(times_report({miss}, 5ms).total, 5ms);
  TraceEvent queued;
  queued.kind = TraceEvent::queued;
  queued.detail = "first_for_key";
  EXPECT_EQ(connection_report({queued}).id, 0u);
  EXPECT_EQ(connection_report({queued}).reuse_miss, "first_for_key");
  miss.detail = "reused";
  EXPECT_TRUE(connection_report({miss}).reused);
}

}  // namespace json_output_test
}  // namespace trunkline::cli
