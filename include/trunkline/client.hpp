// What most programs use: requests in, responses out, over a transport or any other RoundTripper.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include <trunkline/transport.hpp>
#include <trunkline/websocket.hpp>

namespace trunkline {

// Cheap to make and to copy. Re-created for every call, it still uses the one pool of its options.
class Client {
 public:
  Client() : Client(Transport::shared()) {}
  explicit Client(const Options& options) : Client(Transport::shared(options)) {}
  // What you supply is used as it is.
  explicit Client(std::shared_ptr<RoundTripper> round_tripper) : round_tripper_(std::move(round_tripper)) {}

  // Blocking, from any thread but a loop's.
  Result<Response> send(Request request) const { return round_tripper_->send(std::move(request)); }
  Result<ResponseStream> open(Request request) const { return round_tripper_->open(std::move(request)); }
  Result<Response> get(std::string url) const { return send(trunkline::get(std::move(url))); }
  Result<Response> post(std::string url, std::string body) const {
    return send(trunkline::post(std::move(url), std::move(body)));
  }

  // With a callback, called once on a loop thread.
  CallHandle start(Request request, Callback<void(Result<Response>)> done) const {
    return round_tripper_->start(std::move(request), std::move(done));
  }
  CallHandle start_open(Request request, Callback<void(Result<ResponseStream>)> done) const {
    return round_tripper_->start_open(std::move(request), std::move(done));
  }

  // A WebSocket over HTTP/1.1, to a ws or wss URL (or http, https). The request's own time limits and headers are those
  // of the opening handshake.
  Result<WebSocket> connect_websocket(Request request, const WebSocketOptions& options = WebSocketOptions()) const;
  Result<WebSocket> connect_websocket(std::string url, const WebSocketOptions& options = WebSocketOptions()) const {
    return connect_websocket(trunkline::get(std::move(url)), options);
  }
  CallHandle start_websocket(Request request, const WebSocketOptions& options,
                             Callback<void(Result<WebSocket>)> done) const;

  // With an Asio completion token: include <trunkline/asio.hpp>.
  template <class Token>
  auto async_send(Request request, Token&& token) const;
  template <class Token>
  auto async_open(Request request, Token&& token) const;
  template <class Token>
  auto async_get(std::string url, Token&& token) const;

  const std::shared_ptr<RoundTripper>& round_tripper() const { return round_tripper_; }

 private:
  std::shared_ptr<RoundTripper> round_tripper_;
};

}  // namespace trunkline
