#include <algorithm>
#include <utility>

#include "server/http1.h"
#include "server/http1_speaker.h"
#include "server/worker.h"
#include "websocket/server_handshake.h"

namespace trunkline::server {
namespace {

// Bytes behind a request that is being served. They are read at all because only reading tells of a peer that leaves.
constexpr std::size_t ahead_limit = 16 * 1024;
constexpr std::size_t pipelined_output_limit = 64 * 1024;

http1::RequestLimits request_limits(const Limits& limits) {
  http1::RequestLimits made;
  made.request_line_bytes = limits.request_line_bytes;
  made.field_bytes = limits.header_bytes;
  made.field_count = limits.header_count;
  made.body_bytes = limits.body_bytes;
  return made;
}

}  // namespace

Http1::Http1(Connection& connection)
    : Speaker(connection), decoder_(request_limits(connection.worker().settings().limits)) {
  decoder_.begin();
}

const Limits& Http1::limits() const { return connection_.worker().settings().limits; }
const Timeouts& Http1::timeouts() const { return connection_.worker().settings().timeouts; }

void Http1::on_bytes(std::string_view bytes) {
  if ((active_ && request_done_) || waits_for_room_) {
    ahead_ += bytes;
    if (ahead_.size() >= ahead_limit) connection_.pause_reading();
    return;
  }
  decode(bytes);
}

void Http1::decode(std::string_view input) {
  decoding_ = true;
  for (;;) {
    const Decoder::Event event = decoder_.next(input);
    if (event == Decoder::Event::head) {
      begin_request(!input.empty());
    } else if (event == Decoder::Event::data) {
      take_data(decoder_.data());
    } else if (event == Decoder::Event::end) {
      end_request();
    } else if (event == Decoder::Event::error) {
      refuse(decoder_.refusal().status, decoder_.refusal().what, ConnectionEnd::protocol_error);
    }
    if (event == Decoder::Event::need_more || event == Decoder::Event::error || connection_.closing()) break;
    if (event != Decoder::Event::end) continue;
    if (websocket_) {
      switch_to_websocket(input);
      return;
    }
    waits_for_room_ = !active_ && connection_.waiting_bytes() >= pipelined_output_limit;
    if (active_ || waits_for_room_) {
      ahead_ = input;
      break;
    }
  }
  decoding_ = false;
  if (std::exchange(corked_, false)) {
    connection_.uncork();
    if (streaming_) connection_.come_again();  // a writer that the cork has stopped
  }
  if (active_ && answered_ && !request_done_ && !keep_alive_) give_up(ConnectionEnd::last_request);
  if (waits_for_room_ && connection_.has_room()) on_room();
  update_limits();
}

void Http1::begin_request(bool pipelined) {
  http1::ReceivedRequest& head = decoder_.head();
  is_head_ = head.method == "HEAD";
  minor_ = head.minor_version != 0;
  request_done_ = answering_ = streaming_ = answered_ = false;
  continue_owed_ = decoder_.expects_continue() && decoder_.body() != Decoder::Body::none;
  discarded_ = 0;
  ++served_;
  keep_alive_ = may_keep_alive();
  header_timed_ = false;
  // Answers to requests that came together leave together.
  if (pipelined && !corked_) {
    corked_ = true;
    connection_.cork();
  }
  Request request;
  request.protocol = minor_ ? Protocol::http1_1 : Protocol::http1_0;
  request.authority = decoder_.host();
  const bool has_body = decoder_.body() != Decoder::Body::none;
  if (decoder_.wants_upgrade() && !has_body && head.method == "GET" && websocket::wants_websocket(head.headers)) {
    request.wants_websocket = true;
    upgrade_ = std::make_unique<Headers>(head.headers);
  }
  request.method = std::move(head.method);
  request.path = std::move(head.target);
  request.headers = std::move(head.headers);
  active_ = std::make_unique<ActiveRequest>(connection_, *this);
  if (has_body) {
    const bool is_known = decoder_.body() == Decoder::Body::length;
    request.body = active_->body(is_known ? std::optional(decoder_.content_length()) : std::nullopt);
  }
  active_->begin(std::move(request));
}

bool Http1::may_keep_alive() const {
  const std::size_t most = limits().requests_per_connection;
  return decoder_.keep_alive() && !draining_ && !read_ended_ && !connection_.worker().draining() &&
         (most == 0 || served_ < most);
}

void Http1::take_data(std::string_view data) {
  if (!active_) return;
  active_->received(data.size());
  const auto state = active_->state();
  if (answered_ || state->body_unwanted()) {
    discarded_ += data.size();
    if (discarded_ > limits().discarded_bytes && answered_) give_up(ConnectionEnd::last_request);
  } else {
    state->deliver(data);
  }
}

void Http1::end_request() {
  request_done_ = true;
  if (active_) active_->end_body();
  maybe_next();
}

// The request is read and the response written: the connection is free.
void Http1::maybe_next() {
  if (!active_ || !request_done_ || !answered_ || websocket_) return;
  end_active(true);
  if (connection_.closing()) return;
  if (!keep_alive_ || draining_) {
    connection_.close(draining_ ? ConnectionEnd::drained : ConnectionEnd::last_request, !read_ended_);
    return;
  }
  decoder_.begin();
  if (decoding_) return;
  if (!ahead_.empty()) {
    connection_.put_back(std::exchange(ahead_, {}));
  }
  connection_.resume_reading();
  update_limits();
}

void Http1::on_read_end(bool broken) {
  read_ended_ = true;
  keep_alive_ = false;
  if (!active_) {
    connection_.close(ConnectionEnd::peer_closed);
    return;
  }
  if (broken || !request_done_) {
    connection_.cut(ConnectionEnd::peer_closed);
    return;
  }
  // It may have closed its side only, and still read. The handler decides whether the answer is worth the work.
  const auto state = active_->state();
  state->tell_cancelled();
}

// What the client sent cannot be served; it hears why unless it has heard something else already.
void Http1::refuse(int status, std::string_view what, ConnectionEnd why) {
  if (active_) {
    const auto state = active_->state();
    const ErrorCode code = status == 413                     ? ErrorCode::limit_exceeded
                           : why == ConnectionEnd::timed_out ? ErrorCode::timeout_idle_read
                                                             : ErrorCode::invalid_request;
    // The handler hears of it, but the answer is ours from here on.
    const bool was_answering = std::exchange(answering_, true);
    state->fail_body(Error(code, Phase::body, "the request's body was refused: " + std::string(what)));
    if (!active_ || connection_.closing()) return;
    if (was_answering) {
      give_up(why);
      return;
    }
    active_->answered(status);
    end_active(false);
  } else {
    log_refused(connection_, Protocol::http1_1, status);
  }
  const Response response = plain_response(status, what);
  keep_alive_ = is_head_ = false;
  http1::OutgoingResponse out{.status = status, .headers = &response.headers};
  out.has_body = true;
  out.content_length = response.body.size();
  send_head(out, response.content(), true);
  connection_.close(why, true);
}

// Nothing more can be said. An answer that is already complete is left to arrive.
void Http1::give_up(ConnectionEnd why) {
  if (answered_) {
    end_active(true);
    connection_.close(why, true);
  } else {
    connection_.cut(why);
  }
}

void Http1::end_active(bool complete) {
  upgrade_.reset();
  const std::unique_ptr<ActiveRequest> ended = std::move(active_);
  if (ended) ended->end(complete);
}

// --- time

void Http1::update_limits() {
  if (connection_.closing()) return;
  if (active_ && !request_done_) {
    const auto state = active_->state();
    const bool full = !answered_ && state->withheld() >= limits().body_ahead_bytes;
    if (full) {
      connection_.pause_reading();
    } else {
      connection_.resume_reading();
    }
    if (full || (continue_owed_ && !answering_)) {
      receiving_.stop();  // it is the handler who is slow
    } else {
      if (!receiving_.running()) {
        receiving_.start(connection_.bytes_received(), connection_.now(), timeouts().progress,
                         timeouts().progress_bytes);
      }
    }
    connection_.set_deadline(receiving_.deadline());
    return;
  }
  receiving_.stop();
  if (active_) {
    connection_.set_deadline(never);
  } else if (!decoder_.started()) {
    connection_.set_deadline(after(connection_.now(), timeouts().idle));
  } else if (!std::exchange(header_timed_, true)) {
    connection_.set_deadline(after(connection_.now(), timeouts().header));
  }
}

void Http1::on_deadline() {
  if (active_) {
    if (receiving_.check(connection_.bytes_received(), connection_.now())) {
      connection_.set_deadline(receiving_.deadline());
    } else {
      refuse(408, "its body came too slowly", ConnectionEnd::timed_out);
    }
  } else if (decoder_.started()) {
    refuse(408, "its head came too slowly", ConnectionEnd::timed_out);
  } else {
    connection_.close(connection_.worker().draining() ? ConnectionEnd::drained : ConnectionEnd::idle);
  }
}

void Http1::drain() {
  draining_ = true;
  if (!active_ && !decoder_.started() && ahead_.empty()) connection_.close(ConnectionEnd::drained);
}

std::unique_ptr<Speaker> make_http1(Connection& connection) { return std::make_unique<Http1>(connection); }

}  // namespace trunkline::server
