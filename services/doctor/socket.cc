#include "services/doctor/socket.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace trunkline::doctor {
namespace {

constexpr std::array<std::string_view, socket_state_count> state_names{
    "none",   "established", "syn_sent", "syn_received", "fin_wait_1", "fin_wait_2",      "time_wait",
    "closed", "close_wait",  "last_ack", "listening",    "closing",    "new_syn_received"};

std::optional<SocketState> state_from(unsigned number) {
  if (number == 0 || number >= socket_state_count) return std::nullopt;
  return static_cast<SocketState>(number);
}

std::string_view next_word(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
  const std::size_t end = std::min(rest.find_first_of(" \t\n"), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(end);
  return word;
}

template <class Number>
bool read_number(std::string_view text, Number& out, int base) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return error == std::errc() && end == text.data() + text.size();
}

// "0100007F:1F90": each group of eight digits is a word of the address as this machine's memory has it.
bool read_endpoint(std::string_view text, Endpoint& out) {
  const std::size_t colon = text.find(':');
  if (colon != 8 && colon != 32) return false;
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t at = 0; at < colon; at += 8) {
    std::uint32_t word = 0;
    if (!read_number(text.substr(at, 8), word, 16)) return false;
    std::memcpy(bytes.data() + at / 2, &word, sizeof word);
  }
  out.address = colon == 32 ? Address{bytes} : Address::v4({bytes[0], bytes[1], bytes[2], bytes[3]});
  return read_number(text.substr(colon + 1), out.port, 16);
}

Endpoint endpoint_from(unsigned family, const __be32* address, __be16 port) {
  Endpoint end;
  end.port = ntohs(port);
  if (family == AF_INET) {
    std::array<std::uint8_t, 4> four{};
    std::memcpy(four.data(), address, four.size());
    end.address = Address::v4(four);
  } else {
    std::memcpy(end.address.bytes.data(), address, end.address.bytes.size());
  }
  return end;
}

std::optional<Socket> socket_from(const inet_diag_msg& message) {
  const auto state = state_from(message.idiag_state);
  if (!state || (message.idiag_family != AF_INET && message.idiag_family != AF_INET6)) return std::nullopt;
  Socket socket;
  socket.local = endpoint_from(message.idiag_family, message.id.idiag_src, message.id.idiag_sport);
  socket.remote = endpoint_from(message.idiag_family, message.id.idiag_dst, message.id.idiag_dport);
  socket.state = *state;
  socket.user = message.idiag_uid;
  socket.inode = message.idiag_inode;
  if (*state == SocketState::time_wait) socket.time_left = std::chrono::milliseconds(message.idiag_expires);
  return socket;
}

}  // namespace

std::string_view to_string(SocketState state) { return state_names[static_cast<std::size_t>(state)]; }

std::optional<Socket> parse_proc_line(std::string_view line) {
  Socket socket;
  if (!next_word(line).ends_with(':')) return std::nullopt;
  if (!read_endpoint(next_word(line), socket.local) || !read_endpoint(next_word(line), socket.remote)) {
    return std::nullopt;
  }
  unsigned state = 0;
  if (!read_number(next_word(line), state, 16) || !state_from(state)) return std::nullopt;
  socket.state = *state_from(state);
  next_word(line);  // what lies in its queues
  const std::string_view timer = next_word(line);
  next_word(line);  // retransmissions
  const std::string_view user = next_word(line);
  next_word(line);  // probes
  if (!read_number(user, socket.user, 10) || !read_number(next_word(line), socket.inode, 10)) return std::nullopt;
  if (socket.state == SocketState::time_wait) {
    std::uint64_t hundredths = 0;
    const std::size_t colon = timer.find(':');
    if (colon != timer.npos && read_number(timer.substr(colon + 1), hundredths, 16)) {
      socket.time_left = std::chrono::milliseconds(std::min<std::uint64_t>(hundredths, 1'000'000) * 10);
    }
  }
  return socket;
}

DiagEnd parse_diag(std::span<const std::byte> datagram, std::size_t limit, std::vector<Socket>& out, bool& cut) {
  while (datagram.size() >= sizeof(nlmsghdr)) {
    nlmsghdr header{};
    std::memcpy(&header, datagram.data(), sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > datagram.size()) return DiagEnd::failed;
    if (header.nlmsg_type == NLMSG_DONE) return DiagEnd::done;
    if (header.nlmsg_type == NLMSG_ERROR) return DiagEnd::failed;
    if (header.nlmsg_type == SOCK_DIAG_BY_FAMILY && header.nlmsg_len >= NLMSG_HDRLEN + sizeof(inet_diag_msg)) {
      inet_diag_msg message{};
      std::memcpy(&message, datagram.data() + NLMSG_HDRLEN, sizeof message);
      const auto socket = socket_from(message);
      if (socket && out.size() >= limit) cut = true;
      if (socket && !cut) out.push_back(*socket);
    }
    datagram = datagram.subspan(std::min<std::size_t>(NLMSG_ALIGN(header.nlmsg_len), datagram.size()));
  }
  return DiagEnd::more;
}

}  // namespace trunkline::doctor
