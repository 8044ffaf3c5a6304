#include "http2/session.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <new>
#include <utility>

#include "http2/callbacks.h"
#include "http2/memory.h"
#include "http2/request_fields.h"

namespace trunkline::http2 {

namespace {

constexpr std::uint32_t first_stream_window = 256 * 1024;  // grown while the reader keeps up
constexpr std::size_t credit_step = 16 * 1024;             // less than that is not told to nghttp2 at once
constexpr std::uint32_t least_window = 65'535;             // of a connection: HTTP/2 has no way to say less
// What the peer sends to a stream before it hears of our reset costs it nothing: fields, a small piece, its own reset.
constexpr std::int64_t reset_gain = 4;

}  // namespace

std::string_view to_string(Code code) {
  constexpr std::array<std::string_view, 14> names{"NO_ERROR",
                                                   "PROTOCOL_ERROR",
                                                   "INTERNAL_ERROR",
                                                   "FLOW_CONTROL_ERROR",
                                                   "SETTINGS_TIMEOUT",
                                                   "STREAM_CLOSED",
                                                   "FRAME_SIZE_ERROR",
                                                   "REFUSED_STREAM",
                                                   "CANCEL",
                                                   "COMPRESSION_ERROR",
                                                   "CONNECT_ERROR",
                                                   "ENHANCE_YOUR_CALM",
                                                   "INADEQUATE_SECURITY",
                                                   "HTTP_1_1_REQUIRED"};
  const auto number = static_cast<std::size_t>(code);
  return number < names.size() ? names[number] : "unknown";
}

Session::Session(const Limits& limits, Observer& observer)
    : limits_(limits), observer_(observer), bucket_(limits.idle_frames, limits.idle_frames_per_second) {
  if (nghttp2_session_client_new3(&session_, Callbacks::all(), this, Callbacks::options(), recycled_memory()) != 0) {
    throw std::bad_alloc();
  }
  const std::uint32_t window = std::min(limits_.stream_window, first_stream_window);
  const std::array<nghttp2_settings_entry, 3> settings{
      {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
       {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window},
       {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
        static_cast<std::uint32_t>(std::min<std::size_t>(limits_.header_bytes, 0xFFFFFFFF))}}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  // Whole from the start: streams that nobody reads would otherwise stop the others, who alone could make it grow.
  const std::uint32_t whole = std::max(least_window, limits_.connection_window);
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, static_cast<std::int32_t>(whole));
}

Session::~Session() { nghttp2_session_del(session_); }

Stream* Session::find(std::int32_t id) {
  if (found_ != nullptr && found_->id_ == id) return found_;
  auto* const stream = static_cast<Stream*>(nghttp2_session_get_stream_user_data(session_, id));
  if (stream != nullptr) found_ = stream;
  return stream;
}

void Session::forget(Stream& stream) {
  (stream.previous_ != nullptr ? stream.previous_->next_ : streams_) = stream.next_;
  if (stream.next_ != nullptr) stream.next_->previous_ = stream.previous_;
  stream.previous_ = stream.next_ = nullptr;
  stream.open_ = false;
  if (found_ == &stream) found_ = nullptr;
  if (block_of_ == &stream) block_of_ = nullptr;
  --open_;
}

// --- sending

bool Session::wants_write() const {
  if (!early_.empty() || !unsent_.empty() || dropped_ != nullptr) return true;
  return !failed_ && (nghttp2_session_want_write(session_) != 0 || resets_.ping_due() <= now_);
}

std::size_t Session::produce(std::span<char> buffer) {
  close_dropped();
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
      if (made == 0) {
        // Now, behind every RST_STREAM: nghttp2 would let it go first.
        if (resets_.ping_due() > now_) break;
        submit_ping(now_);
        continue;
      }
      unsent_ = view(bytes, static_cast<std::size_t>(made));
      preface_sent_ = true;
    }
    const std::size_t part = std::min(unsent_.size(), room_.size());
    std::memcpy(room_.data(), unsent_.data(), part);
    unsent_.remove_prefix(part);
    room_ = room_.subspan(part);
  }
  return buffer.size() - std::exchange(room_, {}).size();
}

void Session::send_early() {
  const std::size_t part = std::min(early_.size() - early_sent_, room_.size());
  if (part > 0) std::memcpy(room_.data(), early_.data() + early_sent_, part);
  room_ = room_.subspan(part);
  early_sent_ += part;
  if (early_sent_ < early_.size()) return;
  early_.clear();
  early_sent_ = 0;
}

