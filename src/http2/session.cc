#include "http2/session.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <new>
#include <utility>

#include "http2/callback_set.h"
#include "http2/callbacks.h"
#include "http2/memory.h"
#include "http2/request_fields.h"

namespace trunkline::http2 {

namespace {

constexpr std::uint32_t first_stream_window = 256 * 1024;  // grown while the reader keeps up

}  // namespace

Session::Session(const Limits& limits, Observer& observer)
    : limits_(limits),
      observer_(observer),
      intake_(limits.idle_frames, limits.idle_frames_per_second, limits.header_bytes),
      flow_(first_stream_window, limits.stream_window) {
  if (nghttp2_session_client_new3(&session_, callback_set<Callbacks>(), this, Callbacks::options(),
                                  recycled_memory()) != 0) {
    throw std::bad_alloc();
  }
  const std::array<nghttp2_settings_entry, 3> settings{
      {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
       {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, flow_.first_window()},
       {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
        static_cast<std::uint32_t>(std::min<std::size_t>(limits_.header_bytes, 0xFFFFFFFF))}}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  flow_.start(session_, limits_.connection_window);
}

Session::~Session() { nghttp2_session_del(session_); }

void Session::forget(Stream& stream) {
  streams_.remove(stream);
  if (block_of_ == &stream) block_of_ = nullptr;
}

// --- sending

bool Session::wants_write() const {
  if (!outlet_.empty() || dropped_ != nullptr) return true;
  return !failed_ && (nghttp2_session_want_write(session_) != 0 || resets_.ping_due() <= now_);
}

std::size_t Session::produce(std::span<char> buffer) {
  close_dropped();
  return outlet_.fill(buffer, [this] { return next_frame(); });
}

std::string_view Session::next_frame() {
  const std::string_view frame = make_frame();
  if (!frame.empty()) {
    preface_sent_ = true;
    return frame;
  }
  // Now, behind every RST_STREAM: nghttp2 would let it go first.
  if (failed_ || resets_.ping_due() > now_) return {};
  submit_ping(now_);
  return make_frame();
}

// Nothing: there is none, or the session has failed.
std::string_view Session::make_frame() {
  if (failed_) return {};
  const std::uint8_t* bytes = nullptr;
  const ssize_t made = nghttp2_session_mem_send(session_, &bytes);  // bodies go into the outlet by themselves
  if (made >= 0) return view(bytes, static_cast<std::size_t>(made));
  fail(Code::internal_error, nghttp2_strerror(static_cast<int>(made)));
  return {};
}

bool Session::submit(Stream& stream, const RequestHead& head, bool has_body, const ResponseBounds* bounds) {
  assert(!stream.open_);
  if (failed_ || goaway_seen_ || goaway_said_) return false;
  const auto fields = request_fields(head);
  nghttp2_data_provider body{};
  body.source.ptr = &stream;
  body.read_callback = Callbacks::read_body;
  const std::int32_t id =
      nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(), has_body ? &body : nullptr, &stream);
  if (id < 0) return false;
  stream.id_ = id;
  stream.informational_ = 0;
  stream.sent_ = stream.began_ = stream.responded_ = stream.ended_ = false;
  stream.reset_by_us_ = stream.reset_written_ = stream.reset_by_peer_ = false;
  stream.body_failed_ = stream.malformed_ = stream.over_limit_ = false;
  stream.refusal_ = Code::no_error;
  stream.to_head_ = head.method == "HEAD";
  stream.window_ = flow_.new_window();
  stream.fields_ = {};
  stream.bounds_ =
      bounds != nullptr ? *bounds : ResponseBounds{limits_.header_bytes, limits_.header_count, limits_.informational};
  intake_.permit_header_bytes(stream.bounds_.header_bytes);
  streams_.add(stream);
  return true;
}

void Session::resume(Stream& stream) {
  if (!failed_ && stream.open_) nghttp2_session_resume_data(session_, stream.id_);
}

void Session::skip_stream_ids(std::int32_t next) { nghttp2_session_set_next_stream_id(session_, next); }

void Session::consumed(Stream& stream, std::size_t bytes) {
  if (!failed_) flow_.consumed(stream.id_, stream.window_, bytes, stream.ended_);
}

// --- ending streams

bool Session::reset(Stream& stream, Code code) {
  if (!stream.open_ || std::exchange(stream.reset_by_us_, true)) return false;
  if (!failed_) {
    intake_.earn_reset();
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id_, static_cast<std::uint32_t>(code));
    flow_.give_up(stream.window_);
  }
  if (!stream.sent_) {
    // nghttp2 would keep it for as long as the peer permits no stream.
    nghttp2_session_set_stream_user_data(session_, stream.id_, nullptr);
    forget(stream);
    stream.next_ = std::exchange(dropped_, &stream);
    return false;
  }
  resets_.on_reset();
  return true;
}

