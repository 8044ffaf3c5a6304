// A call on its caller's own thread, which drives the connection, or sleeps while a loop does.
#include <algorithm>

#include "client/call.h"
#include "client/call_signal.h"
#include "client/connection.h"
#include "client/engine.h"
#include "client/transport_impl.h"

namespace trunkline {

Result<Response> Call::run_whole() {
  run_blocking();
  if (error_) return std::move(*error_);
  return std::move(result_);
}

Result<ResponseStream> Call::run_stream() {
  run_blocking();
  if (error_ && !head_delivered_) return std::move(*error_);
  return make_stream();
}

void Call::run_blocking() {
  blocking_ = true;
  transport_->call_started();
  counted_ = true;
  if (net::Loop::current() != nullptr) {
    complete(Error(ErrorCode::invalid_request, Phase::prepare,
                   "a blocking call inside a callback would stop the loop: use start() there"));
    return;
  }
  if (auto error = prepare()) {
    complete(std::move(error));
    return;
  }
  do {
    again_ = false;
    wake_.store(signal_waiting, std::memory_order_relaxed);
    pool::Entry* entry = nullptr;
    const bool nobody_wakes = !Engine::instance().has_loops();
    switch (acquire(Clock::now(), entry)) {
      case pool::Route::Outcome::granted:
        break;
      case pool::Route::Outcome::queued:
        if (traced()) trace(TraceEvent::queued, std::string(to_string(Waiter::miss)));
        entry = wait_for_grant(nobody_wakes);
        break;
      case pool::Route::Outcome::queue_full:
        complete(wait_error(ErrorCode::queue_full, nullptr));
        break;
      case pool::Route::Outcome::down:
        complete(wait_error(ErrorCode::route_down, route_->last_error_locked()));
        break;
      case pool::Route::Outcome::closed:
        complete(wait_error(ErrorCode::transport_closed, nullptr));
        break;
    }
    if (entry == nullptr) {
      if (again_) continue;
      return;
    }
    auto& connection = static_cast<PooledConnection&>(*entry);
    if (!connection.may_be_driven_by_caller()) {
      wait_on_loop_of(connection);
      return;
    }
    begin_on(connection);
    if (carrier_ != nullptr) carrier_->drive(*this);  // sending may have failed, and the connection be gone
  } while (again_);
}

// A connection that carries others as well is its loop's alone.
void Call::wait_on_loop_of(PooledConnection& connection) {
  blocking_ = false;
  waited_for_ = true;
  self_ = shared_from_this();
  home_.store(&connection.loop(), std::memory_order_relaxed);
  wake_.store(signal_waiting, std::memory_order_relaxed);
  connection.loop().post([self = self_, &connection] { self->begin_on(connection); });
  while (wake_.load(std::memory_order_acquire) == signal_waiting) futex_wait(wake_, signal_waiting, never);
}

// Null: the call has failed. `nobody_wakes`: without descriptors or threads for a loop nobody calls the route when it
// may dial again.
PooledConnection* Call::wait_for_grant(bool nobody_wakes) {
  TimePoint until = Waiter::deadline;
  for (;;) {
    switch (wake_.load(std::memory_order_acquire)) {
      case signal_granted:
        return std::exchange(granted_, nullptr);
      case signal_failed:
        on_failure(std::move(*std::exchange(error_, nullptr)));
        return nullptr;
      default:
        break;
    }
    if (Clock::now() >= until) {
      if (pool_->cancel(*route_, *this, Clock::now())) {
        complete(wait_error(Clock::now() >= total_deadline_ ? ErrorCode::timeout_total : ErrorCode::timeout_queue,
                            route_->last_error_locked()));
        return nullptr;
      }
      until = never;  // the pool has decided and is about to say so
    }
    const TimePoint look = nobody_wakes ? std::min<TimePoint>(until, Clock::now() + std::chrono::seconds(1)) : until;
    futex_wait(wake_, signal_waiting, look);
    if (look != until && wake_.load(std::memory_order_acquire) == signal_waiting) pool_->tick(*route_, Clock::now());
  }
}

}  // namespace trunkline
