// An absolute http, https, ws or wss URL, parsed and normalised as far as connections depend on it (RFC 3986).
#pragma once

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

  std::string_view scheme() const { return scheme_; }   // lower case: http, https, ws, wss
  std::string_view user() const { return user_; }       // percent-decoded; never sent by itself, never printed
  std::string_view password() const { return password_; }
  bool has_userinfo() const { return has_userinfo_; }
  std::string_view host() const { return host_; }       // lower case, no brackets, no trailing dot: "example.org", "::1"
  std::string_view zone() const { return zone_; }       // of an IPv6 literal: "eth0" in [fe80::1%25eth0]
  std::uint16_t port() const { return port_; }          // explicit or the scheme's default
  bool has_explicit_port() const { return has_explicit_port_; }
  bool is_ip_literal() const { return ip_version_ != 0; }
  int ip_version() const { return ip_version_; }        // 4, 6, or 0 for a name
  bool secure() const { return scheme_ == "https" || scheme_ == "wss"; }
  std::string_view path() const { return std::string_view(target_).substr(0, path_length_); }  // at least "/"
  std::string_view query() const;                       // without "?"
  bool has_query() const { return target_.size() > path_length_; }
  std::string_view fragment() const { return fragment_; }  // never sent
  std::string_view target() const { return target_; }   // path and query, as sent in the request line

  // "host" or "host:port" when the port is not the scheme's; brackets around IPv6. What Host: holds. No userinfo.
  std::string_view authority() const { return authority_; }
  std::string origin() const;                           // "https://host:port", the port always there
  std::string text() const;                             // the normalised URL, without userinfo

  friend bool operator==(const Url&, const Url&) = default;

 private:
  class Parser;

  std::string scheme_;
  std::string user_;
  std::string password_;
  std::string host_;
  std::string zone_;
  std::string authority_;
  std::string target_;
  std::string fragment_;
  std::size_t path_length_ = 0;
  std::uint16_t port_ = 0;
  int ip_version_ = 0;
  bool has_explicit_port_ = false;
  bool has_userinfo_ = false;
};

}  // namespace trunkline
