#include "http2/callbacks.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>
#include <string>

#include "base/text.h"
#include "http2/request_fields.h"

namespace trunkline::http2 {

namespace {

constexpr std::size_t shown_debug_bytes = 200;
// What progress earns. A response may come with a PING and window updates; an upload is answered with window updates,
// by some servers two for each 4 KiB.
constexpr std::int64_t progress_gain = 4;
constexpr std::size_t upload_bytes_per_token = 1024;
constexpr std::size_t least_slice = 1024;  // of a body, before the buffer is called full
// Answers to PING and SETTINGS that wait because the peer does not read.
constexpr std::size_t most_queued_answers = 1000;

}  // namespace

// --- receiving

int Session::Callbacks::on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
  auto& self = *static_cast<Session*>(user);
  self.block_of_ = self.find(frame->hd.stream_id);
  self.block_.begin(self.block_of_ != nullptr && self.block_of_->responded_);
  return 0;
}

int Session::Callbacks::on_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name,
                                  std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                                  std::uint8_t, void* user) {
  auto& self = *static_cast<Session*>(user);
  if (self.block_of_ == nullptr) return 0;
  if (self.admit(*self.block_of_, view(name, name_size), view(value, value_size))) return 0;
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
        self.bucket_.earn(1);  // an answer, if not the one we wanted
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
      if (static_cast<std::uint32_t>(self.open_) > limit) self.pull_back_unsent();
      break;
    }
    case NGHTTP2_PING:
      if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0 || !self.resets_.ping_out()) break;
      if (std::memcmp(frame->ping.opaque_data, &self.ping_number_, sizeof self.ping_number_) != 0) break;
      self.freed(self.resets_.on_ping_answered());
      break;
    case NGHTTP2_GOAWAY: {
      self.goaway_seen_ = true;
      const std::string_view debug = view(frame->goaway.opaque_data, frame->goaway.opaque_data_len);
      self.observer_.on_goaway(static_cast<Code>(frame->goaway.error_code), printable(debug, shown_debug_bytes));
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
    self.owe(size);  // nobody will
    return 0;
  }
  self.bucket_.earn(progress_gain);
  self.resets_.on_data();
  if (!self.take_of_body(*stream, size)) {
    self.owe(size);
    return 0;
  }
  stream->unconsumed_ += size;
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
      self.bucket_.earn(1 + static_cast<std::int64_t>(frame->hd.length / upload_bytes_per_token));
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
        std::string why(view(frame->goaway.opaque_data, frame->goaway.opaque_data_len));
        if (why.empty() && self.invalid_frame_ != 0) why = nghttp2_strerror(self.invalid_frame_);
        const auto code = static_cast<Code>(frame->goaway.error_code);
        if (why.empty()) why = to_string(code);
        self.note_failure(code, "the server broke HTTP/2: " + why);
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
  auto& self = *static_cast<Session*>(user);
  if (self.room_.size() < frame_head_size + least_slice) return NGHTTP2_ERR_PAUSE;
  auto& stream = *static_cast<Stream*>(source->ptr);
  const auto into = self.room_.subspan(frame_head_size, std::min(size, self.room_.size() - frame_head_size));
  const Stream::Body body = stream.read_body(into);
  switch (body.kind) {
    case Stream::Body::later:
      return NGHTTP2_ERR_DEFERRED;
    case Stream::Body::failed:
      stream.body_failed_ = true;
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
      return NGHTTP2_ERR_DEFERRED;
    case Stream::Body::bytes:
      break;
  }
  if (body.size == 0 && !body.end) return NGHTTP2_ERR_DEFERRED;
  if (body.size > 0) *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (body.end) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (body.trailers != nullptr && !body.trailers->empty()) {
      const auto fields = trailer_fields(*body.trailers);
      if (nghttp2_submit_trailer(session, id, fields.data(), fields.size()) == 0) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      }
    }
  }
  return static_cast<ssize_t>(body.size);
}

int Session::Callbacks::send_data(nghttp2_session*, nghttp2_frame*, const std::uint8_t* head, std::size_t size,
                                  nghttp2_data_source*, void* user) {
  auto& room = static_cast<Session*>(user)->room_;
  std::memcpy(room.data(), head, frame_head_size);
  room = room.subspan(frame_head_size + size);
  return 0;
}

// --- shared

const nghttp2_session_callbacks* Session::Callbacks::all() {
  static const nghttp2_session_callbacks* const made = [] {
    nghttp2_session_callbacks* callbacks = nullptr;
    if (nghttp2_session_callbacks_new(&callbacks) != 0) throw std::bad_alloc();
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_received);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_closed);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_sent);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);
    return callbacks;
  }();
  return made;
}

const nghttp2_option* Session::Callbacks::options() {
  static const nghttp2_option* const made = [] {
    nghttp2_option* option = nullptr;
    if (nghttp2_option_new(&option) != 0) throw std::bad_alloc();
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_http_messaging(option, 1);  // FieldBlock and Session look at what it would
    // The pool minds the limit; until SETTINGS come it asks for one stream, or as many as the peer once permitted.
    nghttp2_option_set_peer_max_concurrent_streams(option, 1U << 30);
    nghttp2_option_set_max_send_header_block_length(option, 2 * most_request_field_bytes);
    nghttp2_option_set_max_outbound_ack(option, most_queued_answers);
    return option;
  }();
  return made;
}

}  // namespace trunkline::http2
