#include "http2/token_bucket.h"

#include <gtest/gtest.h>

#include <chrono>

namespace trunkline::http2 {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Http2TokenBucket, gives_a_burst_and_then_nothing) {
  TokenBucket bucket(3, 10);
  EXPECT_TRUE(bucket.take(2));
  EXPECT_FALSE(bucket.take(2)) << "there is one left";
  EXPECT_TRUE(bucket.take(1));
  EXPECT_FALSE(bucket.take(1));
}

TEST(Http2TokenBucket, fills_with_time_up_to_the_burst) {
  TokenBucket bucket(3, 10);
  TimePoint now{seconds(100)};
  bucket.refill(now);
  ASSERT_TRUE(bucket.take(3));
  bucket.refill(now + milliseconds(99));
  EXPECT_FALSE(bucket.take(1));
  bucket.refill(now + milliseconds(100));
  EXPECT_TRUE(bucket.take(1));
  EXPECT_FALSE(bucket.take(1));
  bucket.refill(now + std::chrono::hours(100'000));
  EXPECT_TRUE(bucket.take(3));
  EXPECT_FALSE(bucket.take(1));
}

TEST(Http2TokenBucket, earns_no_more_than_the_burst) {
  TokenBucket bucket(3, 0);
  bucket.earn(1000);
  EXPECT_TRUE(bucket.take(3));
  EXPECT_FALSE(bucket.take(1));
}

}  // namespace
}  // namespace trunkline::http2
