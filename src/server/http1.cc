#include "server/http1.h"

#include <algorithm>
#include <utility>

#include "base/per_thread.h"
#include "http1/request_decoder.h"
#include "http1/request_encoder.h"
#include "http1/response_encoder.h"
#include "server/active_request.h"
#include "server/connection.h"
#include "server/progress.h"
#include "server/websocket_state.h"
#include "server/worker.h"
#include "websocket/server_handshake.h"

namespace trunkline::server {
namespace {

using Decoder = http1::RequestDecoder;
using Framing = http1::ResponseFraming;

// Bytes behind a request that is being served. They are read at all because only reading tells of a peer that leaves.
constexpr std::size_t ahead_limit = 16 * 1024;
constexpr std::size_t pipelined_output_limit = 64 * 1024;
constexpr int pieces_in_a_row = 16;  // of one response, then others have their turn

std::string& head_buffer() {
  struct Heads;
  auto& buffer = per_thread<std::string, Heads>();
  buffer.clear();
  return buffer;
}

http1::RequestLimits request_limits(const Limits& limits) {
  http1::RequestLimits made;
  made.request_line_bytes = limits.request_line_bytes;
  made.field_bytes = limits.header_bytes;
  made.field_count = limits.header_count;
  made.body_bytes = limits.body_bytes;
  return made;
}

class Http1 final : public Speaker, public Carrier {
 public:
  explicit Http1(Connection& connection)
      : Speaker(connection), decoder_(request_limits(connection.worker().settings().limits)) {
    decoder_.begin();
  }

  void on_bytes(std::string_view bytes) override;
  void on_read_end(bool broken) override;
  void on_room() override;
  void on_deadline() override;
  void drain() override;
  void on_gone() override { end_active(false); }

 private:
  // Carrier
  void respond(Response&& response) override;
  void start(int status, Headers&& headers, std::optional<std::uint64_t> length) override;
  void accept_websocket(const std::shared_ptr<WebSocketState>& websocket) override;
  void response_ready() override;
  void body_taken() override;

  const Limits& limits() const { return connection_.worker().settings().limits; }
  const Timeouts& timeouts() const { return connection_.worker().settings().timeouts; }
  void decode(std::string_view input);
  void begin_request(bool pipelined);
  void take_data(std::string_view data);
  void end_request();
  std::optional<Framing> send_head(const http1::OutgoingResponse& response, std::string_view content, bool is_whole);
  bool write_piece(std::string_view bytes);
  void finish_response(const Headers& trailers);
  void maybe_next();
  void refuse(int status, std::string_view what, ConnectionEnd why);
  void give_up(ConnectionEnd why);
  void end_active(bool complete);
  void switch_to_websocket(std::string_view rest);
  void update_limits();
  bool may_keep_alive() const;

