#include "http2/server_session.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <new>
#include <utility>

#include "http2/callback_set.h"
#include "http2/memory.h"
#include "http2/response_fields.h"
#include "http2/server_callbacks.h"

namespace trunkline::http2 {

ServerSession::ServerSession(const ServerLimits& limits, Observer& observer)
    : limits_(limits),
      observer_(observer),
      intake_(limits.idle_frames, limits.idle_frames_per_second, limits.header_bytes),
      flow_(limits.first_window, limits.stream_window),
      resets_(limits.resets, limits.resets_per_second) {
  if (nghttp2_session_server_new3(&session_, callback_set<Callbacks>(), this, Callbacks::options(),
                                  recycled_memory()) != 0) {
    throw std::bad_alloc();
  }
  const std::array<nghttp2_settings_entry, 4> settings{
      {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits_.streams},
       {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, flow_.first_window()},
       {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
        static_cast<std::uint32_t>(std::min<std::size_t>(limits_.header_bytes, 0xFFFFFFFF))},
       // The tree of RFC 7540 costs us more than it is worth to anybody (RFC 9113 section 5.3).
       {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1}}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  flow_.start(session_, limits_.connection_window);
}

ServerSession::~ServerSession() { nghttp2_session_del(session_); }

// --- sending

bool ServerSession::wants_write() const {
  return !outlet_.empty() || (!failed_ && nghttp2_session_want_write(session_) != 0);
}

std::size_t ServerSession::produce(std::span<char> buffer) {
  return outlet_.fill(buffer, [this] { return make_frame(); });
}

// Nothing: there is none, or the session has failed.
std::string_view ServerSession::make_frame() {
  if (failed_) return {};
  const std::uint8_t* bytes = nullptr;
  const ssize_t made = nghttp2_session_mem_send(session_, &bytes);  // bodies go into the outlet by themselves
  if (made >= 0) return view(bytes, static_cast<std::size_t>(made));
  fail(Code::internal_error, nghttp2_strerror(static_cast<int>(made)));
  return {};
}

bool ServerSession::may_answer(const ServerStream& stream) const {
  return !failed_ && stream.open_ && !stream.responded_ && !stream.reset_by_us_ && !stream.malformed_;
}

bool ServerSession::respond(ServerStream& stream, const OutgoingResponse& response, bool has_body) {
  if (!may_answer(stream)) return false;
  assert(response.status >= 200 && response.status <= 599);
  has_body = has_body && !stream.to_head_ && response.status != 204 && response.status != 304;
  constexpr std::uint64_t one_frame = 16 * 1024;
  if (has_body && response.content_length.value_or(UINT64_MAX) > one_frame) {
    // In turn, a frame each: one large download would otherwise keep all others waiting (RFC 9218 section 4.2).
    const nghttp2_extpri in_turn{NGHTTP2_EXTPRI_DEFAULT_URGENCY, 1};
    nghttp2_session_change_extpri_stream_priority(session_, stream.id_, &in_turn, 1);
  }
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
  if (!may_answer(stream)) return false;
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

void ServerSession::consumed(ServerStream& stream, std::size_t bytes) {
  if (!failed_) flow_.consumed(stream.id_, stream.window_, bytes, stream.ended_);
}

// --- ending streams

void ServerSession::reset(ServerStream& stream, Code code) {
  if (!stream.open_ || std::exchange(stream.reset_by_us_, true) || failed_) return;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id_, static_cast<std::uint32_t>(code));
  flow_.give_up(stream.window_);
}

void ServerSession::close(ServerStream& stream, Code code) {
  const ServerStreamEnd end = end_of(stream, code);
  streams_.remove(stream);
  flow_.give_up(stream.window_);
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
  while (streams_.first() != nullptr) {
    ServerStream& stream = *streams_.first();
    streams_.remove(stream);
    stream.window_.unconsumed = 0;
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
  intake_.begin_end();
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
                        NGHTTP2_NO_ERROR, nullptr, 0);
}

bool ServerSession::over() const {
  if (wants_write()) return false;
  return failed_ || ((refusing_ || goaway_seen_) && open_streams() == 0);
}

void ServerSession::blame(Code code, std::string_view why) { fail(code, std::string("the client").append(why)); }

void ServerSession::fail(Code code, std::string message) {
  if (failed_) return;
  outlet_.keep_unsent();
  outlet_.make_early(goaway_frame(nghttp2_session_get_last_proc_stream_id(session_), code, message));
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
  ping_.submit(session_);
}

}  // namespace trunkline::http2
