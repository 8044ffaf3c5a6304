// An IP address with its port, as the kernel wants it.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace trunkline::net {

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;

  const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
  std::string text() const;  // "192.0.2.1:443", "[2001:db8::1]:443"
  // The bytes of the IP address in network order: 4, 16, or none for another family.
  std::string_view ip() const;
  std::string ip_text() const;  // "192.0.2.1", "2001:db8::1", without zone
  // The bytes that tell two addresses apart (IP, zone, port), as a key of tables.
  std::string identity() const;
  void set_port(std::uint16_t port);

  // An IP literal (with zone for IPv6), or nothing.
  static bool parse(std::string_view ip, std::uint16_t port, Address& out);
  // From 4 or 16 bytes in network order, with port 0.
  static Address from_bytes(std::string_view ip);

  // Of a connected socket: our end, and the peer's. With length 0 if it has none any more.
  static Address own(int fd);
  static Address peer(int fd);

  friend bool operator==(const Address& one, const Address& other) { return one.identity() == other.identity(); }
};

}  // namespace trunkline::net
