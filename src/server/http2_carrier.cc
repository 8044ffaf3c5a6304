#include "server/http2_carrier.h"

#include <algorithm>
#include <utility>

#include "http1/request_encoder.h"
#include "http1/response_encoder.h"
#include "server/connection.h"
#include "server/http2_speaker.h"
#include "server/response.h"
#include "server/websocket_state.h"
#include "server/worker.h"

namespace trunkline::server {
namespace {

bool expects_continue(const Headers& headers) {
  const auto expect = headers.get("expect");
  return expect && equals_ignore_case(*expect, "100-continue");
}

}  // namespace

Http2Carrier::Http2Carrier(Http2& owner, http2::ReceivedRequest&& request, bool is_end)
    : owner_(owner),
      request_{.method = std::string(request.method),
               .path = std::string(request.path),
               .authority = std::string(request.authority),
               .headers = std::move(request.headers),
               .protocol = Protocol::http2},
      length_(request.content_length),
      active_(owner.connection(), *this),
      is_head_(request.method == "HEAD"),
      continue_owed_(!is_end && expects_continue(request_.headers)),
      has_body_(!is_end) {}

void Http2Carrier::begin() {
  const std::uint64_t most = owner_.connection().worker().settings().limits.body_bytes;
  if (length_.value_or(0) > most) {
    refused_ = true;
    respond(plain_response(413, "the request's body is too large"));
    return;
  }
  if (request_.method == "CONNECT") {
    respond(plain_response(501));
    return;
  }
  if (has_body_) request_.body = active_.body(length_);
  active_.begin(std::move(request_));
  request_.body = RequestBody();  // which a handler may have left, and nobody else reads
}

// --- the request's body

void Http2Carrier::on_data(std::string_view bytes) {
  received_ += bytes.size();
  moved_ += bytes.size();
  active_.received(bytes.size());
  const auto state = active_.state();
  if (received_ > owner_.connection().worker().settings().limits.body_bytes && !refused_) {
    refused_ = true;
    respond(plain_response(413, "the request's body is too large"));
    state->fail_body(Error(ErrorCode::limit_exceeded, Phase::body, "the request's body is too large"));
  }
  if (!refused_) state->deliver(bytes);
  give_credit();
}

void Http2Carrier::on_end() { active_.end_body(); }

void Http2Carrier::give_credit() {
  const auto state = active_.state();
  const std::uint64_t done = received_ - (refused_ ? 0 : std::min<std::uint64_t>(state->withheld(), received_));
  if (done <= consumed_) return;
  const std::size_t fresh = static_cast<std::size_t>(done - consumed_);
  consumed_ = done;
  owner_.session().consumed(*this, fresh);
  owner_.want_flush();
}

void Http2Carrier::body_taken() {
  const auto state = active_.state();
  if (continue_owed_ && !responded_here_ && state->reader_waits()) {
    continue_owed_ = false;
    owner_.session().inform(*this, 100, {});
    owner_.want_flush();
  }
  give_credit();
}

void Http2Carrier::report(const std::string& what) { owner_.connection().worker().trouble(what); }

void Http2Carrier::handler_failed(const std::string& what) {
  report(what);
  if (!responded_here_) {
    respond(plain_response(500));
  } else if (!response_read_) {
    owner_.session().reset(*this, http2::Code::internal_error);
    owner_.want_flush();
  }
}

// --- the answer

bool Http2Carrier::send_head(int status, std::optional<std::uint64_t> length, bool has_body) {
  const Worker& worker = owner_.connection().worker();
  http1::OutgoingResponse checked{.status = status, .headers = &response_.headers};
  checked.has_body = !has_no_body(status);
  checked.content_length = length;
  if (auto sound = http1::check_response(checked); !sound) {
    worker.trouble("a handler's response was not sent: " + sound.error().message);
    return false;
  }
  responded_here_ = true;
  active_.answered(status);
  http2::OutgoingResponse out;
  out.status = status;
  out.headers = &response_.headers;
  out.date = owner_.connection().worker().date();
  out.server = worker.settings().name;
  out.content_length = length;
  response_read_ = !has_body;
  if (!owner_.session().respond(*this, out, has_body)) return true;  // closed: on_closed says so, or has
  owner_.want_flush();
  return true;
}

void Http2Carrier::respond(Response&& response) {
  if (responded_here_) return;
  response_ = std::move(response);
  const std::size_t size = response_.content().size();
  const bool none = has_no_body(response_.status);
  if (!send_head(response_.status, none ? std::nullopt : std::optional<std::uint64_t>(size),
                 !none && !is_head_ && size != 0)) {
    respond(plain_response(500));
  }
}

void Http2Carrier::start(int status, Headers&& headers, std::optional<std::uint64_t> length) {
  if (responded_here_) return;
  response_ = Response(status);
  response_.headers = std::move(headers);
  const bool none = has_no_body(status);
  streaming_ = true;
  left_ = none || is_head_ ? std::nullopt : length;
  if (send_head(status, none ? std::nullopt : length, !none && !is_head_)) {
    if (!response_read_) return;
    const auto state = active_.state();
    state->end_response();
    return;
  }
  streaming_ = false;
  left_.reset();
  respond(plain_response(500));
}

void Http2Carrier::accept_websocket(const std::shared_ptr<WebSocketState>& websocket) {
  websocket->refused();
  respond(plain_response(400, "WebSockets are spoken over HTTP/1.1 here"));
}

void Http2Carrier::response_ready() {
  if (!streaming_ || response_read_) return;
  owner_.session().resume(*this);
  owner_.want_flush();
}

Http2Carrier::Body Http2Carrier::read_body(std::span<char> into) {
  if (streaming_) return read_stream(into);
  const std::string_view rest = response_.content().substr(offset_);
  Body body;
  body.size = rest.copy(into.data(), into.size());
  offset_ += body.size;
  moved_ += body.size;
  active_.sent(body.size);
  body.end = response_read_ = offset_ == response_.content().size();
  return body;
}

Http2Carrier::Body Http2Carrier::read_stream(std::span<char> into) {
  Body body;
  const auto state = active_.state();
  while (offset_ == piece_.bytes.size() && !piece_.end && !piece_.cut) {
    piece_ = state->take_response();
    offset_ = 0;
    if (piece_.bytes.empty() && !piece_.more) break;
  }
  body.size = std::string_view(piece_.bytes).substr(offset_).copy(into.data(), into.size());
  offset_ += body.size;
  moved_ += body.size;
  active_.sent(body.size);
  const bool over = left_ && body.size > *left_;
  if (left_ && !over) *left_ -= body.size;
  const bool all = offset_ == piece_.bytes.size();
  if (over || (all && (piece_.cut || (piece_.end && left_.value_or(0) != 0)))) {
    body.kind = Body::failed;
    return body;
  }
  if (all && piece_.end) {
    body.end = response_read_ = true;
    if (auto sound = http1::check_trailers(piece_.trailers); !sound) {
      owner_.connection().worker().trouble("a handler's trailers were not sent: " + sound.error().message);
    } else if (!piece_.trailers.empty()) {
      body.trailers = &piece_.trailers;
    }
  } else if (body.size == 0) {
    body.kind = Body::later;
  }
  return body;
}

void Http2Carrier::on_closed(const http2::ServerStreamEnd& end) {
  const bool complete = end.by == http2::ServerStreamEnd::complete || (response_read_ && head_sent());
  active_.end(complete);
  owner_.forget(*this);
}

// --- time

// For its bytes, or for it to take ours.
bool Http2Carrier::waits_for_peer() const {
  // Bytes that nobody has asked for yet, or a 100 that is owed: it is the handler who is slow.
  const auto state = active_.state();
  if (!request_ended() && state->withheld() == 0 && (!continue_owed_ || responded_here_)) return true;
  return responded_here_ && !response_read_ &&
         (!streaming_ || offset_ < piece_.bytes.size() || state->response_waits());
}

bool Http2Carrier::check_progress(TimePoint now) {
  if (!waits_for_peer()) {
    progress_.stop();
    return true;
  }
  if (progress_.running()) return progress_.check(moved_, now);
  const Timeouts& timeouts = owner_.connection().worker().settings().timeouts;
  progress_.start(moved_, now, timeouts.progress, timeouts.progress_bytes);
  return true;
}

void Http2Carrier::give_up_slow() {
  progress_.stop();
  const auto state = active_.state();
  if (responded_here_) {
    owner_.session().reset(*this, http2::Code::cancel);
  } else {
    refused_ = true;
    respond(plain_response(408, "its body came too slowly"));
  }
  // Afterwards: the handler may give up its exchange for it, and the answer is ours.
  state->fail_body(Error(ErrorCode::timeout_idle_read, Phase::body, "the request's body came too slowly"));
}

}  // namespace trunkline::server
