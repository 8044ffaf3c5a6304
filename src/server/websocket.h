// The server's end of a WebSocket (RFC 6455). PINGs are answered and a peer that has gone is noticed by themselves.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <trunkline/callback.hpp>
#include <trunkline/options.hpp>

namespace trunkline::server {

// Zero in a time: that limit does not exist.
struct WebSocketSettings {
  std::vector<std::string> subprotocols;      // spoken here, the preferred first; the first that is offered is chosen
  std::size_t message_bytes = 1024 * 1024;    // of a received message; beyond: 1009
  std::size_t frame_bytes = 1024 * 1024;      // of a received frame; beyond: 1009
  int fragments = 1024;                       // frames of one received message; beyond: 1008
  std::size_t send_queue_bytes = 256 * 1024;  // messages are taken while less than this waits
  // permessage-deflate, where the client offers it. Not for messages that hold secrets beside what others can
  // influence: their length would tell. A message is bounded by `message_bytes` as it is decompressed.
  bool deflate = false;
  bool keep_windows = false;  // with it: better compression for up to 300 KB of memory per WebSocket
  Duration ping_after = std::chrono::seconds(30);
  Duration ping_timeout = std::chrono::seconds(10);
  Duration close_timeout = std::chrono::seconds(5);
  Duration write_stall = std::chrono::seconds(30);
};

class WebSocketState;

// A handle: copies mean the same WebSocket, which lives as long as its connection. All of it from any thread.
class WebSocket {
 public:
  enum class Sent : unsigned char {
    taken,
    full,    // not taken: try again from on_room
    closed,  // not taken: one side has said close, or the connection is gone
  };

  WebSocket() = default;
  explicit WebSocket(std::shared_ptr<WebSocketState> state) : state_(std::move(state)) {}

  Sent send_text(std::string_view text);  // UTF-8; not checked
  Sent send_binary(std::string_view bytes);
  // Behind what was sent. `code` and `reason` as RFC 6455 section 7.4 permits them; the reason is cut at 123 bytes.
  void close(std::uint16_t code = 1000, std::string_view reason = {});
  // Nothing is read meanwhile, and the peer has to wait. What was read already may still be delivered.
  void pause();
  void resume();
  std::size_t queued_bytes() const;

 private:
  std::shared_ptr<WebSocketState> state_;
};

// Called on the loop's thread; must not block. None after on_closed.
struct WebSocketEvents {
  Callback<void(WebSocket&)> on_open;  // the 101 has been written
  Callback<void(WebSocket&, std::string_view message, bool is_text)> on_message;
  Callback<void()> on_room;  // after a `full`: half of the queue has left
  // Once, last, also when it never opened. 1006: without a close frame; 1005: the peer's frame had no code.
  Callback<void(std::uint16_t code, std::string_view reason)> on_closed;
};

}  // namespace trunkline::server
