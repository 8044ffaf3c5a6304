// A response's head as nghttp2 wants it.
#pragma once

#include <nghttp2/nghttp2.h>

#include <span>

#include "http2/server_stream.h"

namespace trunkline::http2 {

// In this thread's buffer, until the next call. The values of the response's own headers are lent to nghttp2.
std::span<const nghttp2_nv> response_fields(const OutgoingResponse& response);
// All of it is copied by nghttp2.
std::span<const nghttp2_nv> interim_fields(int status, const Headers& headers);

}  // namespace trunkline::http2
