// An open WebSocket (RFC 6455): messages in both directions over one connection. Client::connect_websocket makes it.
// Its connection's loop drives it: PINGs are answered, and a peer that has gone is noticed, whether or not anybody
// receives; but who leaves a full receive queue behind reads nothing, PINGs neither.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <trunkline/callback.hpp>
#include <trunkline/options.hpp>
#include <trunkline/result.hpp>

namespace trunkline {

// A value. Beyond a bound on what the peer sends, the connection ends with `limit_exceeded`. Zero in a time: no limit.
struct WebSocketOptions {
  std::vector<std::string> subprotocols;  // offered, the preferred first; what was chosen is WebSocket::subprotocol()
  std::size_t message_bytes = 16 * 1024 * 1024;  // of a received message, decompressed
  std::size_t frame_bytes = 16 * 1024 * 1024;    // of a received frame
  int fragments = 4096;                          // frames of one received message
  // Messages are taken while less than this waits to be sent; then send() blocks, and start_send() waits.
  std::size_t send_queue_bytes = 1024 * 1024;
  // Received and not asked for yet; beyond it nothing more is read, so that a slow reader slows the peer down.
  std::size_t receive_queue_bytes = 1024 * 1024;
  Duration ping_after = std::chrono::seconds(30);    // silence after which the peer is asked whether it lives
  Duration ping_timeout = std::chrono::seconds(10);  // for its answer; zero in either: it is never asked
  Duration close_timeout = std::chrono::seconds(5);  // for the peer's part of the closing handshake
  Duration write_stall = std::chrono::seconds(30);   // the peer takes no bytes
  bool deflate = false;       // offer permessage-deflate; with secrets in messages that others can influence, do not
  bool keep_windows = false;  // with it: better compression for about 300 KB of memory per connection

  WebSocketOptions();
};

struct WebSocketMessage {
  enum Kind : unsigned char {
    text,  // UTF-8, checked
    binary,
    closed,  // the last one: the peer has closed in order; `data` is its reason
  } kind = text;
  std::string data;
  std::uint16_t close_code = 0;  // with `closed`; 1005: the peer gave none
};

// One receive at a time; sends from any thread. Dropping it closes it with 1001 in the background: what was sent still
// goes out while the peer takes it, within close_timeout and a second for each 4 KiB that wait.
class WebSocket {
 public:
  class Impl;
  explicit WebSocket(std::shared_ptr<Impl> impl);
  WebSocket(WebSocket&&) noexcept;
  WebSocket& operator=(WebSocket&&) noexcept;
  ~WebSocket();

  // What was chosen of WebSocketOptions::subprotocols, or empty.
  const std::string& subprotocol() const;
  bool compressed() const;  // permessage-deflate was agreed

  // Returns when the message is in the send queue; blocks while that is full. Inside a callback, where nothing may
  // block, a full queue is the error `queue_full`. Text must be UTF-8.
  Result<void> send_text(std::string_view text);
  Result<void> send_binary(std::string_view bytes);
  // `done` is called once, on a loop thread, when the message is in the send queue.
  void start_send_text(std::string text, Callback<void(Result<void>)> done);
  void start_send_binary(std::string bytes, Callback<void(Result<void>)> done);

  // The next message; `closed` and errors are repeated for ever. After `limit` (zero: none) `timeout_idle_read`, and
  // the WebSocket goes on. Blocks; not for loop threads.
  Result<WebSocketMessage> receive(Duration limit = Duration::zero());
  // The same with a callback, called once, on a loop thread.
  void start_receive(Callback<void(Result<WebSocketMessage>)> done);

  // Says close behind what was sent, and waits for the peer's close. What else the peer sends from now on is dropped.
  // Closing again is no error. `reason`: UTF-8, at most 123 bytes.
  Result<void> close(std::uint16_t code = 1000, std::string_view reason = {});
  void start_close(std::uint16_t code, std::string_view reason, Callback<void(Result<void>)> done);

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace trunkline
