#include "client/advice.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

#include "base/number_text.h"
#include "base/text.h"

namespace trunkline {
namespace {

// Fewer are the ordinary life of a pool: a deploy, a time-out, a connection that was tried once.
constexpr std::uint64_t few = 3;

// "5.0 s"
std::string in_seconds(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), value < 1 ? "%.2f s" : "%.1f s", std::min(value, 1e9));
  return text.data();
}

class Adviser {
 public:
  Adviser(const RouteStats& route, const AdviceContext& context)
      : route_(route), counters_(route.counters), context_(context), limits_(context.limits) {}

  // What keeps requests from being made at all comes before what makes them dear.
  std::string advise() const {
    for (const auto part : {&Adviser::failed_dials, &Adviser::refused, &Adviser::dearest_dials, &Adviser::waiting}) {
      std::string sentence = (this->*part)();
      if (!sentence.empty()) return sentence;
    }
    return {};
  }

 private:
  std::uint64_t closed(CloseReason reason) const {
    return counters_.closed_by_reason[static_cast<std::size_t>(reason)];
  }
  std::uint64_t missed(ReuseMiss miss) const { return counters_.misses[static_cast<std::size_t>(miss)]; }

  std::string failed_dials() const {
    const std::uint64_t failed = counters_.dials_failed;
    const Error* error = context_.last_dial_error;
    if (failed == 0) return {};
    if (error != nullptr && error->code == ErrorCode::no_ports) {
      return "no local port was left for this destination: reuse connections (see the reasons of its dials), set "
             "bind_address to another local address, or widen net.ipv4.ip_local_port_range";
    }
    if (error != nullptr && error->code == ErrorCode::no_sockets) {
      std::string sentence = "the process ran out of sockets";
      if (context_.sockets_limit > 0) {
        sentence += " (" + number(static_cast<std::uint64_t>(std::max<std::int64_t>(context_.sockets_open, 0))) +
                    " open, limit " + number(static_cast<std::uint64_t>(context_.sockets_limit)) + ")";
      }
      return sentence + ": raise its limit of open files (ulimit -n), or lower limits.idle_total";
    }
    if (failed < few || failed * 10 < counters_.dials_started) return {};
    std::string sentence = number(failed) + " of " + number(counters_.dials_started, "dial") + " failed";
    if (error == nullptr) return sentence + ": see whether the server is up and its name and port are right";
    sentence += ", the last one with " + std::string(to_string(error->code)) + " (" + printable(error->message) + ")";
    return sentence + remedy(error->code);
  }

  static std::string remedy(ErrorCode code) {
    switch (code) {
      case ErrorCode::tls_untrusted:
        return ": trust the server's authority with tls.ca_file, or ask for the name that its certificate holds";
      case ErrorCode::resolve_failed:
      case ErrorCode::timeout_resolve:
        return ": see whether the name is right and the resolver answers";
      case ErrorCode::address_refused:
        return ": permit its address in the options' address guard, if it is meant to be reached";
      case ErrorCode::proxy_auth:
        return ": put the right user and password into the proxy's URL";
      case ErrorCode::proxy_failed:
      case ErrorCode::timeout_proxy:
        return ": see whether the proxy lets this destination through, and with which credentials";
      case ErrorCode::timeout_connect:
        return ": see whether a firewall drops it, or the server's accept queue is full";
      default:
        return ": see whether the server is up and its port is right";
    }
  }

  std::string refused() const {
    if (counters_.queue_rejected == 0) return {};
    return number(counters_.queue_rejected, "request") + " found the queue full: raise limits.open_per_host (" +
           number(static_cast<std::uint64_t>(std::max(limits_.open_per_host, 0))) + ") or limits.queue_per_host (" +
           number(static_cast<std::uint64_t>(std::max(limits_.queue_per_host, 0))) + "), or send less at a time";
  }

  struct Cost {
    std::uint64_t count = 0;  // connections that were lost to this
    std::string (Adviser::*sentence)() const = nullptr;
  };

