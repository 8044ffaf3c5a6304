#include <trunkline/trace.hpp>

#include <gtest/gtest.h>

namespace trunkline {
namespace {

TEST(TraceEvent, kinds_are_named_as_in_the_header) {
  EXPECT_EQ(to_string(TraceEvent::queued), "queued");
  EXPECT_EQ(to_string(TraceEvent::connected), "connected");
  EXPECT_EQ(to_string(TraceEvent::sent), "sent");
  EXPECT_EQ(to_string(TraceEvent::informational), "informational");
  EXPECT_EQ(to_string(TraceEvent::first_byte), "first_byte");
  EXPECT_EQ(to_string(TraceEvent::retry), "retry");
  EXPECT_EQ(to_string(TraceEvent::done), "done");
}

}  // namespace
}  // namespace trunkline