// What nghttp2 has made goes out first, whatever happens to nghttp2.
void Session::keep_unsent() { early_ += std::exchange(unsent_, {}); }

bool Session::submit(Stream& stream, const RequestHead& head, bool has_body) {
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
  stream.open_ = true;
  stream.sent_ = stream.began_ = stream.responded_ = stream.ended_ = false;
  stream.reset_by_us_ = stream.reset_written_ = stream.reset_by_peer_ = false;
  stream.body_failed_ = stream.malformed_ = stream.over_limit_ = false;
  stream.refusal_ = Code::no_error;
  stream.to_head_ = head.method == "HEAD";
  stream.window_ = std::min(limits_.stream_window, first_stream_window);
  stream.unconsumed_ = stream.owed_ = stream.since_growth_ = 0;
  stream.field_bytes_ = stream.field_count_ = 0;
  stream.previous_ = nullptr;
  stream.next_ = streams_;
  if (streams_ != nullptr) streams_->previous_ = &stream;
  streams_ = &stream;
  ++open_;
  return true;
}

void Session::resume(Stream& stream) {
  if (!failed_ && stream.open_) nghttp2_session_resume_data(session_, stream.id_);
}

void Session::skip_stream_ids(std::int32_t next) { nghttp2_session_set_next_stream_id(session_, next); }

// --- flow control

void Session::consumed(Stream& stream, std::size_t bytes) {
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
void Session::owe(std::size_t bytes) {
  owed_ += bytes;
  if (!receiving_ || owed_ >= credit_step) pay();
}

void Session::pay() {
  if (owed_ > 0) nghttp2_session_consume_connection(session_, std::exchange(owed_, 0));
}

// A reader who keeps up gets a larger window, up to its limit; one who does not costs no more memory than before.
void Session::grow(Stream& stream, std::size_t bytes) {
  if (stream.window_ >= limits_.stream_window || stream.ended_) return;
  stream.since_growth_ += bytes;
  if (stream.since_growth_ < stream.window_ / 2) return;
  stream.since_growth_ = 0;
  stream.window_ = std::min(limits_.stream_window, 2 * stream.window_);
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, stream.id_,
                                        static_cast<std::int32_t>(stream.window_));
}

// --- ending streams

bool Session::reset(Stream& stream, Code code) {
  if (!stream.open_ || std::exchange(stream.reset_by_us_, true)) return false;
  if (!failed_) {
    bucket_.earn(reset_gain);
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id_, static_cast<std::uint32_t>(code));
    if (stream.unconsumed_ > 0) owe(std::exchange(stream.unconsumed_, 0));
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
  for (Stream* stream = streams_; stream != nullptr;) {
    Stream& each = *stream;
    stream = stream->next_;
    if (each.sent_ || each.reset_by_us_) continue;
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, each.id_, NGHTTP2_REFUSED_STREAM);
    nghttp2_session_set_stream_user_data(session_, each.id_, nullptr);
    forget(each);
    each.on_closed({StreamEnd::unsent, Code::no_error});
    stream = streams_;  // whoever was told may have changed the list
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
  if (stream.unconsumed_ > 0) owe(std::exchange(stream.unconsumed_, 0));
  stream.on_closed(end);  // it may be gone now
  if (needless) {
    resets_.on_needless();
    freed(1);
  }
}

void Session::lost() {
  note_failure(Code::no_error, "the connection is gone");
  close_dropped();
  found_ = nullptr;
  while (streams_ != nullptr) {
    Stream& stream = *streams_;
    forget(stream);
    stream.unconsumed_ = 0;
    stream.on_closed({StreamEnd::connection_lost, failure_code_});
  }
  freed(resets_.on_lost());
}

void Session::say_goodbye() {
  if (!failed_) nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
}

// The last that is said, without nghttp2, which may not be in a state to say anything.
void Session::fail(Code code, std::string message) {
  if (failed_) return;
  keep_unsent();
  if (preface_sent_ && !http1_) {
    const std::size_t size = 8 + message.size();
    const auto number = static_cast<std::uint32_t>(code);
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
                                                      0,
                                                      0,
                                                      0,  // of the peer's streams none was processed
                                                      0,
                                                      byte(number, 24),
                                                      byte(number, 16),
                                                      byte(number, 8),
                                                      byte(number, 0)};
    early_.append(frame.data(), frame.size()).append(message);
  }
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
  ++ping_number_;
  std::array<std::uint8_t, sizeof ping_number_> number;
  std::memcpy(number.data(), &ping_number_, sizeof ping_number_);
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, number.data());
  resets_.on_ping(now);
}

}  // namespace trunkline::http2
