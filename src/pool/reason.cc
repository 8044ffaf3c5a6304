#include <trunkline/reason.hpp>

#include <array>
#include <cstddef>

namespace trunkline {
namespace {

// In the order of the enumerations; names appear in metrics and logs, so they do not change.
constexpr std::array<std::string_view, dial_reason_count> dial_reasons{
    "first", "busy", "expired", "evicted", "peer_closed", "aged", "draining", "failed", "forced", "streams_full"};

constexpr std::array<std::string_view, dial_phase_count> dial_phases{"resolve", "connect", "proxy", "tls"};

constexpr std::array<std::string_view, reuse_miss_count> reuse_misses{
    "none",    "first_for_key", "all_busy", "idle_expired", "learned_idle",   "evicted", "peer_closed",
    "max_age", "max_requests",  "draining", "broken",       "stale_on_write", "forced",  "streams_full"};

constexpr std::array<std::string_view, close_reason_count> close_reasons{
    "peer_closed_idle", "stray_bytes",     "idle_timeout",  "learned_idle",     "max_age",
    "max_requests",     "evicted_host",    "evicted_total", "connection_close", "early_body_close",
    "request_failed",   "request_timeout", "cancelled",     "parse_error",      "upgraded",
    "invalidated",      "shutdown",        "stale_suspect", "goaway",           "streams_exhausted",
    "ping_timeout",     "protocol_error"};

template <std::size_t N>
constexpr bool complete(const std::array<std::string_view, N>& names) {
  return !names.back().empty();
}
static_assert(complete(dial_reasons) && static_cast<int>(DialReason::streams_full) == dial_reason_count - 1);
static_assert(complete(dial_phases) && static_cast<int>(DialPhase::tls) == dial_phase_count - 1);
static_assert(complete(reuse_misses) && static_cast<int>(ReuseMiss::streams_full) == reuse_miss_count - 1);
static_assert(complete(close_reasons) && static_cast<int>(CloseReason::protocol_error) == close_reason_count - 1);

template <std::size_t N, class Enum>
std::string_view name_in(const std::array<std::string_view, N>& names, Enum value) {
  const auto index = static_cast<std::size_t>(value);
  return index < N ? names[index] : std::string_view("?");
}

}  // namespace

std::string_view to_string(DialReason reason) { return name_in(dial_reasons, reason); }

std::string_view to_string(DialPhase phase) { return name_in(dial_phases, phase); }

std::string_view to_string(ReuseMiss miss) { return name_in(reuse_misses, miss); }

std::string_view to_string(CloseReason reason) { return name_in(close_reasons, reason); }

}  // namespace trunkline
