// Drives an HTTP/2 session on a connection.
#pragma once

#include <memory>
#include <vector>

#include "http2/server_session.h"
#include "server/connection.h"
#include "server/http2_carrier.h"

namespace trunkline::server {

class Http2 final : public Speaker, private http2::ServerSession::Observer {
 public:
  explicit Http2(Connection& connection);
  ~Http2() override;

  void on_bytes(std::string_view bytes) override;
  void on_read_end(bool broken) override;
  void on_room() override { flush(); }
  void on_deadline() override;
  void drain() override;
  void on_gone() override;

  // --- for carriers

  Connection& connection() { return connection_; }
  http2::ServerSession& session() { return session_; }
  void want_flush();                   // at the end of the turn
  void forget(Http2Carrier& carrier);  // the session has closed it: destroyed

 private:
  http2::ServerStream* on_request(http2::ReceivedRequest&& request, bool is_end) override;
  void on_goaway(http2::Code code, std::string_view debug) override;

  void begin_new();
  void flush();
  void after_session();
  void stop_senders();
  void end_in_order();
  void update_deadline();

  http2::ServerSession session_;
  std::vector<std::unique_ptr<Http2Carrier>> carriers_;
  std::vector<Http2Carrier*> new_;  // whose handlers are still to be called; null where one has closed meanwhile
  std::size_t served_ = 0;
  TimePoint idle_since_;
  TimePoint check_at_ = never;   // of the streams' progress; not put off by what moves on others
  TimePoint refuse_at_ = never;  // the second step of a graceful end
  ConnectionEnd end_ = ConnectionEnd::last_request;
  bool ending_ = false;
  bool in_session_ = false;
  bool gone_ = false;
  bool lost_ = false;
};

}  // namespace trunkline::server
