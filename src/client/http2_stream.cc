#include "client/http2_stream.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

#include "client/body_source.h"
#include "client/call.h"
#include "client/http2_connection.h"
#include "client/time_limits.h"

namespace trunkline {

using http2::Code;
using http2::StreamEnd;

net::Loop& Http2Stream::loop() { return connection_.loop(); }

// --- the request

void Http2Stream::begin(Call& call) {
  call_ = &call;
  held_.clear();
  held_taken_ = 0;
  trailers_.clear();
  body_offset_ = 0;
  source_left_ = 0;
  deadline_ = never;
  deadline_code_ = ErrorCode::timeout_total;
  begun_ = loop().now();
  ++exchange_;
  started_ = has_head_ = ended_ = closed_ = finishing_ = reset_ = slot_kept_ = pulled_back_ = all_sent_ =
      refused_rest_ = false;
  reused_ = call.on_reused();
  call.on_begin(*this, connection_);

  const http1::RequestHead from = call.head();
  http2::RequestHead head;
  head.method = from.method;
  head.scheme = connection_.secure() ? "https" : "http";
  head.authority = from.host;
  head.path = from.target;
  head.headers = from.headers;
  head.user_agent = from.user_agent;
  head.accept_encoding = from.accept_encoding;
  head.expect_continue = awaiting_continue_ = from.expect_continue;
  counted_length_ = from.content_length.has_value();
  head.content_length = from.has_body ? from.content_length : std::nullopt;
  if (call.request().source() && counted_length_) source_left_ = *from.content_length;
  const bool sends_body = from.has_body && from.content_length != 0U;
  if (auto sound = http2::check_request(*from.headers); !sound) {
    closed_ = true;
    refused(std::make_unique<Error>(std::move(sound).error()));
    return;
  }
  // The grant may have crossed a SETTINGS that permits less.
  pulled_back_ = !connection_.session().may_open();
  const ResponseLimits& limits = call.response_limits();
  const http2::ResponseBounds bounds{limits.head_bytes, limits.header_count, limits.informational};
  if (pulled_back_ || !connection_.session().submit(*this, head, sends_body, &bounds)) {
    closed_ = true;
    refused();
    return;
  }
  call.on_stream(stream_id());
  if (!sends_body) {
    sent_all();
  } else if (awaiting_continue_) {
    set_deadline(call.limits().expect_continue, ErrorCode::last_);
  } else {
    set_deadline(call.limits().write_stall, ErrorCode::timeout_write);
  }
  connection_.want_flush();
}

// For `why`, or because every stream id is used up, or the session is ending or lost: certainly unprocessed. Not from
// inside begin(): the caller of a callback API must not be called back from there.
void Http2Stream::refused(std::unique_ptr<Error> why) {
  loop().post([this, call = call_->shared_from_this(), why = std::move(why)] {
    connection_.end_lease(true, CloseReason::shutdown);
    if (call->carried_by(this)) {
      if (why) {
        fail(std::move(*why), false);
      } else if (connection_.is_lost()) {
        fail(connection_.loss(Phase::send, false), true);
      } else {
        fail(failure(ErrorCode::connection_closed, "the connection takes no more requests"), true);
      }
    }
    release_if_over();
  });
}

http2::Stream::Body Http2Stream::read_body(std::span<char> into) {
  if (call_ == nullptr || awaiting_continue_ || refused_rest_) return {.kind = Body::later};
  Call& call = *call_;
  const Request& request = call.request();
  set_deadline(call.limits().write_stall, ErrorCode::timeout_write);
  if (!request.source()) {
    const std::string& body = request.body();
    const std::size_t size = std::min(into.size(), body.size() - body_offset_);
    std::memcpy(into.data(), body.data() + body_offset_, size);
    body_offset_ += size;
    const bool end = body_offset_ == body.size();
    if (end) sent_all();
    return {.kind = Body::bytes, .size = size, .end = end};
  }
  Callback<void()> resume = [mailbox = loop().mailbox(), weak = call.weak_from_this(), this, at = exchange_] {
    mailbox.post([weak, this, at] {
      // While the call lives and this carries it, so does the connection that owns this.
      const auto living = weak.lock();
      if (living && living->carried_by(this) && exchange_ == at) resume_writing();
    });
  };
  BodySource::Pull pull = pull_from(*request.source(), into, std::move(resume));
  std::string problem;
  switch (pull.kind) {
    case BodySource::Pull::later:
      set_deadline(Duration::zero(), ErrorCode::timeout_total);  // the caller's own pace is not the peer's stall
      return {.kind = Body::later};
    case BodySource::Pull::failed:
      problem = "could not be read: " + pull.reason;
      break;
    case BodySource::Pull::bytes:
      if (!counted_length_ || pull.size <= source_left_) {
        source_left_ -= counted_length_ ? pull.size : 0;
        return {.kind = Body::bytes, .size = pull.size};
      }
      problem = "is longer than the length that it promised";
      break;
    case BodySource::Pull::end:
      if (counted_length_ && source_left_ > 0) {
        problem = "is shorter than the length that it promised";
        break;
      }
      if (std::optional<Headers> trailers = trailers_of(*request.source())) {
        request_trailers_ = std::move(*trailers);
      } else {
        problem = "could not be read: " + trailers_threw().message;
        break;
      }
      if (auto sound = http1::check_trailers(request_trailers_); !sound) {
        problem = sound.error().message;
        break;
      }
      sent_all();
      return {.kind = Body::bytes, .size = 0, .end = true, .trailers = &request_trailers_};
  }
  fail(failure(ErrorCode::body_source_failed, "the request body " + problem), false);
  return {.kind = Body::failed};
}

void Http2Stream::resume_writing() {
  if (closed_ || reset_ || all_sent_ || refused_rest_) return;
  connection_.session().resume(*this);
  connection_.want_flush();
}

void Http2Stream::sent_all() {
  all_sent_ = true;
  if (call_->traced()) call_->trace(TraceEvent::sent, {});
  if (!has_head_) {
    set_deadline(call_->limits().first_byte, ErrorCode::timeout_first_byte);
  } else if (call_->wants_body()) {
    set_deadline(call_->limits().idle_read, ErrorCode::timeout_idle_read);
  } else {
    set_deadline(Duration::zero(), ErrorCode::timeout_total);  // the caller's pace
  }
}

// --- the response

void Http2Stream::on_informational(int status) {
  if (call_ == nullptr) return;
  if (!std::exchange(started_, true)) call_->on_first_byte();
  call_->on_informational(status);
  if (status == 100 && std::exchange(awaiting_continue_, false)) resume_writing();
}

void Http2Stream::on_response(int status, Headers&& fields, std::optional<std::uint64_t> length, bool is_end) {
  if (call_ == nullptr) return;
  Call& call = *call_;
  if (!std::exchange(started_, true)) call.on_first_byte();
  has_head_ = true;
  // The server has decided without the rest of the body, as in HTTP/1.1: its source is asked no more, and may be
  // rewound for another try while this response is still being read.
  refused_rest_ = !all_sent_ && (status >= 300 || awaiting_continue_);
  awaiting_continue_ = false;
  const bool no_body = is_end || to_head();
  if (length && *length > call.body_limit() && !no_body) {
    fail(failure(ErrorCode::limit_exceeded, "the response's body of " + std::to_string(*length) +
                                                " bytes is longer than the limit of " +
                                                std::to_string(call.body_limit())),
         false);
    reset(Code::cancel);
    return;
  }
  if (all_sent_ || refused_rest_) set_deadline(call.limits().idle_read, ErrorCode::timeout_idle_read);
  call.on_head(status, {}, std::move(fields), no_body ? std::optional<std::uint64_t>(0) : length);
  if (!is_end && !call.wants_body()) {
    set_deadline(Duration::zero(), ErrorCode::timeout_total);  // from here it is the caller's pace, not the peer's
    call.on_pause();
  }
}

void Http2Stream::on_data(std::string_view bytes) {
  if (call_ == nullptr) {
    connection_.session().consumed(*this, bytes.size());
    return;
  }
  if (all_sent_ || refused_rest_) set_deadline(call_->limits().idle_read, ErrorCode::timeout_idle_read);
  if (held_.empty() && call_->wants_body()) {
    take(bytes);
  } else {
    held_.append(bytes);
  }
}

// Hands over what the call has room for, and holds the rest. Coded bytes may give the reader nothing yet: then it goes
// on.
Http2Stream::Taken Http2Stream::take(std::string_view bytes) {
  Call* const call = call_;
  const auto keep = call->is_whole() ? nullptr : call->shared_from_this();  // being told, its caller may drop it
  for (;;) {
    const std::size_t size = std::min(bytes.size(), call->room());
    if (!call->on_data(bytes.substr(0, size))) {
      const Error refusal = call->refusal();
      fail(failure(refusal.code, refusal.message), false);
      reset(Code::cancel);
      return Taken::refused;
    }
    connection_.session().consumed(*this, size);
    if (held_.empty()) {
      if (size < bytes.size()) held_.assign(bytes.substr(size));
      held_taken_ = 0;
    } else {
      held_taken_ += size;
      if (held_taken_ == held_.size()) {
        std::string().swap(held_);
        held_taken_ = 0;
      }
    }
    if (call->has_news()) break;
    if (held_.empty()) return Taken::all;
    bytes = std::string_view(held_).substr(held_taken_);
  }
  set_deadline(Duration::zero(), ErrorCode::timeout_total);
  call->on_pause();
  return Taken::enough;
}

void Http2Stream::resume_reading() {
  if (!held_.empty()) {
    const Taken taken = take(std::string_view(held_).substr(held_taken_));
    connection_.want_flush();  // credit for the peer
    if (taken == Taken::refused) release_if_over();
    if (taken != Taken::all) return;
  }
  if (closed_ && ended_) {
    finish_call();
    release_if_over();
    return;
  }
  set_deadline(call_->limits().idle_read, ErrorCode::timeout_idle_read);
}

void Http2Stream::on_end() {
  ended_ = true;
  if (!all_sent_) {
    // The server has decided without the rest of the body (RFC 9113 section 8.1).
    reset(Code::no_error);
    if (held_.empty()) finish_call();
  }
}

void Http2Stream::on_closed(const StreamEnd& end) {
  closed_ = true;
  if (end.by == StreamEnd::complete && call_ != nullptr && ended_ && held_.empty() && !slot_kept_) {
    finishing_ = true;
    connection_.finish_later(*this);
    return;
  }
  // The lease goes back first, so that what the callback sends next finds the slot. After our own reset the peer may
  // still count the stream: Session says when not.
  const bool is_whole = ended_ && end.by != StreamEnd::malformed;
  const Duration answer = is_whole ? time_of_answer() : Duration(0);
  if (!slot_kept_) connection_.end_lease(true, CloseReason::shutdown, answer);
  if (call_ != nullptr) {
    if (!ended_ || end.by == StreamEnd::malformed) {
      pulled_back_ = end.by == StreamEnd::unsent;
      fail(error_of(end), pulled_back_ || end.by == StreamEnd::unprocessed || end.code == Code::http_1_1_required);
    } else if (held_.empty()) {
      finish_call();
    }
  }
  release_if_over();
}

Duration Http2Stream::time_of_answer() { return std::max(loop().now() - begun_, Duration(1)); }

void Http2Stream::finish() {
  finishing_ = false;
  connection_.end_lease(true, CloseReason::shutdown, time_of_answer());
  finish_call();
  release_if_over();
}

void Http2Stream::finish_call() {
  Call* const call = std::exchange(call_, nullptr);
  if (call == nullptr) return;
  deadline_ = never;
  call->on_end(std::move(trailers_));
  call->on_released();
}

Error Http2Stream::error_of(const StreamEnd& end) const {
  const std::string code(http2::to_string(end.code));
  switch (end.by) {
    case StreamEnd::malformed:
      if (end.over_limit) {
        return failure(ErrorCode::limit_exceeded,
                       "the response has more header fields or informational responses than the limits permit");
      }
      return failure(ErrorCode::invalid_response, "the response was refused: it is not sound HTTP/2 (" + code + ")");
    case StreamEnd::unsent:
      return failure(ErrorCode::stream_reset, "the server permits no more requests at present");
    case StreamEnd::unprocessed:
      if (connection_.calm_asked()) {
        return failure(ErrorCode::throttled, "the server asks for calm: send less, or slower");
      }
      if (connection_.found_insecure()) {
        return failure(ErrorCode::tls_failed, "the server finds this connection's security inadequate");
      }
      return failure(ErrorCode::stream_reset, "the server refused the request without looking at it (" + code + ")");
    case StreamEnd::connection_lost:
      return connection_.loss(has_head_ ? Phase::body : all_sent_ ? Phase::first_byte : Phase::send, started_);
    case StreamEnd::peer:
    case StreamEnd::us:
    case StreamEnd::complete:
      break;
  }
  if (end.code == Code::enhance_your_calm) {
    return failure(ErrorCode::throttled, "the server asks for calm: send less, or slower (" + code + ")");
  }
  if (end.code == Code::http_1_1_required) {
    return failure(ErrorCode::http1_required, "the server wants this request over HTTP/1.1");
  }
  return failure(has_head_ ? ErrorCode::truncated_body : ErrorCode::stream_reset,
                 "the server ended the request's stream (" + code + ")");
}

// --- ending it

void Http2Stream::fail(Error error, bool unprocessed) {
  Call* const call = std::exchange(call_, nullptr);
  if (call == nullptr) return;
  deadline_ = never;
  error.address = connection_.address();
  Attempt attempt;
  attempt.code = error.code;
  attempt.reused = reused_;
  attempt.any_byte_sent = any_byte_sent();
  attempt.any_byte_received = started_;
  attempt.unprocessed = unprocessed || error.code == ErrorCode::http1_required;
  attempt.pulled_back = pulled_back_;
  attempt.connection = connection_.id;
  error.maybe_processed = maybe_processed(attempt);
  call->on_lost(attempt);
  call->on_failure(std::move(error));
}

void Http2Stream::reset(Code code) {
  if (closed_ || std::exchange(reset_, true)) return;
  slot_kept_ = connection_.session().reset(*this, code);
  connection_.want_flush();
}

void Http2Stream::abort(CloseReason) {
  call_ = nullptr;
  deadline_ = never;
  reset(Code::cancel);
  release_if_over();
}

void Http2Stream::release_if_over() {
  if (closed_ && call_ == nullptr && !finishing_) connection_.done_with(*this);
}

Error Http2Stream::failure(ErrorCode code, std::string message) const {
  const Phase phase = has_head_ ? Phase::body : all_sent_ ? Phase::first_byte : Phase::send;
  return Error(code, phase, std::move(message));
}

// --- time limits

void Http2Stream::set_deadline(Duration limit, ErrorCode code) {
  const TimePoint total = call_->total_deadline();
  const TimePoint until = limit > Duration::zero() ? loop().now() + limit : never;
  deadline_ = std::min(until, total);
  deadline_code_ = until < total ? code : ErrorCode::timeout_total;
  loop().set_timer(*this, deadline_);
}

void Http2Stream::on_timer() {
  if (call_ == nullptr || deadline_ == never) return;
  if (loop().now() < deadline_) {
    loop().set_timer(*this, deadline_);
    return;
  }
  if (deadline_code_ == ErrorCode::last_) {  // the server has no word for Expect: the body goes without it
    awaiting_continue_ = false;
    set_deadline(call_->limits().write_stall, ErrorCode::timeout_write);
    resume_writing();
    return;
  }
  fail(failure(deadline_code_, std::string(time_limit_message(deadline_code_))), false);
  reset(Code::cancel);
  release_if_over();
}

}  // namespace trunkline
