// Which hosts are dialled without the proxy: a NO_PROXY list, read once and asked for each URL.
//
//   *                    everything
//   example.org          that name and all below it; ".example.org" and "*.example.org" mean the same, as in curl
//   example.org:8080     the same, on this port only; also 10.0.0.1:80 and [2001:db8::1]:443
//   10.0.0.1, ::1, [::1] an address
//   10.0.0.0/8, fc00::/7 all addresses that begin so
//
// Entries are separated by commas or blanks, and case does not matter. A name never covers an address, nor an address a
// name: nothing is resolved.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <trunkline/url.hpp>

namespace trunkline {

class NoProxy {
 public:
  NoProxy() = default;
  // What cannot be read covers nothing: such hosts go through the proxy. mistake() says what it was.
  explicit NoProxy(std::string_view list);

  bool covers(const Url& url) const;
  // The first entry that cannot be read, as a sentence; or empty.
  const std::string& mistake() const { return mistake_; }

 private:
  // IPv4 stands in it as the IPv6 address that maps it, so that both ways of writing are one.
  using Address = std::array<unsigned char, 16>;
  struct Name {
    std::string name;  // lower case
    unsigned port;     // 0: all
  };
  struct Network {
    Address address;
    unsigned prefix_bits;
    unsigned port;
  };

  static bool parse_address(std::string_view text, Address& address, bool& is_ipv4);
  bool add(std::string_view entry);
  bool add_network(std::string_view address, std::string_view bits);

  bool all_ = false;
  std::vector<Name> names_;
  std::vector<Network> networks_;
  std::string mistake_;
};

}  // namespace trunkline
