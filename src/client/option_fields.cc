#include "client/option_fields.h"

#include <array>
#include <type_traits>

namespace trunkline {
namespace {

template <class Get>
constexpr OptionField row(std::string_view name, FieldClass cls, FieldForm form, Get get) {
  using T = std::remove_cvref_t<decltype(get(std::declval<Options&>()))>;
  return {name, cls, form, FieldAccess<T>{get, get}};
}

using enum FieldClass;

constexpr std::array table{
    row("tls.ca_file", wire, FieldForm::file, [](auto& o) -> auto& { return o.tls.ca_file; }),
    row("tls.ca_directory", wire, FieldForm::directory, [](auto& o) -> auto& { return o.tls.ca_directory; }),
    row("tls.ca_pem", wire, FieldForm::digest, [](auto& o) -> auto& { return o.tls.ca_pem; }),
    row("tls.certificate_file", wire, FieldForm::file, [](auto& o) -> auto& { return o.tls.certificate_file; }),
    row("tls.certificate_pem", wire, FieldForm::digest, [](auto& o) -> auto& { return o.tls.certificate_pem; }),
    row("tls.key_file", wire, FieldForm::file, [](auto& o) -> auto& { return o.tls.key_file; }),
    row("tls.key_pem", wire, FieldForm::digest, [](auto& o) -> auto& { return o.tls.key_pem; }),
    row("tls.server_name", wire, FieldForm::optional, [](auto& o) -> auto& { return o.tls.server_name; }),
    row("tls.insecure_skip_verify", wire, FieldForm::plain,
        [](auto& o) -> auto& { return o.tls.insecure_skip_verify; }),
    row("tls.minimum_version", wire, FieldForm::plain, [](auto& o) -> auto& { return o.tls.minimum_version; }),
    row("tls.session_resumption", wire, FieldForm::plain, [](auto& o) -> auto& { return o.tls.session_resumption; }),
    row("protocol", wire, FieldForm::plain, [](auto& o) -> auto& { return o.protocol; }),
    row("proxy", wire, FieldForm::proxy, [](auto& o) -> auto& { return o.proxy; }),
    row("proxy_tls.ca_file", wire, FieldForm::file, [](auto& o) -> auto& { return o.proxy_tls.ca_file; }),
    row("proxy_tls.ca_directory", wire, FieldForm::directory,
        [](auto& o) -> auto& { return o.proxy_tls.ca_directory; }),
    row("proxy_tls.ca_pem", wire, FieldForm::digest, [](auto& o) -> auto& { return o.proxy_tls.ca_pem; }),
    row("proxy_tls.certificate_file", wire, FieldForm::file,
        [](auto& o) -> auto& { return o.proxy_tls.certificate_file; }),
    row("proxy_tls.certificate_pem", wire, FieldForm::digest,
        [](auto& o) -> auto& { return o.proxy_tls.certificate_pem; }),
    row("proxy_tls.key_file", wire, FieldForm::file, [](auto& o) -> auto& { return o.proxy_tls.key_file; }),
    row("proxy_tls.key_pem", wire, FieldForm::digest, [](auto& o) -> auto& { return o.proxy_tls.key_pem; }),
    row("proxy_tls.server_name", wire, FieldForm::optional, [](auto& o) -> auto& { return o.proxy_tls.server_name; }),
    row("proxy_tls.insecure_skip_verify", wire, FieldForm::plain,
        [](auto& o) -> auto& { return o.proxy_tls.insecure_skip_verify; }),
    row("proxy_tls.minimum_version", wire, FieldForm::plain,
        [](auto& o) -> auto& { return o.proxy_tls.minimum_version; }),
    row("proxy_tls.session_resumption", wire, FieldForm::plain,
        [](auto& o) -> auto& { return o.proxy_tls.session_resumption; }),
    row("no_proxy", wire, FieldForm::optional, [](auto& o) -> auto& { return o.no_proxy; }),
    row("bind_address", wire, FieldForm::optional, [](auto& o) -> auto& { return o.bind_address; }),
    row("resolve", wire, FieldForm::overrides, [](auto& o) -> auto& { return o.resolve; }),
    row("address_guard", wire, FieldForm::optional, [](auto& o) -> auto& { return o.address_guard; }),
    row("isolation", wire, FieldForm::digest, [](auto& o) -> auto& { return o.isolation; }),
    row("limits.open_per_host", handle, FieldForm::plain, [](auto& o) -> auto& { return o.limits.open_per_host; }),
    row("limits.idle_per_host", handle, FieldForm::plain, [](auto& o) -> auto& { return o.limits.idle_per_host; }),
    row("limits.idle_total", handle, FieldForm::plain, [](auto& o) -> auto& { return o.limits.idle_total; }),
    row("limits.queue_per_host", handle, FieldForm::plain, [](auto& o) -> auto& { return o.limits.queue_per_host; }),
    row("limits.requests_per_connection", handle, FieldForm::plain,
        [](auto& o) -> auto& { return o.limits.requests_per_connection; }),
    row("limits.idle_timeout", handle, FieldForm::plain, [](auto& o) -> auto& { return o.limits.idle_timeout; }),
    row("limits.max_age", handle, FieldForm::plain, [](auto& o) -> auto& { return o.limits.max_age; }),
    row("timeouts.queue", handle, FieldForm::plain, [](auto& o) -> auto& { return o.timeouts.queue; }),
    row("timeouts.resolve", handle, FieldForm::plain, [](auto& o) -> auto& { return o.timeouts.resolve; }),
    row("timeouts.connect", handle, FieldForm::plain, [](auto& o) -> auto& { return o.timeouts.connect; }),
    row("timeouts.proxy", handle, FieldForm::plain, [](auto& o) -> auto& { return o.timeouts.proxy; }),
    row("timeouts.tls", handle, FieldForm::plain, [](auto& o) -> auto& { return o.timeouts.tls; }),
    row("timeouts.write_stall", handle, FieldForm::plain, [](auto& o) -> auto& { return o.timeouts.write_stall; }),
    row("timeouts.first_byte", handle, FieldForm::plain, [](auto& o) -> auto& { return o.timeouts.first_byte; }),
    row("timeouts.idle_read", handle, FieldForm::plain, [](auto& o) -> auto& { return o.timeouts.idle_read; }),
    row("timeouts.total", handle, FieldForm::plain, [](auto& o) -> auto& { return o.timeouts.total; }),
    row("timeouts.expect_continue", handle, FieldForm::plain,
        [](auto& o) -> auto& { return o.timeouts.expect_continue; }),
    row("response.head_bytes", handle, FieldForm::plain, [](auto& o) -> auto& { return o.response.head_bytes; }),
    row("response.line_bytes", handle, FieldForm::plain, [](auto& o) -> auto& { return o.response.line_bytes; }),
    row("response.header_count", handle, FieldForm::plain, [](auto& o) -> auto& { return o.response.header_count; }),
    row("response.informational", handle, FieldForm::plain, [](auto& o) -> auto& { return o.response.informational; }),
    row("response.body_bytes", handle, FieldForm::plain, [](auto& o) -> auto& { return o.response.body_bytes; }),
    row("http2.stream_window", wire, FieldForm::plain, [](auto& o) -> auto& { return o.http2.stream_window; }),
    row("http2.connection_window", wire, FieldForm::plain, [](auto& o) -> auto& { return o.http2.connection_window; }),
    row("http2.ping_after", wire, FieldForm::plain, [](auto& o) -> auto& { return o.http2.ping_after; }),
    row("http2.ping_timeout", wire, FieldForm::plain, [](auto& o) -> auto& { return o.http2.ping_timeout; }),
    row("http2.fall_back_to_http1", wire, FieldForm::plain,
        [](auto& o) -> auto& { return o.http2.fall_back_to_http1; }),
    row("retry_stale", handle, FieldForm::plain, [](auto& o) -> auto& { return o.retry_stale; }),
    row("user_agent", handle, FieldForm::plain, [](auto& o) -> auto& { return o.user_agent; }),
    row("decompress", handle, FieldForm::plain, [](auto& o) -> auto& { return o.decompress; }),
};

// A structured binding must name every member, so a setting that is added to a struct stops the build here: name it,
// and give it a row above.
template <class... Leaf>
std::integral_constant<std::size_t, sizeof...(Leaf)> leaves(const Leaf&...) {
  return {};
}

[[maybe_unused]] auto count(const TlsOptions& tls) {
  const auto& [a, b, c, d, e, f, g, h, i, j, k] = tls;
  return leaves(a, b, c, d, e, f, g, h, i, j, k);
}

[[maybe_unused]] auto count(const PoolLimits& limits) {
  const auto& [a, b, c, d, e, f, g] = limits;
  return leaves(a, b, c, d, e, f, g);
}

[[maybe_unused]] auto count(const Timeouts& timeouts) {
  const auto& [a, b, c, d, e, f, g, h, i, j] = timeouts;
  return leaves(a, b, c, d, e, f, g, h, i, j);
}

[[maybe_unused]] auto count(const ResponseLimits& limits) {
  const auto& [a, b, c, d, e] = limits;
  return leaves(a, b, c, d, e);
}

[[maybe_unused]] auto count(const Http2Options& http2) {
  const auto& [a, b, c, d, e] = http2;
  return leaves(a, b, c, d, e);
}

[[maybe_unused]] auto count_top(const Options& options) {
  const auto& [tls, protocol, proxy, proxy_tls, no_proxy, bind_address, resolve, address_guard, isolation, limits,
               timeouts, response, http2, retry_stale, user_agent, decompress] = options;
  return leaves(protocol, proxy, no_proxy, bind_address, resolve, address_guard, isolation, retry_stale, user_agent,
                decompress);
}

template <class Struct>
constexpr std::size_t leaves_of = decltype(count(std::declval<const Struct&>()))::value;

static_assert(table.size() == decltype(count_top(std::declval<const Options&>()))::value + 2 * leaves_of<TlsOptions> +
                                  leaves_of<PoolLimits> + leaves_of<Timeouts> + leaves_of<ResponseLimits> +
                                  leaves_of<Http2Options>,
              "every setting of Options has one row");

}  // namespace

std::span<const OptionField> option_fields() { return table; }

}  // namespace trunkline
