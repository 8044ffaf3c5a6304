#include "services/doctor/socket.h"

#include <gtest/gtest.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>

#include <cstring>

namespace trunkline::doctor {
namespace {

TEST(DoctorSocket, reads_a_line_of_proc_net_tcp) {
  const auto socket = parse_proc_line(
      "   3: 0100007F:9C40 0200000A:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 48213 1 0000 20 4 0 "
      "10 -1");
  ASSERT_TRUE(socket);
  EXPECT_EQ(socket->local.describe(), "127.0.0.1:40000");
  EXPECT_EQ(socket->remote.describe(), "10.0.0.2:8080");
  EXPECT_EQ(socket->state, SocketState::established);
  EXPECT_EQ(socket->user, 1000U);
  EXPECT_EQ(socket->inode, 48213U);
}

TEST(DoctorSocket, reads_how_long_a_closed_connection_keeps_its_port) {
  const auto socket = parse_proc_line(
      " 1: 0100007F:9C40 0100007F:1F90 06 00000000:00000000 03:000016A3 00000000     0        0 0 3 0000");
  ASSERT_TRUE(socket);
  EXPECT_EQ(socket->state, SocketState::time_wait);
  EXPECT_EQ(socket->time_left, std::chrono::milliseconds(0x16A3 * 10));
  EXPECT_EQ(socket->inode, 0U);
}

TEST(DoctorSocket, reads_ipv6_and_takes_mapped_ipv4_as_ipv4) {
  const auto six = parse_proc_line(
      " 0: 00000000000000000000000001000000:0050 B80D0120000000000000000001000000:01BB 01 0:0 00:0 0 0 0 7");
  ASSERT_TRUE(six);
  EXPECT_EQ(six->local.describe(), "[::1]:80");
  EXPECT_EQ(six->remote.describe(), "[2001:db8::1]:443");
  const auto mapped = parse_proc_line(
      " 0: 0000000000000000FFFF00000100007F:0050 0000000000000000FFFF00000200000A:01BB 01 0:0 00:0 0 0 0 7");
  ASSERT_TRUE(mapped);
  EXPECT_EQ(mapped->remote.describe(), "10.0.0.2:443");
}

TEST(DoctorSocket, what_is_no_line_of_the_table_is_none) {
  for (const char* line :
       {"", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
        " 0: 0100007F:9C40 0100007F:1F90", " 0: 0100007F:9C40 0100007F:1F90 7F 0:0 00:0 0 0 0 7",
        " 0: 0100007F:9C40 zz00007F:1F90 01 0:0 00:0 0 0 0 7", " 0: 0100007F 0100007F:1F90 01 0:0 00:0 0 0 0 7",
        " 0: 0100007F:9C40 0100007F:1F90 01 0:0 00:0 0 0 0 many"}) {
    EXPECT_FALSE(parse_proc_line(line)) << line;
  }
}

struct DiagMessage {
  nlmsghdr header{};
  inet_diag_msg body{};
};

void append(std::vector<std::byte>& out, std::uint16_t type, std::uint8_t state, std::uint16_t port) {
  DiagMessage message;
  message.header.nlmsg_type = type;
  message.header.nlmsg_len = sizeof message;
  message.body.idiag_family = AF_INET;
  message.body.idiag_state = state;
  message.body.id.idiag_sport = htons(port);
  message.body.id.idiag_dport = htons(80);
  message.body.id.idiag_src[0] = htonl(0x7F000001);
  message.body.id.idiag_dst[0] = htonl(0x0A000001);
  message.body.idiag_expires = 1500;
  message.body.idiag_inode = 99;
  const auto* bytes = reinterpret_cast<const std::byte*>(&message);
  out.insert(out.end(), bytes, bytes + sizeof message);
}

TEST(DoctorSocket, reads_the_kernels_answer) {
  std::vector<std::byte> datagram;
  append(datagram, SOCK_DIAG_BY_FAMILY, 1, 40000);
  append(datagram, SOCK_DIAG_BY_FAMILY, 6, 40001);
  append(datagram, SOCK_DIAG_BY_FAMILY, 77, 40002);  // a state of a kernel to come
  std::vector<Socket> sockets;
  bool cut = false;
  EXPECT_EQ(parse_diag(datagram, 10, sockets, cut), DiagEnd::more);
  ASSERT_EQ(sockets.size(), 2U);
  EXPECT_EQ(sockets[0].local.describe(), "127.0.0.1:40000");
  EXPECT_EQ(sockets[0].remote.describe(), "10.0.0.1:80");
  EXPECT_EQ(sockets[0].inode, 99U);
  EXPECT_EQ(sockets[1].time_left, std::chrono::milliseconds(1500));
  EXPECT_FALSE(cut);

  append(datagram, NLMSG_DONE, 0, 0);
  EXPECT_EQ(parse_diag(datagram, 3, sockets, cut), DiagEnd::done);
  EXPECT_EQ(sockets.size(), 3U);
  EXPECT_TRUE(cut);
}

TEST(DoctorSocket, an_answer_that_is_an_error_or_cut_off_is_a_failure) {
  std::vector<Socket> sockets;
  bool cut = false;
  std::vector<std::byte> error;
  append(error, NLMSG_ERROR, 0, 0);
  EXPECT_EQ(parse_diag(error, 10, sockets, cut), DiagEnd::failed);
  std::vector<std::byte> half;
  append(half, SOCK_DIAG_BY_FAMILY, 1, 40000);
  half.resize(half.size() - 8);
  EXPECT_EQ(parse_diag(half, 10, sockets, cut), DiagEnd::failed);
  EXPECT_TRUE(sockets.empty());
}

}  // namespace
}  // namespace trunkline::doctor
