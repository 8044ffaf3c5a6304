// Sockets in TIME_WAIT: what every connection that is not reused leaves behind for a minute, and what a pod runs out
// of.
#pragma once

#include <cstdint>
#include <string_view>

namespace trunkline::traffic {

// In the text of /proc/net/tcp, with one of these ports on either side.
std::uint64_t count_time_wait(std::string_view table, std::uint16_t first_port, std::uint16_t last_port);
// Of this network namespace, now.
std::uint64_t time_wait_now(std::uint16_t first_port, std::uint16_t last_port);

}  // namespace trunkline::traffic
