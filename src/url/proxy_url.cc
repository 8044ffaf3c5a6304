#include "url/proxy_url.h"

#include <array>
#include <utility>

#include <trunkline/headers.hpp>
#include <trunkline/url.hpp>

namespace trunkline {
namespace {

constexpr std::array<std::string_view, 4> kinds{"http", "https", "socks5", "socks5h"};  // in the order of ProxyKind

constexpr std::size_t socks_limit_bytes = 255;   // RFC 1929: a length is one byte
constexpr std::size_t basic_limit_bytes = 4096;  // more than any proxy takes in one field, tokens included

Error invalid(std::string what) { return {ErrorCode::invalid_options, Phase::prepare, std::move(what)}; }

Result<ProxyKind> parse_kind(std::string_view text) {
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    if (equals_ignore_case(text, kinds[i])) return static_cast<ProxyKind>(i);
  }
  for (const std::string_view old : {"socks", "socks4", "socks4a"}) {
    if (!equals_ignore_case(text, old)) continue;
    return Error(ErrorCode::unsupported, Phase::prepare,
                 std::string(old) + ":// proxies are not supported, only socks5:// and socks5h://");
  }
  return invalid("the kind is unknown; http, https, socks5 and socks5h are supported");
}

// What the URL's parser says without "invalid URL: " and " at byte 12", which would count in another text.
std::string complaint(const Error& error) {
  std::string_view text = error.message;
  constexpr std::string_view start = "invalid URL: ";
  if (text.starts_with(start)) text.remove_prefix(start.size());
  return std::string(text.substr(0, text.rfind(" at byte ")));
}

Result<void> check_credentials(const ProxyUrl& proxy) {
  if (proxy.is_socks()) {
    if (proxy.user.empty()) return invalid("SOCKS5 takes no password without a user name");
    if (proxy.user.size() > socks_limit_bytes || proxy.password.size() > socks_limit_bytes) {
      return invalid("SOCKS5 takes a user and a password of at most 255 bytes each (RFC 1929)");
    }
    return {};
  }
  if (proxy.user.find(':') != std::string::npos) return invalid("a user name with a colon cannot be sent (RFC 7617)");
  if (proxy.user.size() + proxy.password.size() > basic_limit_bytes) {
    return invalid("user and password are longer than 4096 bytes");
  }
  return {};
}

}  // namespace

std::string_view to_string(ProxyKind kind) { return kinds[static_cast<std::size_t>(kind)]; }

std::string ProxyUrl::origin() const {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return std::string(to_string(kind)) + "://" + (is_ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<std::optional<ProxyUrl>> parse_proxy_url(std::string_view text) {
  if (text.empty() || equals_ignore_case(text, "direct")) return std::optional<ProxyUrl>();
  const std::size_t end = text.find("://");
  if (end == std::string_view::npos) return invalid("the kind is missing; write http:// in front");
  const Result<ProxyKind> kind = parse_kind(text.substr(0, end));
  if (!kind) return kind.error();
  // The rest is written as in any URL: hosts, brackets, ports and percent-encoding, without control characters.
  const Result<Url> url = Url::parse("http" + std::string(text.substr(end)));
  if (!url) return invalid(complaint(url.error()));
  if (url->path() != "/" || url->has_query() || !url->fragment().empty()) {
    return invalid("a proxy is a host and a port; something follows them");
  }
  ProxyUrl proxy;
  proxy.kind = *kind;
  proxy.host = url->host();
  proxy.zone = url->zone();
  proxy.port = url->has_explicit_port()         ? url->port()
               : proxy.kind == ProxyKind::https ? ProxyUrl::https_port
                                                : ProxyUrl::other_port;
  proxy.has_credentials = url->has_userinfo();
  proxy.user = url->user();
  proxy.password = url->password();
  if (proxy.has_credentials) {
    if (auto sound = check_credentials(proxy); !sound) return sound.error();
  }
  return std::optional<ProxyUrl>(std::move(proxy));
}

}  // namespace trunkline
