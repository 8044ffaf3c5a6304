#include "net/address_policy.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/text.h"

namespace trunkline::net {
namespace {

struct Network {
  const char* prefix;
  int bits;
};

// IANA's special-purpose registries (RFC 6890 and its updates): all that is not globally reachable.
constexpr Network refused_v4[] = {
    {"0.0.0.0", 8},        // "this network": Linux takes 0.0.0.0 for itself
    {"10.0.0.0", 8},       // private
    {"100.64.0.0", 10},    // shared by a provider's customers (CGNAT)
    {"127.0.0.0", 8},      // loopback
    {"169.254.0.0", 16},   // link-local, and 169.254.169.254
    {"172.16.0.0", 12},    // private
    {"192.0.0.0", 24},     // protocol assignments; 192.0.0.192 is Oracle's metadata service
    {"192.0.2.0", 24},     // documentation
    {"192.88.99.0", 24},   // 6to4 relays, withdrawn
    {"192.168.0.0", 16},   // private
    {"198.18.0.0", 15},    // benchmarks
    {"198.51.100.0", 24},  // documentation
    {"203.0.113.0", 24},   // documentation
    {"224.0.0.0", 4},      // multicast
    {"240.0.0.0", 4},      // reserved, and broadcast
    // Public by its range, but Azure's own services in every virtual machine, and Alibaba's are in CGNAT already.
    {"168.63.129.16", 32},
};

// Of IPv6 only 2000::/3 is the public Internet; these are the exceptions inside it.
constexpr Network refused_v6[] = {
    {"2001:2::", 48},    // benchmarks
    {"2001:10::", 28},   // ORCHID: identifiers, not addresses
    {"2001:20::", 28},   // ORCHIDv2
    {"2001:db8::", 32},  // documentation
    {"3fff::", 20},      // documentation
};

// IPv6 addresses in which a gateway or the kernel finds an IPv4 address, and where it lies.
struct Embedding {
  Network network;
  std::size_t offset;
  unsigned char mask;  // Teredo hides it from translators by inverting its bits
};
constexpr Embedding embeddings[] = {
    {{"::ffff:0:0", 96}, 12, 0x00},    // mapped
    {{"::ffff:0:0:0", 96}, 12, 0x00},  // translated (SIIT)
    {{"64:ff9b::", 96}, 12, 0x00},     // NAT64
    {{"2002::", 16}, 2, 0x00},         // 6to4
    {{"2001::", 32}, 12, 0xFF},        // Teredo: the client; its server is looked at too
    {{"2001::", 32}, 4, 0x00},
};

bool lies_in(std::string_view ip, const Network& network) {
  Address base;
  if (!Address::parse(network.prefix, 0, base)) return false;
  const std::string_view prefix = base.ip();
  if (prefix.size() != ip.size()) return false;
  const auto whole = static_cast<std::size_t>(network.bits / 8);
  if (ip.substr(0, whole) != prefix.substr(0, whole)) return false;
  const int rest = network.bits % 8;
  if (rest == 0) return true;
  return static_cast<unsigned char>(ip[whole] ^ prefix[whole]) >> (8 - rest) == 0;
}

template <class Networks>
bool lies_in_any(std::string_view ip, const Networks& networks) {
  return std::any_of(std::begin(networks), std::end(networks), [ip](const Network& one) { return lies_in(ip, one); });
}

bool is_public_v4(std::string_view ip) { return !lies_in_any(ip, refused_v4); }

bool is_public_v6(std::string_view ip) {
  bool embeds = false;
  for (const Embedding& embedding : embeddings) {
    if (!lies_in(ip, embedding.network)) continue;
    embeds = true;
    std::array<char, 4> inner{};
    for (std::size_t i = 0; i < inner.size(); ++i) {
      inner[i] = static_cast<char>(static_cast<unsigned char>(ip[embedding.offset + i]) ^ embedding.mask);
    }
    if (!is_public_v4({inner.data(), inner.size()})) return false;
  }
  if (embeds) return true;
  return lies_in(ip, {"2000::", 3}) && !lies_in_any(ip, refused_v6);
}

bool is_public(const Address& address) {
  if (address.family() == AF_INET) return is_public_v4(address.ip());
  return address.family() == AF_INET6 && is_public_v6(address.ip());
}

}  // namespace

AddressPolicy refuse_private() { return is_public; }

Result<std::vector<Address>> permitted(const AddressPolicy& policy, const std::string& host,
                                       std::vector<Address> addresses) {
  if (!policy || addresses.empty()) return addresses;
  std::string refused;
  std::erase_if(addresses, [&](const Address& address) {
    if (policy(address)) return false;
    if (refused.empty()) refused = address.text();
    return true;
  });
  if (!addresses.empty()) return addresses;
  return Error(ErrorCode::address_refused, Phase::resolve,
               "the address policy refuses every address of \"" + printable(host) + "\", such as " + refused +
                   ": permit it in the options if this host is meant to be reached");
}

}  // namespace trunkline::net
