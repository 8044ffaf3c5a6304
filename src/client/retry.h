// May a request that failed be sent again by the transport itself? Pure; the table is docs/retries.md.
#pragma once

#include <cstdint>
#include <string_view>

#include <trunkline/error.hpp>

namespace trunkline {

// What is known about an attempt that failed.
struct Attempt {
  ErrorCode code = ErrorCode::connection_closed;
  bool reused = false;             // the connection had carried a request before
  bool any_byte_sent = false;      // of this request, to the kernel
  bool any_byte_received = false;  // of its response
  bool idempotent = false;         // by its method or by the caller's word
  bool replayable = false;         // its body can be sent again
  bool unprocessed = false;        // the server says that it has not touched the request: GOAWAY, REFUSED_STREAM
  bool pulled_back = false;        // it was not even sent: the server permits no more streams at present
  int retries = 0;                 // already made
  std::uint64_t connection = 0;    // HTTP/2: its id, to be avoided the next time
};

bool may_retry(const Attempt& attempt);
MaybeProcessed maybe_processed(const Attempt& attempt);
bool is_idempotent(std::string_view method);

}  // namespace trunkline
