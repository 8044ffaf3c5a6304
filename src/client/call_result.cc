// How a call ends: once more, with an error that says why, or with its response.
#include <algorithm>

#include "client/body_source.h"
#include "client/call.h"
#include "client/call_signal.h"
#include "client/connection.h"
#include "client/engine.h"
#include "client/time_limits.h"
#include "client/transport_impl.h"

namespace trunkline {

namespace {

// How long a server that wanted HTTP/1.1 gets it, before HTTP/2 is tried again.
constexpr auto http1_memory = std::chrono::minutes(10);

}  // namespace

bool Call::may_repeat() {
  return retries_ == 0 && idempotent_ && transport_->options().retry_stale && !request_.wants_fresh_connection() &&
         !request_.source();
}

void Call::on_lost(const Attempt& attempt) {
  carrier_ = nullptr;
  attempt_ = attempt;
  attempt_.idempotent = idempotent_;
  attempt_.retries = retries_;
  attempt_.replayable = true;
}

// Whether it may go out once more, and if so, what must be different then.
bool Call::may_repeat_after(const Error& error) {
  const TimePoint now = Clock::now();
  if (now >= total_deadline_ || (request_.source() && !rewind_source(*request_.source()))) return false;
  if (error.code == ErrorCode::http1_required) {
    const Options& options = transport_->options();
    if (options.protocol != Protocol::automatic && !options.http2.fall_back_to_http1) return false;
    auto& destination = static_cast<Destination&>(*target_->route->attachment);
    const auto until = (now + http1_memory).time_since_epoch().count();
    if (destination.http1_until.exchange(until) <= now.time_since_epoch().count()) {
      pool_->turn_away(*target_->route, std::make_shared<const Error>(error), now);  // they all follow
    }
    return route_ == target_->route.get() && use_http1();
  }
  if (!transport_->options().retry_stale || !may_retry(attempt_)) return false;
  // What the server has not touched costs it nothing.
  if (attempt_.unprocessed) {
    if (!attempt_.pulled_back) transport_->count_retry();
  } else if (!transport_->spend_retry()) {
    return false;
  }
  Waiter::returning = attempt_.unprocessed;
  if (attempt_.connection != 0) {
    Waiter::avoid = attempt_.connection;
  } else {
    // On a connection of its own: another idle one may be just as dead.
    Waiter::fresh = true;
    Waiter::miss = ReuseMiss::stale_on_write;
  }
  const bool pulled_back = attempt_.pulled_back;
  attempt_ = {};  // if no connection comes about, there was none
  attempt_.pulled_back = pulled_back;
  return true;
}

void Call::on_failure(Error error) {
  if (!head_ready_ && may_repeat_after(error)) {
    if (traced()) trace(TraceEvent::retry, error.message);
    if (!std::exchange(attempt_.pulled_back, false)) {  // then it waits on, as if it had never left the queue
      ++retries_;
      Waiter::deadline = std::min(after(Clock::now(), limits().queue), total_deadline_);
    }
    if (blocking_) {
      again_ = true;
    } else {
      attempt_on_loop();
    }
    return;
  }
  fill(error);
  if (kind_ == Kind::stream && head_delivered_) {
    error_ = std::make_unique<Error>(std::move(error));
    count_end();
    if (blocking_ || reading_) finish_read();
    return;
  }
  complete(std::move(error));
}

Error Call::wait_error(ErrorCode code, const std::shared_ptr<const Error>& cause) const {
  const std::string& name = route_->name();
  std::string why = cause ? "; the last dial failed: " + cause->message : std::string();
  if (!cause && (code == ErrorCode::timeout_queue || code == ErrorCode::timeout_total) && route_->awaits_settings()) {
    why = ": one is open, and its server has not said how many requests it takes at once (SETTINGS)";
  }
  std::string message;
  switch (code) {
    case ErrorCode::queue_full:
      message = std::to_string(Waiter::limits->queue_per_host) +
                " requests already wait for a connection: send fewer at once, or raise limits.queue_per_host";
      break;
    case ErrorCode::timeout_queue:
      message = "no connection came in time" + why;
      break;
    case ErrorCode::timeout_total:
      message = "the time limit of the whole request has passed in the queue" + why;
      break;
    case ErrorCode::transport_closed:
      message = "the transport has been shut down";
      break;
    case ErrorCode::route_down:
      if (cause && (cause->code == ErrorCode::no_ports || cause->code == ErrorCode::no_sockets ||
                    cause->kind == ErrorKind::rejected)) {
        return *cause;
      }
      message = "the last dials all failed and the next is not due yet" + why;
      break;
    default:
      if (cause) return *cause;
      message = "no connection came about";
      break;
  }
  Error error(code, Phase::queue, std::move(message));
  error.route = name;
  if (cause) error.address = cause->address;
  return error;
}

void Call::fill(Error& error) const {
  error.elapsed = Clock::now() - started_;
  if (error.route.empty() && route_) error.route = route_->name();
}

// The callback's, or the blocking caller's, result is known: of the whole response, or of a stream's head.
void Call::complete(std::optional<Error> error) {
  done_ = true;
  if (error) {
    fill(*error);
    error_ = std::make_unique<Error>(std::move(*error));
  } else if (kind_ == Kind::stream) {
    head_delivered_ = true;
  }
  if (error_ || kind_ == Kind::whole || body_done_) count_end();
  satisfied_ = true;
  if (blocking_) return;
  if (waited_for_) {
    waited_for_ = false;
    cancel_queue_timer();
    const std::shared_ptr<Call> keep = std::move(self_);
    set_and_wake(wake_, signal_done);
    return;
  }
  if (starting_) {
    home().post([self = shared_from_this()] { self->deliver(); });
  } else {
    deliver();
  }
}

void Call::deliver() {
  cancel_queue_timer();
  const std::shared_ptr<Call> keep = std::move(self_);
  if (kind_ == Kind::whole) {
    if (error_) {
      done_whole_(std::move(*error_));
    } else {
      done_whole_(std::move(result_));
    }
    done_whole_.reset();  // what it holds may hold this call
  } else {
    auto done = std::move(stream_callbacks().opened);
    if (error_ && !head_ready_) {
      done(std::move(*error_));
    } else {
      done(make_stream());
    }
  }
}

void Call::count_end() {
  if (!std::exchange(counted_, false)) return;
  if (traced())
    trace(TraceEvent::done, error_ ? std::string(to_string(error_->code)) : std::to_string(response_.status));
  if (error_) {
    transport_->call_failed(error_->kind);
  } else {
    transport_->call_completed();
  }
}

ResponseStream Call::make_stream() {
  return ResponseStream(std::move(static_cast<ResponseHead&>(response_)), shared_from_this());
}

}  // namespace trunkline
