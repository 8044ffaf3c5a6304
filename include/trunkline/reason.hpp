// Closed sets: why a connection was dialled, where a dial failed, why an idle one was not reused, why one was closed.
#pragma once

#include <string_view>

namespace trunkline {

// Why the pool dialled although it would rather not have.
enum class DialReason : unsigned char {
  first,         // nothing was open to this key yet
  busy,          // all that are open carry requests
  expired,       // the last idle one had been idle too long
  evicted,       // the last idle one went because of an idle limit
  peer_closed,   // the peer closed what was idle
  aged,          // the last one was too old or had carried its share of requests
  draining,      // the last one was being closed on the peer's or the caller's word
  failed,        // the last one broke
  forced,        // the request asked for a connection of its own
  streams_full,  // all that are open carry as many requests as the peer permits
};
inline constexpr int dial_reason_count = 10;

// How far a dial came that led to no connection. `connect` includes what the machine had no socket or port for.
enum class DialPhase : unsigned char { resolve, connect, proxy, tls };
inline constexpr int dial_phase_count = 4;

// Why this request did not find a connection to reuse.
enum class ReuseMiss : unsigned char {
  none,  // it was reused
  first_for_key,
  all_busy,
  idle_expired,
  learned_idle,  // idle for longer than this server is known to keep connections
  evicted,
  peer_closed,
  max_age,
  max_requests,
  draining,        // Connection: close, an early end, or invalidated
  broken,          // an error ended the last one
  stale_on_write,  // an idle connection died under this very request, which is sent again
  forced,
  streams_full,  // HTTP/2: the peer permitted no more requests at once
};
inline constexpr int reuse_miss_count = 14;

enum class CloseReason : unsigned char {
  peer_closed_idle,  // FIN, RST or close_notify while idle
  stray_bytes,       // the peer spoke while idle
  idle_timeout,
  learned_idle,
  max_age,
  max_requests,
  evicted_host,      // more idle than idle_per_host
  evicted_total,     // more idle than idle_total, or the machine needed the socket
  connection_close,  // either side said Connection: close, or the body ran to the close
  early_body_close,  // the caller dropped a body that was too long to drain
  request_failed,    // an I/O error under a request
  request_timeout,
  cancelled,
  parse_error,
  upgraded,  // handed over, then closed by its new owner
  invalidated,
  shutdown,           // its transport or the process ended
  stale_suspect,      // as old as one that turned out dead
  goaway,             // HTTP/2: the peer asked for it
  streams_exhausted,  // HTTP/2: every stream id is used up
  ping_timeout,       // HTTP/2: the peer did not answer a PING
  protocol_error,     // HTTP/2: the peer broke the protocol
};
inline constexpr int close_reason_count = 22;

std::string_view to_string(DialReason reason);
std::string_view to_string(DialPhase phase);
std::string_view to_string(ReuseMiss miss);
std::string_view to_string(CloseReason reason);

}  // namespace trunkline
