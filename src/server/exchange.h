// The answer to one request. It may be kept and given later, from any thread: no handler needs to block its loop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include <trunkline/callback.hpp>
#include <trunkline/headers.hpp>
#include <trunkline/result.hpp>

#include "server/request.h"
#include "server/response.h"
#include "server/websocket.h"

namespace trunkline::server {

// Writes the body of a response. Dropping it unfinished cuts the response off, so that nobody takes half for all.
class BodyWriter {
 public:
  enum class Sent : unsigned char {
    taken,
    full,  // nothing was taken: try again from on_room
    gone,  // the peer has left, or the response is over: nothing more will be taken
  };

  BodyWriter() = default;
  explicit BodyWriter(std::shared_ptr<ExchangeState> state);
  BodyWriter(BodyWriter&&) noexcept;
  BodyWriter& operator=(BodyWriter&&) noexcept;
  ~BodyWriter();

  // Takes all or nothing: all while less than Limits::response_ahead_bytes waits. A peer that has said less than
  // Content-Length, or more, is cut off.
  Sent write(std::string_view bytes);
  // Called on the loop's thread after a `full`, when half of that has left, and at `gone`; kept until it is replaced.
  void on_room(Callback<void()> room);
  void finish(Headers trailers = {});  // trailers reach clients of HTTP/2 and of chunked HTTP/1.1

 private:
  std::shared_ptr<ExchangeState> state_;
};

class Exchange {
 public:
  explicit Exchange(std::shared_ptr<ExchangeState> state);
  Exchange(Exchange&&) noexcept;
  Exchange& operator=(Exchange&&) noexcept;
  ~Exchange();  // unanswered: 500, also when a handler throws

  // One of these three, once.
  void respond(Response response);
  // `length`: Content-Length; without it the body is chunked, or ends with the connection for HTTP/1.0.
  BodyWriter start(int status, Headers headers, std::optional<std::uint64_t> length = {});
  // Only with Request::wants_websocket. `events` are called from the moment of the 101 on.
  WebSocket accept_websocket(WebSocketSettings settings, WebSocketEvents events);

  // Called once on the loop's thread if the peer leaves, or resets the stream, before the response is complete. Not
  // after it. It outlives this handle.
  void on_cancelled(Callback<void()> cancelled);

 private:
  std::shared_ptr<ExchangeState> state_;
};

// Called on loops' threads, several at once. It must not block; what takes long answers from another thread.
// Both may be taken by value and kept; one that only looks at the request takes it by reference, and nothing is moved.
using Handler = std::function<void(Request&&, Exchange&&)>;

}  // namespace trunkline::server
