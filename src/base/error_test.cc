#include <trunkline/error.hpp>

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace trunkline {
namespace {

TEST(Error, every_code_phase_and_kind_has_its_own_name) {
  std::set<std::string_view> names;
  for (int i = 0; i < static_cast<int>(ErrorCode::last_); ++i) names.insert(to_string(static_cast<ErrorCode>(i)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(ErrorCode::last_));
  names.clear();
  for (int i = 0; i < error_kind_count; ++i) names.insert(to_string(static_cast<ErrorKind>(i)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(error_kind_count));
  names.clear();
  for (int i = 0; i <= static_cast<int>(Phase::done); ++i) names.insert(to_string(static_cast<Phase>(i)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(Phase::done) + 1);
  EXPECT_EQ(names.count("?") + names.count(""), 0U);
}

TEST(Error, names_are_those_of_the_header) {
  EXPECT_EQ(to_string(ErrorCode::invalid_url), "invalid_url");
  EXPECT_EQ(to_string(ErrorCode::timeout_first_byte), "timeout_first_byte");
  EXPECT_EQ(to_string(ErrorCode::transport_closed), "transport_closed");
  EXPECT_EQ(to_string(Phase::prepare), "prepare");
  EXPECT_EQ(to_string(Phase::first_byte), "first_byte");
  EXPECT_EQ(to_string(Phase::done), "done");
  EXPECT_EQ(to_string(ErrorKind::broken_peer), "broken_peer");
  EXPECT_EQ(to_string(MaybeProcessed::unknown), "unknown");
}

TEST(Error, kind_follows_from_the_code) {
  EXPECT_EQ(kind_of(ErrorCode::invalid_options), ErrorKind::rejected);
  EXPECT_EQ(kind_of(ErrorCode::queue_full), ErrorKind::overloaded);
  EXPECT_EQ(kind_of(ErrorCode::no_ports), ErrorKind::overloaded);
  EXPECT_EQ(kind_of(ErrorCode::route_down), ErrorKind::unreachable);
  EXPECT_EQ(kind_of(ErrorCode::tls_untrusted), ErrorKind::unreachable);
  EXPECT_EQ(kind_of(ErrorCode::truncated_body), ErrorKind::disconnected);
  EXPECT_EQ(kind_of(ErrorCode::limit_exceeded), ErrorKind::broken_peer);
  EXPECT_EQ(kind_of(ErrorCode::timeout_queue), ErrorKind::timed_out);
  EXPECT_EQ(kind_of(ErrorCode::transport_closed), ErrorKind::cancelled);
  EXPECT_EQ(Error(ErrorCode::connection_reset, Phase::send, "").kind, ErrorKind::disconnected);
}

TEST(Error, describes_itself_in_one_printable_line) {
  Error error(ErrorCode::connect_failed, Phase::connect, "connection\nrefused\x1B");
  EXPECT_EQ(error.describe(), "connect_failed (connect): connection\\nrefused\\x1b");
  error.route = "http://h:80";
  error.address = "127.0.0.1:80";
  EXPECT_EQ(error.describe(), "connect_failed (connect) http://h:80 [127.0.0.1:80]: connection\\nrefused\\x1b");
}

}  // namespace
}  // namespace trunkline
