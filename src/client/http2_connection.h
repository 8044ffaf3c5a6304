// A connection that speaks HTTP/2, with as many calls at a time as the peer permits. Its loop drives it always; calls
// come to it there. What all streams want to send leaves in one write at the end of the loop's turn.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "client/http2_stream.h"
#include "client/pooled_connection.h"
#include "http2/session.h"

namespace trunkline {

// What a route's options say of it.
struct Http2Settings {
  Http2Options http2;
  ResponseLimits response;
};

class Http2Connection final : public PooledConnection, private http2::Session::Observer {
 public:
  Http2Connection(net::Loop& loop, std::shared_ptr<pool::Pool> pool, std::shared_ptr<pool::Route> route,
                  net::Dialled dialled, const Http2Settings& settings, const PoolLimits& limits,
                  std::uint32_t expected_capacity);
  ~Http2Connection() override;

  void start() override;  // sends the preface; reads what came with the handshake
  void begin(Call& call, bool by_caller) override;
  void look() override {}  // whatever the peer says is heard at once
  std::string_view protocol() const override { return dialled_.tls.empty() ? "h2c" : "h2"; }
  std::uint32_t carried() const override { return carried_; }
  bool may_be_driven_by_caller() const override { return false; }
  bool secure() const { return !dialled_.tls.empty(); }

  bool calm_asked() const { return calm_asked_; }
  bool found_insecure() const { return insecure_; }

  // For its streams.
  http2::Session& session() { return session_; }
  const std::string& address() const { return dialled_.address; }
  void end_lease(bool keep, CloseReason reason, Duration answer = Duration(0));
  void finish_later(Http2Stream& stream);  // behind what the session has at hand: it is inside receive() or produce()
  void done_with(Http2Stream& stream);
  void want_flush();
  bool is_lost() const { return lost_ != nullptr; }
  Error loss(Phase phase, bool response_began) const;  // why the connection is lost

  // Driven by the loop.
  void on_events(std::uint32_t events) override;
  void on_timer() override;
  void shut() override;

 private:
  void on_stream_limit(std::uint32_t streams) override;
  void on_goaway(http2::Code code, std::string_view debug) override;
  void on_slots_freed(int count) override;

  bool outlives_socket() override { return outlives_socket_ = spare_.size() < streams_.size(); }
  void read_some();
  void finish_streams();
  void flush();
  void lose(ErrorCode code, std::string message, CloseReason reason);
  void watch_over(TimePoint now);

  http2::Session session_;
  const PoolLimits limits_;  // of the request that caused the dial
  const Duration ping_after_;
  const Duration ping_timeout_;
  std::vector<std::unique_ptr<Http2Stream>> streams_;
  std::vector<Http2Stream*> spare_;
  std::vector<Http2Stream*> finished_;
  std::unique_ptr<Error> lost_;
  std::string out_;  // what the socket would not take yet
  std::size_t out_offset_ = 0;
  TimePoint last_heard_{};
  TimePoint ping_deadline_ = never;
  int leases_ = 0;
  std::uint32_t carried_ = 0;
  std::string goaway_;                      // the peer's last words, when it was not content
  std::shared_ptr<Http2Connection*> self_;  // for a task that may come late; null in it once the connection is gone
  bool flush_queued_ = false;
  bool waits_for_room_ = false;
  bool hung_up_ = false;      // the end has come, perhaps behind bytes: no further event tells of it
  bool busy_ = false;         // inside the session
  bool shut_wanted_ = false;  // meanwhile
  bool shutting_ = false;
  bool outlives_socket_ = false;
  bool broken_ = false;
  bool insecure_ = false;    // GOAWAY(INADEQUATE_SECURITY)
  bool calm_asked_ = false;  // GOAWAY(ENHANCE_YOUR_CALM)
};

}  // namespace trunkline
