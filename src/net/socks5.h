// SOCKS5 (RFC 1928), without authentication or with user and password (RFC 1929).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/tunnel.h"

namespace trunkline::net {

class Socks5 final : public TunnelHandshake {
 public:
  struct Credentials {
    std::string user;  // empty: none are offered. At most 255 bytes, as the password
    std::string password;
  };

  // `host` is an IP literal, sent as an address, or a name of at most 255 bytes, sent as a name for the proxy to
  // resolve. What cannot be said in SOCKS5 fails at once, and nothing is to be sent.
  Socks5(std::string_view host, std::uint16_t port, const Credentials& credentials);

  Step feed(std::string_view& input) override;
  bool unreachable() const override { return unreachable_; }

 private:
  enum class State : unsigned char { method, login, reply };

  bool append_address(std::string_view host);
  std::size_t expected() const;
  Step judge_method();
  Step judge_login();
  Step judge_reply();
  Step expect(State state, std::string_view request);

  State state_ = State::method;
  std::string login_;    // the message with the credentials, or empty
  std::string request_;  // CONNECT
  std::string answer_;   // as far as it came; never more than 262 bytes
  bool unreachable_ = false;
};

}  // namespace trunkline::net
