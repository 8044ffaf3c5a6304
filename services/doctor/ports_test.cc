#include "services/doctor/ports.h"

#include <gtest/gtest.h>

namespace trunkline::doctor {
namespace {

using std::chrono::milliseconds;

const Address elsewhere = Address::v4({10, 0, 0, 1});
const Address here = Address::v4({127, 0, 0, 1});

TEST(DoctorPorts, the_usual_range_holds_470_dials_a_second_for_one_destination) {
  const PortFacts facts = read_port_facts({.range = "32768\t60999\n", .reserved = "\n", .tw_reuse = "2\n"});
  EXPECT_TRUE(facts.known);
  EXPECT_EQ(facts.usable(), 28232U);
  EXPECT_NEAR(facts.ceiling(elsewhere), 470.5, 0.1);
}

TEST(DoctorPorts, ports_come_back_early_where_the_kernel_says_so) {
  const PortFacts loopback = read_port_facts({.tw_reuse = "2", .tw_delay = "500"});
  EXPECT_EQ(loopback.held_after_close(elsewhere), milliseconds(60000));
  EXPECT_EQ(loopback.held_after_close(here), milliseconds(500));
  const PortFacts everywhere = read_port_facts({.tw_reuse = "1"});
  EXPECT_EQ(everywhere.held_after_close(elsewhere), milliseconds(1000));
  const PortFacts never = read_port_facts({.tw_reuse = "0"});
  EXPECT_EQ(never.held_after_close(here), milliseconds(60000));
  const PortFacts no_timestamps = read_port_facts({.tw_reuse = "1", .timestamps = "0"});
  EXPECT_EQ(no_timestamps.held_after_close(here), milliseconds(60000));
}

TEST(DoctorPorts, reserved_ports_are_taken_off_once_and_only_within_the_range) {
  const PortFacts facts =
      read_port_facts({.range = "1000 1099", .reserved = "80,1000-1009,1005-1010,1099,1100-1200,65535-70000"});
  EXPECT_EQ(facts.usable(), 100U - 11U - 1U);
}

TEST(DoctorPorts, what_cannot_be_read_has_its_usual_value_and_says_so) {
  for (const char* range : {"", "nonsense", "5000", "6000 5000", "0 99999"}) {
    const PortFacts facts = read_port_facts({.range = range});
    EXPECT_FALSE(facts.known) << range;
    EXPECT_EQ(facts.usable(), 28232U) << range;
  }
}

}  // namespace
}  // namespace trunkline::doctor
