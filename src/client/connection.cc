#include "client/connection.h"

#include <algorithm>
#include <optional>

#include "client/call.h"
#include "client/late_watch.h"
#include "client/time_limits.h"
#include "client/upgraded.h"

namespace trunkline {

using net::Io;

Connection::Connection(net::Loop& loop, LateWatch& late_watch, std::shared_ptr<pool::Pool> pool,
                       std::shared_ptr<pool::Route> route, net::Dialled dialled)
    : PooledConnection(loop, std::move(pool), std::move(route), std::move(dialled)),
      late_watch_(late_watch),
      decoder_(std::make_unique<http1::ResponseDecoder>()) {}

Connection::~Connection() = default;

TimePoint Connection::now() const {
  return mode_.load(std::memory_order_relaxed) == Mode::loop ? loop_.now() : Clock::now();
}

// --- receiving

bool Connection::reading_wanted() const { return !decoder_->head_seen() || call_->wants_body() || at_end(); }

// Everything has come; only the decoder's word is missing.
bool Connection::at_end() const {
  using Body = http1::ResponseDecoder::Body;
  return decoder_->head_seen() && !decoder_->upgraded() &&
         (decoder_->body() == Body::none || (decoder_->body() == Body::length && decoder_->remaining() == 0));
}

// One read from what is held or from the socket. False: wait for an event.
bool Connection::read_some() {
  if (!held_.empty()) {
    const std::string bytes = std::exchange(held_, {});
    return feed(bytes);
  }
  return read_result(stream().read(net::Scratch::of_this_thread()));
}

bool Connection::read_result(const net::ReadResult& result) {
  switch (result.io) {
    case Io::ok:
      if (result.drained && !peer_closed_) may_be_readable_ = false;
      return feed(result.bytes);
    case Io::again:
      may_be_readable_ = std::exchange(peer_closed_, false);  // behind half a TLS record it may still be unread
      return may_be_readable_;
    case Io::closed:
    case Io::cut:
    case Io::failed:
      read_ended(result.io, result.error);
      return false;
  }
  return false;
}

// Returns whether reading should go on. After the exchange has ended, this object may carry another one, or none: then
// nothing of it may be touched.
bool Connection::feed(std::string_view bytes) {
  using Event = http1::ResponseDecoder::Event;
  Call& call = *call_;
  if (!decoder_->started()) call.on_first_byte();
  // While the server's word for the body is awaited, nothing else that it says puts that off.
  if (!awaiting_continue_) set_deadline(call.limits().idle_read, ErrorCode::timeout_idle_read);
  for (;;) {
    if (!reading_wanted()) {
      held_.assign(bytes);
      set_deadline(Duration::zero(), ErrorCode::timeout_total);  // from here it is the caller's pace, not the peer's
      call.on_pause();
      return false;
    }
    // A reader's buffer is filled to the brim and no further: what does not fit stays as it came.
    std::string_view slice = decoder_->head_seen() ? bytes.substr(0, call.room()) : bytes;
    const std::size_t offered = slice.size();
    const Event event = decoder_->next(slice);
    bytes.remove_prefix(offered - slice.size());
    switch (event) {
      case Event::need_more:
        if (!bytes.empty()) break;
        if (!call.has_news()) return true;
        set_deadline(Duration::zero(), ErrorCode::timeout_total);
        call.on_pause();
        return false;
      case Event::informational:
        call.on_informational(decoder_->head().status);
        if (decoder_->head().status == 100 && awaiting_continue_) {
          awaiting_continue_ = false;
          held_.assign(bytes);  // a source may read what it gives from a connection, into the same buffer
          write_some();
          return call.carried_by(this);
        }
        break;
      case Event::head:
        if (!take_head()) return false;
        break;
      case Event::data:
        if (!call.on_data(decoder_->data())) {
          const Error refusal = call.refusal();
          fail(failure(refusal.code, refusal.message), CloseReason::early_body_close);
          return false;
        }
        break;
      case Event::end:
        finish(bytes);
        return false;
      case Event::error:
        fail(decoder_->error(), CloseReason::parse_error);
        return false;
    }
    if (decoder_->upgraded()) {
      held_.assign(bytes);
      pool_->upgrade(*route_, *this);
      set_deadline(Duration::zero(), ErrorCode::timeout_total);
      call.on_pause();
      return false;
    }
  }
}

// The final head is there. False: the exchange is over.
bool Connection::take_head() {
  using Body = http1::ResponseDecoder::Body;
  Call& call = *call_;
  if (const int hint = decoder_->keep_alive_timeout(); hint >= 0 && hint != hinted_seconds_.load()) {
    hinted_seconds_.store(hint);
    pool_->hint(*route_, std::chrono::seconds(hint));
    if (in_caller_mode()) {
      // The timer is the loop's, and stands where the options' own limit put it. The connection may be gone by then.
      if (!self_) self_ = std::make_shared<Connection*>(this);
      loop_.post([self = self_] {
        if (*self != nullptr) (*self)->on_timer();
      });
    }
  }
  const int status = decoder_->head().status;
  if (!all_sent_ && !decoder_->upgraded() && (status >= 300 || awaiting_continue_)) {
    // The server has decided without the rest of the body; sending it would only be in its way. Whether it would read
    // it before the next request is anybody's guess, so this connection carries no other.
    send_failed_ = true;
    if (awaiting_continue_) set_deadline(call.limits().idle_read, ErrorCode::timeout_idle_read);
    wants_writable_ = awaiting_source_ = awaiting_continue_ = false;
  }
  if (status == 408 && was_reused && call.may_repeat()) {
    // "You have been idle for too long", said by a server that had not seen our request yet.
    fail(failure(ErrorCode::connection_closed, "the server closed the idle connection with 408"),
         CloseReason::peer_closed_idle, false);
    return false;
  }
  if (decoder_->body() == Body::length && decoder_->content_length() > call.body_limit()) {
    fail(failure(ErrorCode::limit_exceeded, "the response's body of " + std::to_string(decoder_->content_length()) +
                                                " bytes is longer than the limit of " +
                                                std::to_string(call.body_limit())),
         CloseReason::early_body_close);
    return false;
  }
  http1::ResponseHead& head = decoder_->head();
  call.on_head(head.status, std::move(head.reason), std::move(head.headers),
               decoder_->body() == Body::length ? std::optional(decoder_->content_length()) : std::nullopt);
  if (decoder_->upgraded()) call.on_upgraded();
  return true;
}

// --- driven by the loop

void Connection::on_events(std::uint32_t events) {
  const Mode mode = mode_.load(std::memory_order_relaxed);
  if (mode == Mode::upgraded) {
    upgrade_owner_->on_socket(events);
    return;
  }
  if (mode != Mode::loop) {
    if ((events & (net::readable | net::hung_up)) != 0 && pool_->examine(*route_, *this)) look();
    return;
  }
  if ((events & net::hung_up) != 0) peer_closed_ = true;
  if ((events & (net::readable | net::hung_up)) != 0) may_be_readable_ = true;
  if (discarding_) {
    while (may_be_readable_ || !held_.empty()) {
      if (!read_discarded()) return;
    }
    return;
  }
  if (call_ == nullptr) return;
  const std::shared_ptr<Call> call = call_->shared_from_this();  // its completion may drop the last handle
  if ((events & net::writable) != 0 && wants_writable_ && !send_failed_) {
    write_some();
    if (!call->carried_by(this)) return;
    if (send_failed_) may_be_readable_ = true;
  }
  for (int reads = 0; (may_be_readable_ || !held_.empty() || at_end()) && reading_wanted(); ++reads) {
    if (reads == reads_per_turn) return read_later();  // others wait for this loop, too
    if (!read_some()) return;
  }
}

// As read_some, with nobody to hand the bytes to.
bool Connection::read_discarded() {
  using Event = http1::ResponseDecoder::Event;
  std::string held = std::exchange(held_, {});
  std::string_view bytes = held;
  if (bytes.empty()) {
    const net::ReadResult result = stream().read(net::Scratch::of_this_thread());
    if (result.io == Io::again) {
      may_be_readable_ = std::exchange(peer_closed_, false);  // behind half a TLS record it may still be unread
      return may_be_readable_;
    }
    if (result.io != Io::ok) {
      const bool complete = result.io == Io::closed && decoder_->finish() == Event::end;
      end_lease(false, complete ? CloseReason::connection_close : CloseReason::early_body_close);
      return false;
    }
    if (result.drained && !peer_closed_) may_be_readable_ = false;
    bytes = result.bytes;
  }
  for (;;) {
    const Event event = decoder_->next(bytes);
    if (event == Event::need_more) return true;
    if (event == Event::data && decoder_->data().size() <= discard_left_) {
      discard_left_ -= decoder_->data().size();
      continue;
    }
    if (event == Event::end) {
      finish(bytes);
      return false;
    }
    end_lease(false, event == Event::error ? CloseReason::parse_error : CloseReason::early_body_close);
    return false;
  }
}

void Connection::on_timer() {
  const TimePoint time = loop_.now();
  switch (mode_.load(std::memory_order_relaxed)) {
    case Mode::loop:
      if (time < deadline_) {
        if (deadline_ != never) loop_.set_timer(*this, deadline_);
        return;
      }
      expire();
      return;
    case Mode::upgraded:
      upgrade_owner_->on_time();
      return;
    case Mode::caller:
      // Its thread minds its own time limits; come back for the idle ones.
      loop_.set_timer(*this, time + unwatched());
      return;
    case Mode::idle: {
      const TimePoint again = pool_->expire(*route_, *this, time);
      if (dialled_.stream == nullptr) return;  // closed, and this object with it
      // `never`: leased meanwhile by a caller. It must be looked after when it comes back.
      loop_.set_timer(*this, again != never ? again : time + unwatched());
      return;
    }
  }
}

// How long a connection that was busy in another thread's hands may go without a look at its idle limit.
Duration Connection::unwatched() const {
  const int hint = hinted_seconds_.load();
  return hint > 0 ? std::min<Duration>(std::chrono::milliseconds(500) * hint, std::chrono::seconds(5))
                  : std::chrono::seconds(5);
}

// The deadline has passed.
void Connection::expire() {
  if (discarding_) {
    end_lease(false, CloseReason::early_body_close);
    return;
  }
  const std::shared_ptr<Call> call = call_->shared_from_this();
  if (deadline_code_ == ErrorCode::last_) {
    // The server has no word for Expect: the body goes without it.
    awaiting_continue_ = false;
    deadline_code_ = ErrorCode::timeout_total;
    write_some();
    if (call->carried_by(this) && send_failed_) {
      may_be_readable_ = true;
      if (!in_caller_mode()) on_events(net::readable);
    }
    return;
  }
  fail(failure(deadline_code_, std::string(time_limit_message(deadline_code_))), CloseReason::request_timeout);
}

// The nearer of that limit, from now, and of the whole call's. Moving it later costs a store.
void Connection::set_deadline(Duration limit, ErrorCode code) {
  const TimePoint total = call_->total_deadline();
  TimePoint next = total;
  deadline_code_ = ErrorCode::timeout_total;
  if (limit > Duration::zero()) {
    const TimePoint until = now() + limit;
    if (until < total) {
      next = until;
      deadline_code_ = code;
    }
  }
  deadline_ = next;
  if (mode_.load(std::memory_order_relaxed) == Mode::loop) loop_.set_timer(*this, next);
}

void Connection::look() {
  net::ReadResult result = stream().read(net::Scratch::of_this_thread());
  // One event may tell of a TLS ticket and of the end behind it.
  if (result.io == Io::again) result = stream().read(net::Scratch::of_this_thread());
  const TimePoint time = loop_.now();
  if (result.io == Io::again) {  // a TLS ticket, or an event that its last user has dealt with
    pool_->examined(*route_, *this, false, CloseReason::shutdown, time);
    return;
  }
  // A server that says 408 while nothing was asked is closing for idleness, and says so.
  const bool spoke = result.io == Io::ok && !result.bytes.starts_with("HTTP/1.1 408");
  pool_->examined(*route_, *this, true, spoke ? CloseReason::stray_bytes : CloseReason::peer_closed_idle, time);
}

void Connection::before_shut() {
  if (self_) *self_ = nullptr;
  if (with_late_watch_.load()) late_watch_.forget(*this);
}

void Connection::resume_reading() {
  may_be_readable_ = true;
  set_deadline(call_->limits().idle_read, ErrorCode::timeout_idle_read);
  if (!in_caller_mode()) on_events(net::readable);
}

}  // namespace trunkline
