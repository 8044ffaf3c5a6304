// HTTP CONNECT (RFC 9110 section 9.3.6): one request, and the proxy's answer, which is never taken for the origin's.
#pragma once

#include <string>

#include "http1/response_decoder.h"
#include "net/tunnel.h"

namespace trunkline::net {

class ConnectTunnel final : public TunnelHandshake {
 public:
  static constexpr std::size_t head_limit_bytes = 16 * 1024;  // interim answers and the final one together

  // Of a refusal's body; what else a proxy has to say about it is not waited for.
  static constexpr std::size_t excerpt_limit_bytes = 4 * 1024;  // looked at
  static constexpr std::size_t shown_limit_bytes = 200;         // shown in failure()

  // `authority` is "host:port", IPv6 in brackets; `authorization` the value of Proxy-Authorization, or empty. What must
  // not stand in a request fails at once, and nothing is to be sent. `password` is what `authorization` was made of: a
  // proxy may repeat that, too.
  ConnectTunnel(const std::string& authority, const std::string& authorization, std::string password = {});

  Step feed(std::string_view& input) override;

 private:
  Step judge(std::string_view& input);
  std::string excerpt(std::string_view& input);

  bool has_credentials() const { return !secret_.empty(); }
  std::string shown(std::string_view text, std::size_t limit) const;
  std::string without_secret(std::string text) const;

  const std::string secret_;  // of the value of Proxy-Authorization
  const std::string password_;
  http1::ResponseDecoder reply_;
};

}  // namespace trunkline::net
