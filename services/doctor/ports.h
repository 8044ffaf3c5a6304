// What the kernel gives to those who dial: the local ports, and when the port of a closed connection comes back. Read
// from the texts of /proc/sys/net/ipv4; no I/O here.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "services/doctor/endpoint.h"

namespace trunkline::doctor {

// Linux keeps a connection that we closed first for this long; it is compiled in.
inline constexpr std::chrono::seconds time_wait_length{60};

struct PortFacts {
  std::uint16_t low = 32768;
  std::uint16_t high = 60999;
  std::uint32_t reserved = 0;  // of those, set aside by ip_local_reserved_ports
  enum class EarlyReuse : unsigned char { never, everywhere, loopback } early_reuse = EarlyReuse::loopback;
  std::chrono::milliseconds reuse_delay{1000};  // tcp_tw_reuse_delay, where there is early reuse
  bool known = false;                           // false: the kernel's usual values, since nothing could be read

  bool contains(std::uint16_t port) const { return port >= low && port <= high; }
  std::uint32_t usable() const { return high - low + 1U - reserved; }
  // How long a connection that was closed here first keeps its port from the next dial to the same destination.
  std::chrono::milliseconds held_after_close(const Address& destination) const;
  // Dials per second to one destination, from one local address, that can go on for ever.
  double ceiling(const Address& destination) const;
};

// What could not be read is left empty, and has its usual value then.
struct PortTexts {
  std::string_view range;     // "32768\t60999"
  std::string_view reserved;  // "8080,9000-9009" or empty
  std::string_view tw_reuse;  // "0", "1", "2"
  std::string_view tw_delay;  // milliseconds; older kernels do not have it
  std::string_view timestamps;
};
PortFacts read_port_facts(const PortTexts& texts);

}  // namespace trunkline::doctor
