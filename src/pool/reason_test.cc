#include <trunkline/reason.hpp>

#include <gtest/gtest.h>

#include <set>
#include <string_view>

namespace trunkline {
namespace {

template <class Enum>
void expect_own_names(int count) {
  std::set<std::string_view> names;
  for (int i = 0; i < count; ++i) {
    const std::string_view name = to_string(static_cast<Enum>(i));
    for (const char c : name) EXPECT_TRUE((c >= 'a' && c <= 'z') || c == '_') << name;
    EXPECT_TRUE(names.insert(name).second) << name << " twice";
  }
  EXPECT_FALSE(names.contains(""));
  EXPECT_EQ(to_string(static_cast<Enum>(count)), "?");
}

TEST(Reason, every_value_has_a_snake_case_name_of_its_own) {
  expect_own_names<DialReason>(dial_reason_count);
  expect_own_names<DialPhase>(dial_phase_count);
  expect_own_names<ReuseMiss>(reuse_miss_count);
  expect_own_names<CloseReason>(close_reason_count);
}

TEST(Reason, names_are_those_of_the_header) {
  EXPECT_EQ(to_string(DialReason::first), "first");
  EXPECT_EQ(to_string(DialReason::peer_closed), "peer_closed");
  EXPECT_EQ(to_string(DialReason::draining), "draining");
  EXPECT_EQ(to_string(DialReason::forced), "forced");
  EXPECT_EQ(to_string(DialReason::streams_full), "streams_full");
  EXPECT_EQ(to_string(ReuseMiss::none), "none");
  EXPECT_EQ(to_string(ReuseMiss::learned_idle), "learned_idle");
  EXPECT_EQ(to_string(ReuseMiss::draining), "draining");
  EXPECT_EQ(to_string(ReuseMiss::stale_on_write), "stale_on_write");
  EXPECT_EQ(to_string(ReuseMiss::forced), "forced");
  EXPECT_EQ(to_string(ReuseMiss::streams_full), "streams_full");
  EXPECT_EQ(to_string(CloseReason::peer_closed_idle), "peer_closed_idle");
  EXPECT_EQ(to_string(CloseReason::max_requests), "max_requests");
  EXPECT_EQ(to_string(CloseReason::connection_close), "connection_close");
  EXPECT_EQ(to_string(CloseReason::parse_error), "parse_error");
  EXPECT_EQ(to_string(CloseReason::stale_suspect), "stale_suspect");
  EXPECT_EQ(to_string(CloseReason::goaway), "goaway");
  EXPECT_EQ(to_string(CloseReason::streams_exhausted), "streams_exhausted");
  EXPECT_EQ(to_string(CloseReason::ping_timeout), "ping_timeout");
  EXPECT_EQ(to_string(CloseReason::protocol_error), "protocol_error");
}

}  // namespace
}  // namespace trunkline
