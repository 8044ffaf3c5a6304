#include "http2/message_bounds.h"

#include <gtest/gtest.h>

#include "http2/error_code.h"

namespace trunkline::http2 {
namespace {

TEST(Http2FieldCount, counts_each_field_with_32_bytes_more_up_to_both_limits) {
  FieldCount bytes;
  EXPECT_TRUE(bytes.add(9, 82, 100));
  EXPECT_EQ(bytes.bytes, 41U);
  EXPECT_TRUE(bytes.add(9, 82, 100)) << "just the limit";
  EXPECT_FALSE(bytes.add(0, 82, 100));
  FieldCount fields;
  EXPECT_TRUE(fields.add(1, 1000, 2));
  EXPECT_TRUE(fields.add(1, 1000, 2));
  EXPECT_FALSE(fields.add(1, 1000, 2));
}

TEST(Http2BodyLength, takes_what_was_announced_and_not_a_byte_more) {
  BodyLength length;
  length.announce(5);
  EXPECT_FALSE(length.is_whole());
  EXPECT_TRUE(length.take(3));
  EXPECT_FALSE(length.is_whole());
  EXPECT_FALSE(length.take(3));
  EXPECT_TRUE(length.take(2));
  EXPECT_TRUE(length.is_whole());
  EXPECT_FALSE(length.take(1));
}

TEST(Http2BodyLength, takes_anything_where_nothing_was_announced) {
  BodyLength length;
  length.announce({});
  EXPECT_TRUE(length.is_whole());
  EXPECT_TRUE(length.take(SIZE_MAX));
  EXPECT_TRUE(length.take(SIZE_MAX));
  EXPECT_TRUE(length.is_whole());
}

TEST(Http2ErrorCode, makes_a_goaway_by_the_byte) {
  const std::string expected("\0\0\x0B\x07\0\0\0\0\0\x01\x02\x03\x04\0\0\0\x0Bwhy", 20);
  EXPECT_EQ(goaway_frame(0x01020304, Code::enhance_your_calm, "why"), expected);
}

}  // namespace
}  // namespace trunkline::http2
