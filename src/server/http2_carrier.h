// One exchange on an HTTP/2 connection: between the session's stream and the handler's handles.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/recycled.h"
#include "http2/server_session.h"
#include "server/active_request.h"
#include "server/progress.h"

namespace trunkline::server {

class Http2;

class Http2Carrier final : public http2::ServerStream, public Carrier {
 public:
  Http2Carrier(Http2& owner, http2::ReceivedRequest&& request, bool is_end);

  // Calls the handler. Not from inside the session's callbacks, where the session does not know the stream yet.
  void begin();
  // The response is written whole, and the client still sends: it may stop.
  bool sends_for_nothing() const { return response_read_ && head_sent() && !request_ended(); }
  // False: it has waited for the peer for Timeouts::progress, and too little has moved.
  bool check_progress(TimePoint now);
  void give_up_slow();

  std::size_t index = 0;  // in the owner's list

  // Streams come and go by the dozen in a turn, more than the general allocator keeps at hand.
  static void* operator new(std::size_t) { return Memory().allocate(1); }
  static void operator delete(void* block) { Memory().deallocate(static_cast<Http2Carrier*>(block), 1); }

 private:
  using Memory = Recycled<Http2Carrier, 256>;

  // http2::ServerStream
  void on_data(std::string_view bytes) override;
  void on_trailers(Headers&&) override {}
  void on_end() override;
  void on_closed(const http2::ServerStreamEnd& end) override;
  Body read_body(std::span<char> into) override;

  // Carrier
  void respond(Response&& response) override;
  void start(int status, Headers&& headers, std::optional<std::uint64_t> length) override;
  void accept_websocket(const std::shared_ptr<WebSocketState>& websocket) override;
  void response_ready() override;
  void body_taken() override;
  void report(const std::string& what) override;
  void handler_failed(const std::string& what) override;

  bool send_head(int status, std::optional<std::uint64_t> length, bool has_body);
  void give_credit();
  bool waits_for_peer() const;
  Body read_stream(std::span<char> into);

  Http2& owner_;
  Request request_;                      // until begin(), its path still the whole target
  std::optional<std::uint64_t> length_;  // of the request's body
  ActiveRequest active_;
  Response response_;                  // its headers must stay until they are sent
  ExchangeState::Piece piece_;         // of a streamed body, on its way
  std::size_t offset_ = 0;             // of what is being sent
  std::optional<std::uint64_t> left_;  // of the declared length
  std::uint64_t received_ = 0;
  std::uint64_t consumed_ = 0;
  std::uint64_t moved_ = 0;  // both ways
  ProgressWatch progress_;
  bool is_head_ = false;
  bool continue_owed_ = false;
  bool has_body_ = false;
  bool responded_here_ = false;
  bool streaming_ = false;
  bool response_read_ = false;  // the session has all of it
  bool refused_ = false;        // the rest of the request's body is dropped
};

}  // namespace trunkline::server
