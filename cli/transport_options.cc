#include "transport_options.h"

#include <charconv>
#include <string_view>

#include "base/nearest.h"
#include "base/text.h"
#include "fail.h"
#include "named_settings.h"

namespace trunkline::cli {
namespace {

Result<Options> preset(const std::string& name) {
  if (name == "standard") return Options::standard();
  if (name == "scrape") return Options::scrape();
  if (name == "executor") return Options::executor();
  if (name == "internal") return Options::internal();
  const std::vector<std::string> known{"standard", "scrape", "executor", "internal"};
  return misuse("--preset " + printable(name, 40) + ": there is no such preset" + did_you_mean(name, known) +
                " (known: standard scrape executor internal)");
}

// curl's HOST:PORT:ADDRESS, with brackets around IPv6 in either place.
Result<std::pair<std::string, std::string>> parse_resolve(const std::string& text) {
  const Error wrong =
      misuse("--resolve " + printable(text) + ": want HOST:PORT:ADDRESS, as in example.org:443:127.0.0.1");
  std::string_view rest = text;
  const std::size_t host_end = rest.starts_with('[') ? rest.find(']') + 1 : rest.find(':');
  if (host_end == 0 || host_end >= rest.size() || rest[host_end] != ':') return wrong;
  const std::size_t port_end = rest.find(':', host_end + 1);
  if (port_end == std::string_view::npos) return wrong;
  const std::string_view port = rest.substr(host_end + 1, port_end - host_end - 1);
  int number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size() || number < 1 || number > 65535) return wrong;
  std::string_view address = rest.substr(port_end + 1);
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  if (address.empty()) return wrong;
  return std::pair(std::string(rest.substr(0, port_end)), std::string(address));
}

Result<void> set_duration(Duration& field, const std::string& flag, const std::string& text) {
  if (text.empty()) return {};
  Result<Duration> duration = parse_duration(text);
  if (!duration) return misuse(flag + " " + printable(text, 40) + ": " + duration.error().message);
  field = *duration;
  return {};
}

Result<void> set_times(Options& options, const TransportFlags& flags) {
  Timeouts& times = options.timeouts;
  if (auto set = set_duration(times.total, "--max-time", flags.max_time); !set) return set;
  // curl's limit is over all of these together; ours are apart, so each gets it.
  for (Duration* phase : {&times.resolve, &times.connect, &times.proxy, &times.tls}) {
    if (auto set = set_duration(*phase, "--connect-timeout", flags.connect_timeout); !set) return set;
  }
  if (auto set = set_duration(options.limits.idle_timeout, "--idle-timeout", flags.idle_timeout); !set) return set;
  for (const std::string& text : flags.timeouts) {
    const auto [name, value] = split_assignment(text);
    if (auto set = set_timeout(times, name, value); !set) return misuse("--timeout: " + set.error().message);
  }
  return {};
}

Result<void> set_limits(Options& options, const TransportFlags& flags) {
  if (flags.max_connections) {
    // Where the preset keeps all that it opens, it still does; scrape() and executor() keep fewer on purpose.
    PoolLimits& limits = options.limits;
    if (limits.idle_per_host == limits.open_per_host) limits.idle_per_host = *flags.max_connections;
    limits.open_per_host = *flags.max_connections;
  }
  if (flags.max_body) {
    Result<std::uint64_t> size = parse_size(*flags.max_body);
    if (!size) return misuse("--max-body " + printable(*flags.max_body, 40) + ": " + size.error().message);
    options.response.body_bytes = static_cast<std::size_t>(*size);
  }
  for (const std::string& text : flags.limits) {
    const auto [name, value] = split_assignment(text);
    if (auto set = set_limit(options, name, value); !set) return misuse("--limit: " + set.error().message);
  }
  return {};
}

Result<void> set_proxy(Options& options, const TransportFlags& flags) {
  const int given = !flags.proxy.empty() + !flags.socks5.empty() + !flags.socks5_hostname.empty();
  if (given > 1) return misuse("--proxy, --socks5 and --socks5-hostname exclude each other");
  const auto with_kind = [](const std::string& kind, const std::string& text) {
    return text.empty() || text == "direct" || text.find("://") != std::string::npos ? text : kind + "://" + text;
  };
  options.proxy = with_kind("http", flags.proxy);
  if (!flags.socks5.empty()) options.proxy = with_kind("socks5", flags.socks5);
  if (!flags.socks5_hostname.empty()) options.proxy = with_kind("socks5h", flags.socks5_hostname);
  options.no_proxy = flags.no_proxy;
  options.proxy_tls.insecure_skip_verify = flags.proxy_insecure;
  options.proxy_tls.ca_file = flags.proxy_ca_file;
  return {};
}

void set_tls(TlsOptions& tls, const TransportFlags& flags) {
  tls.ca_file = flags.ca_file;
  tls.ca_directory = flags.ca_directory;
  tls.certificate_file = flags.certificate;
  tls.key_file = flags.key.empty() ? flags.certificate : flags.key;  // one file may hold both, as with curl
  tls.server_name = flags.server_name;
  tls.insecure_skip_verify = flags.insecure;
  tls.session_resumption = !flags.no_session_resumption;
  if (flags.tls_1_2) tls.minimum_version = TlsVersion::tls_1_2;
  if (flags.tls_1_3) tls.minimum_version = TlsVersion::tls_1_3;
}

}  // namespace

Result<Options> options_from(const TransportFlags& flags) {
  Result<Options> started = preset(flags.preset);
  if (!started) return started;
  Options options = *std::move(started);
  set_tls(options.tls, flags);
  if (!flags.key.empty() && flags.certificate.empty()) {
    return misuse("--key without --cert: a key is of no use without its certificate");
  }
  if (flags.http1 + flags.http2 + flags.h2c > 1) {
    return misuse("--http1.1, --http2 and --http2-prior-knowledge exclude each other");
  }
  if (flags.http1) options.protocol = Protocol::http1;
  if (flags.http2) options.protocol = Protocol::http2;
  if (flags.h2c) options.protocol = Protocol::h2c;
  if (auto set = set_proxy(options, flags); !set) return std::move(set).error();
  options.bind_address = flags.bind_address;
  for (const std::string& text : flags.resolve) {
    auto entry = parse_resolve(text);
    if (!entry) return std::move(entry).error();
    options.resolve.push_back(*std::move(entry));
  }
  if (auto set = set_times(options, flags); !set) return std::move(set).error();
  if (auto set = set_limits(options, flags); !set) return std::move(set).error();
  options.retry_stale = !flags.no_retry;
  options.decompress = flags.compressed;  // as with curl: bytes come as they are unless this is asked for
  if (flags.user_agent) options.user_agent = *flags.user_agent;
  return options;
}

}  // namespace trunkline::cli
