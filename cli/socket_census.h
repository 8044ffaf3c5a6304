// What the kernel knows of our sockets: how many this process holds, and how many ports closed ones still occupy.
#pragma once

#include <cstdint>

namespace trunkline::cli {

struct SocketCensus {
  std::int64_t open = 0;       // sockets to elsewhere that this process holds
  std::int64_t time_wait = 0;  // of this network namespace, in TIME_WAIT towards the port

  static SocketCensus take(std::uint16_t port);
  // Taken again, for at most half a second, until no more than that many are open: closing goes on in the background.
  static SocketCensus settled(std::uint16_t port, std::int64_t expected_open);

  friend SocketCensus operator-(SocketCensus after, const SocketCensus& before);  // never below zero
};

}  // namespace trunkline::cli
