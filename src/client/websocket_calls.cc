// What users call: sending, receiving and closing, blocking or with callbacks, and the handle itself.
#include <atomic>
#include <mutex>
#include <optional>
#include <utility>

#include "base/futex.h"
#include "client/websocket.h"
#include "websocket/utf8.h"

namespace trunkline {

using Held = std::lock_guard<Lock>;

namespace {

constexpr std::size_t most_waiting_sends = 1024;
constexpr std::size_t longest_reason = websocket::largest_control_payload - 2;

Error refused(std::string message) { return Error(ErrorCode::invalid_request, Phase::send, std::move(message)); }

// Of a thread that waits for a callback.
class Signal {
 public:
  void set() {
    word_.store(1, std::memory_order_release);
    futex_wake_one(word_);
  }
  bool is_set() const { return word_.load(std::memory_order_acquire) != 0; }
  void wait(TimePoint until = never) { futex_wait(word_, 0, until); }

 private:
  std::atomic<std::uint32_t> word_{0};
};

}  // namespace

std::optional<Error> WebSocket::Impl::has_no_place(bool may_wait) const {
  if (takes_now()) return std::nullopt;
  if (!may_wait) {
    return Error(ErrorCode::queue_full, Phase::send,
                 "the send queue is full, and inside a callback nothing may wait: use start_send_text() or "
                 "start_send_binary()");
  }
  if (waiting_sends_.size() < most_waiting_sends) return std::nullopt;
  return Error(ErrorCode::queue_full, Phase::send,
               std::to_string(most_waiting_sends) + " sends already wait for room in the send queue");
}

std::optional<Result<void>> WebSocket::Impl::queue(const Outgoing& message, bool may_wait, Sent& done) {
  if (takes_now() || !may_wait) return accept(message);
  std::string data = message.owner != nullptr ? std::move(*message.owner) : std::string(message.data);
  waiting_sends_.push_back({message.opcode, message.compressed, std::move(data), std::move(done)});
  wake_loop();
  return std::nullopt;
}

// Compressing a message takes a thousand times as long as queueing it, and the loop waits for the lock. Messages that
// refer to each other travel in the order in which they were compressed, all of them: who has compressed gets his
// place, though others may have taken the room meanwhile.
std::optional<Result<void>> WebSocket::Impl::submit(Outgoing message, bool may_wait, Sent& done) {
  if (message.opcode == Opcode::text && !websocket::is_utf8(message.data)) {
    return refused("the text is not UTF-8: send it as binary");
  }
  websocket::Deflater* deflater = nullptr;
  {
    Held guard(lock_);
    if (std::optional<Error> error = has_no_place(may_wait)) return *error;
    if (!end_) deflater = protocol_.deflater_for(message.data.size());
    if (deflater == nullptr) return queue(message, may_wait, done);
  }
  std::unique_lock in_order(compressing_, std::defer_lock);
  if (deflater->keeps_window()) {
    in_order.lock();
    // Those who waited here together were all told that there was a place.
    Held guard(lock_);
    if (std::optional<Error> error = has_no_place(may_wait)) return *error;
  }
  std::string compressed = deflater->compress(message.data);
  Held guard(lock_);
  // Empty: it could not be compressed. Otherwise it travels so even where it has grown: a window remembers it.
  if (!compressed.empty()) message = {message.opcode, compressed, true, &compressed};
  return queue(message, may_wait, done);
}

Result<void> WebSocket::Impl::send(Opcode opcode, std::string_view data) {
  std::optional<Result<void>> result;
  Signal event;
  Sent done = [&](Result<void> sent) {
    result.emplace(std::move(sent));
    event.set();
  };
  if (std::optional<Result<void>> now = submit({opcode, data, false}, net::Loop::current() == nullptr, done)) {
    return std::move(*now);
  }
  while (!event.is_set()) event.wait();
  return std::move(*result);
}

void WebSocket::Impl::start_send(Opcode opcode, std::string data, Sent done) {
  std::optional<Result<void>> now = submit({opcode, data, false, &data}, true, done);
  if (!now) return;
  loop_.post([done = std::move(done), result = std::move(*now)]() mutable { done(std::move(result)); });
}

void WebSocket::Impl::start_receive(Callback<void(Result<WebSocketMessage>)> done) {
  {
    Held guard(lock_);
    if (!receiver_) {
      receiver_ = std::move(done);
      if (!inbox_.empty() || end_) wake_loop();
      return;
    }
  }
  loop_.post([done = std::move(done)]() mutable { done(refused("another receive is under way: one at a time")); });
}

Result<WebSocketMessage> WebSocket::Impl::receive(Duration limit) {
  const TimePoint until =
      limit > Duration::zero() && limit < std::chrono::hours(24) * 3650 ? Clock::now() + limit : never;
  std::optional<Result<WebSocketMessage>> result;
  Signal event;
  {
    Held guard(lock_);
    if (receiver_) return refused("another receive is under way: one at a time");
    if (!inbox_.empty() || end_) return take_next();
    if (net::Loop::current() != nullptr) {
      return refused("a blocking receive inside a callback would stop the loop: use start_receive() there");
    }
    receiver_ = [&](Result<WebSocketMessage> message) {
      result.emplace(std::move(message));
      event.set();
    };
  }
  for (bool may_leave = until != never; !event.is_set();) {
    if (may_leave && Clock::now() >= until) {
      Held guard(lock_);
      if (receiver_) {
        receiver_.reset();
        return Error(ErrorCode::timeout_idle_read, Phase::body, "the peer has sent no message in time");
      }
      may_leave = false;  // it is being called
    }
    event.wait(may_leave ? until : never);
  }
  return std::move(*result);
}

void WebSocket::Impl::start_close(std::uint16_t code, std::string_view reason, Callback<void(Result<void>)> done) {
  std::optional<Error> bad;
  if (!websocket::may_be_on_the_wire(code)) {
    bad = refused(std::to_string(code) + " is no close code that may be sent: 1000, or one of 3000 to 4999");
  } else if (reason.size() > longest_reason || !websocket::is_utf8(reason)) {
    bad = refused("a close reason is UTF-8 of at most " + std::to_string(longest_reason) + " bytes");
  }
  if (bad) {
    loop_.post([done = std::move(done), error = std::move(*bad)]() mutable { done(std::move(error)); });
    return;
  }
  Held guard(lock_);
  closers_.push_back(std::move(done));
  say_close(code, reason);
  wake_loop();
}

void WebSocket::Impl::drop() {
  Callback<void(Result<WebSocketMessage>)> receiver;
  std::list<WebSocketMessage> unread;
  {
    Held guard(lock_);
    receiver = std::move(receiver_);
    unread.swap(inbox_);
    say_close(websocket::going_away, {});
    wake_loop();
  }
  if (!receiver) return;
  loop_.post([receiver = std::move(receiver)]() mutable {
    receiver(Error(ErrorCode::cancelled, Phase::body, "the WebSocket was dropped while a message was awaited"));
  });
}

// --- the handle

WebSocketOptions::WebSocketOptions() = default;

WebSocket::WebSocket(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
WebSocket::WebSocket(WebSocket&&) noexcept = default;
WebSocket& WebSocket::operator=(WebSocket&& other) noexcept {
  if (this != &other) {
    if (impl_) impl_->drop();
    impl_ = std::move(other.impl_);
  }
  return *this;
}
WebSocket::~WebSocket() {
  if (impl_) impl_->drop();
}

const std::string& WebSocket::subprotocol() const { return impl_->subprotocol(); }
bool WebSocket::compressed() const { return impl_->compressed(); }

Result<void> WebSocket::send_text(std::string_view text) { return impl_->send(Impl::Opcode::text, text); }
Result<void> WebSocket::send_binary(std::string_view bytes) { return impl_->send(Impl::Opcode::binary, bytes); }
void WebSocket::start_send_text(std::string text, Callback<void(Result<void>)> done) {
  impl_->start_send(Impl::Opcode::text, std::move(text), std::move(done));
}
void WebSocket::start_send_binary(std::string bytes, Callback<void(Result<void>)> done) {
  impl_->start_send(Impl::Opcode::binary, std::move(bytes), std::move(done));
}

Result<WebSocketMessage> WebSocket::receive(Duration limit) { return impl_->receive(limit); }
void WebSocket::start_receive(Callback<void(Result<WebSocketMessage>)> done) { impl_->start_receive(std::move(done)); }

Result<void> WebSocket::close(std::uint16_t code, std::string_view reason) {
  if (net::Loop::current() != nullptr) {
    return refused("a blocking close inside a callback would stop the loop: use start_close() there");
  }
  Result<void> result;
  Signal event;
  impl_->start_close(code, reason, [&](Result<void> closed) {
    result = std::move(closed);
    event.set();
  });
  while (!event.is_set()) event.wait();
  return result;
}
void WebSocket::start_close(std::uint16_t code, std::string_view reason, Callback<void(Result<void>)> done) {
  impl_->start_close(code, reason, std::move(done));
}

}  // namespace trunkline
