#include "http2/server_callbacks.h"

#include <algorithm>
#include <string>

#include "http2/callback_set.h"

namespace trunkline::http2 {

namespace {

constexpr std::size_t most_response_field_bytes = 1024 * 1024;

}  // namespace

// --- receiving

int ServerSession::Callbacks::on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
  static_cast<ServerSession*>(user)->begin_block(frame->hd.stream_id, frame->headers.cat == NGHTTP2_HCAT_REQUEST);
  return 0;
}

int ServerSession::Callbacks::on_header(nghttp2_session*, const nghttp2_frame*, nghttp2_rcbuf* name,
                                        nghttp2_rcbuf* value, std::uint8_t, void* user) {
  static_cast<ServerSession*>(user)->add_field(name, value);
  return 0;
}

int ServerSession::Callbacks::on_frame_received(nghttp2_session*, const nghttp2_frame* frame, void* user) {
  auto& self = *static_cast<ServerSession*>(user);
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
      self.on_block_complete(frame->hd.stream_id, (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0);
      break;
    case NGHTTP2_DATA:
      if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) break;
      if (ServerStream* stream = self.find(frame->hd.stream_id)) self.end_request(*stream);
      break;
    case NGHTTP2_RST_STREAM:
      if (ServerStream* stream = self.find(frame->hd.stream_id)) {
        stream->reset_by_peer_ = true;
        if (!stream->response_done_) self.count_reset();
      }
      break;
    case NGHTTP2_SETTINGS:
      if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) self.settings_acknowledged_ = true;
      break;
    case NGHTTP2_PING:
      if (self.ping_.is_answered_by(*frame)) self.ping_out_ = false;
      break;
    case NGHTTP2_GOAWAY: {
      self.goaway_seen_ = true;
      self.observer_.on_goaway(static_cast<Code>(frame->goaway.error_code), debug_of(frame->goaway));
      break;
    }
    default:
      break;
  }
  return self.failed_ ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

// nghttp2 answers with RST_STREAM or, where the connection is broken, with GOAWAY.
int ServerSession::Callbacks::on_invalid_frame(nghttp2_session*, const nghttp2_frame* frame, int error, void* user) {
  auto& self = *static_cast<ServerSession*>(user);
  self.invalid_frame_ = error;
  if (frame->hd.stream_id == 0) return 0;
  if (ServerStream* stream = self.find(frame->hd.stream_id)) stream->malformed_ = true;
  self.count_reset();
  return self.failed_ ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

int ServerSession::Callbacks::on_data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* bytes,
                                      std::size_t size, void* user) {
  auto& self = *static_cast<ServerSession*>(user);
  ServerStream* const stream = self.find(id);
  if (stream == nullptr || stream->reset_by_us_ || stream->malformed_) {
    self.flow_.ignored(size);  // nobody will
    return 0;
  }
  self.intake_.earn_data();
  if (!self.take_of_body(*stream, size)) {
    self.flow_.ignored(size);
    return self.failed_ ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
  }
  stream->window_.unconsumed += size;
  stream->on_data(view(bytes, size));
  return 0;
}

int ServerSession::Callbacks::on_stream_closed(nghttp2_session*, std::int32_t id, std::uint32_t code, void* user) {
  auto& self = *static_cast<ServerSession*>(user);
  if (ServerStream* stream = self.find(id)) self.close(*stream, static_cast<Code>(code));
  return 0;
}

// --- sending

int ServerSession::Callbacks::on_frame_sent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
  auto& self = *static_cast<ServerSession*>(user);
  const bool is_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
      if (ServerStream* stream = self.find(frame->hd.stream_id)) {
        if (stream->interims_ > 0) {
          --stream->interims_;
        } else {
          stream->head_sent_ = true;
          stream->response_done_ = is_end;
        }
      } else if (is_end && nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) == 0) {
        self.refuse(frame->hd.stream_id, Code::no_error);  // it was too large; nobody will read the rest
      }
      break;
    case NGHTTP2_DATA:
      self.intake_.earn_sent_data(frame->hd.length);
      if (ServerStream* stream = is_end ? self.find(frame->hd.stream_id) : nullptr) stream->response_done_ = true;
      break;
    case NGHTTP2_RST_STREAM: {
      // By nghttp2 itself, of what it has told nobody: a window that was not kept.
      ServerStream* const stream = self.find(frame->hd.stream_id);
      if (stream == nullptr || stream->reset_by_us_ || stream->body_failed_ || stream->malformed_) break;
      stream->malformed_ = true;
      self.count_reset();
      break;
    }
    case NGHTTP2_GOAWAY:
      if (frame->goaway.error_code != NGHTTP2_NO_ERROR) {
        self.note_failure(static_cast<Code>(frame->goaway.error_code),
                          "the client broke HTTP/2: " + reason_of(frame->goaway, self.invalid_frame_));
      }
      break;
    default:
      break;
  }
  return 0;
}

// Too large for anybody, or too late.
int ServerSession::Callbacks::on_frame_not_sent(nghttp2_session* session, const nghttp2_frame* frame, int error,
                                                void* user) {
  if (frame->hd.type != NGHTTP2_HEADERS || error != NGHTTP2_ERR_FRAME_SIZE_ERROR) return 0;
  if (ServerStream* stream = static_cast<ServerSession*>(user)->find(frame->hd.stream_id)) {
    stream->body_failed_ = true;
    nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_INTERNAL_ERROR);
  }
  return 0;
}

// Straight into the caller's buffer, behind the room for the frame's head, which send_data fills in at once.
ssize_t ServerSession::Callbacks::read_body(nghttp2_session* session, std::int32_t id, std::uint8_t*, std::size_t size,
                                            std::uint32_t* flags, nghttp2_data_source* source, void* user) {
  auto& self = *static_cast<ServerSession*>(user);
  const auto into = self.outlet_.body_room(size);
  if (into.empty()) return NGHTTP2_ERR_PAUSE;
  auto& stream = *static_cast<ServerStream*>(source->ptr);
  self.streams_.expect(stream);
  const ServerStream::Body body = stream.read_body(into);
  if (body.kind != ServerStream::Body::failed) return give_body(session, id, body, flags);
  stream.body_failed_ = true;
  return give_up_body(session, id, Code::internal_error);
}

int ServerSession::Callbacks::send_data(nghttp2_session*, nghttp2_frame*, const std::uint8_t* head, std::size_t size,
                                        nghttp2_data_source*, void* user) {
  static_cast<ServerSession*>(user)->outlet_.put_body_head(head, size);
  return 0;
}

// --- once

const nghttp2_option* ServerSession::Callbacks::options() {
  static const nghttp2_option* const made = [] {
    nghttp2_option* const option = session_options(most_response_field_bytes);
    nghttp2_option_set_no_closed_streams(option, 1);  // kept for a tree of priorities that we do not have
    // ServerLimits::resets counts these, by our clock.
    constexpr std::uint64_t unbounded = 1ULL << 40;
    nghttp2_option_set_stream_reset_rate_limit(option, unbounded, unbounded);
    return option;
  }();
  return made;
}

}  // namespace trunkline::http2
