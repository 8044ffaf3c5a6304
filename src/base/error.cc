#include <trunkline/error.hpp>

#include <array>
#include <cstddef>
#include <utility>

#include "base/text.h"

namespace trunkline {
namespace {

struct CodeRow {
  ErrorCode code;
  std::string_view name;
  ErrorKind kind;
};

// In the order of ErrorCode; a test and the assertion below keep it so.
constexpr std::array<CodeRow, static_cast<std::size_t>(ErrorCode::last_)> codes{{
    {ErrorCode::invalid_url, "invalid_url", ErrorKind::rejected},
    {ErrorCode::invalid_request, "invalid_request", ErrorKind::rejected},
    {ErrorCode::invalid_options, "invalid_options", ErrorKind::rejected},
    {ErrorCode::unsupported, "unsupported", ErrorKind::rejected},
    {ErrorCode::queue_full, "queue_full", ErrorKind::overloaded},
    {ErrorCode::no_sockets, "no_sockets", ErrorKind::overloaded},
    {ErrorCode::no_ports, "no_ports", ErrorKind::overloaded},
    {ErrorCode::route_down, "route_down", ErrorKind::unreachable},
    {ErrorCode::resolve_failed, "resolve_failed", ErrorKind::unreachable},
    {ErrorCode::address_refused, "address_refused", ErrorKind::rejected},
    {ErrorCode::connect_failed, "connect_failed", ErrorKind::unreachable},
    {ErrorCode::proxy_failed, "proxy_failed", ErrorKind::unreachable},
    {ErrorCode::proxy_auth, "proxy_auth", ErrorKind::unreachable},
    {ErrorCode::tls_failed, "tls_failed", ErrorKind::unreachable},
    {ErrorCode::tls_untrusted, "tls_untrusted", ErrorKind::unreachable},
    {ErrorCode::connection_closed, "connection_closed", ErrorKind::disconnected},
    {ErrorCode::connection_reset, "connection_reset", ErrorKind::disconnected},
    {ErrorCode::truncated_body, "truncated_body", ErrorKind::disconnected},
    {ErrorCode::invalid_response, "invalid_response", ErrorKind::broken_peer},
    {ErrorCode::limit_exceeded, "limit_exceeded", ErrorKind::broken_peer},
    {ErrorCode::body_source_failed, "body_source_failed", ErrorKind::rejected},
    {ErrorCode::timeout_queue, "timeout_queue", ErrorKind::timed_out},
    {ErrorCode::timeout_resolve, "timeout_resolve", ErrorKind::timed_out},
    {ErrorCode::timeout_connect, "timeout_connect", ErrorKind::timed_out},
    {ErrorCode::timeout_proxy, "timeout_proxy", ErrorKind::timed_out},
    {ErrorCode::timeout_tls, "timeout_tls", ErrorKind::timed_out},
    {ErrorCode::timeout_write, "timeout_write", ErrorKind::timed_out},
    {ErrorCode::timeout_first_byte, "timeout_first_byte", ErrorKind::timed_out},
    {ErrorCode::timeout_idle_read, "timeout_idle_read", ErrorKind::timed_out},
    {ErrorCode::timeout_total, "timeout_total", ErrorKind::timed_out},
    {ErrorCode::stream_reset, "stream_reset", ErrorKind::disconnected},
    {ErrorCode::throttled, "throttled", ErrorKind::overloaded},
    {ErrorCode::http1_required, "http1_required", ErrorKind::unreachable},
    {ErrorCode::upgrade_refused, "upgrade_refused", ErrorKind::rejected},
    {ErrorCode::invalid_frame, "invalid_frame", ErrorKind::broken_peer},
    {ErrorCode::circuit_open, "circuit_open", ErrorKind::overloaded},
    {ErrorCode::limit_reached, "limit_reached", ErrorKind::overloaded},
    {ErrorCode::cancelled, "cancelled", ErrorKind::cancelled},
    {ErrorCode::transport_closed, "transport_closed", ErrorKind::cancelled},
}};

constexpr bool codes_are_in_order() {
  for (std::size_t i = 0; i < codes.size(); ++i) {
    if (static_cast<std::size_t>(codes[i].code) != i) return false;
  }
  return true;
}
static_assert(codes_are_in_order());

constexpr std::array<std::string_view, error_kind_count> kinds{
    "rejected", "overloaded", "unreachable", "disconnected", "timed_out", "broken_peer", "cancelled"};
constexpr std::array<std::string_view, 10> phases{"prepare", "queue", "resolve",    "connect", "proxy",
                                                  "tls",     "send",  "first_byte", "body",    "done"};
constexpr std::array<std::string_view, 3> answers{"no", "unknown", "yes"};

template <std::size_t N, class Enum>
std::string_view name_in(const std::array<std::string_view, N>& names, Enum value) {
  const auto index = static_cast<std::size_t>(value);
  return index < N ? names[index] : std::string_view("?");
}

}  // namespace

std::string_view to_string(ErrorKind kind) { return name_in(kinds, kind); }

std::string_view to_string(Phase phase) { return name_in(phases, phase); }

std::string_view to_string(MaybeProcessed value) { return name_in(answers, value); }

std::string_view to_string(ErrorCode code) {
  const auto index = static_cast<std::size_t>(code);
  return index < codes.size() ? codes[index].name : std::string_view("?");
}

ErrorKind kind_of(ErrorCode code) {
  const auto index = static_cast<std::size_t>(code);
  return index < codes.size() ? codes[index].kind : ErrorKind::rejected;
}

Error::Error(ErrorCode error_code, Phase error_phase, std::string text)
    : code(error_code), kind(kind_of(error_code)), phase(error_phase), message(std::move(text)) {}

std::string Error::describe() const {
  std::string line(to_string(code));
  line += " (";
  line += to_string(phase);
  line += ')';
  if (!route.empty()) {
    line += ' ';
    line += printable(route);
  }
  if (!address.empty()) {
    line += " [";
    line += printable(address);
    line += ']';
  }
  line += ": ";
  line += printable(message, 1024);  // one line, whatever the parts of a message came from
  return line;
}

}  // namespace trunkline
