// What the handles of one request (its body, its answer, the writer of its response's body) share with the connection
// that carries it. Confined to the loop's thread, but for the bytes a writer has left here, which are under a lock;
// what handles do elsewhere is posted. So the carrier never waits for a handler.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <trunkline/callback.hpp>
#include <trunkline/headers.hpp>
#include <trunkline/result.hpp>

#include "base/lock.h"
#include "net/loop.h"
#include "server/exchange.h"

namespace trunkline::server {

// A connection of HTTP/1, or a stream of HTTP/2, as its exchange sees it. On the loop's thread; any of these may be
// called from inside a handler's callback.
class Carrier {
 public:
  virtual void respond(Response&& response) = 0;
  virtual void start(int status, Headers&& headers, std::optional<std::uint64_t> length) = 0;
  virtual void accept_websocket(const std::shared_ptr<WebSocketState>& websocket) = 0;
  virtual void response_ready() = 0;                 // take_response() has more, or the end
  virtual void report(const std::string& what) = 0;  // to the operator
  // One of its callbacks threw: reported, and 500 if nothing was answered yet, or the response is cut off.
  virtual void handler_failed(const std::string& what) = 0;
  virtual void body_taken() = 0;  // the reader waits, or withheld() has become less, or nobody wants the rest

 protected:
  ~Carrier() = default;
};

class ExchangeState final : public std::enable_shared_from_this<ExchangeState> {
 public:
  ExchangeState(net::Loop& loop, Carrier& carrier, std::size_t response_ahead_bytes)
      : loop_(&loop), mailbox_(loop.mailbox()), carrier_(&carrier), ahead_limit_(response_ahead_bytes) {}

  // --- for the carrier

  void deliver(std::string_view bytes);  // of the request's body
  void end_body();                       // it is complete. This survives the call, whatever the reader does
  void fail_body(const Error& error);    // and will never be
  // For which the peer gets no further credit: nobody has asked for them yet.
  std::size_t withheld() const { return reader_ && all_within_ ? 0 : in_.size(); }
  bool reader_waits() const { return static_cast<bool>(reader_); }
  bool body_unwanted() const { return body_dropped_ && !reader_; }

  struct Piece {
    std::string bytes;
    bool end = false;   // behind these bytes
    bool cut = false;   // the writer was dropped: there is no end
    bool more = false;  // has come meanwhile: take again, now or when there is room
    Headers trailers;   // with `end`
  };
  // All that the writer has left here. Calls on_room when it waits, and what it writes then is for the next call.
  Piece take_response();

  // It has no body (HEAD, 204, 304): what is written goes nowhere, and its writer hears so.
  void end_response();
  bool response_waits();  // bytes are left here

  // The response is complete, or the peer has left (`cancelled`): nothing more will come of this carrier.
  void leave(bool cancelled);
  // The peer will say nothing more and has perhaps left; the response goes on as far as it is taken.
  void tell_cancelled();

  // --- for handles, from any thread

  void read(Callback<void(Result<std::string>)> done, std::optional<std::size_t> all_within);
  void drop_body();
  void respond(Response&& response);  // the caller keeps this alive
  void start(int status, Headers headers, std::optional<std::uint64_t> length);
  void accept_websocket(std::shared_ptr<WebSocketState> websocket);
  void on_cancelled(Callback<void()> cancelled);
  BodyWriter::Sent write(std::string_view bytes);
  void on_room(Callback<void()> room);
  void finish(Headers trailers);
  void cut();
  net::Loop* loop() const { return loop_; }
  const net::Loop::Mailbox& mailbox() const { return mailbox_; }

 private:
  template <class Action>
  void on_loop(Action action);
  void set_reader(Callback<void(Result<std::string>)> done, std::optional<std::size_t> all_within);
  bool serve_reader();
  void answer_reader(Result<std::string> result);
  template <class Call>
  void guarded(Call call);
  void blame(const std::string& what);
  void wake_carrier();
  void call_room();

  net::Loop* const loop_;  // only to be compared: it may have ended
  const net::Loop::Mailbox mailbox_;
  Carrier* carrier_;
  Carrier* left_ = nullptr;  // while its leaving is told

  // The request's body.
  std::string in_;
  Callback<void(Result<std::string>)> reader_;
  std::optional<std::size_t> all_within_;  // the reader wants all of it
  std::unique_ptr<Error> in_error_;
  bool in_ended_ = false;
  bool body_dropped_ = false;

  Callback<void()> cancelled_;
  bool answered_whole_ = false;  // by respond(): there is no writer

  // The response's body, under the lock.
  Lock lock_;
  std::string out_;
  Callback<void()> room_;
  std::unique_ptr<Headers> trailers_;
  const std::size_t ahead_limit_;
  bool room_wanted_ = false;
  bool room_missed_ = false;  // there was room, and nobody to be told
  bool woken_ = false;
  bool finished_ = false;
  bool cut_ = false;
  bool gone_ = false;
};

}  // namespace trunkline::server
