// What happened to one request: on which connection, why not on another, and how long each part took.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <trunkline/options.hpp>
#include <trunkline/reason.hpp>

namespace trunkline {

// The connection that carried a request.
struct ConnectionInfo {
  std::uint64_t id = 0;  // unique in the process; 0: none came about
  bool reused = false;
  ReuseMiss reuse_miss = ReuseMiss::none;
  DialReason dial_reason = DialReason::first;  // why it was dialled, once
  std::uint32_t requests = 0;                  // that it has carried, this one included
  std::uint32_t stream = 0;                    // HTTP/2: the id of the request's stream
  std::string address;                         // "192.0.2.1:443"
  // These two are of a few texts that live as long as the process.
  std::string_view protocol;  // "http/1.1", "h2" over TLS, "h2c" in clear
  std::string_view tls;       // "TLSv1.3 TLS_AES_256_GCM_SHA384", "... resumed"; empty in clear
};

// The time each part took. Dialling parts are zero on a reused connection.
struct RequestTimes {
  Duration queue{0};  // until a connection was granted, dialling included
  Duration resolve{0};
  Duration connect{0};
  Duration proxy{0};
  Duration tls{0};
  Duration first_byte{0};  // from the start of the request to the response's first byte
  Duration total{0};
};

struct TraceEvent {
  enum Kind : unsigned char {
    queued,         // no connection was free; detail: why
    connected,      // a connection was granted; detail: "reused" or the reason of the miss
    sent,           // the request is written
    informational,  // a 1xx; detail: the status
    first_byte,
    retry,     // sent again; detail: why
    redirect,  // detail: where to
    refused,   // by a policy, before it was sent; detail: why
    done,      // detail: status or error
  } kind = queued;
  Duration at{0};  // since the start of the request
  std::uint64_t connection = 0;
  std::string detail;
};
std::string_view to_string(TraceEvent::Kind kind);

// Called on whichever thread does the work. It must not block and must not call back into the client.
class Tracer {
 public:
  virtual ~Tracer() = default;
  virtual void on_event(const TraceEvent& event) = 0;
};

}  // namespace trunkline
