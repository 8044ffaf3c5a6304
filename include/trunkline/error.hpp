// What went wrong, as a value. `kind` says what to do next; the other fields say what happened and where.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace trunkline {

// What the caller does next. A response of any status is never an error.
enum class ErrorKind : unsigned char {
  rejected,      // the request or the options are wrong: fix them, never retry
  overloaded,    // a limit of ours or of the machine: later, with back-off
  unreachable,   // no connection came about (resolve, connect, proxy, TLS): another route or address
  disconnected,  // an established connection broke: again, if `maybe_processed` is `no` or the request is idempotent
  timed_out,     // a time limit passed; `phase` says which
  broken_peer,   // the peer broke the protocol: report it
  cancelled,     // we stopped it
};
inline constexpr int error_kind_count = 7;

// Where in the life of a request it happened.
enum class Phase : unsigned char { prepare, queue, resolve, connect, proxy, tls, send, first_byte, body, done };

// Whether the server may have acted on the request.
enum class MaybeProcessed : unsigned char { no, unknown, yes };

// The closed set of causes, for programs; `message` is the same for people.
enum class ErrorCode : unsigned char {
  invalid_url,
  invalid_request,
  invalid_options,
  unsupported,  // a protocol or proxy kind that this version does not speak
  queue_full,   // the bounded queue of the route has no room
  no_sockets,   // the process's socket budget or file descriptors are used up
  no_ports,     // no ephemeral port is left for this destination (EADDRNOTAVAIL)
  route_down,   // several dials in a row failed; dials are paused for a moment
  resolve_failed,
  address_refused,  // by the options' own address guard
  connect_failed,
  proxy_failed,       // it opened no tunnel, or broke its protocol
  proxy_auth,         // the proxy wants credentials, or refused those that it got
  tls_failed,         // handshake failed
  tls_untrusted,      // the certificate was not accepted
  connection_closed,  // the peer closed before the response was complete
  connection_reset,
  truncated_body,      // the response ended before its declared end, or TLS ended without close_notify
  invalid_response,    // the peer's bytes are not HTTP
  limit_exceeded,      // headers, informational responses or the body exceed a configured bound
  body_source_failed,  // the caller's request body reported a failure
  timeout_queue,
  timeout_resolve,
  timeout_connect,
  timeout_proxy,
  timeout_tls,
  timeout_write,
  timeout_first_byte,
  timeout_idle_read,
  timeout_total,
  stream_reset,     // HTTP/2: the server ended this request's stream; others on the connection go on
  throttled,        // HTTP/2: the server asked for calm
  http1_required,   // HTTP/2: the server wants this request over HTTP/1.1, which the options do not allow
  upgrade_refused,  // the server answered with a response instead of switching to the protocol asked for
  invalid_frame,    // the peer broke the WebSocket protocol
  circuit_open,     // a circuit breaker's word: the last requests to this origin failed
  limit_reached,    // a policy's: as many requests to this origin are under way as it permits
  cancelled,
  transport_closed,  // the transport was shut down
  last_,             // the number of codes
};

std::string_view to_string(ErrorKind kind);
std::string_view to_string(Phase phase);
std::string_view to_string(MaybeProcessed value);
std::string_view to_string(ErrorCode code);
ErrorKind kind_of(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::invalid_request;
  ErrorKind kind = ErrorKind::rejected;
  Phase phase = Phase::prepare;
  MaybeProcessed maybe_processed = MaybeProcessed::no;
  std::string message;                  // a sentence a person can act on; never holds a secret
  std::string route;                    // "http://host:port", empty before the URL was understood
  std::string address;                  // the address tried, empty when none was
  std::chrono::nanoseconds elapsed{0};  // from the start of the request to the failure

  Error() = default;
  Error(ErrorCode code, Phase phase, std::string message);

  // One line: code, phase, route, address, sentence.
  std::string describe() const;
};

}  // namespace trunkline
