// Speaks HTTP/1.0 and 1.1 on a connection. What comes in is in http1_receive.cc, the answers are in http1_answer.cc.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http1/request_decoder.h"
#include "http1/response_encoder.h"
#include "server/active_request.h"
#include "server/connection.h"
#include "server/progress.h"
#include "server/settings.h"
#include "server/websocket_state.h"

namespace trunkline::server {

class Http1 final : public Speaker, public Carrier {
 public:
  explicit Http1(Connection& connection);

  void on_bytes(std::string_view bytes) override;
  void on_read_end(bool broken) override;
  void on_room() override;
  void on_deadline() override;
  void drain() override;
  void on_gone() override { end_active(false); }

 private:
  using Decoder = http1::RequestDecoder;
  using Framing = http1::ResponseFraming;

  // Carrier
  void respond(Response&& response) override;
  void start(int status, Headers&& headers, std::optional<std::uint64_t> length) override;
  void accept_websocket(const std::shared_ptr<WebSocketState>& websocket) override;
  void response_ready() override;
  void body_taken() override;
  void report(const std::string& what) override;
  void handler_failed(const std::string& what) override;

  const Limits& limits() const;
  const Timeouts& timeouts() const;
  void decode(std::string_view input);
  void begin_request(bool pipelined);
  void take_data(std::string_view data);
  void end_request();
  std::optional<Framing> send_head(const http1::OutgoingResponse& response, std::string_view content, bool is_whole);
  bool write_piece(std::string_view bytes);
  void cut_off();
  void finish_response(const Headers& trailers);
  void maybe_next();
  void refuse(int status, std::string_view what, ConnectionEnd why);
  void give_up(ConnectionEnd why);
  void end_active(bool complete);
  void switch_to_websocket(std::string_view rest);
  void update_limits();
  bool may_keep_alive() const;

  Decoder decoder_;
  std::unique_ptr<ActiveRequest> active_;
  std::unique_ptr<Headers> upgrade_;  // the head, while a WebSocket may come of it
  std::shared_ptr<WebSocketState> websocket_;
  std::string ahead_;
  ProgressWatch receiving_;
  std::optional<std::uint64_t> left_;  // of the response's declared length
  std::uint64_t discarded_ = 0;
  std::size_t served_ = 0;
  Framing::Body framing_ = Framing::Body::none;
  bool decoding_ = false;
  bool corked_ = false;
  bool is_head_ = false;
  bool minor_ = true;  // HTTP/1.1
  bool request_done_ = false;
  bool answering_ = false;      // the response's head is written
  bool streaming_ = false;      // and its body comes from a writer
  bool answered_ = false;       // all of it is written
  bool continue_owed_ = false;  // the client waits for 100
  bool keep_alive_ = true;
  bool waits_for_room_ = false;  // of pipelined requests: too much of earlier answers waits
  bool header_timed_ = false;
  bool draining_ = false;
  bool read_ended_ = false;
};

}  // namespace trunkline::server
