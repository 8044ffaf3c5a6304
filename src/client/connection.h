// One HTTP/1.1 connection and the exchange that it carries: bytes between a Stream and the codec.
//
// It is driven by whoever owns it. A lease in loop mode is driven by the connection's loop, from its events; a lease in
// caller mode by the thread that made the blocking call, from poll(), without a hand-over in either direction. An idle
// connection is nobody's: the pool's lock decides who takes it, and its loop only looks when the peer speaks.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <trunkline/error.hpp>
#include <trunkline/trace.hpp>

#include "client/carrier.h"
#include "client/pooled_connection.h"
#include "http1/response_decoder.h"

namespace trunkline {

class Call;
class LateWatch;
class UpgradeOwner;

class Connection final : public PooledConnection, public Carrier {
 public:
  Connection(net::Loop& loop, LateWatch& late_watch, std::shared_ptr<pool::Pool> pool,
             std::shared_ptr<pool::Route> route, net::Dialled dialled);
  ~Connection() override;

  net::Loop& loop() override { return loop_; }
  net::Stream& stream() { return PooledConnection::stream(); }

  // In loop mode on the loop's thread; `by_caller` on the calling thread, which then calls drive().
  void begin(Call& call, bool by_caller) override;
  // Caller mode: moves bytes until `call` has what it waits for, or a time limit passes.
  void drive(Call& call) override;
  bool still_there() override;
  // Caller mode becomes loop mode; returns at once.
  void hand_to_loop() override;
  bool in_caller_mode() const override { return mode_.load(std::memory_order_relaxed) == Mode::caller; }

  // The owner's business, in either mode.
  void resume_reading() override;
  void resume_writing();  // the body source has more
  void abort(CloseReason reason) override;
  void discard_rest() override;
  // After 101: no more HTTP here. take_held() is what the peer sent behind its head.
  void hand_over();
  std::string take_held() { return std::move(held_); }
  // On the loop's thread, after hand_over(): its events and its timer are `owner`'s until abort().
  void hand_to(UpgradeOwner& owner, bool writable);
  void listen_upgraded(bool writable);  // from any thread, between hand_to() and abort()
  void set_upgraded_timer(TimePoint when) { loop_.set_timer(*this, when); }  // on the loop's thread

  // Driven by the loop.
  void on_events(std::uint32_t events) override;
  void on_timer() override;
  void look() override;
  // LateWatch's: listens again when it has been idle since before that moment. True: not its concern any more.
  bool watch_if_quiet(TimePoint quiet_before);

  std::string_view protocol() const override { return "http/1.1"; }
  std::uint32_t carried() const override { return requests; }
  bool may_be_driven_by_caller() const override { return true; }

 private:
  enum class Mode : unsigned char { idle, loop, caller, upgraded };

  void before_shut() override;
  void set_caller_mode();
  void listen(std::uint32_t interest);
  bool read_result(const net::ReadResult& result);
  bool read_some();  // false: nothing more to be had now, or the exchange is over
  bool read_discarded();
  void read_later();  // in the loop's next turn
  bool feed(std::string_view bytes);
  bool take_head();
  bool at_end() const;
  void expire();
  void write_some();
  bool gather_body();
  void sent();
  void read_ended(net::Io io, std::error_code error);
  void finish(std::string_view leftover);
  void fail(Error error, CloseReason reason, bool answered = true);
  void end_lease(bool keep, CloseReason reason);
  void set_deadline(Duration limit, ErrorCode code);
  bool reading_wanted() const;
  TimePoint now() const;
  Duration unwatched() const;
  Error failure(ErrorCode code, std::string message) const;
  std::uint64_t bytes_sent_in_exchange() const;

  std::atomic<Mode> mode_{Mode::idle};

  // Whether the loop hears this socket's events. Not, while a caller has it and until LateWatch has seen it idle for a
  // moment: then this is `unheard`, or the time since when it has been idle.
  static constexpr std::int64_t heard = -1;
  static constexpr std::int64_t unheard = -2;
  std::atomic<std::int64_t> quiet_since_{heard};
  std::atomic<bool> with_late_watch_{false};
  LateWatch& late_watch_;

  // The exchange.
  Call* call_ = nullptr;
  UpgradeOwner* upgrade_owner_ = nullptr;
  std::unique_ptr<http1::ResponseDecoder> decoder_;  // none in an upgraded connection: it may live long
  std::string out_;   // of the request, what the socket would not take yet (head, or a piece from a source)
  std::string held_;  // of the response, received but not asked for yet
  std::size_t out_offset_ = 0;
  std::size_t body_offset_ = 0;  // of a body in one string
  std::uint64_t sent_before_ = 0;
  std::uint64_t source_left_ = 0;  // of a body source that told its length
  TimePoint deadline_ = never;
  PoolLimits pool_limits_;  // of the call, which may be gone when the lease ends
  std::size_t discard_left_ = 0;
  std::atomic<int> hinted_seconds_{-1};  // by the server; read by the loop for its timer
  std::shared_ptr<Connection*> self_;    // for a task that may come late; null in it once the connection is gone
  ErrorCode deadline_code_ = ErrorCode::timeout_total;
  bool chunked_ = false;       // the body, by a source that did not tell its length
  bool sending_body_ = false;  // the head is gone, the body may follow
  bool source_done_ = false;
  bool awaiting_source_ = false;
  bool awaiting_continue_ = false;
  bool all_sent_ = false;
  bool send_failed_ = false;      // the peer takes no more; it may still have answered
  bool peer_closed_ = false;      // its FIN came with, or behind, the response
  bool may_be_readable_ = false;  // an edge has come that nobody has acted upon
  bool discarding_ = false;
  bool wants_writable_ = false;
};

}  // namespace trunkline
