#include "net/connect_tunnel.h"

#include <algorithm>
#include <utility>

#include <trunkline/headers.hpp>

#include "base/text.h"
#include "http1/request_encoder.h"

namespace trunkline::net {

namespace {

// Of an error page only its title is for people to read in one line.
std::string_view title_of(std::string_view page) {
  constexpr std::string_view opening = "<title>";
  constexpr std::string_view closing = "</title>";
  const auto find = [page](std::string_view what, std::size_t from) {
    for (std::size_t at = from; at + what.size() <= page.size(); ++at) {
      if (equals_ignore_case(page.substr(at, what.size()), what)) return at;
    }
    return std::string_view::npos;
  };
  const std::size_t begin = find(opening, 0);
  if (begin == std::string_view::npos) return {};
  const std::size_t end = find(closing, begin);
  if (end == std::string_view::npos) return {};
  return page.substr(begin + opening.size(), end - begin - opening.size());
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blank = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(blank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blank) - begin + 1);
}

// Bytes come in pieces: the last one may end within a secret.
std::string_view without_beginning_of(std::string_view secret, std::string_view text) {
  for (std::size_t size = std::min(secret.size(), text.size()); size > 0; --size) {
    if (size < secret.size() && text.ends_with(secret.substr(0, size))) return text.substr(0, text.size() - size);
  }
  return text;
}

// The value without its scheme, and without base64's padding, which whoever repeats it may leave out.
std::string token_of(const std::string& authorization) {
  const std::string token = authorization.substr(authorization.rfind(' ') + 1);
  return token.substr(0, token.find_last_not_of('=') + 1);
}

}  // namespace

ConnectTunnel::ConnectTunnel(const std::string& authority, const std::string& authorization, std::string password)
    : secret_(token_of(authorization)), password_(std::move(password)) {
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
        return judge(input);
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
TunnelHandshake::Step ConnectTunnel::judge(std::string_view& input) {
  const http1::ResponseHead& head = reply_.head();
  if (head.status / 100 == 2) return step_ = Step::done;
  std::string why = "it answered " + std::to_string(head.status);
  if (!head.reason.empty()) why += " " + shown(head.reason, 80);
  if (head.status == 407) why += has_credentials() ? ": it refused the credentials" : ": it wants credentials";
  const ErrorCode code = head.status == 407 ? ErrorCode::proxy_auth : ErrorCode::proxy_failed;
  if (const std::string text = excerpt(input); !text.empty()) why += ": " + text;
  return fail(std::move(why), code);
}

// What has come together with the head. Not more is waited for: the socket is closed in any case, and a proxy that
// refuses should not be able to keep a request waiting.
std::string ConnectTunnel::excerpt(std::string_view& input) {
  if (reply_.head().headers.contains("Content-Encoding")) return {};
  const bool is_page =
      reply_.head().headers.get("Content-Type").value_or(std::string_view()).find("html") != std::string_view::npos;
  std::string text;
  while (text.size() < excerpt_limit_bytes && reply_.next(input) == http1::ResponseDecoder::Event::data) {
    text += reply_.data().substr(0, excerpt_limit_bytes - text.size());
  }
  input = {};
  // The whole text is searched for the credentials before it is cut, and a piece of them at its end goes, too.
  std::string_view says = text;
  for (const std::string& secret : {secret_, password_}) says = without_beginning_of(secret, says);
  says = trimmed(is_page ? title_of(says) : says);
  return shown(says, shown_limit_bytes);
}

// A secret may stand in the whole text, which is cut, or only in what is shown: \x9c ends in a letter of its own.
std::string ConnectTunnel::shown(std::string_view text, std::size_t limit) const {
  const std::string checked = without_secret(std::string(text));
  return checked == text ? without_secret(printable(text, limit)) : checked;
}

// A proxy may repeat in its answer what it was told.
std::string ConnectTunnel::without_secret(std::string text) const {
  const bool repeats = (has_credentials() && text.find(secret_) != std::string::npos) ||
                       (!password_.empty() && text.find(password_) != std::string::npos);
  if (!repeats) return text;
  return "(not shown: it repeats the credentials)";
}

}  // namespace trunkline::net
