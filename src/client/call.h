// One request from start to end: through the queue, over one connection or two, with its time limits, to its result.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include <trunkline/body.hpp>
#include <trunkline/request.hpp>
#include <trunkline/response.hpp>
#include <trunkline/result.hpp>
#include <trunkline/round_tripper.hpp>

#include "client/body_decoding.h"
#include "client/carrier.h"
#include "client/retry.h"
#include "http1/request_encoder.h"
#include "http1/response_decoder.h"
#include "net/loop.h"
#include "pool/pool.h"

namespace trunkline {

class PooledConnection;
class SourceEvent;
class TransportImpl;
struct Target;

class Call final : public pool::Waiter,
                   public net::Timer,
                   public Cancellable,
                   public std::enable_shared_from_this<Call> {
 public:
  enum class Kind : unsigned char { whole, stream };

  Call(std::shared_ptr<TransportImpl> transport, Request&& request, Kind kind);
  ~Call() override;
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // Blocking: runs on this thread until the response (whole) or its head (stream) is there.
  Result<Response> run_whole();
  Result<ResponseStream> run_stream();
  // With a callback; from any thread. `self` is this.
  void start(std::shared_ptr<Call> self, Callback<void(Result<Response>)>&& done);
  void start_stream(std::shared_ptr<Call> self, Callback<void(Result<ResponseStream>)>&& done);

  // Of an open stream.
  Result<std::size_t> read(std::span<char> into);
  void start_read(std::span<char> into, Callback<void(Result<std::size_t>)> done);
  void abandon(Callback<void()> done = {});  // `done`: on a loop's thread, or at once
  void close();                              // the same, and waits for it
  Result<std::unique_ptr<UpgradedConnection::Impl>> take_connection();
  const Headers& trailers() const { return response_.trailers; }
  bool upgraded() const { return upgraded_; }

  void cancel() override;  // from any thread

  // The pool's word, on any thread.
  void granted(PooledConnection& connection);
  void wait_failed(pool::Route& route, ErrorCode code, const std::shared_ptr<const Error>& cause);

  // The carrier's word, on the thread that drives it.
  void on_begin(Carrier& carrier, const PooledConnection& connection);
  bool on_reused() const { return Waiter::miss == ReuseMiss::none; }  // the connection had carried requests before
  void on_stream(std::int32_t id) { response_.connection.stream = static_cast<std::uint32_t>(id); }
  void on_informational(int status);
  void on_first_byte();
  void on_head(int status, std::string&& reason, Headers&& headers, std::optional<std::uint64_t> length);
  void on_upgraded() { upgraded_ = true; }
  bool on_data(std::string_view data);  // false: the body is refused
  Error refusal() const;                // why
  void on_pause();                      // nothing more is wanted for now: hand out what is there
  void on_end(Headers&& trailers);      // the response is complete; then the lease ends; then on_released
  void on_released();
  void on_lost(const Attempt& attempt);  // the exchange failed; then the lease ends; then on_failure
  void on_failure(Error error);

  bool carried_by(const Carrier* carrier) const { return carrier_ == carrier; }
  bool wants_body() const { return kind_ == Kind::whole || (head_delivered_ && !into_.empty()); }
  std::size_t room() const {
    if (kind_ == Kind::whole) return SIZE_MAX;
    return decoding_ ? BodyDecoding::most_held : into_.size();
  }
  // Its caller hears nothing before the end.
  bool is_whole() const { return kind_ == Kind::whole; }
  bool has_news() const { return kind_ == Kind::stream && ((head_ready_ && !head_delivered_) || read_bytes_ > 0); }
  bool satisfied() const { return satisfied_; }  // blocking: what was waited for is there
  bool may_repeat();                             // the request could be sent once more
  bool wants_close() const { return wants_close_; }
  const std::shared_ptr<SourceEvent>& source_event();

  const Request& request() const { return request_; }
  http1::RequestHead head() const;
  http1::RequestFraming framing() const;
  const Timeouts& limits() const { return *Waiter::timeouts; }
  TimePoint total_deadline() const { return total_deadline_; }
  TimePoint started() const { return started_; }
  std::size_t body_limit() const { return kind_ == Kind::whole ? body_limit_ : SIZE_MAX; }
  const ResponseLimits& response_limits() const;
  const PoolLimits& pool_limits() const { return *Waiter::limits; }
  TransportImpl& transport() { return *transport_; }
  void trace(TraceEvent::Kind kind, std::string detail);
  bool traced() const { return traced_; }

  // net::Timer: the time in the queue is up.
  void on_timer() override;

 private:
  // Of a stream that is opened or read with callbacks.
  struct StreamCallbacks {
    Callback<void(Result<ResponseStream>)> opened;
    Callback<void(Result<std::size_t>)> read;
  };

  std::optional<Error> prepare();
  std::optional<Error> check_times() const;
  bool http1_asked() const;
  bool use_http1();
  bool may_repeat_after(const Error& error);
  void launch(std::shared_ptr<Call> self);
  pool::Route::Outcome acquire(TimePoint now, pool::Entry*& entry);
  void attempt_on_loop();
  void begin_on(PooledConnection& connection);
  void run_blocking();
  void wait_on_loop_of(PooledConnection& connection);
  PooledConnection* wait_for_grant(bool nobody_wakes);
  void cancel_now();
  void cancel_queue_timer();
  Error wait_error(ErrorCode code, const std::shared_ptr<const Error>& cause) const;
  void complete(std::optional<Error> error);
  void deliver();
  void count_end();
  void begin_decoding();
  bool on_coded(std::string_view data);
  bool read_held();
  Error decoding_error() const;
  StreamCallbacks& stream_callbacks();
  void start_read_on_loop();
  static Error parents();
  void abandon_here();
  void finish_read();
  Result<std::size_t> read_result();
  void fill(Error& error) const;
  ResponseStream make_stream();
  net::Loop& home() { return *home_.load(std::memory_order_relaxed); }

  std::shared_ptr<TransportImpl> transport_;

  // What a response on its way needs stands together: of hundreds of calls under way, each line that is touched must be
  // fetched again.
  Result<Response> result_;  // its response grows while it comes
  Kind kind_;
  bool blocking_ = false;
  bool starting_ = false;  // inside the caller's start(): callbacks must wait
  bool timer_used_ = false;
  bool cancelled_ = false;
  bool upgraded_ = false;
  bool satisfied_ = false;
  bool again_ = false;  // blocking: the request is to be sent once more
  bool head_ready_ = false;
  bool head_delivered_ = false;  // the caller of a stream has it
  bool done_ = false;            // the callback, or the blocking call, has its result
  bool body_done_ = false;       // the response is complete
  bool waited_for_ = false;      // a blocked thread waits for the loop to complete it
  bool counted_ = false;         // in flight by the transport's counters
  bool reading_ = false;         // a start_read is under way
  bool wants_close_ = false;
  bool idempotent_ = false;
  bool accepts_codings_ = false;  // by our own Accept-Encoding
  bool traced_ = false;
  int retries_ = 0;
  Carrier* carrier_ = nullptr;
  std::atomic<net::Loop*> home_{nullptr};   // whose thread may touch this call, unless it is blocking
  std::unique_ptr<BodyDecoding> decoding_;  // of a body that is coded
  Response& response_;                      // in result_
  TimePoint started_{};
  TimePoint total_deadline_ = never;
  std::size_t body_limit_ = 0;
  std::uint64_t announced_ = 0;  // the body's length by the head
  std::shared_ptr<Call> self_;   // while a callback is owed
  std::unique_ptr<Error> error_;

  Request request_;
  std::shared_ptr<const Target> target_;      // where it goes
  pool::Route* route_ = nullptr;              // target_'s
  std::shared_ptr<pool::Route> http1_route_;  // instead of target_'s
  pool::Pool* pool_ = nullptr;                // transport_'s
  PooledConnection* granted_ = nullptr;       // blocking: by the pool, for the waiting thread
  Attempt attempt_;
  std::span<char> into_;
  std::size_t read_bytes_ = 0;
  std::shared_ptr<SourceEvent> source_event_;
  std::atomic<std::uint32_t> wake_{0};  // what a blocked thread waits for: `signal_waiting` until then

  Callback<void(Result<Response>)> done_whole_;
  std::unique_ptr<StreamCallbacks> stream_callbacks_;
};

}  // namespace trunkline
