// What the handles of a WebSocket share with its connection. There are thousands that say nothing: each byte here is
// paid for by every one of them. The protocol's state is under a lock, so that any thread
// may send; the connection is touched on its loop's thread only.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/lock.h"
#include "net/loop.h"
#include "server/websocket.h"
#include "websocket/connection.h"
#include "websocket/server_handshake.h"

namespace trunkline::server {

class Connection;
class Speaker;

class WebSocketState final : public std::enable_shared_from_this<WebSocketState> {
 public:
  // What the state needs of the speaker that drives it.
  class Driver {
   public:
    virtual void output_waits() = 0;
    virtual void reading_changed() = 0;
    virtual void handler_failed(const std::string& what) = 0;  // one of its callbacks threw

   protected:
    ~Driver() = default;
  };

  WebSocketState(net::Loop* loop, net::Loop::Mailbox mailbox, WebSocketSettings settings, WebSocketEvents events);

  // --- on the loop's thread

  websocket::ServerChoice take_choice();                                    // for the handshake
  void agreed(const std::optional<websocket::DeflateParameters>& deflate);  // in it
  void opened(Driver& driver);
  void refused() { ended(1006, {}); }                       // it was never opened
  void ended(std::uint16_t code, std::string_view reason);  // on_closed, once
  void message(std::string_view bytes, bool is_text);
  bool room_is_due();  // somebody waits for room, and there is
  void room_made();    // on_room, if so
  bool paused() const { return paused_; }
  // Goodbye was said: messages are dropped, as in browsers, so that the client's answer is read whatever the handler
  // waits for.
  void stop_hearing();
  websocket::Connection& protocol() { return protocol_; }  // under the lock
  Lock& lock() { return lock_; }

  // --- for handles, from any thread

  WebSocket::Sent send(websocket::Opcode opcode, std::string_view bytes);
  void close(std::uint16_t code, std::string_view reason);
  void pause(bool wanted);
  std::size_t queued_bytes();

 private:
  template <class Action>
  void on_loop(Action action);
  template <class Call>
  void guarded(Call call);
  // With the lock: whether a message is taken.
  WebSocket::Sent may_take();
  WebSocket::Sent compress_and_send(websocket::Deflater& deflater, websocket::Opcode opcode, std::string_view bytes);
  void wake();
  void set_paused(bool wanted);

  // WebSocketEvents, with room for those only that somebody has set.
  struct Events {
    explicit Events(WebSocketEvents&& all);

    Callback<void(WebSocket&, std::string_view message, bool is_text)> on_message;
    std::unique_ptr<Callback<void(WebSocket&)>> on_open;
    std::unique_ptr<Callback<void()>> on_room;
    std::unique_ptr<Callback<void(std::uint16_t code, std::string_view reason)>> on_closed;
  };

  net::Loop* const loop_;  // only to be compared: it may have ended
  const net::Loop::Mailbox mailbox_;
  Driver* driver_ = nullptr;
  Events events_;
  std::unique_ptr<websocket::ServerChoice> choice_;  // until the handshake
  bool paused_ = false;
  bool hears_ = true;
  bool ended_ = false;

  Lock lock_;
  websocket::Connection protocol_;
  bool room_wanted_ = false;
  bool woken_ = false;
  bool gone_ = false;

  Lock compressing_;  // of senders whose messages share a window. Taken before lock_, never after
};

std::unique_ptr<Speaker> make_websocket(Connection& connection, std::shared_ptr<WebSocketState> state);

}  // namespace trunkline::server
