#include "client/websocket.h"

#include <mutex>
#include <utility>

#include "client/connection.h"

namespace trunkline {

using net::Io;

namespace {

using Guard = std::unique_lock<Lock>;

constexpr int reads_in_a_row = 16;  // then others on the loop have their turn
constexpr int deliveries_in_a_row = 256;
constexpr std::size_t cost_of_a_message = 64;  // in the inbox, beside its bytes: empty messages are not free either

websocket::Settings settings_of(const WebSocketOptions& options) {
  websocket::Settings settings;
  settings.limits = {options.frame_bytes, options.message_bytes, options.fragments};
  settings.send_queue_bytes = options.send_queue_bytes;
  settings.ping_after = options.ping_after;
  settings.ping_timeout = options.ping_timeout;
  settings.close_timeout = options.close_timeout;
  settings.write_stall = options.write_stall;
  return settings;
}

}  // namespace

WebSocket::Impl::Impl(Connection& connection, std::string held, const WebSocketOptions& options,
                      websocket::Agreement agreement, StreamWatches watches)
    : loop_(connection.loop()),
      connection_(&connection),
      protocol_(websocket::Role::client, settings_of(options), agreement.deflate, Clock::now()),
      held_(std::move(held)),
      inbox_limit_(options.receive_queue_bytes),
      subprotocol_(std::move(agreement.subprotocol)),
      compressed_(agreement.deflate.has_value()),
      watches_(std::move(watches)) {}

WebSocket::Impl::~Impl() = default;

void WebSocket::Impl::begin() {
  self_ = shared_from_this();
  loop_.post([self = self_] {
    Guard guard(self->lock_);
    self->adopted_ = true;
    self->connection_->hand_to(*self, self->wants_writable_);
    self->work(std::move(guard));
  });
}

TimePoint WebSocket::Impl::now() const { return loop_.on_this_thread() ? loop_.now() : Clock::now(); }

void WebSocket::Impl::wake_loop() {
  if (woken_ || (working_ && loop_.on_this_thread())) return;
  woken_ = true;
  loop_.post([self = shared_from_this()] { self->work(Guard(self->lock_)); });
}

// --- on the loop's thread

void WebSocket::Impl::on_socket(std::uint32_t events) {
  Guard guard(lock_);
  if ((events & (net::readable | net::hung_up)) != 0) may_be_readable_ = true;
  if ((events & net::hung_up) != 0) peer_closed_ = true;
  work(std::move(guard));
}

void WebSocket::Impl::on_time() {
  using Due = websocket::Connection::Due;
  Guard guard(lock_);
  if (connection_ == nullptr) return;
  switch (protocol_.on_time(loop_.now())) {
    case Due::nothing:
      break;
    case Due::peer_silent:
      fail(ErrorCode::timeout_idle_read, Phase::body, "the peer has not answered a PING in time");
      break;
    case Due::peer_stuck:
      fail(ErrorCode::timeout_write, Phase::send, "the peer has taken no bytes in time");
      break;
    case Due::close_late:
      fail(ErrorCode::timeout_idle_read, Phase::body, "the peer has not answered the close frame in time");
      break;
  }
  work(std::move(guard));
}

// Moves what can be moved, and tells those who wait for it. Until it has ended, `self_` keeps it; afterwards, whoever
// posted this.
void WebSocket::Impl::work(Guard guard) {
  woken_ = false;
  working_ = true;
  int reads = 0;
  int deliveries = 0;
  for (;;) {
    if (deliveries < deliveries_in_a_row && deliver(guard)) {
      ++deliveries;
      continue;
    }
    flush();
    const bool to_read = adopted_ && connection_ != nullptr && wants_more() && (may_be_readable_ || !held_.empty());
    if (to_read && reads++ < reads_in_a_row) {
      read_some();
      continue;
    }
    if (send_failed_ && !to_read) fail(ErrorCode::connection_reset, Phase::send, "the connection broke");
    const bool more = to_read || deliveries == deliveries_in_a_row;
    if (finished_ && !finish_told_) {
      finish_told_ = true;  // once more around: whoever waits for the end
      continue;
    }
    working_ = false;
    if (more) wake_loop();
    if (connection_ == nullptr) return;
    if (!finished_) {
      connection_->set_upgraded_timer(protocol_.deadline());
      return;
    }
    // The lease ends here. What is left of this object is the user's.
    Connection* const connection = std::exchange(connection_, nullptr);
    const std::shared_ptr<Impl> last = std::move(self_);
    const StreamWatches watches = std::move(watches_);
    guard.unlock();
    connection->abort(CloseReason::upgraded);
    return;
  }
}

// Makes one callback that is owed. False: there is none. The callback is called, and dropped with all that it holds,
// without the lock.
bool WebSocket::Impl::deliver(Guard& guard) {
  if (receiver_ && (!inbox_.empty() || end_)) {
    Callback<void(Result<WebSocketMessage>)> receiver = std::move(receiver_);
    Result<WebSocketMessage> message = take_next();
    guard.unlock();
    receiver(std::move(message));
    receiver.reset();
    guard.lock();
    return true;
  }
  if (!waiting_sends_.empty() && (protocol_.has_room() || end_ || !protocol_.may_send())) {
    WaitingSend next = std::move(waiting_sends_.front());
    waiting_sends_.pop_front();
    Result<void> result = accept({next.opcode, next.data, next.compressed});
    guard.unlock();
    next.done(std::move(result));
    next.done.reset();
    guard.lock();
    return true;
  }
  if (!closers_.empty() && end_) {
    Callback<void(Result<void>)> closer = std::move(closers_.front());
    closers_.pop_front();
    Result<void> result = end_->error ? Result<void>(*end_->error) : Result<void>();
    guard.unlock();
    closer(std::move(result));
    closer.reset();
    guard.lock();
    return true;
  }
  return false;
}

// --- with the lock

bool WebSocket::Impl::wants_more() const { return !finished_ && (end_ || closing_ || !paused_); }

void WebSocket::Impl::read_some() {
  if (!held_.empty()) {
    const std::string bytes = std::exchange(held_, {});
    take_input(bytes);
    return;
  }
  const net::ReadResult result = connection_->stream().read(net::Scratch::of_this_thread());
  switch (result.io) {
    case Io::ok:
      if (result.drained && !peer_closed_) may_be_readable_ = false;
      take_input(result.bytes);
      return;
    case Io::again:
      may_be_readable_ = std::exchange(peer_closed_, false);  // behind half a TLS record it may still be unread
      return;
    case Io::closed:
    case Io::cut:
      fail(ErrorCode::connection_closed, Phase::body, "the peer ended the connection without a close frame");
      return;
    case Io::failed:
      fail(ErrorCode::connection_reset, Phase::body, "the connection broke: " + result.error.message());
      return;
  }
}

void WebSocket::Impl::take_input(std::string_view bytes) {
  using Event = websocket::Connection::Event;
  while (!end_) {
    if (!wants_more()) {
      held_.assign(bytes);
      return;
    }
    switch (protocol_.next(bytes, loop_.now())) {
      case Event::need_more:
        return;
      case Event::message: {
        std::string data = protocol_.take_message();
        if (closing_) break;
        inbox_bytes_ += data.size() + cost_of_a_message;
        inbox_.push_back({protocol_.text() ? WebSocketMessage::text : WebSocketMessage::binary, std::move(data)});
        if (inbox_bytes_ < inbox_limit_) break;
        paused_ = true;
        protocol_.pause_reading();
        break;
      }
      case Event::closed:
        end_ = std::make_unique<End>(End{.close_code = protocol_.close_code(), .reason = protocol_.close_reason()});
        return;
      case Event::failed: {
        const websocket::Failure& failure = protocol_.failure();
        const bool too_much =
            failure.close_code == websocket::message_too_big || failure.close_code == websocket::policy_violation;
        flush();  // the frame that says why
        fail(too_much ? ErrorCode::limit_exceeded : ErrorCode::invalid_frame, Phase::body, failure.what);
        return;
      }
    }
  }
}

// Writes what is queued, and listens for room when there was not enough.
void WebSocket::Impl::flush() {
  if (connection_ == nullptr || finished_ || send_failed_) return;
  net::Stream& stream = connection_->stream();
  Io io = Io::ok;
  while (io == Io::ok && !protocol_.output().empty()) {
    const std::string_view output = protocol_.output();
    const net::WriteResult result = stream.write({&output, 1});
    io = result.io;
    if (io == Io::ok) protocol_.sent(result.accepted, now());
  }
  if (io == Io::ok && stream.has_pending_output()) io = stream.flush().io;
  if (io == Io::closed || io == Io::failed) {
    // It may still have said why: the reading side decides.
    send_failed_ = may_be_readable_ = true;
    wake_loop();
    return;
  }
  const bool blocked = !protocol_.output().empty() || stream.has_pending_output();
  if (blocked == wants_writable_) return;
  wants_writable_ = blocked;
  if (adopted_) connection_->listen_upgraded(blocked);
  wake_loop();  // for the time limit
}

// Ends it here and now; the peer's orderly close, where it came first, stays what the user hears.
void WebSocket::Impl::fail(ErrorCode code, Phase phase, std::string message) {
  finished_ = true;
  if (end_) return;
  Error error(code, phase, std::move(message));
  error.maybe_processed = MaybeProcessed::unknown;
  if (connection_ != nullptr) error.address = connection_->dialled().address;
  end_ = std::make_unique<End>(End{.error = std::move(error)});
}

Result<WebSocketMessage> WebSocket::Impl::take_next() {
  if (inbox_.empty()) {
    if (end_->error) return *end_->error;
    return WebSocketMessage{WebSocketMessage::closed, end_->reason, end_->close_code};
  }
  WebSocketMessage message = std::move(inbox_.front());
  inbox_.pop_front();
  inbox_bytes_ -= message.data.size() + cost_of_a_message;
  if (paused_ && inbox_bytes_ <= inbox_limit_ / 2) {
    paused_ = false;
    protocol_.resume_reading(now());
    wake_loop();
  }
  return message;
}

// The message goes into the queue, and as much of it as there is room for onto the wire.
Result<void> WebSocket::Impl::accept(const Outgoing& message) {
  if (end_ && end_->error) return *end_->error;
  if (end_ || !protocol_.may_send()) {
    return Error(ErrorCode::connection_closed, Phase::send, "the WebSocket is closed: nothing more can be sent");
  }
  if (message.compressed) {
    protocol_.send_compressed(message.opcode, message.data, now());
  } else {
    protocol_.send_plain(message.opcode, message.data, now());
  }
  flush();
  return {};
}

// From now on messages are read only to find the peer's close frame behind them.
void WebSocket::Impl::say_close(std::uint16_t code, std::string_view reason) {
  if (end_ || closing_) return;
  closing_ = true;
  paused_ = false;
  protocol_.resume_reading(now());
  protocol_.close(code, reason, now());
  flush();
}

}  // namespace trunkline
