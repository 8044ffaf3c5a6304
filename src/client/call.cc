#include "client/call.h"

#include <algorithm>

#include "client/call_signal.h"
#include "client/connection.h"
#include "client/engine.h"
#include "client/transport_impl.h"

namespace trunkline {

namespace {

// A clock is read once a turn, not for each of the hundreds of requests that may be started in it.
TimePoint time_here() {
  const net::Loop* const loop = net::Loop::current();
  return loop != nullptr ? loop->now() : Clock::now();
}

}  // namespace

Call::Call(std::shared_ptr<TransportImpl> transport, Request&& request, Kind kind)
    : transport_(std::move(transport)),
      result_(std::in_place),
      kind_(kind),
      traced_(request.tracer() != nullptr),
      response_(*result_),
      started_(time_here()),
      request_(std::move(request)) {}

Call::~Call() = default;

const ResponseLimits& Call::response_limits() const { return transport_->options().response; }

void Call::trace(TraceEvent::Kind kind, std::string detail) {
  if (!request_.tracer()) return;
  TraceEvent event;
  event.kind = kind;
  event.at = Clock::now() - started_;
  event.connection = response_.connection.id;
  event.detail = std::move(detail);
  request_.tracer()->on_event(event);
}

// --- with a callback

void Call::start(std::shared_ptr<Call> self, Callback<void(Result<Response>)>&& done) {
  done_whole_ = std::move(done);
  launch(std::move(self));
}

void Call::start_stream(std::shared_ptr<Call> self, Callback<void(Result<ResponseStream>)>&& done) {
  stream_callbacks().opened = std::move(done);
  launch(std::move(self));
}

void Call::launch(std::shared_ptr<Call> self) {
  net::Loop* loop = net::Loop::current();
  const bool here = loop != nullptr;
  if (!here) loop = &Engine::instance().next_loop();  // may throw: nothing has begun yet
  self_ = std::move(self);
  transport_->call_started();
  counted_ = true;
  home_.store(loop, std::memory_order_relaxed);
  std::optional<Error> error = prepare();
  if (error || !here) {
    loop->post([self = self_, error = std::move(error)]() mutable {
      if (error) {
        self->complete(std::move(error));
      } else if (!self->done_) {  // cancelled meanwhile
        // Whoever waited in the pool when the server asked for HTTP/1.1 was turned away then. This one was still on its
        // way, and would ask for HTTP/2 on a connection of its own.
        const bool is_late = self->target_->may_be_http2 && self->route_ == self->target_->route.get();
        if (is_late && self->http1_asked()) (void)self->use_http1();
        self->attempt_on_loop();
      }
    });
    return;
  }
  starting_ = true;
  attempt_on_loop();
  starting_ = false;
}

// As the pool's; but a connection that a caller has just given back, and the peer closed since, is no connection.
pool::Route::Outcome Call::acquire(TimePoint now, pool::Entry*& entry) {
  for (;;) {
    const pool::Route::Outcome outcome = pool_->acquire(*route_, *this, now, entry);
    if (outcome != pool::Route::Outcome::granted || static_cast<PooledConnection&>(*entry).still_there())
      return outcome;
    pool_->release(*route_, *entry, false, CloseReason::peer_closed_idle, *Waiter::limits, now);
    entry = nullptr;
  }
}

void Call::attempt_on_loop() {
  pool::Entry* entry = nullptr;
  switch (acquire(home().now(), entry)) {
    case pool::Route::Outcome::granted:
      granted(static_cast<PooledConnection&>(*entry));
      return;
    case pool::Route::Outcome::queued:
      if (traced()) trace(TraceEvent::queued, std::string(to_string(Waiter::miss)));
      if (Waiter::deadline != never) {
        timer_used_ = true;
        home().set_timer(*this, Waiter::deadline);
      }
      return;
    case pool::Route::Outcome::queue_full:
      complete(wait_error(ErrorCode::queue_full, nullptr));
      return;
    case pool::Route::Outcome::down:
      complete(wait_error(ErrorCode::route_down, route_->last_error_locked()));
      return;
    case pool::Route::Outcome::closed:
      complete(wait_error(ErrorCode::transport_closed, nullptr));
      return;
  }
}

void Call::granted(PooledConnection& connection) {
  if (blocking_) {
    granted_ = &connection;
    set_and_wake(wake_, signal_granted);
    return;
  }
  net::Loop& from = home();
  if (from.on_this_thread() && &connection.loop() == &from) {
    begin_on(connection);
    return;
  }
  // The call moves to its connection's loop; its timer is left behind first.
  from.post([self = shared_from_this(), &connection] {
    self->cancel_queue_timer();
    if (&connection.loop() == &self->home()) {
      self->begin_on(connection);
      return;
    }
    self->home_.store(&connection.loop(), std::memory_order_relaxed);
    connection.loop().post([self, &connection] { self->begin_on(connection); });
  });
}

void Call::wait_failed(pool::Route&, ErrorCode code, const std::shared_ptr<const Error>& cause) {
  // The pool knows one deadline and not whose it is.
  if (code == ErrorCode::timeout_queue && Waiter::deadline == total_deadline_) code = ErrorCode::timeout_total;
  Error error = wait_error(code, cause);
  if (cause && cause->code == ErrorCode::http1_required) error.code = ErrorCode::http1_required;
  if (blocking_) {
    error_ = std::make_unique<Error>(std::move(error));
    set_and_wake(wake_, signal_failed);
    return;
  }
  home().post([self = shared_from_this(), error = std::move(error)]() mutable {
    if (!self->done_) self->on_failure(std::move(error));
  });
}

void Call::on_timer() {
  if (done_ || carrier_ != nullptr) return;
  if (!pool_->cancel(*route_, *this, home().now())) return;  // a grant or a failure is on its way
  complete(wait_error(home().now() >= total_deadline_ ? ErrorCode::timeout_total : ErrorCode::timeout_queue,
                      route_->last_error_locked()));
}

void Call::cancel_queue_timer() {
  if (std::exchange(timer_used_, false)) home().cancel_timer(*this);
}

void Call::begin_on(PooledConnection& connection) {
  cancel_queue_timer();
  if (cancelled_) {
    pool_->release(*route_, connection, true, CloseReason::cancelled, *Waiter::limits, home().now());
    if (!done_) complete(Error(ErrorCode::cancelled, Phase::queue, "the request was cancelled"));
    return;
  }
  // A body source that fails at once ends the call, and perhaps its last handle.
  const auto keep = request_.source() ? shared_from_this() : nullptr;
  connection.begin(*this, blocking_);
}

void Call::on_begin(Carrier& carrier, const PooledConnection& connection) {
  carrier_ = &carrier;
  const bool reused = on_reused();
  const net::Dialled& dialled = connection.dialled();
  ConnectionInfo& info = response_.connection;
  info.id = connection.id;
  info.reused = reused;
  info.reuse_miss = Waiter::miss;
  info.dial_reason = connection.dial_reason;
  info.requests = connection.carried();
  info.address = dialled.address;
  info.protocol = connection.protocol();
  info.tls = connection.tls();
  RequestTimes& times = response_.times;
  times.queue = (blocking_ ? Clock::now() : home().now()) - started_;
  if (times.queue < Duration::zero()) times.queue = Duration::zero();  // a turn's clock is a little behind
  if (!reused) {
    times.resolve = dialled.resolve;
    times.connect = dialled.connect;
    times.proxy = dialled.proxy;
    times.tls = dialled.handshake;
  }
  if (traced()) trace(TraceEvent::connected, reused ? "reused" : std::string(to_string(Waiter::miss)));
}

void Call::cancel() {
  net::Loop& loop = home();
  loop.post([self = shared_from_this(), &loop] {
    if (&self->home() != &loop) {
      self->cancel();  // it has moved to its connection's loop
    } else {
      self->cancel_now();
    }
  });
}

void Call::cancel_now() {
  if (cancelled_ || body_done_ || (done_ && carrier_ == nullptr)) return;
  cancelled_ = true;
  Error error(ErrorCode::cancelled, carrier_ != nullptr ? Phase::first_byte : Phase::queue,
              "the request was cancelled");
  if (carrier_ != nullptr) {
    error.maybe_processed = MaybeProcessed::unknown;
    error.address = response_.connection.address;
    std::exchange(carrier_, nullptr)->abort(CloseReason::cancelled);
    if (head_delivered_) {
      error_ = std::make_unique<Error>(std::move(error));
      fill(*error_);
      count_end();
      if (reading_) finish_read();
    } else {
      complete(std::move(error));
    }
    return;
  }
  if (pool_ && route_ && pool_->cancel(*route_, *this, home().now())) complete(std::move(error));
  // Otherwise a grant is on its way: begin_on passes it on.
}

// --- the connection's word

void Call::on_informational(int status) {
  if (traced()) trace(TraceEvent::informational, std::to_string(status));
}

void Call::on_first_byte() {
  response_.times.first_byte = (blocking_ ? Clock::now() : home().now()) - started_;
  if (traced()) trace(TraceEvent::first_byte, {});
}

void Call::on_head(int status, std::string&& reason, Headers&& headers, std::optional<std::uint64_t> length) {
  response_.status = status;
  response_.reason = std::move(reason);
  response_.headers = std::move(headers);
  response_.retries = retries_;
  head_ready_ = true;
  announced_ = length.value_or(0);
  if (accepts_codings_ && response_.headers.contains("Content-Encoding")) begin_decoding();
}

Error Call::refusal() const {
  if (decoding_ && decoding_->error()) return *decoding_->error();
  return {ErrorCode::limit_exceeded, Phase::body,
          "the response's body is longer than the limit of " + std::to_string(body_limit()) + " bytes"};
}

bool Call::on_data(std::string_view data) {
  if (decoding_) [[unlikely]]
    return on_coded(data);
  if (kind_ == Kind::whole) {
    if (data.size() > body_limit_ - response_.body.size()) return false;
    // When the first of it is here: of hundreds of responses on one connection, most have only a head. Never on the
    // peer's word alone: a large body grows as it comes.
    if (response_.body.empty()) {
      if (announced_ <= data.size()) {
        response_.body = std::string(data);
        return true;
      }
      response_.body.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(announced_, 256 * 1024)));
    }
    response_.body.append(data);
    return true;
  }
  std::copy(data.begin(), data.end(), into_.begin());
  into_ = into_.subspan(data.size());
  read_bytes_ += data.size();
  return true;
}

void Call::on_pause() {
  if (kind_ == Kind::whole) {
    // A 101 that nobody will take over.
    std::exchange(carrier_, nullptr)->abort(CloseReason::upgraded);
    body_done_ = true;
    complete(std::nullopt);
    return;
  }
  if (!head_delivered_) {
    if (head_ready_) complete(std::nullopt);
  } else if (read_bytes_ > 0) {
    if (blocking_ || reading_) finish_read();
  }
}

void Call::on_end(Headers&& trailers) {
  carrier_ = nullptr;
  body_done_ = true;
  response_.trailers = std::move(trailers);
  response_.times.total = (blocking_ ? Clock::now() : home().now()) - started_;
}

void Call::on_released() {
  if (kind_ == Kind::stream && head_delivered_) {
    count_end();
    finish_read();
  } else if (kind_ == Kind::whole && decoding_ && !decoding_->finish()) {
    complete(decoding_error());
  } else {
    complete(std::nullopt);
  }
}

}  // namespace trunkline
