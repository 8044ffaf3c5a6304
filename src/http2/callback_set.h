// What both sides of a connection tell nghttp2 in the same way, and read from what it tells them.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <string>

#include "http2/stream.h"

namespace trunkline::http2 {

// One set for all sessions of a kind: the static functions of `Callbacks`.
template <class Callbacks>
const nghttp2_session_callbacks* callback_set() {
  static const nghttp2_session_callbacks* const made = [] {
    nghttp2_session_callbacks* set = nullptr;
    if (nghttp2_session_callbacks_new(&set) != 0) throw std::bad_alloc();
    nghttp2_session_callbacks_set_on_begin_headers_callback(set, Callbacks::on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(set, Callbacks::on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(set, Callbacks::on_frame_received);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(set, Callbacks::on_invalid_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(set, Callbacks::on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(set, Callbacks::on_stream_closed);
    nghttp2_session_callbacks_set_on_frame_send_callback(set, Callbacks::on_frame_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(set, Callbacks::on_frame_not_sent);
    nghttp2_session_callbacks_set_send_data_callback(set, Callbacks::send_data);
    return set;
  }();
  return made;
}

// What both sides leave to themselves and not to nghttp2. To be kept for ever.
nghttp2_option* session_options(std::size_t most_sent_field_bytes);

// Tells nghttp2 of the part of a body that a stream has written (Outlet::body_room), unless it has failed.
ssize_t give_body(nghttp2_session* session, std::int32_t id, const Stream::Body& body, std::uint32_t* flags);
// No more of it comes: the stream is reset.
ssize_t give_up_body(nghttp2_session* session, std::int32_t id, Code code);

// What a GOAWAY that came says for people; printable.
std::string debug_of(const nghttp2_goaway& goaway);
// Why nghttp2 sends one. `invalid_frame`: its number for what was wrong with the last frame that it refused, or 0.
std::string reason_of(const nghttp2_goaway& goaway, int invalid_frame);

}  // namespace trunkline::http2
