#include "net/connect_tunnel.h"

#include "base/text.h"
#include "http1/request_encoder.h"

namespace trunkline::net {

ConnectTunnel::ConnectTunnel(const std::string& authority, const std::string& authorization)
    : secret_(authorization.substr(authorization.rfind(' ') + 1)) {
  const auto checked = http1::check_request("CONNECT", authority, {});
  if (!checked || !http1::is_field_value(authorization)) {
    fail("the host or the credentials hold bytes that must not stand in a request");
    return;
  }
  const std::string credentials = has_credentials() ? "Proxy-Authorization: " + authorization + "\r\n" : std::string();
  http1::RequestHead head;
  head.method = "CONNECT";
  head.target = head.host = authority;
  head.extra = credentials;
  std::string buffer;
  output_ = http1::encode_head(head, buffer);

  http1::DecoderLimits limits;
  limits.head_bytes = head_limit_bytes;
  reply_.set_limits(limits);
  http1::RequestFraming framing;
  framing.connect = true;
  reply_.begin(framing);
}

TunnelHandshake::Step ConnectTunnel::feed(std::string_view& input) {
  while (step_ == Step::need_more) {
    switch (reply_.next(input)) {
      case http1::ResponseDecoder::Event::head:
        return judge(reply_.head());
      case http1::ResponseDecoder::Event::error:
        return fail(without_secret(reply_.error().message));
      case http1::ResponseDecoder::Event::need_more:
        return step_;
      default:
        break;  // an interim answer; the decoder bounds their number
    }
  }
  return step_;
}

// Any 2xx opens the tunnel, whatever length it declares. Nothing else does, and a 401 is not the origin's.
TunnelHandshake::Step ConnectTunnel::judge(const http1::ResponseHead& head) {
  if (head.status / 100 == 2) return step_ = Step::done;
  std::string why = "it answered " + std::to_string(head.status);
  if (!head.reason.empty()) why += " " + printable(without_secret(head.reason), 80);
  if (head.status != 407) return fail(std::move(why));
  why += has_credentials() ? ": it refused the credentials" : ": it wants credentials";
  return fail(std::move(why), ErrorCode::proxy_auth);
}

// A proxy may repeat in its answer what it was told.
std::string ConnectTunnel::without_secret(std::string text) const {
  if (!has_credentials() || text.find(secret_) == std::string::npos) return text;
  return "(not shown: it repeats the credentials)";
}

}  // namespace trunkline::net
