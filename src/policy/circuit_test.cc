#include "policy/circuit.h"

#include <array>
#include <optional>

#include <gtest/gtest.h>

namespace trunkline {
namespace {

using namespace std::chrono_literals;
using Outcome = Circuit::Outcome;
using State = Circuit::State;

class CircuitTest : public testing::Test {
 protected:
  void request(Outcome outcome) {
    auto pass = circuit.begin(now);
    ASSERT_TRUE(pass);
    circuit.end(policy, *pass, outcome, now);
  }
  void fail(int times) {
    for (int i = 0; i < times; ++i) request(Outcome::failure);
  }

  BreakerPolicy policy;
  Circuit circuit;
  TimePoint now{std::chrono::hours(1)};
};

TEST_F(CircuitTest, opens_after_failures_in_a_row) {
  fail(4);
  request(Outcome::success);
  fail(4);
  EXPECT_EQ(circuit.state(), State::closed);
  fail(1);
  EXPECT_EQ(circuit.state(), State::open);
  EXPECT_EQ(circuit.times_opened(), 1U);
  EXPECT_FALSE(circuit.begin(now));
  now += 5s - 1ns;
  EXPECT_FALSE(circuit.begin(now));
}

TEST_F(CircuitTest, what_says_nothing_of_the_server_does_not_count) {
  fail(4);
  for (int i = 0; i < 10; ++i) request(Outcome::neither);
  EXPECT_EQ(circuit.state(), State::closed);
  fail(1);
  EXPECT_EQ(circuit.state(), State::open);
}

TEST_F(CircuitTest, what_breaks_off_behind_its_head_is_a_failure_and_no_success) {
  const auto broken = [&] {
    auto pass = circuit.begin(now);
    circuit.end(policy, *pass, Outcome::success, now);
    circuit.take_back(policy, *pass, now);
  };
  for (int i = 0; i < 4; ++i) broken();
  EXPECT_EQ(circuit.state(), State::closed);
  request(Outcome::success);
  for (int i = 0; i < 4; ++i) broken();
  EXPECT_EQ(circuit.state(), State::closed) << "not in a row";
  auto slow = circuit.begin(now);
  circuit.end(policy, *slow, Outcome::success, now);
  request(Outcome::success);
  circuit.take_back(policy, *slow, now);
  EXPECT_EQ(circuit.state(), State::closed) << "one has succeeded since";
  for (int i = 0; i < 4; ++i) broken();
  EXPECT_EQ(circuit.state(), State::open);
}

TEST_F(CircuitTest, streams_that_break_off_count_once_by_rate_too) {
  policy.failures_in_a_row = 1000;
  for (int i = 0; i < 19; ++i) {
    auto pass = circuit.begin(now);
    circuit.end(policy, *pass, Outcome::success, now);
    if (i % 3 != 0) circuit.take_back(policy, *pass, now);
  }
  EXPECT_EQ(circuit.state(), State::closed) << "19 are too few to tell";
  auto pass = circuit.begin(now);
  circuit.end(policy, *pass, Outcome::success, now);
  circuit.take_back(policy, *pass, now);
  EXPECT_EQ(circuit.state(), State::open);
}

TEST_F(CircuitTest, opens_when_half_of_many_fail) {
  for (int i = 0; i < 9; ++i) {
    request(Outcome::success);
    request(Outcome::failure);
  }
  EXPECT_EQ(circuit.state(), State::closed) << "18 are too few to tell";
  request(Outcome::success);
  request(Outcome::failure);
  EXPECT_EQ(circuit.state(), State::open);
}

TEST_F(CircuitTest, forgets_what_is_older_than_its_window) {
  for (int i = 0; i < 18; ++i) {
    request(i % 2 == 0 ? Outcome::failure : Outcome::success);
  }
  now += 10s;
  request(Outcome::success);
  request(Outcome::failure);
  EXPECT_EQ(circuit.state(), State::closed);
}

TEST_F(CircuitTest, probes_one_at_a_time_and_closes_when_all_pass) {
  fail(5);
  now += 5s;
  for (int probe = 0; probe < 3; ++probe) {
    auto pass = circuit.begin(now);
    ASSERT_TRUE(pass) << probe;
    EXPECT_EQ(circuit.state(), State::half_open);
    EXPECT_FALSE(circuit.begin(now)) << "one at a time";
    circuit.end(policy, *pass, Outcome::success, now);
  }
  EXPECT_EQ(circuit.state(), State::closed);
  fail(4);
  EXPECT_EQ(circuit.state(), State::closed) << "it starts afresh";
}

TEST_F(CircuitTest, a_probe_that_was_cancelled_gives_way_to_the_next) {
  fail(5);
  now += 5s;
  request(Outcome::neither);
  EXPECT_EQ(circuit.state(), State::half_open);
  EXPECT_TRUE(circuit.begin(now));
}

TEST_F(CircuitTest, stays_open_longer_each_time_that_a_probe_fails_up_to_a_minute) {
  fail(5);
  Duration open_for = 5s;
  for (int i = 0; i < 10; ++i) {
    now += open_for - 1ns;
    EXPECT_FALSE(circuit.begin(now)) << i;
    now += 1ns;
    request(Outcome::failure);
    open_for = std::min<Duration>(2 * open_for, 60s);
  }
}

TEST_F(CircuitTest, what_was_under_way_when_it_opened_changes_nothing) {
  auto early = circuit.begin(now);
  fail(5);
  circuit.end(policy, *early, Outcome::success, now);
  EXPECT_EQ(circuit.state(), State::open);
}

TEST_F(CircuitTest, only_probes_decide_while_it_is_half_open) {
  std::array<std::optional<Circuit::Pass>, 3> early;
  for (auto& pass : early) pass = circuit.begin(now);
  fail(5);
  now += 5s;
  auto probe = circuit.begin(now);
  ASSERT_TRUE(probe);
  circuit.end(policy, *early[0], Outcome::failure, now);
  EXPECT_EQ(circuit.state(), State::half_open) << "it failed before";
  circuit.end(policy, *early[1], Outcome::success, now);
  EXPECT_FALSE(circuit.begin(now)) << "the probe is still under way";
  circuit.end(policy, *probe, Outcome::success, now);
  for (int more = 0; more < 2; ++more) request(Outcome::success);
  EXPECT_EQ(circuit.state(), State::closed);
  fail(4);
  circuit.end(policy, *early[2], Outcome::failure, now);
  EXPECT_EQ(circuit.state(), State::closed) << "what began before it opened says nothing of today";
}

}  // namespace
}  // namespace trunkline
