// One end of a connection as the kernel tells it. IPv4 is kept in its IPv6-mapped form, so that a socket of either
// family that talks to the same place is the same destination.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace trunkline::doctor {

struct Address {
  std::array<std::uint8_t, 16> bytes{};

  static Address v4(const std::array<std::uint8_t, 4>& bytes);

  bool is_v4() const;
  bool is_any() const;       // 0.0.0.0 or ::
  bool is_loopback() const;  // 127.0.0.0/8 or ::1
  std::string describe() const;
  auto operator<=>(const Address&) const = default;
};

struct Endpoint {
  Address address;
  std::uint16_t port = 0;

  std::string describe() const;  // "10.0.0.1:80", "[::1]:80"
  auto operator<=>(const Endpoint&) const = default;
};

// Both ends of a connection, the one that dialled first.
struct Pair {
  Endpoint source;
  Endpoint destination;
  auto operator<=>(const Pair&) const = default;
};

struct PairHash {
  std::size_t operator()(const Pair& pair) const;
};

}  // namespace trunkline::doctor
