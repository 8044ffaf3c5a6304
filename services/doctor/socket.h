// A TCP socket as the kernel's tables have it, and the reading of those tables' two forms. No I/O here.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "services/doctor/endpoint.h"

namespace trunkline::doctor {

// The kernel's own numbers.
enum class SocketState : unsigned char {
  established = 1,
  syn_sent,
  syn_received,
  fin_wait_1,
  fin_wait_2,
  time_wait,
  closed,
  close_wait,
  last_ack,
  listening,
  closing,
  new_syn_received,
};
inline constexpr std::size_t socket_state_count = 13;  // 0 is none

std::string_view to_string(SocketState state);  // "established", "time_wait", ...

struct Socket {
  Endpoint local;
  Endpoint remote;
  SocketState state = SocketState::closed;
  std::uint32_t user = 0;
  std::uint64_t inode = 0;                 // 0: no program holds it any more
  std::chrono::milliseconds time_left{0};  // of TIME_WAIT, where it is known
};

// One line of /proc/net/tcp or tcp6; nothing for the heading and for what is no such line.
std::optional<Socket> parse_proc_line(std::string_view line);

enum class DiagEnd : unsigned char { more, done, failed };

// One datagram of the kernel's answer to a netlink sock_diag question: sockets are added to `out`, up to `limit` in
// all; `cut` is set when there were more.
DiagEnd parse_diag(std::span<const std::byte> datagram, std::size_t limit, std::vector<Socket>& out, bool& cut);

}  // namespace trunkline::doctor
