// What nghttp2 tells a server's session, and how it asks for a body. One set for all sessions of the process.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>

#include "http2/server_session.h"

namespace trunkline::http2 {

struct ServerSession::Callbacks {
  static const nghttp2_option* options();

  static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user);
  static int on_header(nghttp2_session*, const nghttp2_frame* frame, nghttp2_rcbuf* name, nghttp2_rcbuf* value,
                       std::uint8_t flags, void* user);
  static int on_frame_received(nghttp2_session*, const nghttp2_frame* frame, void* user);
  static int on_invalid_frame(nghttp2_session*, const nghttp2_frame* frame, int error, void* user);
  static int on_data(nghttp2_session*, std::uint8_t flags, std::int32_t id, const std::uint8_t* bytes, std::size_t size,
                     void* user);
  static int on_stream_closed(nghttp2_session*, std::int32_t id, std::uint32_t code, void* user);
  static int on_frame_sent(nghttp2_session*, const nghttp2_frame* frame, void* user);
  static int on_frame_not_sent(nghttp2_session*, const nghttp2_frame* frame, int error, void* user);
  static ssize_t read_body(nghttp2_session*, std::int32_t id, std::uint8_t* out, std::size_t size, std::uint32_t* flags,
                           nghttp2_data_source* source, void* user);
  static int send_data(nghttp2_session*, nghttp2_frame* frame, const std::uint8_t* head, std::size_t size,
                       nghttp2_data_source* source, void* user);
};

}  // namespace trunkline::http2
