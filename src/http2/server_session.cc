#include "http2/server_session.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <new>
#include <utility>

#include "http2/callbacks.h"
#include "http2/memory.h"
#include "http2/response_fields.h"
#include "http2/server_callbacks.h"

namespace trunkline::http2 {

namespace {

constexpr std::size_t credit_step = 16 * 1024;  // less than that is not told to nghttp2 at once
constexpr std::uint32_t least_window = 65'535;  // of a connection: HTTP/2 has no way to say less

}  // namespace

ServerSession::ServerSession(const ServerLimits& limits, Observer& observer)
    : limits_(limits),
      observer_(observer),
      bucket_(limits.idle_frames, limits.idle_frames_per_second),
      resets_(limits.resets, limits.resets_per_second) {
  if (nghttp2_session_server_new3(&session_, Callbacks::all(), this, Callbacks::options(), recycled_memory()) != 0) {
    throw std::bad_alloc();
  }
  const std::array<nghttp2_settings_entry, 4> settings{
      {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits_.streams},
       {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, std::min(limits_.stream_window, limits_.first_window)},
       {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
        static_cast<std::uint32_t>(std::min<std::size_t>(limits_.header_bytes, 0xFFFFFFFF))},
       // The tree of RFC 7540 costs us more than it is worth to anybody (RFC 9113 section 5.3).
       {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1}}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  // Whole from the start: streams that nobody reads would otherwise stop the others, who alone could make it grow.
  const std::uint32_t whole = std::max(least_window, limits_.connection_window);
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, static_cast<std::int32_t>(whole));
}

ServerSession::~ServerSession() { nghttp2_session_del(session_); }

ServerStream* ServerSession::find(std::int32_t id) {
  if (found_ != nullptr && found_->id_ == id) return found_;
  auto* const stream = static_cast<ServerStream*>(nghttp2_session_get_stream_user_data(session_, id));
  if (stream != nullptr) found_ = stream;
  return stream;
}

void ServerSession::forget(ServerStream& stream) {
  (stream.previous_ != nullptr ? stream.previous_->next_ : streams_) = stream.next_;
  if (stream.next_ != nullptr) stream.next_->previous_ = stream.previous_;
  stream.previous_ = stream.next_ = nullptr;
  stream.open_ = false;
  if (found_ == &stream) found_ = nullptr;
  --open_;
}

// --- sending

bool ServerSession::wants_write() const {
  if (!early_.empty() || !unsent_.empty()) return true;
  return !failed_ && nghttp2_session_want_write(session_) != 0;
}

std::size_t ServerSession::produce(std::span<char> buffer) {
  room_ = buffer;
  send_early();
  while (!room_.empty()) {
    if (unsent_.empty()) {
      if (failed_) break;
      const std::uint8_t* bytes = nullptr;
      const ssize_t made = nghttp2_session_mem_send(session_, &bytes);  // bodies go into the room by themselves
      if (made < 0) {
        fail(Code::internal_error, nghttp2_strerror(static_cast<int>(made)));
        send_early();
        break;
      }
      if (made == 0) break;
      unsent_ = view(bytes, static_cast<std::size_t>(made));
    }
    const std::size_t part = std::min(unsent_.size(), room_.size());
    std::memcpy(room_.data(), unsent_.data(), part);
    unsent_.remove_prefix(part);
    room_ = room_.subspan(part);
  }
  return buffer.size() - std::exchange(room_, {}).size();
}

void ServerSession::send_early() {
  const std::size_t part = std::min(early_.size() - early_sent_, room_.size());
  if (part > 0) std::memcpy(room_.data(), early_.data() + early_sent_, part);
  room_ = room_.subspan(part);
  early_sent_ += part;
  if (early_sent_ < early_.size()) return;
  early_.clear();
  early_sent_ = 0;
}

// What nghttp2 has made goes out first, whatever happens to nghttp2.
void ServerSession::keep_unsent() { early_ += std::exchange(unsent_, {}); }

bool ServerSession::respond(ServerStream& stream, const OutgoingResponse& response, bool has_body) {
  if (failed_ || !stream.open_ || stream.responded_ || stream.reset_by_us_ || stream.malformed_) return false;
  assert(response.status >= 200 && response.status <= 599);
  has_body = has_body && !stream.to_head_ && response.status != 204 && response.status != 304;
  const auto fields = response_fields(response);
  nghttp2_data_provider body{};
  body.source.ptr = &stream;
  body.read_callback = Callbacks::read_body;
  if (nghttp2_submit_response(session_, stream.id_, fields.data(), fields.size(), has_body ? &body : nullptr) != 0) {
    return false;
  }
  stream.responded_ = true;
  return true;
}

bool ServerSession::inform(ServerStream& stream, int status, const Headers& headers) {
  if (failed_ || !stream.open_ || stream.responded_ || stream.reset_by_us_ || stream.malformed_) return false;
  assert(status >= 100 && status <= 199 && status != 101);
  const auto fields = interim_fields(status, headers);
  if (nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream.id_, nullptr, fields.data(), fields.size(), nullptr) !=
      0) {
    return false;
  }
  ++stream.interims_;
  return true;
}

void ServerSession::resume(ServerStream& stream) {
  if (!failed_ && stream.open_) nghttp2_session_resume_data(session_, stream.id_);
}

// --- flow control, as Session does it

