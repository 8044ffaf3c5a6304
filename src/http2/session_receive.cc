// The half of Session that listens.
#include <algorithm>
#include <utility>

#include "http2/callbacks.h"
#include "http2/session.h"

namespace trunkline::http2 {

namespace {

constexpr int most_continuations = 8;       // of one header block; nghttp2 may have a limit of its own
constexpr std::size_t field_overhead = 32;  // RFC 9113 section 6.5.2
constexpr std::int64_t response_gain = 4;
constexpr std::uint64_t unknown_length = UINT64_MAX;
constexpr std::size_t most_early_bytes = 64 * 1024;

// Every frame costs one but DATA of some size, which costs the peer more than us. If it turns out to be progress it
// earns more than it cost: then one can tell a flood from a lively connection, which needs to be seen from behind.
std::int64_t cost_of(const FrameHead& frame) {
  constexpr std::uint32_t most_padding = 256;  // and its length
  return frame.type == FrameType::data && frame.length > most_padding ? 0 : 1;
}

}  // namespace

bool Session::receive(std::string_view bytes, TimePoint now) {
  if (failed_) return false;
  now_ = std::max(now_, now);
  bucket_.refill(now_);
  std::string_view unfed = bytes;  // nghttp2 has not seen it
  std::string_view rest = bytes;   // the scanner has not
  for (;;) {
    const std::size_t kept = scanner_.kept();
    if (!scanner_.next(rest)) break;
    if (std::exchange(first_frame_, false) && scanner_.head_bytes().starts_with("HTTP/")) {
      http1_ = true;  // it would not understand a GOAWAY
      fail(Code::http_1_1_required, "the server answers in HTTP/1: it does not speak HTTP/2 here");
      return false;
    }
    const std::size_t before = unfed.size() - rest.size() - (frame_head_size - kept);
    const std::int64_t cost = cost_of(scanner_.frame());
    bool paid = bucket_.take(cost);
    const std::string_view wrong = problem(scanner_.frame());
    if (!paid || !wrong.empty()) {
      feed(unfed.substr(0, before));  // it may have earned something
      unfed.remove_prefix(before);
      paid = paid || bucket_.take(cost);
      if (!wrong.empty()) {
        fail(scanner_.frame().type == FrameType::push_promise ? Code::protocol_error : Code::enhance_your_calm,
             std::string(wrong));
      } else if (!paid) {
        fail(Code::enhance_your_calm, "the server floods the connection with frames that carry nothing");
      }
      if (failed_) return false;
    }
    if (kept > 0) {
      feed(scanner_.head_bytes());
      unfed = rest;
    }
  }
  // An incomplete frame head waits in the scanner: nghttp2 counts the pieces of some as frames.
  unfed.remove_suffix(std::min(scanner_.kept(), unfed.size()));
  feed(unfed);
  settle();
  return !failed_;
}

// Of a frame that nghttp2 would let pass.
std::string_view Session::problem(const FrameHead& frame) {
  if (frame.type == FrameType::push_promise) return "the server pushes, although it was told not to";
  if (frame.type == FrameType::headers) {
    continuations_ = 0;
    block_bytes_ = frame.length;
  } else if (frame.type == FrameType::continuation) {
    block_bytes_ += frame.length;
    // Encoded, they are hardly ever longer than decoded, but a peer that knows our limit may still try.
    if (++continuations_ > most_continuations || block_bytes_ > 4 * limits_.header_bytes) {
      return "the server's header fields do not end";
    }
  }
  return {};
}

void Session::feed(std::string_view bytes) {
  if (bytes.empty() || failed_) return;
  receiving_ = true;
  const ssize_t taken =
      nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  receiving_ = false;
  pay();
  if (taken >= 0) return;
  if (taken == NGHTTP2_ERR_FLOODED) {
    fail(Code::enhance_your_calm, "the server does not read what it asks for");
  } else {
    fail(Code::internal_error, nghttp2_strerror(static_cast<int>(taken)));
  }
}

// nghttp2 ends a connection by queueing a GOAWAY, and from then on ignores what comes. To learn of it now, and not when
// the peer reads again, the GOAWAY must be made now. The same after the peer's own: it ends requests not yet sent.
void Session::settle() {
  if (failed_ || nghttp2_session_check_request_allowed(session_) != 0) return;
  if (!goaway_seen_ && nghttp2_session_get_next_stream_id(session_) > 0x7FFFFFFF) return;  // allowed, but none is left
  keep_unsent();
  while (!failed_) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t made = nghttp2_session_mem_send(session_, &bytes);
    if (made == 0) break;
    if (made < 0) {
      fail(Code::internal_error, nghttp2_strerror(static_cast<int>(made)));
    } else {
      early_ += view(bytes, static_cast<std::size_t>(made));
    }
  }
  if (early_.size() - early_sent_ > most_early_bytes) {
    fail(Code::enhance_your_calm, "the server does not read what it asks for");
  }
}

