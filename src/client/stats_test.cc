#include <trunkline/stats.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace trunkline {
namespace stats_test {

template <class Enum, std::size_t N>
std::uint64_t& at(std::array<std::uint64_t, N>& counts, Enum value) {
  return counts[static_cast<std::size_t>(value)];
}

Stats some_stats() {
  Stats stats;
  stats.requests.started = 12;
  stats.requests.completed = 9;
  at(stats.requests.failed, ErrorKind::timed_out) = 2;
  stats.requests.in_flight = 1;
  stats.requests.retries = 1;
  stats.pool.dials_started = 3;
  stats.pool.dials_succeeded = 2;
  stats.pool.dials_failed = 1;
  at(stats.pool.dials_failed_by_phase, DialPhase::proxy) = 1;
  at(stats.pool.dials_by_reason, DialReason::first) = 3;
  stats.pool.open = 1;
  stats.pool.active = 1;
  stats.pool.leases = 3;
  stats.pool.shared_open = 1;
  stats.pool.retiring = 1;
  stats.pool.limit_changes = 2;
  at(stats.pool.closed_by_reason, CloseReason::idle_timeout) = 1;
  stats.pool.granted = 11;
  stats.pool.reused = 9;
  at(stats.pool.misses, ReuseMiss::first_for_key) = 2;
  stats.pool.queued = 2;
  stats.sockets_open = 7;
  stats.sockets_limit = 1024;
  RouteStats route;
  route.route = "https://example.org:443";
  route.key = "a1b2c3d4";
  route.protocol = "http/1.1";
  route.counters = stats.pool;
  route.learned_idle_seconds = 4.95;
  route.samples = 3;
  route.p50_seconds = 0.002;
  route.p99_seconds = 0.25;
  route.latency_samples = 11;
  route.advice = "say \"hello\"";
  stats.routes.push_back(route);
  return stats;
}

// Whether the text is one JSON value: enough of a parser to catch a missing comma, quote or bracket.
class JsonCheck {
 public:
  explicit JsonCheck(std::string_view text) : rest_(text) {}
  bool whole() { return value() && rest_.empty(); }
  const std::vector<std::string>& keys() const { return keys_; }

 private:
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool text(std::string& out) {
    if (!take('"')) return false;
    while (!rest_.empty() && rest_.front() != '"') {
      if (static_cast<unsigned char>(rest_.front()) < 0x20) return false;
      if (rest_.front() == '\\') rest_.remove_prefix(1);
      if (rest_.empty()) return false;
      out += rest_.front();
      rest_.remove_prefix(1);
    }
    return take('"');
  }
  bool number() {
    const std::size_t length = std::min(rest_.find_first_not_of("-+.eE0123456789"), rest_.size());
    std::istringstream in{std::string(rest_.substr(0, length))};
    double parsed = 0;
    rest_.remove_prefix(length);
    return length > 0 && in >> parsed && in.peek() == std::char_traits<char>::eof();
  }
  bool list(char end, bool with_keys) {
    if (take(end)) return true;
    do {
      std::string key;
      if (with_keys && !(text(key) && take(':'))) return false;
      if (with_keys) keys_.push_back(key);
      if (!value()) return false;
    } while (take(','));
    return take(end);
  }
  bool value() {
    std::string ignored;
    if (take('{')) return list('}', true);
    if (take('[')) return list(']', false);
    return !rest_.empty() && rest_.front() == '"' ? text(ignored) : number();
  }

