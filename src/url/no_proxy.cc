#include "url/no_proxy.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/text.h"
#include "url/ip_literal.h"

namespace trunkline {
namespace {

constexpr std::string_view separators = ", \t\r\n";
constexpr std::string_view name_characters = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
constexpr unsigned ipv4_offset_bits = 96;  // of the IPv6 prefix ::ffff:0:0/96

bool parse_number(std::string_view text, unsigned most, unsigned& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number <= most;
}

template <class Bytes>
bool same_prefix(const Bytes& a, const Bytes& b, unsigned bits) {
  const unsigned whole = bits / 8, rest = bits % 8;
  if (std::memcmp(a.data(), b.data(), whole) != 0) return false;
  return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

// Below it, or itself; not a name that merely ends alike.
bool is_within(std::string_view host, std::string_view name) {
  if (!host.ends_with(name)) return false;
  return host.size() == name.size() || host[host.size() - name.size() - 1] == '.';
}

}  // namespace

NoProxy::NoProxy(std::string_view list) {
  while (!list.empty()) {
    const std::size_t start = std::min(list.find_first_not_of(separators), list.size());
    list.remove_prefix(start);
    const std::string_view entry = list.substr(0, list.find_first_of(separators));
    list.remove_prefix(entry.size());
    if (entry.empty() || add(entry) || !mistake_.empty()) continue;
    mistake_ = "\"" + printable(entry, 80) + "\" is not a name, an address, address/bits or one of them with a port";
  }
}

bool NoProxy::parse_address(std::string_view text, Address& address, bool& is_ipv4) {
  Ipv6Groups groups{0, 0, 0, 0, 0, 0xFFFF, 0, 0};
  std::uint32_t ipv4 = 0;
  is_ipv4 = parse_ipv4(text, ipv4);
  if (is_ipv4) {
    groups[6] = static_cast<std::uint16_t>(ipv4 >> 16);
    groups[7] = static_cast<std::uint16_t>(ipv4);
  } else if (!parse_ipv6(text, groups)) {
    return false;
  }
  for (std::size_t i = 0; i < groups.size(); ++i) {
    address[2 * i] = static_cast<unsigned char>(groups[i] >> 8);
    address[2 * i + 1] = static_cast<unsigned char>(groups[i]);
  }
  return true;
}

bool NoProxy::add(std::string_view entry) {
  if (entry == "*") return all_ = true;
  if (const std::size_t slash = entry.find('/'); slash != std::string_view::npos) {
    return add_network(entry.substr(0, slash), entry.substr(slash + 1));
  }
  unsigned port = 0;
  const std::size_t colon = entry.rfind(':');
  const bool one_colon = colon != std::string_view::npos && entry.find(':') == colon;
  const bool after_bracket = colon != std::string_view::npos && colon > 0 && entry[colon - 1] == ']';
  if (one_colon || after_bracket) {
    if (!parse_number(entry.substr(colon + 1), 65535, port) || port == 0) return false;
    entry = entry.substr(0, colon);
  }
  const bool in_brackets = entry.starts_with('[') && entry.ends_with(']');
  if (in_brackets) entry = entry.substr(1, entry.size() - 2);
  Address address;
  bool is_ipv4 = false;
  if (parse_address(entry, address, is_ipv4)) {
    if (in_brackets && is_ipv4) return false;
    networks_.push_back({address, 128, port});
    return true;
  }
  if (in_brackets) return false;
  if (entry.starts_with("*.")) entry.remove_prefix(1);
  if (entry.starts_with('.')) entry.remove_prefix(1);
  if (entry.ends_with('.')) entry.remove_suffix(1);
  const std::string name = in_small_letters(entry);
  if (name.empty() || name.front() == '.' || name.back() == '.' ||
      name.find_first_not_of(name_characters) != std::string::npos) {
    return false;
  }
  names_.push_back({name, port});
  return true;
}

bool NoProxy::add_network(std::string_view address, std::string_view bits) {
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  Network network{};
  bool is_ipv4 = false;
  if (!parse_address(address, network.address, is_ipv4)) return false;
  if (!parse_number(bits, is_ipv4 ? 32 : 128, network.prefix_bits)) return false;
  if (is_ipv4) network.prefix_bits += ipv4_offset_bits;
  networks_.push_back(network);
  return true;
}

bool NoProxy::covers(const Url& url) const {
  if (all_) return true;
  const auto port_fits = [&](unsigned port) { return port == 0 || port == url.port(); };
  if (!url.is_ip_literal()) {
    return std::any_of(names_.begin(), names_.end(),
                       [&](const Name& entry) { return port_fits(entry.port) && is_within(url.host(), entry.name); });
  }
  // The zone is not part of the host: "fe80::1" covers it on every interface, and no name can hide in it.
  Address address;
  bool is_ipv4 = false;
  if (!parse_address(url.host(), address, is_ipv4)) return false;
  return std::any_of(networks_.begin(), networks_.end(), [&](const Network& entry) {
    return port_fits(entry.port) && same_prefix(entry.address, address, entry.prefix_bits);
  });
}

}  // namespace trunkline
