// Drives a WebSocket on the connection that its handshake came by.
#include <algorithm>
#include <utility>

#include "server/connection.h"
#include "server/websocket_state.h"
#include "server/worker.h"

namespace trunkline::server {
namespace {

using Guard = std::lock_guard<Lock>;
using Event = websocket::Connection::Event;

// Of messages as their handler gets them, decompressed, and a little for each: then others on the loop have their turn.
// One read may hold a thousand times its size. What comes beyond it in one turn is the rest of one message.
constexpr std::size_t most_in_a_turn = 1024 * 1024;
constexpr std::size_t cost_of_a_message = 256;

class WebSocketSpeaker final : public Speaker, private WebSocketState::Driver {
 public:
  WebSocketSpeaker(Connection& connection, std::shared_ptr<WebSocketState> state)
      : Speaker(connection), state_(std::move(state)), token_(connection.worker().ledger()) {
    connection.set_deadline(never);
  }

  void on_bytes(std::string_view bytes) override;
  void on_read_end(bool broken) override;
  void on_room() override;
  void on_deadline() override;
  void drain() override;
  void on_gone() override { state_->ended(1006, {}); }

 private:
  void output_waits() override;
  void reading_changed() override;
  void handler_failed(const std::string& what) override;
  void begin();
  void update();
  void hold(std::string_view bytes);
  void rest(std::string_view bytes);
  void go_on();

  const std::shared_ptr<WebSocketState> state_;
  WebSocketToken token_;
  std::unique_ptr<std::string> held_;  // read, and not wanted while it is paused, or rests
  std::size_t heard_ = 0;              // since it rested last
  bool resting_ = false;               // until its next turn
  bool begun_ = false;
  bool draining_ = false;
};

void WebSocketSpeaker::begin() {
  if (std::exchange(begun_, true)) return;
  if (connection_.worker().draining()) drain();
  state_->opened(*this);
  if (!connection_.closing()) output_waits();
}

void WebSocketSpeaker::on_bytes(std::string_view bytes) {
  begin();
  const TimePoint now = connection_.now();
  while (!connection_.closing()) {
    if (state_->paused()) {
      hold(bytes);
      return;
    }
    if (heard_ >= most_in_a_turn) {
      rest(bytes);
      return;
    }
    Event event = Event::need_more;
    std::string message;
    bool text = false;
    std::uint16_t code = 0;
    std::string reason;
    {
      const Guard guard(state_->lock());
      websocket::Connection& protocol = state_->protocol();
      event = protocol.next(bytes, now);
      if (event == Event::message) {
        message = protocol.take_message();
        text = protocol.text();
      } else if (event == Event::closed) {
        code = protocol.close_code();
        reason = protocol.close_reason();
      } else if (event == Event::failed) {
        code = protocol.failure().close_code;
        reason = protocol.failure().what;
      }
    }
    if (event == Event::message) {
      heard_ += message.size() + cost_of_a_message;
      state_->message(message, text);
      continue;
    }
    output_waits();
    if (event == Event::need_more) return;
    state_->ended(code, reason);  // first: what closes says 1006 to whoever has not been told
    // Ours to end: the client waits for it (RFC 6455 section 7.1.1).
    if (event == Event::closed) {
      connection_.close(draining_ ? ConnectionEnd::drained : ConnectionEnd::last_request);
    } else {
      connection_.close(ConnectionEnd::protocol_error, true);
    }
    return;
  }
}

void WebSocketSpeaker::hold(std::string_view bytes) {
  if (bytes.empty()) return;
  if (!held_) held_ = std::make_unique<std::string>();
  *held_ += bytes;
}

// Nothing more is read until its next turn.
void WebSocketSpeaker::rest(std::string_view bytes) {
  hold(bytes);
  resting_ = true;
  connection_.pause_reading();
  output_waits();
  connection_.come_again();
}

void WebSocketSpeaker::go_on() {
  resting_ = false;
  if (const auto held = std::exchange(held_, nullptr)) connection_.put_back(std::move(*held));
  connection_.resume_reading();
}

void WebSocketSpeaker::on_read_end(bool) { connection_.cut(ConnectionEnd::peer_closed); }

void WebSocketSpeaker::on_room() {
  begin();
  if (connection_.closing()) return;
  if (resting_) heard_ = 0;  // here, and not where a handler lets it go on: that may be in the middle of a turn
  if (resting_ && !state_->paused()) go_on();
  output_waits();
  state_->room_made();
}

// As much as the connection has room for; the rest waits where it is counted.
void WebSocketSpeaker::output_waits() {
  if (!begun_) return;
  {
    const Guard guard(state_->lock());
    websocket::Connection& protocol = state_->protocol();
    while (connection_.has_room() && protocol.queued_bytes() != 0) {
      const std::size_t size = protocol.queued_bytes();
      connection_.send_soon({protocol.output()});
      protocol.sent(size, connection_.now());
    }
  }
  // Also where the socket never was full: a sender on another thread can be faster than this loop.
  if (state_->room_is_due()) connection_.come_again();
  update();
}

void WebSocketSpeaker::update() {
  if (connection_.closing()) return;
  const Guard guard(state_->lock());
  connection_.set_deadline(state_->protocol().deadline());
}

void WebSocketSpeaker::on_deadline() {
  websocket::Connection::Due due = websocket::Connection::Due::nothing;
  {
    const Guard guard(state_->lock());
    due = state_->protocol().on_time(connection_.now());
  }
  if (due == websocket::Connection::Due::nothing) {
    output_waits();
  } else {
    connection_.cut(draining_ ? ConnectionEnd::drained : ConnectionEnd::timed_out);
  }
}

void WebSocketSpeaker::reading_changed() {
  if (state_->paused()) {
    connection_.pause_reading();
    return;
  }
  go_on();
  update();
}

void WebSocketSpeaker::handler_failed(const std::string& what) {
  connection_.worker().trouble(what);
  if (connection_.closing()) return;
  {
    const Guard guard(state_->lock());
    state_->protocol().close(1011, "", connection_.now());
  }
  state_->stop_hearing();
  output_waits();
}

void WebSocketSpeaker::drain() {
  draining_ = true;
  {
    const Guard guard(state_->lock());
    state_->protocol().close(1001, "the server is going away", connection_.now());
  }
  output_waits();
}

}  // namespace

std::unique_ptr<Speaker> make_websocket(Connection& connection, std::shared_ptr<WebSocketState> state) {
  return std::make_unique<WebSocketSpeaker>(connection, std::move(state));
}

}  // namespace trunkline::server
