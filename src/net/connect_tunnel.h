// HTTP CONNECT (RFC 9110 section 9.3.6): one request, and the proxy's answer, which is never taken for the origin's.
#pragma once

#include <string>

#include "http1/response_decoder.h"
#include "net/tunnel.h"

namespace trunkline::net {

class ConnectTunnel final : public TunnelHandshake {
 public:
  static constexpr std::size_t head_limit_bytes = 16 * 1024;  // interim answers and the final one together

  // `authority` is "host:port", IPv6 in brackets; `authorization` the value of Proxy-Authorization, or empty. What must
  // not stand in a request fails at once, and nothing is to be sent.
  ConnectTunnel(const std::string& authority, const std::string& authorization);

  Step feed(std::string_view& input) override;

 private:
  Step judge(const http1::ResponseHead& head);

  bool has_credentials() const { return !secret_.empty(); }
  std::string without_secret(std::string text) const;

  const std::string secret_;  // the value of Proxy-Authorization without its scheme
  http1::ResponseDecoder reply_;
};

}  // namespace trunkline::net
