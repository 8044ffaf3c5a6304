#include "services/doctor/endpoint.h"

#include <arpa/inet.h>

#include <algorithm>

namespace trunkline::doctor {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

}  // namespace

Address Address::v4(const std::array<std::uint8_t, 4>& bytes) {
  Address address;
  std::copy(mapped_prefix.begin(), mapped_prefix.end(), address.bytes.begin());
  std::copy(bytes.begin(), bytes.end(), address.bytes.begin() + 12);
  return address;
}

bool Address::is_v4() const { return std::equal(mapped_prefix.begin(), mapped_prefix.end(), bytes.begin()); }

bool Address::is_any() const {
  const auto from = bytes.begin() + (is_v4() ? 12 : 0);
  return std::all_of(from, bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool Address::is_loopback() const {
  if (is_v4()) return bytes[12] == 127;
  return bytes[15] == 1 && std::all_of(bytes.begin(), bytes.end() - 1, [](std::uint8_t byte) { return byte == 0; });
}

std::string Address::describe() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool four = is_v4();
  inet_ntop(four ? AF_INET : AF_INET6, bytes.data() + (four ? 12 : 0), text.data(), text.size());
  return text.data();
}

std::string Endpoint::describe() const {
  const std::string host = address.describe();
  return (address.is_v4() ? host : "[" + host + "]") + ":" + std::to_string(port);
}

std::size_t PairHash::operator()(const Pair& pair) const {
  // The ports differ most, and peers choose none of this to our harm: we hash what our own kernel holds.
  std::uint64_t mixed = (std::uint64_t{pair.source.port} << 16) | pair.destination.port;
  for (const Endpoint* end : {&pair.source, &pair.destination}) {
    for (std::size_t at : {0, 8}) {
      std::uint64_t half = 0;
      std::memcpy(&half, end->address.bytes.data() + at, sizeof half);
      mixed = (mixed ^ half) * 0x9E3779B97F4A7C15;
      mixed ^= mixed >> 29;
    }
  }
  return mixed;
}

}  // namespace trunkline::doctor
