#include "services/scrape/target_report.h"

#include <array>

#include <trunkline/headers.hpp>

#include "base/characters.h"
#include "base/text.h"

namespace trunkline::scrape {

std::string_view to_string(Outcome outcome) {
  constexpr std::array<std::string_view, outcome_count> names = {
      "ok",          "not_asked", "no_answer_yet", "unreachable", "disconnected",  "timed_out", "refused",
      "not_metrics", "malformed", "truncated",     "too_large",   "misconfigured", "cancelled"};
  return names[static_cast<std::size_t>(outcome)];
}

Outcome outcome_of(const Error& error) {
  if (error.code == ErrorCode::limit_exceeded) return Outcome::too_large;
  if (error.code == ErrorCode::truncated_body) return Outcome::truncated;
  switch (error.kind) {
    case ErrorKind::rejected:
      return Outcome::misconfigured;
    case ErrorKind::overloaded:
      return Outcome::unreachable;
    case ErrorKind::unreachable:
      return Outcome::unreachable;
    case ErrorKind::disconnected:
      return Outcome::disconnected;
    case ErrorKind::timed_out:
      return Outcome::timed_out;
    case ErrorKind::broken_peer:
      return Outcome::malformed;
    case ErrorKind::cancelled:
      return Outcome::cancelled;
  }
  return Outcome::malformed;
}

Ending ending_of(Outcome outcome, int status) {
  switch (outcome) {
    case Outcome::ok:
      return Ending::answered;
    case Outcome::unreachable:
    case Outcome::disconnected:
    case Outcome::timed_out:
    case Outcome::truncated:
      return Ending::failed;
    case Outcome::refused:
      return status >= 500 ? Ending::failed : Ending::hopeless;
    default:
      return Ending::hopeless;
  }
}

ConnectionWords connection_words(const TargetReport& report) {
  if (!report.connected) return {};
  if (report.warmed) return {"warmed", to_string(report.dial_reason)};
  if (report.retries == 0 && report.reused) return {"reused", ""};
  const bool no_miss = report.miss == ReuseMiss::none || report.miss == ReuseMiss::first_for_key;
  return {report.retries > 0 ? "retried" : "new", no_miss ? to_string(report.dial_reason) : to_string(report.miss)};
}

std::string connection_text(const TargetReport& report) {
  const ConnectionWords words = connection_words(report);
  if (words.reason.empty()) return std::string(words.kind);
  return std::string(words.kind) + " (" + std::string(words.reason) + ")";
}

std::string_view to_string(IdleTrouble trouble) {
  switch (trouble) {
    case IdleTrouble::none:
      return "none";
    case IdleTrouble::server_says_shorter:
      return "server_says_shorter";
    case IdleTrouble::server_closes:
      return "server_closes";
  }
  return "none";
}

IdleTrouble idle_trouble(const TargetReport& report, Duration interval) {
  if (!report.connected) return IdleTrouble::none;
  if (report.keep_alive && *report.keep_alive <= interval) return IdleTrouble::server_says_shorter;
  const bool died =
      report.miss == ReuseMiss::peer_closed || report.miss == ReuseMiss::learned_idle ||
      report.miss == ReuseMiss::stale_on_write || report.retries > 0 ||
      (report.warmed && (report.dial_reason == DialReason::peer_closed || report.dial_reason == DialReason::expired));
  return died ? IdleTrouble::server_closes : IdleTrouble::none;
}

std::string advice(IdleTrouble trouble, const TargetReport& report, Duration interval) {
  const std::string cycle = print_duration(interval);
  const std::string unless_warmed =
      report.warmed ? ", as it does now ahead of time" : " and waits for it, unless its job has prewarm";
  if (trouble == IdleTrouble::server_says_shorter) {
    return "the server keeps idle connections for " + print_duration(*report.keep_alive) + " only, the interval is " +
           cycle +
           ": raise its keep-alive timeout above the interval (uvicorn: --timeout-keep-alive), or each scrape dials" +
           unless_warmed;
  }
  if (trouble == IdleTrouble::server_closes) {
    return "the server closed the connection before the next scrape, " + cycle +
           " later: raise its keep-alive timeout above the interval (uvicorn: --timeout-keep-alive), or each scrape "
           "dials" +
           unless_warmed;
  }
  return "";
}

std::optional<Duration> keep_alive_timeout(std::string_view field) {
  std::string_view element;
  while (next_element(field, element)) {
    const std::size_t equals = element.find('=');
    if (equals == std::string_view::npos || !equals_ignore_case(element.substr(0, equals), "timeout")) continue;
    std::uint64_t value = 0;
    constexpr std::uint64_t longest = 86'400;
    if (!parse_decimal(element.substr(equals + 1), value) || value > longest) return std::nullopt;
    return std::chrono::seconds(value);
  }
  return std::nullopt;
}

}  // namespace trunkline::scrape