bool Session::admit(Stream& stream, std::string_view name, std::string_view value) {
  stream.field_bytes_ += name.size() + value.size() + field_overhead;
  if (stream.field_bytes_ > limits_.header_bytes || ++stream.field_count_ > limits_.header_count) {
    stream.over_limit_ = true;
    refuse(stream, Code::enhance_your_calm);
    return false;
  }
  if (block_.add(name, value)) return true;
  refuse(stream, Code::protocol_error);
  return false;
}

void Session::refuse(Stream& stream, Code code) {
  stream.malformed_ = true;
  stream.refusal_ = code;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id_, static_cast<std::uint32_t>(code));
}

void Session::on_fields_complete(Stream& stream, bool end) {
  if (stream.reset_by_us_ || stream.malformed_) return;
  if (stream.responded_) return on_trailers_complete(stream, end);
  const int status = block_.status();
  const std::optional<std::uint64_t> length = block_.content_length();
  if (status == 0) return refuse(stream, Code::protocol_error);
  if (status < 200) {
    if (end || length) return refuse(stream, Code::protocol_error);
    if (++stream.informational_ > limits_.informational) {
      stream.over_limit_ = true;
      return refuse(stream, Code::enhance_your_calm);
    }
    stream.began_ = true;
    stream.on_informational(status);
    return;
  }
  const bool without_body = stream.to_head_ || status == 204 || status == 304;
  stream.body_left_ = without_body ? 0 : length.value_or(unknown_length);
  if (status == 204 && length.value_or(0) != 0) return refuse(stream, Code::protocol_error);
  if (end && !is_whole(stream)) return refuse(stream, Code::protocol_error);
  bucket_.earn(response_gain);
  freed(resets_.on_response(stream.id_));
  stream.began_ = stream.responded_ = true;
  stream.on_response(status, block_.take(), length, end);
  if (end) end_response(stream);
}

void Session::on_trailers_complete(Stream& stream, bool end) {
  if (!end || !is_whole(stream)) return refuse(stream, Code::protocol_error);
  bucket_.earn(response_gain);
  freed(resets_.on_response(stream.id_));
  stream.on_trailers(block_.take());
  end_response(stream);
}

bool Session::is_whole(const Stream& stream) { return stream.body_left_ == 0 || stream.body_left_ == unknown_length; }

// False: the response has no body, or a shorter one.
bool Session::take_of_body(Stream& stream, std::size_t size) {
  if (!stream.responded_ || size > stream.body_left_) {
    refuse(stream, Code::protocol_error);
    return false;
  }
  if (stream.body_left_ != unknown_length) stream.body_left_ -= size;
  return true;
}

void Session::end_response(Stream& stream) {
  bucket_.earn(1);  // the frame that said so
  if (stream.reset_by_us_ || stream.malformed_ || stream.ended_) return;
  if (!stream.responded_ || !is_whole(stream)) return refuse(stream, Code::protocol_error);
  stream.ended_ = true;
  stream.on_end();
}

}  // namespace trunkline::http2