  std::string_view rest_;
  std::vector<std::string> keys_;
};

TEST(StatsJson, is_one_value_with_snake_case_keys) {
  for (const Stats& stats : {Stats(), some_stats()}) {
    const std::string json = stats.to_json();
    JsonCheck check(json);
    EXPECT_TRUE(check.whole()) << json;
    for (const std::string& key : check.keys()) {
      for (const char c : key) EXPECT_TRUE((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_') << key;
    }
  }
}

TEST(StatsJson, holds_every_number_under_a_stable_key) {
  const std::string json = some_stats().to_json();
  EXPECT_TRUE(
      json.starts_with(R"({"requests":{"started":12,"completed":9,"failed":{"rejected":0,"overloaded":0,)"
                       R"("unreachable":0,"disconnected":0,"timed_out":2,"broken_peer":0,"cancelled":0},)"
                       R"("in_flight":1,"retries":1},"pool":{"dials_started":3,"dials_succeeded":2,)"
                       R"("dials_failed":1,"dials_failed_by_phase":{"resolve":0,"connect":0,"proxy":1,"tls":0},)"
                       R"("dialing":0,"dials_by_reason":{"first":3,"busy":0,)"))
      << json;
  EXPECT_NE(json.find(R"("open":1,"idle":0,"active":1,"draining":0,"upgraded":0,"leases":3,"shared_open":1,)"
                      R"("retiring":1,"limit_changes":2,"closed":1,"closed_by_reason":{)"),
            std::string::npos);
  EXPECT_NE(json.find(R"("granted":11,"reused":9,"misses":{"none":0,"first_for_key":2,)"), std::string::npos);
  EXPECT_NE(json.find(R"("queued":2,"waiting":0,"queue_rejected":0)"), std::string::npos);
  EXPECT_NE(json.find(R"("routes":[{"route":"https://example.org:443","key":"a1b2c3d4","protocol":"http/1.1",)"),
            std::string::npos);
  EXPECT_NE(json.find(R"("learned_idle_seconds":4.95,"hinted_idle_seconds":0,"samples":3,"p50_seconds":0.002,)"
                      R"("p99_seconds":0.25,"latency_samples":11,"advice":"say \"hello\""})"),
            std::string::npos);
  EXPECT_TRUE(json.ends_with(R"(],"routes_left_out":0,"sockets":{"open":7,"limit":1024}})")) << json;
}

TEST(StatsJson, stays_valid_whatever_a_number_or_name_is) {
  Stats stats = some_stats();
  stats.routes.push_back(stats.routes[0]);
  stats.routes[0].route = "\"\\\n\xFF";
  stats.routes[0].learned_idle_seconds = std::nan("");
  stats.routes[1].learned_idle_seconds = std::numeric_limits<double>::infinity();
  stats.pool.granted = UINT64_MAX;
  stats.pool.idle = INT64_MIN;
  const std::string json = stats.to_json();
  EXPECT_TRUE(JsonCheck(json).whole()) << json;
  EXPECT_NE(json.find("18446744073709551615"), std::string::npos);
  EXPECT_NE(json.find("-9223372036854775808"), std::string::npos);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(StatsPrometheus, has_help_and_type_before_the_samples_of_each_family_and_no_series_twice) {
  Stats stats = some_stats();
  stats.routes.push_back(stats.routes[0]);
  stats.routes[1].key = "another";
  std::set<std::string> families;
  std::set<std::string> series;
  std::string family;
  std::string type;
  for (const std::string& line : lines_of(stats.to_prometheus())) {
    if (line.starts_with("# HELP ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(families.insert(family).second) << family << " twice";
      EXPECT_GT(line.size(), 7 + family.size() + 10) << line;
      type.clear();
    } else if (line.starts_with("# TYPE ")) {
      EXPECT_TRUE(line.starts_with("# TYPE " + family + " ")) << line;
      type = line.substr(8 + family.size());
      EXPECT_EQ(type == "counter", family.ends_with("_total")) << line;
      EXPECT_TRUE(type == "counter" || type == "gauge") << line;
    } else {
      EXPECT_FALSE(type.empty()) << line;
      EXPECT_EQ(line.substr(0, line.find_first_of(" {")), family) << line;
      EXPECT_TRUE(series.insert(line.substr(0, line.rfind(' '))).second) << line << " twice";
      EXPECT_TRUE(family.starts_with("trunkline_")) << line;
    }
  }
  EXPECT_GT(families.size(), 15U);
}

TEST(StatsPrometheus, says_what_happened_to_requests_and_connections) {
  const std::string page = some_stats().to_prometheus();
  for (const char* line : {
           R"(trunkline_requests_total{outcome="completed"} 9)",
           R"(trunkline_requests_total{outcome="timed_out"} 2)",
           R"(trunkline_requests_total{outcome="rejected"} 0)",
           R"(trunkline_requests_in_flight 1)",
           R"(trunkline_dials_total{reason="first"} 3)",
           R"(trunkline_dials_failed_total{phase="connect"} 0)",
           R"(trunkline_dials_failed_total{phase="proxy"} 1)",
           R"(trunkline_connections{state="idle"} 0)",
           R"(trunkline_connections{state="active"} 1)",
           R"(trunkline_connections{state="draining"} 0)",
           R"(trunkline_connections{state="upgraded"} 0)",
           R"(trunkline_connections{state="dialing"} 0)",
           R"(trunkline_leases 3)",
           R"(trunkline_connections_shared 1)",
           R"(trunkline_connections_retiring 1)",
           R"(trunkline_limit_changes_total 2)",
           R"(trunkline_connections_closed_total{reason="idle_timeout"} 1)",
           R"(trunkline_reuse_total 9)",
           R"(trunkline_reuse_misses_total{reason="first_for_key"} 2)",
           R"(trunkline_queue_waiting 0)",
           R"(trunkline_queue_rejected_total 0)",
           R"(trunkline_sockets_open 7)",
           R"(trunkline_sockets_limit 1024)",
           R"(trunkline_route_dials_total{route="https://example.org:443",key="a1b2c3d4",reason="first"} 3)",
           R"(trunkline_route_connections{route="https://example.org:443",key="a1b2c3d4",state="active"} 1)",
           R"(trunkline_route_leases{route="https://example.org:443",key="a1b2c3d4"} 3)",
           R"(trunkline_route_reuse_total{route="https://example.org:443",key="a1b2c3d4"} 9)",
           R"(trunkline_route_learned_idle_seconds{route="https://example.org:443",key="a1b2c3d4"} 4.95)",
       }) {
    EXPECT_TRUE(has_line(page, line)) << line << " is not in\n" << page;
  }
  EXPECT_EQ(page.find(R"(misses_total{reason="none"})"), std::string::npos) << "a reuse is no miss";
  EXPECT_EQ(page.back(), '\n');
}

TEST(StatsPrometheus, escapes_labels) {
  Stats stats = some_stats();
  stats.routes[0].route = "a\\b\"c\nd\xFF";
  EXPECT_TRUE(has_line(stats.to_prometheus(),
                       "trunkline_route_reuse_total{route=\"a\\\\b\\\"c\\nd\xEF\xBF\xBD\",key=\"a1b2c3d4\"} 9"));
}

TEST(StatsPrometheus, routes_that_cannot_be_told_apart_are_one_series) {
  Stats stats = some_stats();
  stats.routes.push_back(stats.routes[0]);
  EXPECT_TRUE(has_line(stats.to_prometheus(),
                       R"(trunkline_route_reuse_total{route="https://example.org:443",key="a1b2c3d4"} 18)"));
}

TEST(StatsPrometheus, without_routes_has_no_route_families) {
  EXPECT_EQ(Stats().to_prometheus().find("trunkline_route_"), std::string::npos);
}

}  // namespace stats_test
}  // namespace trunkline