  Decoder decoder_;
  std::unique_ptr<ActiveRequest> active_;
  std::unique_ptr<Headers> upgrade_;  // the head, while a WebSocket may come of it
  std::shared_ptr<WebSocketState> websocket_;
  std::string ahead_;
  ProgressWatch receiving_;
  std::optional<std::uint64_t> left_;  // of the response's declared length
  std::uint64_t discarded_ = 0;
  std::size_t served_ = 0;
  Framing::Body framing_ = Framing::Body::none;
  bool decoding_ = false;
  bool corked_ = false;
  bool is_head_ = false;
  bool minor_ = true;  // HTTP/1.1
  bool request_done_ = false;
  bool answering_ = false;      // the response's head is written
  bool streaming_ = false;      // and its body comes from a writer
  bool answered_ = false;       // all of it is written
  bool continue_owed_ = false;  // the client waits for 100
  bool keep_alive_ = true;
  bool waits_for_room_ = false;  // of pipelined requests: too much of earlier answers waits
  bool header_timed_ = false;
  bool draining_ = false;
  bool read_ended_ = false;
};

// --- receiving

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
  if (std::exchange(corked_, false)) connection_.uncork();
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
  IncomingHead incoming;
  incoming.protocol = minor_ ? Protocol::http1_1 : Protocol::http1_0;
  incoming.has_body = decoder_.body() != Decoder::Body::none;
  if (decoder_.body() == Decoder::Body::length) incoming.content_length = decoder_.content_length();
  incoming.authority = head.headers.get("host").value_or("");
  if (decoder_.wants_upgrade() && !incoming.has_body && head.method == "GET" &&
      websocket::wants_websocket(head.headers)) {
    incoming.wants_websocket = true;
    upgrade_ = std::make_unique<Headers>(head.headers);
  }
  incoming.method = std::move(head.method);
  incoming.target = std::move(head.target);
  incoming.headers = std::move(head.headers);
  active_ = std::make_unique<ActiveRequest>(connection_, *this);
  active_->begin(std::move(incoming));
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
  if (active_) {
    const auto state = active_->state();
    state->end_body();
  }
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
      receiving_.stop();  // it is the handler who is slow
    } else {
      connection_.resume_reading();
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
    connection_.close(ConnectionEnd::idle);
  }
}

void Http1::drain() {
  draining_ = true;
  if (!active_ && !decoder_.started() && ahead_.empty()) connection_.close(ConnectionEnd::drained);
}

// --- the answer

std::optional<Framing> Http1::send_head(const http1::OutgoingResponse& response, std::string_view content,
                                        bool is_whole) {
  http1::OutgoingResponse out = response;
  out.date = connection_.worker().date();
  out.server = connection_.worker().settings().name;
  http1::ResponseContext context;
  context.minor_version = minor_ ? 1 : 0;
  context.is_head = is_head_;
  // Whoever waits for 100 may never send the body, and whoever sends a long one for nothing is stopped.
  const bool long_body = !request_done_ && active_ && decoder_.body() == Decoder::Body::length &&
                         decoder_.content_length() > limits().discarded_bytes;
  context.keep_alive = keep_alive_ && !draining_ && !continue_owed_ && !(long_body && is_whole);
  std::string& head = head_buffer();
  auto framing = http1::encode_response(out, context, head);
  if (!framing) {
    if (connection_.worker().settings().on_trouble) {
      connection_.worker().settings().on_trouble("a handler's response was not sent: " + framing.error().message);
    }
    return std::nullopt;
  }
  keep_alive_ = framing->keep_alive;
  answering_ = true;
  if (active_) active_->answered(out.status);
  if (framing->body == Framing::Body::none) content = {};
  connection_.send({head, content});
  if (active_) active_->sent(content.size());
  return *framing;
}

bool has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

void Http1::respond(Response&& response) {
  if (!active_ || answering_) return;
  http1::OutgoingResponse out{.status = response.status, .headers = &response.headers};
  out.has_body = !has_no_body(response.status);
  if (out.has_body) out.content_length = response.content().size();
  if (!send_head(out, response.content(), true)) {
    respond(plain_response(500));
    return;
  }
  answered_ = true;
  if (!request_done_ && !keep_alive_ && !decoding_) {
    give_up(ConnectionEnd::last_request);
    return;
  }
  maybe_next();
}

void Http1::start(int status, Headers&& headers, std::optional<std::uint64_t> length) {
  if (!active_ || answering_) return;
  http1::OutgoingResponse out{.status = status, .headers = &headers};
  out.has_body = !has_no_body(status);
  if (out.has_body) out.content_length = length;
  const auto framing = send_head(out, {}, false);
  if (!framing) {
    respond(plain_response(500));
    return;
  }
  framing_ = framing->body;
  left_ = framing_ == Framing::Body::length ? length : std::nullopt;
  streaming_ = true;
  response_ready();
}