void ServerSession::consumed(ServerStream& stream, std::size_t bytes) {
  bytes = std::min(bytes, stream.unconsumed_);  // what was credited when the stream ended is not credited again
  if (bytes == 0 || failed_) return;
  stream.unconsumed_ -= bytes;
  if (!stream.ended_) {
    stream.owed_ += bytes;
    if (stream.owed_ >= std::min<std::size_t>(credit_step, stream.window_ / 4)) {
      nghttp2_session_consume_stream(session_, stream.id_, std::exchange(stream.owed_, 0));
    }
  }
  owe(bytes);
  if (stream.unconsumed_ == 0) grow(stream, bytes);
}

// Credit for the connection, told to nghttp2 once for all that came in one piece: it costs 150 instructions.
void ServerSession::owe(std::size_t bytes) {
  owed_ += bytes;
  if (!receiving_ || owed_ >= credit_step) pay();
}

void ServerSession::pay() {
  if (owed_ > 0) nghttp2_session_consume_connection(session_, std::exchange(owed_, 0));
}

// A handler that keeps up gets a larger window, up to its limit; one who does not costs no more memory than before.
void ServerSession::grow(ServerStream& stream, std::size_t bytes) {
  if (stream.window_ >= limits_.stream_window || stream.ended_) return;
  stream.since_growth_ += bytes;
  if (stream.since_growth_ < stream.window_ / 2) return;
  stream.since_growth_ = 0;
  stream.window_ = std::min(limits_.stream_window, 2 * stream.window_);
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, stream.id_,
                                        static_cast<std::int32_t>(stream.window_));
}

// --- ending streams

void ServerSession::reset(ServerStream& stream, Code code) {
  if (!stream.open_ || std::exchange(stream.reset_by_us_, true) || failed_) return;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id_, static_cast<std::uint32_t>(code));
  if (stream.unconsumed_ > 0) owe(std::exchange(stream.unconsumed_, 0));
}

void ServerSession::close(ServerStream& stream, Code code) {
  const ServerStreamEnd end = end_of(stream, code);
  forget(stream);
  if (stream.unconsumed_ > 0) owe(std::exchange(stream.unconsumed_, 0));
  stream.on_closed(end);  // it may be gone now
}

ServerStreamEnd ServerSession::end_of(const ServerStream& stream, Code code) {
  if (stream.malformed_) return {ServerStreamEnd::malformed, code};
  // Whatever is said behind the whole response, by whom: the exchange is complete.
  const bool is_quiet = code == Code::no_error || code == Code::cancel;
  if (stream.response_done_ && (stream.ended_ || is_quiet)) return {ServerStreamEnd::complete, code};
  if (stream.reset_by_us_ || stream.body_failed_) return {ServerStreamEnd::us, code};
  if (stream.reset_by_peer_) return {ServerStreamEnd::peer, code};
  return {ServerStreamEnd::malformed, code};  // a window that overflows, and the like
}

void ServerSession::lost() {
  note_failure(Code::no_error, "the connection is gone");
  found_ = nullptr;
  while (streams_ != nullptr) {
    ServerStream& stream = *streams_;
    forget(stream);
    stream.unconsumed_ = 0;
    stream.on_closed({ServerStreamEnd::connection_lost, failure_code_});
  }
}

// --- ending the connection

void ServerSession::announce_end() {
  if (failed_ || std::exchange(end_announced_, true)) return;
  nghttp2_submit_shutdown_notice(session_);
}

void ServerSession::refuse_new() {
  end_announced_ = true;
  if (failed_ || std::exchange(refusing_, true)) return;
  ends_ = true;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
                        NGHTTP2_NO_ERROR, nullptr, 0);
}

bool ServerSession::over() const {
  if (wants_write()) return false;
  return failed_ || ((refusing_ || goaway_seen_) && open_ == 0);
}

// The last that is said, without nghttp2, which may not be in a state to say anything.
void ServerSession::fail(Code code, std::string message) {
  if (failed_) return;
  keep_unsent();
  const std::size_t size = 8 + message.size();
  const auto number = static_cast<std::uint32_t>(code);
  const auto last = static_cast<std::uint32_t>(nghttp2_session_get_last_proc_stream_id(session_));
  const auto byte = [](std::size_t value, int shift) { return static_cast<char>(value >> shift & 0xFF); };
  const std::array<char, frame_head_size + 8> frame{byte(size, 16),
                                                    byte(size, 8),
                                                    byte(size, 0),
                                                    static_cast<char>(FrameType::goaway),
                                                    0,
                                                    0,
                                                    0,
                                                    0,
                                                    0,
                                                    byte(last, 24),
                                                    byte(last, 16),
                                                    byte(last, 8),
                                                    byte(last, 0),
                                                    byte(number, 24),
                                                    byte(number, 16),
                                                    byte(number, 8),
                                                    byte(number, 0)};
  early_.append(frame.data(), frame.size()).append(message);
  note_failure(code, std::move(message));
}

void ServerSession::note_failure(Code code, std::string message) {
  if (std::exchange(failed_, true)) return;
  failure_code_ = code;
  failure_ = std::move(message);
}

void ServerSession::ping(TimePoint now) {
  now_ = std::max(now_, now);
  if (failed_ || std::exchange(ping_out_, true)) return;
  ++ping_number_;
  std::array<std::uint8_t, sizeof ping_number_> number;
  std::memcpy(number.data(), &ping_number_, sizeof ping_number_);
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, number.data());
}

}  // namespace trunkline::http2
