// An absolute http, https, ws or wss URL, parsed and normalised as far as connections depend on it (RFC 3986).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <trunkline/result.hpp>

namespace trunkline {

class Url {
 public:
  Url() = default;

  // Refuses what could be read in two ways: control characters, spaces, backslashes, userinfo tricks, bad ports,
  // bad percent-encoding in the host, over-long labels, non-canonical IPv4. The error says what and where.
  static Result<Url> parse(std::string_view text);

  // A reference (absolute, "//host", "/path", "path", "?query") resolved against this URL, RFC 3986 section 5.
  Result<Url> resolve(std::string_view reference) const;

  std::string_view scheme() const { return part(0, scheme_length_); }  // lower case: http, https, ws, wss
  std::string_view user() const;      // percent-decoded; never sent by itself, never printed
  std::string_view password() const;  // likewise
  bool has_userinfo() const { return user_length_ + password_length_ > 0; }
  // Lower case, no brackets, no trailing dot: "example.org", "::1".
  std::string_view host() const { return part(authority_start() + (ip_version_ == 6 ? 1 : 0), host_length_); }
  // The host was written with a trailing dot, "example.org.": we look it up as it is, and not in the search list of our
  // resolver. So it is another origin, although the peer, and a proxy, are told the same name.
  bool rooted() const { return rooted_; }
  std::string_view zone() const { return part(extras_start(), zone_length_); }  // "eth0" in [fe80::1%25eth0]
  std::uint16_t port() const { return port_; }                                  // explicit or the scheme's default
  bool has_explicit_port() const { return has_explicit_port_; }
  bool is_ip_literal() const { return ip_version_ != 0; }
  int ip_version() const { return ip_version_; }                                // 4, 6, or 0 for a name
  bool secure() const { return secure_; }                                       // https or wss
  std::string_view path() const { return part(target_start(), path_length_); }  // at least "/"
  std::string_view query() const;                                               // without "?"
  bool has_query() const { return target_length_ > path_length_; }
  std::string_view fragment() const;                                                // never sent
  std::string_view target() const { return part(target_start(), target_length_); }  // path and query, as sent

  // "host" or "host:port" when the port is not the scheme's; brackets around IPv6. What Host: holds. No userinfo.
  std::string_view authority() const { return part(authority_start(), authority_length_); }
  std::string origin() const;  // "https://host:port", the port always there
  std::string text() const;    // the normalised URL, without userinfo

  friend bool operator==(const Url&, const Url&) = default;

 private:
  class Parser;

  std::string_view part(std::size_t start, std::size_t length) const {
    return start < bytes_.size() ? std::string_view(bytes_).substr(start, length) : std::string_view();
  }
  std::size_t authority_start() const { return scheme_length_ + std::size_t{3}; }
  std::size_t target_start() const { return authority_start() + authority_length_; }
  std::size_t fragment_start() const { return target_start() + target_length_; }  // with its "#"
  std::size_t extras_start() const { return fragment_start() + fragment_length_; }

  // scheme "://" authority target ["#" fragment], then what is not part of the text: zone, user, password. One string,
  // so that a URL costs one allocation to parse and one to copy.
  std::string bytes_;
  std::uint32_t path_length_ = 0;
  std::uint32_t target_length_ = 0;
  std::uint32_t fragment_length_ = 0;  // with its "#"
  std::uint32_t user_length_ = 0;
  std::uint32_t password_length_ = 0;
  std::uint16_t authority_length_ = 0;
  std::uint16_t port_ = 0;
  std::uint8_t host_length_ = 0;
  std::uint8_t zone_length_ = 0;
  std::uint8_t scheme_length_ = 0;
  std::uint8_t ip_version_ = 0;
  bool secure_ = false;
  bool rooted_ = false;
  bool has_explicit_port_ = false;
};

}  // namespace trunkline
