#include "net/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>

#include <array>
#include <charconv>
#include <cstring>
#include <system_error>

namespace trunkline::net {
namespace {

std::string zone_text(std::uint32_t scope) {
  if (scope == 0) return {};
  char name[IF_NAMESIZE];
  return std::string("%") + (::if_indextoname(scope, name) ? name : std::to_string(scope).c_str());
}

bool parse_zone(std::string_view zone, std::uint32_t& scope) {
  if (zone.empty() || zone.size() >= IF_NAMESIZE) return false;
  const char* end = zone.data() + zone.size();
  const auto [stop, error] = std::from_chars(zone.data(), end, scope);
  if (error == std::errc() && stop == end) return true;
  scope = ::if_nametoindex(std::string(zone).c_str());
  return scope != 0;
}

// Every dial needs it several times, and inet_ntop's way over printf takes twenty times as long.
std::string text_of(const sockaddr_in& v4) {
  std::array<char, sizeof "255.255.255.255:65535"> text{};
  char* end = text.data();
  char* const limit = end + text.size();
  std::array<unsigned char, 4> bytes{};
  std::memcpy(bytes.data(), &v4.sin_addr, bytes.size());
  for (const unsigned char byte : bytes) {
    end = std::to_chars(end, limit, static_cast<unsigned>(byte)).ptr;
    *end++ = '.';
  }
  end[-1] = ':';
  return {text.data(), std::to_chars(end, limit, ntohs(v4.sin_port)).ptr};
}

}  // namespace

std::string Address::text() const {
  if (family() == AF_INET6) {
    char ip[INET6_ADDRSTRLEN] = "?";
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, ip, sizeof ip);
    return "[" + std::string(ip) + zone_text(v6.sin6_scope_id) + "]:" + std::to_string(ntohs(v6.sin6_port));
  }
  return text_of(reinterpret_cast<const sockaddr_in&>(storage));
}

std::string Address::ip_text() const {
  char text[INET6_ADDRSTRLEN] = "?";
  const std::string_view bytes = ip();
  if (!bytes.empty()) ::inet_ntop(family(), bytes.data(), text, sizeof text);
  return text;
}

std::string_view Address::ip() const {
  if (family() == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    return {reinterpret_cast<const char*>(&v4.sin_addr), sizeof v4.sin_addr};
  }
  if (family() == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    return {reinterpret_cast<const char*>(&v6.sin6_addr), sizeof v6.sin6_addr};
  }
  return {};
}

std::string Address::identity() const {
  std::string key(ip());
  std::uint16_t port = 0;
  std::uint32_t scope = 0;
  if (family() == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    port = v6.sin6_port;
    scope = v6.sin6_scope_id;
  } else {
    port = reinterpret_cast<const sockaddr_in&>(storage).sin_port;
  }
  key.append(reinterpret_cast<const char*>(&port), sizeof port);
  if (scope != 0) key.append(reinterpret_cast<const char*>(&scope), sizeof scope);
  return key;
}

void Address::set_port(std::uint16_t port) {
  if (family() == AF_INET6) {
    reinterpret_cast<sockaddr_in6&>(storage).sin6_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in&>(storage).sin_port = htons(port);
  }
}

bool Address::parse(std::string_view ip, std::uint16_t port, Address& out) {
  Address address;
  const std::size_t percent = ip.find('%');
  const std::string digits(ip.substr(0, percent));
  if (digits.find('\0') != std::string::npos) return false;
  auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
  if (percent == std::string_view::npos && ::inet_pton(AF_INET, digits.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    address.length = sizeof v4;
  } else if (::inet_pton(AF_INET6, digits.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    if (percent != std::string_view::npos && !parse_zone(ip.substr(percent + 1), v6.sin6_scope_id)) return false;
    address.length = sizeof v6;
  } else {
    return false;
  }
  address.set_port(port);
  out = address;
  return true;
}

Address Address::from_bytes(std::string_view ip) {
  Address address;
  if (ip.size() == sizeof(in_addr)) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
    v4.sin_family = AF_INET;
    std::memcpy(&v4.sin_addr, ip.data(), ip.size());
    address.length = sizeof v4;
  } else if (ip.size() == sizeof(in6_addr)) {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
    v6.sin6_family = AF_INET6;
    std::memcpy(&v6.sin6_addr, ip.data(), ip.size());
    address.length = sizeof v6;
  }
  return address;
}

Address Address::own(int fd) {
  Address own;
  own.length = sizeof own.storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&own.storage), &own.length) != 0) return {};
  return own;
}

Address Address::peer(int fd) {
  Address peer;
  peer.length = sizeof peer.storage;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer.storage), &peer.length) != 0) return {};
  return peer;
}

}  // namespace trunkline::net
