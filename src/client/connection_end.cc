// How an exchange on a Connection ends, and what becomes of the connection: kept, read to the end of a body that nobody
// wants, handed over, or closed.
#include <algorithm>

#include "client/call.h"
#include "client/connection.h"
#include "client/late_watch.h"
#include "client/upgraded.h"

namespace trunkline {

using net::Io;
using std::chrono::milliseconds;

namespace {

// What may be read in order to save a connection whose body was dropped.
constexpr std::size_t drain_bytes = 64 * 1024;
constexpr auto drain_time = milliseconds(50);

}  // namespace

void Connection::read_ended(Io io, std::error_code error) {
  using Event = http1::ResponseDecoder::Event;
  if (io == Io::closed && decoder_->finish() == Event::end) {
    peer_closed_ = true;
    finish({});
    return;
  }
  ErrorCode code = ErrorCode::connection_closed;
  std::string message = "the server closed the connection before it answered";
  if (decoder_->started()) {
    code = ErrorCode::truncated_body;
    message = io == Io::cut ? "the TLS connection ended without close_notify: the response may be cut short"
                            : "the connection ended before the response was complete";
  } else if (io == Io::failed) {
    code = ErrorCode::connection_reset;
    message = "the connection broke: " + error.message();
  }
  fail(failure(code, std::move(message)), CloseReason::request_failed);
}

// The response is complete. The lease goes back first, so that what the callback sends next finds it.
void Connection::finish(std::string_view leftover) {
  Call* const call = std::exchange(call_, nullptr);
  bool keep = decoder_->keep_alive() && !decoder_->upgraded() && all_sent_ && leftover.empty() && held_.empty() &&
              !peer_closed_ && !stream().has_buffered_input() && !(call != nullptr && call->wants_close());
  CloseReason reason = CloseReason::connection_close;
  if (decoder_->keep_alive() && (!leftover.empty() || !held_.empty())) reason = CloseReason::stray_bytes;
  if (keep && may_be_readable_) {
    // More was announced than has been read: see what it is before anybody relies on this connection.
    const net::ReadResult more = stream().read(net::Scratch::of_this_thread());
    if (more.io != Io::again) {
      keep = false;
      reason = more.io == Io::ok ? CloseReason::stray_bytes : CloseReason::connection_close;
    }
  }
  held_.clear();
  if (call == nullptr) {  // its body was dropped, and the rest of it read
    end_lease(keep, reason);
    return;
  }
  // The call's part is read before the lease goes: afterwards this connection may carry another call.
  call->on_end(std::move(decoder_->trailers()));
  end_lease(keep, reason);
  call->on_released();
}

// `answered` false: what came was not said to this request.
void Connection::fail(Error error, CloseReason reason, bool answered) {
  Call* const call = std::exchange(call_, nullptr);
  error.address = dialled_.address;
  Attempt attempt;
  attempt.code = error.code;
  attempt.reused = was_reused;
  attempt.any_byte_sent = bytes_sent_in_exchange() > 0;
  attempt.any_byte_received = answered && decoder_->started();
  error.maybe_processed = maybe_processed(attempt);
  if (was_reused && !attempt.any_byte_received &&
      (error.code == ErrorCode::connection_closed || error.code == ErrorCode::connection_reset)) {
    // What has been idle for as long as this one is as likely to be dead.
    pool_->drop_suspects(*route_, *this, now());
  }
  if (call == nullptr) {
    end_lease(false, reason);
    return;
  }
  call->on_lost(attempt);
  end_lease(false, reason);
  call->on_failure(std::move(error));
}

Error Connection::failure(ErrorCode code, std::string message) const {
  const Phase phase = decoder_->started() ? Phase::body : all_sent_ ? Phase::first_byte : Phase::send;
  return Error(code, phase, std::move(message));
}

void Connection::end_lease(bool keep, CloseReason reason) {
  const PoolLimits limits = pool_limits_;
  const bool caller = in_caller_mode();
  const TimePoint time = now();
  if (!out_.empty()) {
    std::string().swap(out_);
    out_offset_ = 0;
  }
  deadline_ = never;
  mode_.store(Mode::idle, std::memory_order_relaxed);
  if (keep && caller) {
    quiet_since_.store(time.time_since_epoch().count());
    if (!with_late_watch_.exchange(true)) late_watch_.add(*this);
  } else if (keep) {
    Duration idle = limits.idle_timeout > Duration::zero() ? limits.idle_timeout : Duration(std::chrono::hours(1));
    if (hinted_seconds_.load() > 0) idle = std::min<Duration>(idle, unwatched());
    loop_.set_timer(*this, time + idle);
  }
  // From here on it may be anybody's; when it closes, the loop may destroy it, and with it the last handle of the pool.
  const std::shared_ptr<pool::Pool> pool = keep ? nullptr : pool_;
  const std::shared_ptr<pool::Route> route = keep ? nullptr : route_;
  pool_->release(*route_, *this, keep, reason, limits, time);
}

// The caller takes the socket: what follows is not HTTP.
void Connection::hand_over() {
  call_ = nullptr;
  deadline_ = never;
  if (!in_caller_mode()) set_caller_mode();
}

void Connection::hand_to(UpgradeOwner& owner, bool writable) {
  decoder_.reset();
  upgrade_owner_ = &owner;
  mode_.store(Mode::upgraded, std::memory_order_relaxed);
  listen_upgraded(writable);
}

void Connection::listen_upgraded(bool writable) { listen(writable ? net::readable | net::writable : net::readable); }

void Connection::abort(CloseReason reason) {
  call_ = nullptr;
  end_lease(false, reason);
}

void Connection::discard_rest() {
  using Body = http1::ResponseDecoder::Body;
  call_ = nullptr;
  const bool hopeless = decoder_->body() == Body::until_close || !all_sent_ || decoder_->upgraded() ||
                        (decoder_->body() == Body::length && decoder_->remaining() > drain_bytes);
  if (hopeless) {
    end_lease(false, decoder_->upgraded() ? CloseReason::upgraded : CloseReason::early_body_close);
    return;
  }
  discarding_ = true;
  discard_left_ = drain_bytes;
  may_be_readable_ = true;
  deadline_ = loop_.now() + drain_time;
  deadline_code_ = ErrorCode::timeout_idle_read;
  loop_.set_timer(*this, deadline_);
  on_events(net::readable);
}

}  // namespace trunkline