// The peer permits fewer streams than it did: what has not been sent would wait here, where no time limit of the queue
// and no other connection can help it.
void Session::pull_back_unsent() {
  for (Stream* stream = streams_.first(); stream != nullptr;) {
    Stream& each = *stream;
    stream = stream->next_;
    if (each.sent_ || each.reset_by_us_) continue;
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, each.id_, NGHTTP2_REFUSED_STREAM);
    nghttp2_session_set_stream_user_data(session_, each.id_, nullptr);
    forget(each);
    each.on_closed({StreamEnd::unsent, Code::no_error});
    stream = streams_.first();  // whoever was told may have changed the list
  }
}

// Those that were reset before they were sent.
void Session::close_dropped() {
  while (dropped_ != nullptr) {
    Stream& stream = *std::exchange(dropped_, dropped_->next_);
    stream.next_ = nullptr;
    stream.on_closed({StreamEnd::us, Code::cancel});
  }
}

inline StreamEnd Session::end_of(const Stream& stream, Code code) const {
  if (stream.malformed_) {
    return {StreamEnd::malformed, stream.refusal_ != Code::no_error ? stream.refusal_ : code, stream.over_limit_};
  }
  if (stream.reset_by_us_) return {stream.ended_ ? StreamEnd::complete : StreamEnd::us, code};
  if (stream.body_failed_) return {StreamEnd::us, code};
  if (stream.ended_ && code == Code::no_error) return {StreamEnd::complete, code};
  // By GOAWAY, by RST_STREAM, or never sent. Whoever has begun to answer has processed it, whatever it says.
  if (code == Code::refused_stream) return {stream.began_ ? StreamEnd::peer : StreamEnd::unprocessed, code};
  if (stream.reset_by_peer_) return {StreamEnd::peer, code};
  return {StreamEnd::malformed, code};  // a body that is not of the length announced, a window that overflows
}

void Session::close(Stream& stream, Code code) {
  const StreamEnd end = end_of(stream, code);
  const bool needless = stream.reset_by_us_ && !stream.reset_written_;
  forget(stream);
  flow_.give_up(stream.window_);
  stream.on_closed(end);  // it may be gone now
  if (needless) {
    resets_.on_needless();
    freed(1);
  }
}

void Session::lost() {
  note_failure(Code::no_error, "the connection is gone");
  close_dropped();
  while (streams_.first() != nullptr) {
    Stream& stream = *streams_.first();
    forget(stream);
    stream.window_.unconsumed = 0;
    stream.on_closed({StreamEnd::connection_lost, failure_code_});
  }
  freed(resets_.on_lost());
}

void Session::say_goodbye() {
  if (!failed_) nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
}

void Session::blame(Code code, std::string_view why) { fail(code, std::string("the server").append(why)); }

void Session::fail(Code code, std::string message) {
  if (failed_) return;
  outlet_.keep_unsent();
  // Of the peer's streams none was processed.
  if (preface_sent_ && !http1_) outlet_.make_early(goaway_frame(0, code, message));
  note_failure(code, std::move(message));
}

void Session::note_failure(Code code, std::string message) {
  if (std::exchange(failed_, true)) return;
  failure_code_ = code;
  failure_ = Error(http1_ ? ErrorCode::unsupported : ErrorCode::invalid_response, Phase::body, std::move(message));
}

// --- PING

void Session::ping(TimePoint now) {
  if (!failed_ && !resets_.ping_out()) submit_ping(now);
}

void Session::on_ping_due(TimePoint now) {
  now_ = std::max(now_, now);  // produce() sends it, behind what it is to prove
}

void Session::submit_ping(TimePoint now) {
  ping_.submit(session_);
  resets_.on_ping(now);
}

}  // namespace trunkline::http2
