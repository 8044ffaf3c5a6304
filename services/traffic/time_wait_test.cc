#include "services/traffic/time_wait.h"

#include <gtest/gtest.h>

namespace trunkline::traffic {
namespace {

TEST(TrafficTimeWait, counts_sockets_with_a_port_of_ours_on_either_side) {
  constexpr std::string_view table =
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
      "   0: 0100007F:4E20 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0\n"
      "   1: 0100007F:C350 0100007F:4E20 06 00000000:00000000 03:00000F2A 00000000     0        0 0 3 0\n"
      "   2: 0100007F:4E21 0100007F:C351 06 00000000:00000000 03:00000F2A 00000000     0        0 0 3 0\n"
      "   3: 0100007F:C352 0100007F:4E20 01 00000000:00000000 03:00000F2A 00000000     0        0 0 3 0\n"
      "  10: 0100007F:C353 0100007F:0050 06 00000000:00000000 03:00000F2A 00000000     0        0 0 3 0\n";
  EXPECT_EQ(count_time_wait(table, 20000, 20099), 2U);
  EXPECT_EQ(count_time_wait(table, 20000, 20000), 1U);
  EXPECT_EQ(count_time_wait(table, 80, 80), 1U);
  EXPECT_EQ(count_time_wait("", 0, 65535), 0U);
  EXPECT_EQ(count_time_wait("nonsense", 0, 65535), 0U);
}

}  // namespace
}  // namespace trunkline::traffic
