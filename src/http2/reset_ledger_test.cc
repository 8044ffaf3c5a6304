#include "http2/reset_ledger.h"

#include <gtest/gtest.h>

#include <chrono>

namespace trunkline::http2 {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint start{std::chrono::hours(1)};

void reset_and_write(ResetLedger& ledger, std::int32_t next_id, int count = 1) {
  for (int i = 0; i < count; ++i) ledger.on_reset();
  for (int i = 0; i < count; ++i) ledger.on_written(next_id);
}

TEST(Http2ResetLedger, keeps_a_slot_until_a_ping_behind_it_is_answered) {
  ResetLedger ledger;
  EXPECT_EQ(ledger.ping_due(), never);
  ledger.on_reset();
  EXPECT_EQ(ledger.ping_due(), never) << "the RST_STREAM is not written";
  EXPECT_EQ(ledger.kept(), 1);
  ledger.on_written(3);
  EXPECT_LE(ledger.ping_due(), start);
  ledger.on_ping(start);
  EXPECT_EQ(ledger.kept(), 1);
  EXPECT_EQ(ledger.on_ping_answered(), 1);
  EXPECT_EQ(ledger.kept(), 0);
}

TEST(Http2ResetLedger, one_ping_covers_all_resets_before_it_and_none_after) {
  ResetLedger ledger;
  reset_and_write(ledger, 21, 10);
  ledger.on_ping(start);
  reset_and_write(ledger, 31, 5);
  EXPECT_EQ(ledger.ping_due(), never) << "one is out";
  EXPECT_EQ(ledger.on_ping_answered(), 10);
  EXPECT_EQ(ledger.kept(), 5);
  EXPECT_EQ(ledger.ping_due(), start + seconds(1));
  ledger.on_data();
  EXPECT_LE(ledger.ping_due(), start) << "the peer is at work: it will not mind";
}

TEST(Http2ResetLedger, sends_few_pings_where_nothing_else_is_said) {
  ResetLedger ledger;
  TimePoint now = start;
  for (int i = 0; i < ResetLedger::most_idle_pings; ++i) {
    reset_and_write(ledger, 3);
    ASSERT_LE(ledger.ping_due(), now);
    ledger.on_ping(now);
    EXPECT_EQ(ledger.on_ping_answered(), 1);
    now += ResetLedger::ping_interval;
  }
  const TimePoint soon = now;
  reset_and_write(ledger, 5);
  EXPECT_EQ(ledger.ping_due(), soon - ResetLedger::ping_interval + ResetLedger::idle_ping_interval);
  ledger.on_request_sent();
  EXPECT_EQ(ledger.ping_due(), soon);
}

TEST(Http2ResetLedger, takes_a_response_to_a_later_request_as_proof) {
  ResetLedger ledger;
  reset_and_write(ledger, 5);  // of stream 3
  EXPECT_EQ(ledger.on_response(1), 0);
  EXPECT_EQ(ledger.kept(), 1);
  EXPECT_EQ(ledger.on_response(5), 1);
  EXPECT_EQ(ledger.kept(), 0);
  EXPECT_EQ(ledger.ping_due(), never);
}

TEST(Http2ResetLedger, counts_no_slot_twice_when_two_proofs_come) {
  ResetLedger ledger;
  reset_and_write(ledger, 5);
  ledger.on_ping(start);
  EXPECT_EQ(ledger.on_response(7), 1);
  EXPECT_EQ(ledger.on_ping_answered(), 0);
  EXPECT_EQ(ledger.kept(), 0);
}

TEST(Http2ResetLedger, forgets_what_the_peer_never_heard_of) {
  ResetLedger ledger;
  ledger.on_reset();
  ledger.on_needless();
  EXPECT_EQ(ledger.kept(), 0);
  ledger.on_reset();
  reset_and_write(ledger, 5, 2);
  ledger.on_ping(start);
  reset_and_write(ledger, 5, 3);
  EXPECT_EQ(ledger.on_lost(), 6);
  EXPECT_EQ(ledger.kept(), 0);
}

}  // namespace
}  // namespace trunkline::http2