  // Why connections are lost that could have carried the next request: the cause that costs most of them, if it costs
  // one request in ten.
  std::string dearest_dials() const {
    const std::array<Cost, 7> costs{{
        {closed(CloseReason::peer_closed_idle) + closed(CloseReason::learned_idle), &Adviser::short_keep_alive},
        {closed(CloseReason::evicted_host), &Adviser::few_idle_per_host},
        {closed(CloseReason::evicted_total), &Adviser::few_idle_in_all},
        {missed(ReuseMiss::idle_expired), &Adviser::short_idle_timeout},
        {closed(CloseReason::connection_close), &Adviser::no_keep_alive},
        {closed(CloseReason::early_body_close), &Adviser::dropped_bodies},
        {closed(CloseReason::request_timeout) + closed(CloseReason::cancelled), &Adviser::cut_off},
    }};
    const auto dearest =
        std::max_element(costs.begin(), costs.end(), [](const Cost& a, const Cost& b) { return a.count < b.count; });
    if (dearest->count < few || dearest->count * 10 < counters_.granted) return {};
    return (this->*dearest->sentence)();
  }

  std::string short_keep_alive() const {
    const std::uint64_t by_peer = closed(CloseReason::peer_closed_idle);
    const std::uint64_t by_us = closed(CloseReason::learned_idle);
    const double limit = route_.learned_idle_seconds > 0 ? route_.learned_idle_seconds : route_.hinted_idle_seconds;
    const std::string after = limit > 0 ? " after about " + in_seconds(limit) : "";
    // Once the limit is known we close first: the server would do so a moment later.
    std::string sentence = by_peer > 0 ? "the server closed " + number(by_peer, "idle connection") + after
                                       : "the server closes idle connections" + after;
    if (by_us > 0)
      sentence += ", and " + number(by_us) + (by_peer > 0 ? " more were" : " were") + " given up just before that";
    return sentence + ": send requests more often than that, raise its keep-alive, or accept one dial per request";
  }

  std::string few_idle_per_host() const {
    return number(closed(CloseReason::evicted_host), "connection") + " were closed because more than " +
           number(static_cast<std::uint64_t>(std::max(limits_.idle_per_host, 0))) +
           " were idle: raise limits.idle_per_host";
  }

  std::string few_idle_in_all() const {
    return number(closed(CloseReason::evicted_total), "connection") + " were closed because more than " +
           number(static_cast<std::uint64_t>(std::max(limits_.idle_total, 0))) +
           " were idle over all hosts, or the process needed their sockets: raise limits.idle_total, or the limit of "
           "open files (ulimit -n)";
  }

  std::string short_idle_timeout() const {
    return number(missed(ReuseMiss::idle_expired), "request") +
           " came after their connection had been idle for more than " + print_duration(limits_.idle_timeout) +
           ": raise limits.idle_timeout above the time between requests";
  }

  std::string no_keep_alive() const {
    return number(closed(CloseReason::connection_close), "connection") +
           " ended with Connection: close or with the body: turn on keep-alive at the server, and do not send "
           "Connection: close";
  }

  std::string dropped_bodies() const {
    return number(closed(CloseReason::early_body_close), "connection") +
           " were closed because the response's body was dropped unread: read bodies to their end, or ask for less";
  }

  std::string cut_off() const {
    return number(closed(CloseReason::request_timeout) + closed(CloseReason::cancelled), "connection") +
           " were closed under requests that timed out or were cancelled: raise timeouts.first_byte or "
           "timeouts.total, or look at why the server is slow";
  }

  std::string waiting() const {
    const auto busy = counters_.active + counters_.upgraded;
    if (counters_.waiting == 0 || limits_.open_per_host <= 0 || busy < limits_.open_per_host) return {};
    if (counters_.shared_open > 0) {
      return number(static_cast<std::uint64_t>(counters_.waiting), "request") + " wait while all " +
             number(static_cast<std::uint64_t>(limits_.open_per_host)) +
             " connections carry as many as the server permits: raise its limit of concurrent streams, or "
             "limits.open_per_host, or look at why the server is slow";
    }
    return number(static_cast<std::uint64_t>(counters_.waiting), "request") + " wait while all " +
           number(static_cast<std::uint64_t>(limits_.open_per_host)) +
           " connections are busy: raise limits.open_per_host, or look at why the server is slow";
  }

  const RouteStats& route_;
  const PoolCounters& counters_;
  const AdviceContext& context_;
  const PoolLimits& limits_;
};

}  // namespace

std::string advice(const RouteStats& route, const AdviceContext& context) { return Adviser(route, context).advise(); }

}  // namespace trunkline
