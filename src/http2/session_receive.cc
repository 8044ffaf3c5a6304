// The half of Session that listens.
#include <algorithm>
#include <utility>

#include "http2/callbacks.h"
#include "http2/session.h"

namespace trunkline::http2 {

namespace {

constexpr std::size_t most_early_bytes = 64 * 1024;

}  // namespace

bool Session::receive(std::string_view bytes, TimePoint now) {
  if (failed_) return false;
  now_ = std::max(now_, now);
  intake_.take(*this, bytes, now_);
  settle();
  return !failed_;
}

Objection Session::object(const FrameHead& frame, std::string_view head) {
  if (std::exchange(first_frame_, false) && head.starts_with("HTTP/")) {
    http1_ = true;  // it would not understand a GOAWAY
    return {Code::http_1_1_required, " answers in HTTP/1: it does not speak HTTP/2 here"};
  }
  if (frame.type == FrameType::push_promise) return {Code::protocol_error, " pushes, although it was told not to"};
  return {};
}

void Session::feed(std::string_view bytes) {
  if (bytes.empty() || failed_) return;
  flow_.hold();
  const ssize_t taken =
      nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  flow_.release();
  if (taken >= 0) return;
  if (taken == NGHTTP2_ERR_FLOODED) {
    blame(Code::enhance_your_calm, " does not read what it asks for");
  } else {
    fail(Code::internal_error, nghttp2_strerror(static_cast<int>(taken)));
  }
}

// nghttp2 ends a connection by queueing a GOAWAY, and from then on ignores what comes. To learn of it now, and not when
// the peer reads again, the GOAWAY must be made now. The same after the peer's own: it ends requests not yet sent.
void Session::settle() {
  if (failed_ || nghttp2_session_check_request_allowed(session_) != 0) return;
  if (!goaway_seen_ && nghttp2_session_get_next_stream_id(session_) > 0x7FFFFFFF) return;  // allowed, but none is left
  outlet_.keep_unsent();
  for (;;) {
    const std::string_view frame = make_frame();
    if (frame.empty()) break;
    outlet_.make_early(frame);
  }
  if (outlet_.early_bytes() > most_early_bytes) {
    blame(Code::enhance_your_calm, " does not read what it asks for");
  }
}

bool Session::admit(Stream& stream, nghttp2_rcbuf* name, nghttp2_rcbuf* value) {
  const auto fits = [&](std::size_t size) {
    return stream.fields_.add(size, stream.bounds_.header_bytes, stream.bounds_.header_count);
  };
  bool is_sound = false;
  bool is_too_much = false;
  if (const HeldField* const known = block_.known(name, value)) {
    is_too_much = !fits(known->size());
    is_sound = block_.add_known();
  } else {
    const std::string_view name_text = view(name);
    const std::string_view value_text = view(value);
    is_too_much = !fits(name_text.size() + value_text.size());
    is_sound = !is_too_much && block_.add_and_hold(name_text, value_text, name, value);
  }
  if (is_sound && !is_too_much) [[likely]]
    return true;
  if (is_too_much) stream.over_limit_ = true;
  refuse(stream, is_too_much ? Code::enhance_your_calm : Code::protocol_error);
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
    if (++stream.informational_ > stream.bounds_.informational) {
      stream.over_limit_ = true;
      return refuse(stream, Code::enhance_your_calm);
    }
    stream.began_ = true;
    stream.on_informational(status);
    return;
  }
  const bool without_body = stream.to_head_ || status == 204 || status == 304;
  stream.body_left_.announce(without_body ? 0 : length);
  if (status == 204 && length.value_or(0) != 0) return refuse(stream, Code::protocol_error);
  if (end && !stream.body_left_.is_whole()) return refuse(stream, Code::protocol_error);
  intake_.earn_message();
  freed(resets_.on_response(stream.id_));
  stream.began_ = stream.responded_ = true;
  stream.on_response(status, block_.take(), length, end);
  if (end) end_response(stream);
}

void Session::on_trailers_complete(Stream& stream, bool end) {
  if (!end || !stream.body_left_.is_whole()) return refuse(stream, Code::protocol_error);
  intake_.earn_message();
  freed(resets_.on_response(stream.id_));
  stream.on_trailers(block_.take());
  end_response(stream);
}

// False: the response has no body, or a shorter one.
bool Session::take_of_body(Stream& stream, std::size_t size) {
  if (stream.responded_ && stream.body_left_.take(size)) return true;
  refuse(stream, Code::protocol_error);
  return false;
}

void Session::end_response(Stream& stream) {
  intake_.earn_end();  // the frame that said so
  if (stream.reset_by_us_ || stream.malformed_ || stream.ended_) return;
  if (!stream.responded_ || !stream.body_left_.is_whole()) return refuse(stream, Code::protocol_error);
  stream.ended_ = true;
  stream.on_end();
}

}  // namespace trunkline::http2
