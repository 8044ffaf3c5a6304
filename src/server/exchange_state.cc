#include "server/exchange_state.h"

#include "server/websocket_state.h"

namespace trunkline::server {
namespace {

using Guard = std::lock_guard<Lock>;

Error peer_left() { return {ErrorCode::cancelled, Phase::body, "the client left before its request was complete"}; }

}  // namespace

template <class Action>
void ExchangeState::on_loop(Action action) {
  if (net::Loop::current() == loop_) {
    const std::shared_ptr<ExchangeState> keep = shared_from_this();  // it may end the handle that it came by
    action(*this);
  } else {
    mailbox_.post([self = shared_from_this(), action = std::move(action)]() mutable { action(*self); });
  }
}

// What a handler's callback throws ends its request, not the loop.
template <class Call>
void ExchangeState::guarded(Call call) {
  try {
    call();
  } catch (const std::exception& error) {
    blame(std::string("a handler's callback threw: ") + error.what());
  } catch (...) {
    blame("a handler's callback threw what is no std::exception");
  }
}

void ExchangeState::blame(const std::string& what) {
  if (carrier_ != nullptr) {
    carrier_->handler_failed(what);
  } else if (left_ != nullptr) {
    left_->report(what);
  }
}

// --- the request's body

void ExchangeState::deliver(std::string_view bytes) {
  if (body_unwanted() || in_error_) return;
  in_ += bytes;
  serve_reader();
}

void ExchangeState::end_body() {
  in_ended_ = true;
  if (!reader_) return;
  const std::shared_ptr<ExchangeState> keep = shared_from_this();
  serve_reader();
}

void ExchangeState::fail_body(const Error& error) {
  if (in_ended_ || in_error_) return;
  in_error_ = std::make_unique<Error>(error);
  serve_reader();
}

void ExchangeState::read(Callback<void(Result<std::string>)> done, std::optional<std::size_t> all_within) {
  on_loop([done = std::move(done), all_within](ExchangeState& self) mutable {
    self.set_reader(std::move(done), all_within);
  });
}

void ExchangeState::set_reader(Callback<void(Result<std::string>)> done, std::optional<std::size_t> all_within) {
  reader_ = std::move(done);
  all_within_ = all_within;
  serve_reader();
  if (carrier_ != nullptr) carrier_->body_taken();
}

// True: the reader has got something.
bool ExchangeState::serve_reader() {
  if (!reader_) return false;
  if (all_within_ && in_.size() > *all_within_) {
    std::string().swap(in_);
    body_dropped_ = true;
    answer_reader(Error(ErrorCode::limit_exceeded, Phase::body,
                        "the request's body is larger than " + std::to_string(*all_within_) + " bytes"));
  } else if (in_error_ && (all_within_ || in_.empty())) {
    answer_reader(*in_error_);
  } else if (all_within_ ? in_ended_ : !in_.empty() || in_ended_) {
    answer_reader(std::exchange(in_, {}));
  } else {
    return false;
  }
  return true;
}

// It may ask for the next piece from inside.
void ExchangeState::answer_reader(Result<std::string> result) {
  Callback<void(Result<std::string>)> reader = std::move(reader_);
  guarded([&] { reader(std::move(result)); });
}

void ExchangeState::drop_body() {
  on_loop([](ExchangeState& self) {
    self.body_dropped_ = true;
    if (self.reader_) return;  // what it reads it still gets
    std::string().swap(self.in_);
    if (self.carrier_ != nullptr) self.carrier_->body_taken();
  });
}

// --- the answer

void ExchangeState::respond(Response&& response) {
  if (net::Loop::current() == loop_) {  // nearly always; no closure is made for it
    answered_whole_ = true;
    if (carrier_ != nullptr) carrier_->respond(std::move(response));
    return;
  }
  on_loop([response = std::move(response)](ExchangeState& self) mutable {
    self.answered_whole_ = true;
    if (self.carrier_ != nullptr) self.carrier_->respond(std::move(response));
  });
}

void ExchangeState::start(int status, Headers headers, std::optional<std::uint64_t> length) {
  on_loop([status, headers = std::move(headers), length](ExchangeState& self) mutable {
    if (self.carrier_ != nullptr) self.carrier_->start(status, std::move(headers), length);
  });
}

void ExchangeState::on_cancelled(Callback<void()> cancelled) {
  on_loop([cancelled = std::move(cancelled)](ExchangeState& self) mutable {
    if (self.carrier_ != nullptr) {
      self.cancelled_ = std::move(cancelled);
    } else {
      self.guarded([&] { cancelled(); });  // it left while this was on its way
    }
  });
}

void ExchangeState::tell_cancelled() {
  Callback<void()> cancelled = std::move(cancelled_);
  if (cancelled) guarded([&] { cancelled(); });
}

void ExchangeState::leave(bool cancelled) {
  if (carrier_ == nullptr) return;
  if (answered_whole_ && in_ended_ && !cancelled && !reader_ &&
      !cancelled_) {  // nearly always; there is nobody to tell
    carrier_ = nullptr;
    return;
  }
  const std::shared_ptr<ExchangeState> keep = shared_from_this();
  left_ = std::exchange(carrier_, nullptr);
  bool writer_waits = false;  // though the response is complete: more was written than it could carry
  {
    const Guard guard(lock_);
    gone_ = true;
    writer_waits = !finished_ && !cut_;
    std::string().swap(out_);
  }
  fail_body(peer_left());
  if (cancelled) tell_cancelled();
  if (cancelled || writer_waits) call_room();
  left_ = nullptr;
  cancelled_.reset();
  Callback<void()> dropped;  // what it holds dies outside the lock
  const Guard guard(lock_);
  dropped = std::move(room_);
}

// --- the response's body

BodyWriter::Sent ExchangeState::write(std::string_view bytes) {
  {
    const Guard guard(lock_);
    if (gone_ || finished_ || cut_) return BodyWriter::Sent::gone;
    room_missed_ = false;
    if (out_.size() >= ahead_limit_) {
      room_wanted_ = true;
      return BodyWriter::Sent::full;
    }
    if (bytes.empty()) return BodyWriter::Sent::taken;
    out_ += bytes;
  }
  wake_carrier();
  return BodyWriter::Sent::taken;
}

void ExchangeState::finish(Headers trailers) {
  {
    const Guard guard(lock_);
    if (gone_ || finished_ || cut_) return;
    finished_ = true;
    if (!trailers.empty()) trailers_ = std::make_unique<Headers>(std::move(trailers));
  }
  wake_carrier();
}

void ExchangeState::cut() {
  {
    const Guard guard(lock_);
    if (gone_ || finished_) return;
    cut_ = true;
  }
  wake_carrier();
}

void ExchangeState::on_room(Callback<void()> room) {
  Callback<void()> before;
  {
    const Guard guard(lock_);
    before = std::exchange(room_, std::move(room));
    if (!room_ || (!gone_ && !std::exchange(room_missed_, false))) return;
  }
  // There is nothing to wait for any more. Not from inside: the caller may not be ready for it.
  mailbox_.post([self = shared_from_this()] { self->call_room(); });
}

void ExchangeState::end_response() {
  const std::shared_ptr<ExchangeState> keep = shared_from_this();
  {
    const Guard guard(lock_);
    gone_ = true;
    std::string().swap(out_);
  }
  call_room();
}

bool ExchangeState::response_waits() {
  const Guard guard(lock_);
  return !out_.empty();
}

// Once for all that is written until the carrier takes it.
void ExchangeState::wake_carrier() {
  {
    const Guard guard(lock_);
    if (std::exchange(woken_, true)) return;
  }
  on_loop([](ExchangeState& self) {
    if (self.carrier_ != nullptr) self.carrier_->response_ready();
  });
}

ExchangeState::Piece ExchangeState::take_response() {
  Piece piece;
  bool room = false;
  {
    const Guard guard(lock_);
    woken_ = true;  // the carrier is at it: on_room may write, and must not call it from inside
    piece.bytes.swap(out_);
    piece.end = finished_;
    piece.cut = cut_;
    if (piece.end && trailers_) piece.trailers = std::move(*trailers_);
    room = std::exchange(room_wanted_, false);
  }
  if (room) call_room();  // what it writes is not announced: `more` says it
  const Guard guard(lock_);
  woken_ = piece.more = !out_.empty() || finished_ != piece.end || cut_ != piece.cut;
  return piece;
}

void ExchangeState::call_room() {
  Callback<void()> room;
  {
    const Guard guard(lock_);
    room = std::move(room_);
    if (!room) room_missed_ = true;  // between a `full` and on_room
  }
  if (!room) return;
  guarded([&] { room(); });
  const Guard guard(lock_);
  if (!room_ && !gone_) room_ = std::move(room);
}

void ExchangeState::accept_websocket(std::shared_ptr<WebSocketState> websocket) {
  on_loop([websocket = std::move(websocket)](ExchangeState& self) {
    if (self.carrier_ != nullptr) {
      self.carrier_->accept_websocket(websocket);
    } else {
      websocket->refused();
    }
  });
}

// --- handles

RequestBody::RequestBody(std::shared_ptr<ExchangeState> state, std::optional<std::uint64_t> length)
    : state_(std::move(state)), length_(length) {}
RequestBody::RequestBody(RequestBody&&) noexcept = default;
RequestBody& RequestBody::operator=(RequestBody&& other) noexcept {
  if (this != &other) {
    if (state_) state_->drop_body();
    state_ = std::move(other.state_);
    length_ = other.length_;
  }
  return *this;
}
RequestBody::~RequestBody() {
  if (state_) state_->drop_body();
}

void RequestBody::read(Callback<void(Result<std::string>)> done) {
  if (state_) {
    state_->read(std::move(done), std::nullopt);
  } else {
    done(std::string());
  }
}

void RequestBody::read_all(std::size_t limit_bytes, Callback<void(Result<std::string>)> done) {
  if (state_) {
    state_->read(std::move(done), limit_bytes);
  } else {
    done(std::string());
  }
}

BodyWriter::BodyWriter(std::shared_ptr<ExchangeState> state) : state_(std::move(state)) {}
BodyWriter::BodyWriter(BodyWriter&&) noexcept = default;
BodyWriter& BodyWriter::operator=(BodyWriter&& other) noexcept {
  if (this != &other) {
    if (state_) state_->cut();
    state_ = std::move(other.state_);
  }
  return *this;
}
BodyWriter::~BodyWriter() {
  if (state_) state_->cut();
}

BodyWriter::Sent BodyWriter::write(std::string_view bytes) { return state_ ? state_->write(bytes) : Sent::gone; }

void BodyWriter::on_room(Callback<void()> room) {
  if (state_) state_->on_room(std::move(room));
}

void BodyWriter::finish(Headers trailers) {
  if (!state_) return;
  state_->finish(std::move(trailers));
  state_.reset();
}

Exchange::Exchange(std::shared_ptr<ExchangeState> state) : state_(std::move(state)) {}
Exchange::Exchange(Exchange&&) noexcept = default;
Exchange& Exchange::operator=(Exchange&& other) noexcept {
  if (this != &other) {
    if (state_) respond(plain_response(500));
    state_ = std::move(other.state_);
  }
  return *this;
}
Exchange::~Exchange() {
  if (state_) respond(plain_response(500));
}

void Exchange::respond(Response response) {
  if (const auto state = std::exchange(state_, nullptr)) state->respond(std::move(response));
}

BodyWriter Exchange::start(int status, Headers headers, std::optional<std::uint64_t> length) {
  const auto state = std::exchange(state_, nullptr);
  if (state) state->start(status, std::move(headers), length);
  return BodyWriter(state);
}

void Exchange::on_cancelled(Callback<void()> cancelled) {
  if (state_) state_->on_cancelled(std::move(cancelled));
}

}  // namespace trunkline::server