void Http1::response_ready() {
  for (int pieces = 0; active_ && streaming_ && connection_.has_room(); ++pieces) {
    if (pieces == pieces_in_a_row) {
      connection_.come_again();
      return;
    }
    const auto state = active_->state();
    const ExchangeState::Piece piece = state->take_response();
    if (!active_ || !streaming_) return;
    if (!piece.bytes.empty() && !write_piece(piece.bytes)) return;
    if (piece.cut) {
      connection_.cut(ConnectionEnd::cut_off);
      return;
    }
    if (piece.end) {
      finish_response(piece.trailers);
      return;
    }
    if (!piece.more) return;
  }
}

bool Http1::write_piece(std::string_view bytes) {
  if (left_) {
    if (bytes.size() > *left_) {
      connection_.cut(ConnectionEnd::cut_off);
      return false;
    }
    *left_ -= bytes.size();
  }
  if (framing_ == Framing::Body::none) return true;
  active_->sent(bytes.size());
  if (framing_ == Framing::Body::chunked) {
    std::string& prefix = head_buffer();
    http1::encode_chunk_prefix(bytes.size(), prefix);
    connection_.send_soon({prefix, bytes, "\r\n"});
  } else {
    connection_.send_soon({bytes});
  }
  return true;
}

void Http1::finish_response(const Headers& trailers) {
  streaming_ = false;
  if (left_.value_or(0) != 0) {
    connection_.cut(ConnectionEnd::cut_off);
    return;
  }
  if (framing_ == Framing::Body::chunked) {
    std::string& last = head_buffer();
    if (!http1::encode_last_chunk(trailers, last)) {
      last.clear();
      [[maybe_unused]] const auto without = http1::encode_last_chunk({}, last);
    }
    connection_.send_soon({last});
  }
  answered_ = true;
  if (!request_done_ && !keep_alive_ && !decoding_) {
    give_up(ConnectionEnd::last_request);
    return;
  }
  maybe_next();
}

void Http1::body_taken() {
  if (!active_) return;
  const auto state = active_->state();
  if (continue_owed_ && !answering_ && state->reader_waits()) {
    continue_owed_ = false;
    std::string& interim = head_buffer();
    if (http1::encode_interim(100, {}, interim)) connection_.send({interim});
  }
  if (!decoding_) update_limits();
}

void Http1::on_room() {
  if (waits_for_room_) {
    waits_for_room_ = false;
    if (!ahead_.empty()) connection_.put_back(std::exchange(ahead_, {}));
    connection_.resume_reading();
  }
  response_ready();
}

// --- WebSocket

void Http1::accept_websocket(const std::shared_ptr<WebSocketState>& websocket) {
  if (!active_ || answering_ || !upgrade_) {
    websocket->refused();
    if (active_ && !answering_) respond(plain_response(426));
    return;
  }
  const websocket::HandshakeAnswer answer =
      websocket::answer_handshake(websocket->choice(), "GET", minor_ ? 1 : 0, *upgrade_);
  std::string& head = head_buffer();
  if (answer.status != 101 || !http1::encode_switch("websocket", answer.headers, connection_.worker().date(), head)) {
    websocket->refused();
    Response response = plain_response(answer.status == 101 ? 500 : answer.status, answer.what);
    for (const auto& field : answer.headers) response.headers.set(field.name, field.value);
    respond(std::move(response));
    return;
  }
  connection_.send({head});
  answering_ = answered_ = true;
  active_->answered(101);
  websocket_ = websocket;
  if (!decoding_) switch_to_websocket(std::exchange(ahead_, {}));
}

void Http1::switch_to_websocket(std::string_view rest) {
  if (std::exchange(corked_, false)) connection_.uncork();
  decoding_ = false;
  end_active(true);
  if (connection_.closing()) {
    websocket_->refused();
    return;
  }
  connection_.become(make_websocket(connection_, std::exchange(websocket_, {})), std::string(rest));
}

}  // namespace

std::unique_ptr<Speaker> make_http1(Connection& connection) { return std::make_unique<Http1>(connection); }

}  // namespace trunkline::server
