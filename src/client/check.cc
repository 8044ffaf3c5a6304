#include "client/check.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include <trunkline/url.hpp>

#include "base/clock.h"
#include "base/text.h"
#include "client/option_fields.h"
#include "url/no_proxy.h"
#include "url/proxy_url.h"

namespace trunkline {
namespace {

constexpr std::size_t largest_head_bytes = 1U << 30;  // offsets in a head have 32 bits

constexpr std::size_t smallest_window = 65'535;
constexpr std::size_t largest_window = 0x7FFFFFFF;

using Finding = std::optional<Error>;

Error invalid(std::string_view field, std::string_view what) {
  return {ErrorCode::invalid_options, Phase::prepare, std::string(field) + ": " + std::string(what)};
}

bool is_ip_address(const std::string& text) {
  in6_addr parsed{};
  return text.find('\0') == std::string::npos &&
         (inet_pton(AF_INET, text.c_str(), &parsed) == 1 || inet_pton(AF_INET6, text.c_str(), &parsed) == 1);
}

bool is_host_name(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  };
  return !text.empty() && text.size() <= 253 && text.front() != '.' && text.find("..") == std::string_view::npos &&
         std::all_of(text.begin(), text.end(), allowed);
}

Finding check_number(std::string_view name, int value) {
  if (value < 0) return invalid(name, std::to_string(value) + " is negative");
  return {};
}

Finding check_number(std::string_view name, Duration value) {
  if (value < Duration::zero()) return invalid(name, print_duration(value) + " is negative");
  if (value > ten_years) return invalid(name, "longer than ten years; where there shall be no limit write 0");
  return {};
}

template <class Other>
Finding check_number(std::string_view, const Other&) {
  return {};
}

Finding check_numbers(const Options& options) {
  for (const OptionField& field : option_fields()) {
    Finding finding =
        std::visit([&](const auto& access) { return check_number(field.name, access.read(options)); }, field.access);
    if (finding) return finding;
  }
  const PoolLimits& limits = options.limits;
  if (limits.open_per_host == 0) return invalid("limits.open_per_host", "0 would let no request through");
  if (limits.queue_per_host == 0) {
    return invalid("limits.queue_per_host", "0 would let no request wait for its connection to be dialled");
  }
  const ResponseLimits& response = options.response;
  if (response.head_bytes == 0) return invalid("response.head_bytes", "0 would let no response through");
  if (response.head_bytes > largest_head_bytes) return invalid("response.head_bytes", "more than 1GiB");
  if (response.line_bytes == 0) return invalid("response.line_bytes", "0 would let no response through");
  if (response.header_count == 0) return invalid("response.header_count", "0 would let no response through");
  const Http2Options& http2 = options.http2;
  if (http2.stream_window < smallest_window) return invalid("http2.stream_window", "less than 64KiB - 1, HTTP/2's own");
  if (http2.stream_window > largest_window) return invalid("http2.stream_window", "more than 2GiB - 1");
  if (http2.connection_window < http2.stream_window) {
    return invalid("http2.connection_window", "less than http2.stream_window, which would never be used");
  }
  if (http2.connection_window > largest_window) return invalid("http2.connection_window", "more than 2GiB - 1");
  return {};
}

// A pair may come from files or from memory, each once. `name` is "tls" or "proxy_tls".
Finding check_certificate(const TlsOptions& tls, const std::string& name) {
  if (!tls.certificate_file.empty() && !tls.certificate_pem.empty()) {
    return invalid(name + ".certificate_file", name + ".certificate_pem is given too; only one can be shown");
  }
  if (!tls.key_file.empty() && !tls.key_pem.empty()) {
    return invalid(name + ".key_file", name + ".key_pem is given too; a certificate has one key");
  }
  const bool has_certificate = !tls.certificate_file.empty() || !tls.certificate_pem.empty();
  const bool has_key = !tls.key_file.empty() || !tls.key_pem.empty();
  if (has_certificate && !has_key) {
    return invalid(name + (tls.certificate_file.empty() ? ".certificate_pem" : ".certificate_file"),
                   "a certificate without its key; set " + name + ".key_file or " + name + ".key_pem");
  }
  if (has_key && !has_certificate) {
    return invalid(name + (tls.key_file.empty() ? ".key_pem" : ".key_file"),
                   "a key without its certificate; set " + name + ".certificate_file or " + name + ".certificate_pem");
  }
  return {};
}

Finding check_tls(const TlsOptions& tls, const std::string& name) {
  if (Finding finding = check_certificate(tls, name)) return finding;
  if (!tls.server_name.empty() && !is_host_name(tls.server_name) && !is_ip_address(tls.server_name)) {
    return invalid(name + ".server_name",
                   "\"" + printable(tls.server_name, 80) + "\" is neither a host name nor an IP address");
  }
  return {};
}

Finding check_proxy(const Options& options) {
  if (const auto proxy = parse_proxy_url(options.proxy); !proxy) {
    return Error(proxy.error().code, Phase::prepare, "proxy: " + proxy.error().message);
  }
  if (const NoProxy list(options.no_proxy); !list.mistake().empty()) return invalid("no_proxy", list.mistake());
  return {};
}

bool is_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port >= 1 && port <= 65535;
}

bool is_host_and_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || !is_port(text.substr(colon + 1))) return false;
  const std::string_view host = text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (!(bracketed ? is_ip_address(std::string(host.substr(1, host.size() - 2))) : is_host_name(host))) return false;
  return Url::parse("http://" + std::string(text)).has_value();  // it is compared with a URL's
}

Finding check_resolve(const Overrides& overrides) {
  for (const auto& [host, address] : overrides) {
    if (!is_host_and_port(host)) {
      return invalid("resolve", "\"" + printable(host, 80) + "\" is not host:port");
    }
    if (!is_ip_address(address)) {
      return invalid("resolve",
                     "\"" + printable(address, 80) + "\", for " + printable(host, 80) + ", is not an IP address");
    }
  }
  return {};
}

Finding check_texts(const Options& options) {
  if (!options.bind_address.empty() && !is_ip_address(options.bind_address)) {
    return invalid("bind_address", "\"" + printable(options.bind_address, 80) + "\" is not an IP address");
  }
  // It becomes a header field of every request.
  for (const char c : options.user_agent) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return invalid("user_agent", "it holds a control character");
  }
  return {};
}

}  // namespace

Result<void> check(const Options& options) {
  if (Finding finding = check_numbers(options)) return std::move(*finding);
  if (Finding finding = check_tls(options.tls, "tls")) return std::move(*finding);
  if (Finding finding = check_proxy(options)) return std::move(*finding);
  if (Finding finding = check_tls(options.proxy_tls, "proxy_tls")) return std::move(*finding);
  if (Finding finding = check_resolve(options.resolve)) return std::move(*finding);
  if (Finding finding = check_texts(options)) return std::move(*finding);
  return {};
}

}  // namespace trunkline
