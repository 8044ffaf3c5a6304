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
  int retries = 0;                 // already made
};

bool may_retry(const Attempt& attempt);
MaybeProcessed maybe_processed(const Attempt& attempt);
bool is_idempotent(std::string_view method);

}  // namespace trunkline
