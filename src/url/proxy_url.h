// What a proxy is written as: "http://user:password@host:port", https, socks5 or socks5h; "direct" or nothing for none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <trunkline/result.hpp>

namespace trunkline {

enum class ProxyKind : unsigned char {
  http,     // the URL itself for http, CONNECT for https
  https,    // the same inside TLS with the proxy
  socks5,   // RFC 1928; names are resolved here and sent as addresses
  socks5h,  // the same; names are sent, and resolved where the proxy runs
};

std::string_view to_string(ProxyKind kind);

struct ProxyUrl {
  // Without a port in the text, as curl: 443 for https and 1080 for all others. 80 would be a web server's port and
  // 8080 anybody's, so who means them writes them.
  static constexpr std::uint16_t https_port = 443;
  static constexpr std::uint16_t other_port = 1080;

  ProxyKind kind = ProxyKind::http;
  std::string host;  // lower case, without brackets
  std::string zone;  // of an IPv6 literal
  std::uint16_t port = 0;
  bool has_credentials = false;
  std::string user;  // percent-decoded, as the password. Secrets: never printed
  std::string password;

  bool is_socks() const { return kind == ProxyKind::socks5 || kind == ProxyKind::socks5h; }
  std::string origin() const;  // "socks5h://host:1080", without credentials

  friend bool operator==(const ProxyUrl&, const ProxyUrl&) = default;
};

// Nothing for "direct" and the empty text. An error says what is wrong without repeating any of the text, in which a
// password may stand wherever a typing error has put it.
Result<std::optional<ProxyUrl>> parse_proxy_url(std::string_view text);

}  // namespace trunkline
