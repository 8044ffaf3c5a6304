// A request's head as nghttp2 wants it.
#pragma once

#include <nghttp2/nghttp2.h>

#include <span>

#include "http2/request.h"

namespace trunkline::http2 {

// In this thread's buffer, until the next call.
std::span<const nghttp2_nv> request_fields(const RequestHead& head);
std::span<const nghttp2_nv> trailer_fields(const Headers& trailers);

}  // namespace trunkline::http2
