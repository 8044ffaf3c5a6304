#include "server/websocket_state.h"

#include "server/exchange_state.h"

namespace trunkline::server {
namespace {

using Guard = std::lock_guard<Lock>;

constexpr std::size_t longest_reason = 123;  // RFC 6455 section 5.5: 125 bytes, less the code

websocket::Settings protocol_settings(const WebSocketSettings& settings) {
  websocket::Settings made;
  made.limits = {settings.frame_bytes, settings.message_bytes, settings.fragments};
  made.send_queue_bytes = settings.send_queue_bytes;
  made.ping_after = settings.ping_after;
  made.ping_timeout = settings.ping_timeout;
  made.close_timeout = settings.close_timeout;
  made.write_stall = settings.write_stall;
  return made;
}

// Nothing, as most servers want it, takes no room.
std::unique_ptr<websocket::ServerChoice> unusual_choice(WebSocketSettings& settings) {
  if (settings.subprotocols.empty() && !settings.deflate) return nullptr;
  return std::make_unique<websocket::ServerChoice>(
      websocket::ServerChoice{std::move(settings.subprotocols), settings.deflate, settings.keep_windows});
}

template <class Signature>
std::unique_ptr<Callback<Signature>> if_set(Callback<Signature>&& callback) {
  return callback ? std::make_unique<Callback<Signature>>(std::move(callback)) : nullptr;
}

}  // namespace

WebSocketState::Events::Events(WebSocketEvents&& all)
    : on_message(std::move(all.on_message)),
      on_open(if_set(std::move(all.on_open))),
      on_room(if_set(std::move(all.on_room))),
      on_closed(if_set(std::move(all.on_closed))) {}

WebSocketState::WebSocketState(net::Loop* loop, net::Loop::Mailbox mailbox, WebSocketSettings settings,
                               WebSocketEvents events)
    : loop_(loop),
      mailbox_(std::move(mailbox)),
      events_(std::move(events)),
      choice_(unusual_choice(settings)),
      protocol_(websocket::Role::server, protocol_settings(settings), {}, Clock::now()) {}

websocket::ServerChoice WebSocketState::take_choice() {
  const auto choice = std::exchange(choice_, nullptr);
  return choice ? std::move(*choice) : websocket::ServerChoice();
}

template <class Action>
void WebSocketState::on_loop(Action action) {
  if (net::Loop::current() == loop_) {
    action(*this);
  } else {
    mailbox_.post([self = shared_from_this(), action = std::move(action)] { action(*self); });
  }
}

// What a handler's callback throws ends its WebSocket, not the loop.
template <class Call>
void WebSocketState::guarded(Call call) {
  try {
    call();
  } catch (const std::exception& error) {
    if (driver_ != nullptr) driver_->handler_failed(std::string("a WebSocket's callback threw: ") + error.what());
  } catch (...) {
    if (driver_ != nullptr) driver_->handler_failed("a WebSocket's callback threw what is no std::exception");
  }
}

void WebSocketState::agreed(const std::optional<websocket::DeflateParameters>& deflate) {
  if (!deflate) return;
  const Guard guard(lock_);
  protocol_.agree(*deflate);
}

void WebSocketState::opened(Driver& driver) {
  driver_ = &driver;
  if (paused_) driver.reading_changed();  // a handler that does so at once
  if (events_.on_open) {
    WebSocket handle(shared_from_this());
    guarded([&] { (*events_.on_open)(handle); });
    if (!ended_) events_.on_open.reset();  // with what it holds
  }
}

void WebSocketState::ended(std::uint16_t code, std::string_view reason) {
  {
    const Guard guard(lock_);
    gone_ = true;
  }
  if (std::exchange(ended_, true)) return;
  const std::shared_ptr<WebSocketState> keep = shared_from_this();
  if (events_.on_closed) {
    guarded([&] { (*events_.on_closed)(std::uint16_t{code}, std::string_view{reason}); });
  }
  driver_ = nullptr;
  // What the callbacks hold may be a handle of this very WebSocket. Not now: one of them may be calling us.
  mailbox_.post([keep] { keep->events_ = Events({}); });
}

void WebSocketState::message(std::string_view bytes, bool is_text) {
  if (ended_ || !hears_ || !events_.on_message) return;
  WebSocket handle(shared_from_this());
  guarded([&] { events_.on_message(handle, std::string_view{bytes}, bool{is_text}); });
}

bool WebSocketState::room_is_due() {
  const Guard guard(lock_);
  return room_wanted_ && protocol_.queued_bytes() <= protocol_.send_queue_bytes() / 2;
}

void WebSocketState::room_made() {
  {
    const Guard guard(lock_);
    if (!room_wanted_ || protocol_.queued_bytes() > protocol_.send_queue_bytes() / 2) return;
    room_wanted_ = false;
  }
  if (!ended_ && events_.on_room) {
    guarded([&] { (*events_.on_room)(); });
  }
}

WebSocket::Sent WebSocketState::may_take() {
  if (gone_ || !protocol_.may_send()) return WebSocket::Sent::closed;
  if (protocol_.has_room()) return WebSocket::Sent::taken;
  room_wanted_ = true;
  return WebSocket::Sent::full;
}

WebSocket::Sent WebSocketState::send(websocket::Opcode opcode, std::string_view bytes) {
  websocket::Deflater* deflater = nullptr;
  {
    const Guard guard(lock_);
    if (const WebSocket::Sent sent = may_take(); sent != WebSocket::Sent::taken) return sent;
    deflater = protocol_.deflater_for(bytes.size());
    if (deflater == nullptr) protocol_.send(opcode, bytes, Clock::now());
  }
  if (deflater != nullptr) return compress_and_send(*deflater, opcode, bytes);
  wake();
  return WebSocket::Sent::taken;
}

// Compressing a message takes a thousand times as long as queueing it, and the loop waits for the lock. Only those wait
// here whose messages refer to each other, as these have to travel in the order in which they were compressed.
WebSocket::Sent WebSocketState::compress_and_send(websocket::Deflater& deflater, websocket::Opcode opcode,
                                                  std::string_view bytes) {
  std::unique_lock in_order(compressing_, std::defer_lock);
  if (deflater.keeps_window()) {
    in_order.lock();
    // Those who waited here together were all told that there was room.
    const Guard guard(lock_);
    if (const WebSocket::Sent sent = may_take(); sent != WebSocket::Sent::taken) return sent;
  }
  const std::string compressed = deflater.compress(bytes);
  {
    const Guard guard(lock_);
    if (gone_ || !protocol_.may_send()) return WebSocket::Sent::closed;
    // Others may have taken the room meanwhile. Where a window remembers the message it travels all the same.
    if (!deflater.keeps_window()) {
      if (const WebSocket::Sent sent = may_take(); sent != WebSocket::Sent::taken) return sent;
    }
    if (compressed.empty()) {
      protocol_.send_plain(opcode, bytes, Clock::now());
    } else {
      protocol_.send_compressed(opcode, compressed, Clock::now());
    }
  }
  wake();
  return WebSocket::Sent::taken;
}

void WebSocketState::close(std::uint16_t code, std::string_view reason) {
  {
    const Guard guard(lock_);
    if (gone_) return;
    protocol_.close(code, reason.substr(0, longest_reason), Clock::now());
  }
  on_loop([](WebSocketState& self) { self.stop_hearing(); });
  wake();
}

void WebSocketState::stop_hearing() {
  if (!std::exchange(hears_, false)) return;
  set_paused(false);
}

void WebSocketState::pause(bool wanted) {
  on_loop([wanted](WebSocketState& self) {
    if (self.hears_) self.set_paused(wanted);
  });
}

void WebSocketState::set_paused(bool wanted) {
  if (paused_ == wanted) return;
  paused_ = wanted;
  {
    const Guard guard(lock_);
    if (wanted) {
      protocol_.pause_reading();
    } else {
      protocol_.resume_reading(Clock::now());
    }
  }
  if (driver_ != nullptr) driver_->reading_changed();
}

std::size_t WebSocketState::queued_bytes() {
  const Guard guard(lock_);
  return protocol_.queued_bytes();
}

// Once for all that is sent until the loop has come to it.
void WebSocketState::wake() {
  {
    const Guard guard(lock_);
    if (std::exchange(woken_, true)) return;
  }
  on_loop([](WebSocketState& self) {
    {
      const Guard guard(self.lock_);
      self.woken_ = false;
    }
    if (self.driver_ != nullptr) self.driver_->output_waits();
  });
}

// --- handles

WebSocket::Sent WebSocket::send_text(std::string_view text) {
  return state_ ? state_->send(websocket::Opcode::text, text) : Sent::closed;
}

WebSocket::Sent WebSocket::send_binary(std::string_view bytes) {
  return state_ ? state_->send(websocket::Opcode::binary, bytes) : Sent::closed;
}

void WebSocket::close(std::uint16_t code, std::string_view reason) {
  if (state_) state_->close(code, reason);
}

void WebSocket::pause() {
  if (state_) state_->pause(true);
}

void WebSocket::resume() {
  if (state_) state_->pause(false);
}

std::size_t WebSocket::queued_bytes() const { return state_ ? state_->queued_bytes() : 0; }

WebSocket Exchange::accept_websocket(WebSocketSettings settings, WebSocketEvents events) {
  const auto state = std::exchange(state_, nullptr);
  if (!state) return {};
  auto websocket =
      std::make_shared<WebSocketState>(state->loop(), state->mailbox(), std::move(settings), std::move(events));
  state->accept_websocket(websocket);
  return WebSocket(std::move(websocket));
}

}  // namespace trunkline::server
