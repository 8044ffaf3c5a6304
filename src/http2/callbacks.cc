#include "http2/callbacks.h"

#include <algorithm>
#include <limits>
#include <string>

#include "http2/callback_set.h"

namespace trunkline::http2 {

// --- receiving

int Session::Callbacks::on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
  auto& self = *static_cast<Session*>(user);
  self.block_of_ = self.find(frame->hd.stream_id);
  self.block_.begin(self.block_of_ != nullptr && self.block_of_->responded_);
  return 0;
}

int Session::Callbacks::on_header(nghttp2_session*, const nghttp2_frame*, nghttp2_rcbuf* name, nghttp2_rcbuf* value,
                                  std::uint8_t, void* user) {
  auto& self = *static_cast<Session*>(user);
  if (self.block_of_ == nullptr) return 0;
  if (self.admit(*self.block_of_, name, value)) return 0;
  return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // no more of this block; the stream is reset already
}

int Session::Callbacks::on_frame_received(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
  auto& self = *static_cast<Session*>(user);
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
      if (Stream* stream = self.find(frame->hd.stream_id)) {
        self.on_fields_complete(*stream, (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0);
      }
      break;
    case NGHTTP2_DATA:
      if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) break;
      if (Stream* stream = self.find(frame->hd.stream_id)) self.end_response(*stream);
      break;
    case NGHTTP2_RST_STREAM:
      if (Stream* stream = self.find(frame->hd.stream_id)) {
        stream->reset_by_peer_ = true;
        self.intake_.earn_answer();
      }
      break;
    case NGHTTP2_SETTINGS: {
      if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) break;
      const std::uint32_t told = nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
      const std::uint32_t limit = std::min(told, self.limits_.most_streams);
      if (self.settings_seen_ && limit == self.peer_limit_) break;
      self.settings_seen_ = true;
      self.peer_limit_ = limit;
      self.observer_.on_stream_limit(limit);
      if (static_cast<std::uint32_t>(self.open_streams()) > limit) self.pull_back_unsent();
      break;
    }
    case NGHTTP2_PING:
      if (!self.resets_.ping_out() || !self.ping_.is_answered_by(*frame)) break;
      self.freed(self.resets_.on_ping_answered());
      break;
    case NGHTTP2_GOAWAY: {
      self.goaway_seen_ = true;
      self.observer_.on_goaway(static_cast<Code>(frame->goaway.error_code), debug_of(frame->goaway));
      break;
    }
    default:
      break;
  }
  return 0;
}

int Session::Callbacks::on_invalid_frame(nghttp2_session*, const nghttp2_frame* frame, int error, void* user) {
  auto& self = *static_cast<Session*>(user);
  self.invalid_frame_ = error;
  if (Stream* stream = self.find(frame->hd.stream_id)) stream->malformed_ = true;
  return 0;
}

int Session::Callbacks::on_data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* bytes,
                                std::size_t size, void* user) {
  auto& self = *static_cast<Session*>(user);
  Stream* const stream = self.find(id);
  if (stream == nullptr || stream->reset_by_us_ || stream->malformed_) {
    self.flow_.ignored(size);  // nobody will
    return 0;
  }
  self.intake_.earn_data();
  self.resets_.on_data();
  if (!self.take_of_body(*stream, size)) {
    self.flow_.ignored(size);
    return 0;
  }
  stream->window_.unconsumed += size;
  stream->on_data(view(bytes, size));
  return 0;
}

int Session::Callbacks::on_stream_closed(nghttp2_session*, std::int32_t id, std::uint32_t code, void* user) {
  auto& self = *static_cast<Session*>(user);
  if (Stream* stream = self.find(id)) self.close(*stream, static_cast<Code>(code));
  return 0;
}

// --- sending

int Session::Callbacks::on_frame_sent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
  auto& self = *static_cast<Session*>(user);
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
      self.resets_.on_request_sent();
      if (Stream* stream = self.find(frame->hd.stream_id)) stream->sent_ = true;
      break;
    case NGHTTP2_DATA:
      self.intake_.earn_sent_data(frame->hd.length);
      break;
    case NGHTTP2_RST_STREAM:
      if (Stream* stream = self.find(frame->hd.stream_id); stream != nullptr && stream->reset_by_us_) {
        stream->reset_written_ = true;
        constexpr std::uint32_t last_id = std::numeric_limits<std::int32_t>::max();
        const std::uint32_t next_id = nghttp2_session_get_next_stream_id(session);
        self.resets_.on_written(static_cast<std::int32_t>(std::min(next_id, last_id)));
      }
      break;
    case NGHTTP2_GOAWAY:
      self.goaway_said_ = true;
      if (frame->goaway.error_code != NGHTTP2_NO_ERROR) {
        self.note_failure(static_cast<Code>(frame->goaway.error_code),
                          "the server broke HTTP/2: " + reason_of(frame->goaway, self.invalid_frame_));
      }
      break;
    default:
      break;
  }
  return 0;
}

int Session::Callbacks::on_frame_not_sent(nghttp2_session*, const nghttp2_frame* frame, int error, void* user) {
  if (frame->hd.type != NGHTTP2_HEADERS || error != NGHTTP2_ERR_FRAME_SIZE_ERROR) return 0;
  // Too large for anybody. nghttp2 would call it refused by the peer, and it would be sent again.
  if (Stream* stream = static_cast<Session*>(user)->find(frame->hd.stream_id)) stream->body_failed_ = true;
  return 0;
}

// Straight into the caller's buffer, behind the room for the frame's head, which send_data fills in at once.
ssize_t Session::Callbacks::read_body(nghttp2_session* session, std::int32_t id, std::uint8_t*, std::size_t size,
                                      std::uint32_t* flags, nghttp2_data_source* source, void* user) {
  const auto into = static_cast<Session*>(user)->outlet_.body_room(size);
  if (into.empty()) return NGHTTP2_ERR_PAUSE;
  auto& stream = *static_cast<Stream*>(source->ptr);
  const Stream::Body body = stream.read_body(into);
  if (body.kind != Stream::Body::failed) return give_body(session, id, body, flags);
  stream.body_failed_ = true;
  return give_up_body(session, id, Code::cancel);
}

int Session::Callbacks::send_data(nghttp2_session*, nghttp2_frame*, const std::uint8_t* head, std::size_t size,
                                  nghttp2_data_source*, void* user) {
  static_cast<Session*>(user)->outlet_.put_body_head(head, size);
  return 0;
}

// --- once

const nghttp2_option* Session::Callbacks::options() {
  static const nghttp2_option* const made = [] {
    nghttp2_option* const option = session_options(2 * most_request_field_bytes);
    // The pool minds the limit; until SETTINGS come it asks for one stream, or as many as the peer once permitted.
    nghttp2_option_set_peer_max_concurrent_streams(option, 1U << 30);
    return option;
  }();
  return made;
}

}  // namespace trunkline::http2
