#include "client/connection.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/per_thread.h"
#include "client/call.h"
#include "client/late_watch.h"
#include "client/source_event.h"
#include "client/time_limits.h"
#include "client/upgraded.h"

namespace trunkline {

using net::Io;
using std::chrono::milliseconds;

namespace {

// What may be read in order to save a connection whose body was dropped.
constexpr std::size_t drain_bytes = 64 * 1024;
constexpr auto drain_time = milliseconds(50);
constexpr std::size_t source_piece = 16 * 1024;

http1::DecoderLimits decoder_limits(const ResponseLimits& limits) {
  http1::DecoderLimits result;
  result.head_bytes = limits.head_bytes;
  result.line_bytes = limits.line_bytes;
  result.field_count = limits.header_count;
  result.informational = limits.informational;
  return result;
}

}  // namespace

Connection::Connection(net::Loop& loop, LateWatch& late_watch, std::shared_ptr<pool::Pool> pool,
                       std::shared_ptr<pool::Route> route, net::Dialled dialled)
    : PooledConnection(loop, std::move(pool), std::move(route), std::move(dialled)),
      late_watch_(late_watch),
      decoder_(std::make_unique<http1::ResponseDecoder>()) {}

Connection::~Connection() = default;

TimePoint Connection::now() const {
  return mode_.load(std::memory_order_relaxed) == Mode::loop ? loop_.now() : Clock::now();
}

// --- sending

void Connection::begin(Call& call, bool by_caller) {
  call_ = &call;
  call.on_begin(*this, *this);
  if (by_caller) {
    set_caller_mode();
  } else {
    mode_.store(Mode::loop, std::memory_order_relaxed);
    if (quiet_since_.load(std::memory_order_relaxed) != heard) listen(net::readable);
  }
  pool_limits_ = call.pool_limits();
  decoder_->set_limits(decoder_limits(call.response_limits()));
  decoder_->begin(call.framing());
  body_offset_ = 0;
  sent_before_ = stream().bytes_sent();
  discard_left_ = 0;
  source_left_ = 0;
  deadline_code_ = ErrorCode::timeout_total;
  deadline_ = never;
  sending_body_ = source_done_ = awaiting_source_ = all_sent_ = send_failed_ = false;
  peer_closed_ = discarding_ = false;
  may_be_readable_ = false;

  const Request& request = call.request();
  const http1::RequestHead head = call.head();
  struct HeadText;
  const std::string_view head_text = http1::encode_head(head, per_thread<std::string, HeadText>());
  awaiting_continue_ = head.expect_continue;
  chunked_ = !head.content_length.has_value();
  if (request.source() && head.content_length) source_left_ = *head.content_length;

  // Head and body leave in one system call where they can.
  std::array<std::string_view, 2> parts{head_text, {}};
  if (!request.source() && !awaiting_continue_) parts[1] = request.body();
  const net::WriteResult result = stream().write(parts);
  std::size_t accepted = result.io == Io::ok ? result.accepted : 0;
  if (result.io == Io::failed || result.io == Io::closed) send_failed_ = true;
  if (accepted < head_text.size()) {
    out_.assign(head_text, accepted);
    out_offset_ = 0;
  } else {
    body_offset_ = accepted - head_text.size();
  }
  if (!send_failed_) {
    write_some();
    if (!call.carried_by(this)) return;
  }
  if (send_failed_) {
    // The peer may still have answered before it closed: the reading side decides. Not from inside begin(): the caller
    // of a callback API must not be called back from there.
    may_be_readable_ = true;
    set_deadline(call.limits().first_byte, ErrorCode::timeout_first_byte);
    if (!by_caller) {
      loop_.post([weak = call.weak_from_this(), this] {
        // While the call is on this connection, the connection lives.
        const auto living = weak.lock();
        if (living && living->carried_by(this)) on_events(net::readable);
      });
    }
  }
}

// Sends what is ready, and notes what it waits for.
void Connection::write_some() {
  Call& call = *call_;
  wants_writable_ = false;
  for (;;) {
    if (out_offset_ < out_.size()) {
      const std::array<std::string_view, 1> parts{std::string_view(out_).substr(out_offset_)};
      const net::WriteResult result = stream().write(parts);
      if (result.io == Io::again) break;
      if (result.io != Io::ok) {
        send_failed_ = true;
        return;
      }
      out_offset_ += result.accepted;
      continue;
    }
    if (out_.capacity() > 1024) std::string().swap(out_);
    out_.clear();
    out_offset_ = 0;
    if (awaiting_continue_) break;
    const Request& request = call_->request();
    if (!request.source()) {
      const std::string& body = request.body();
      if (body_offset_ == body.size()) break;
      const std::array<std::string_view, 1> parts{std::string_view(body).substr(body_offset_)};
      const net::WriteResult result = stream().write(parts);
      if (result.io == Io::again) break;
      if (result.io != Io::ok) {
        send_failed_ = true;
        return;
      }
      body_offset_ += result.accepted;
      continue;
    }
    if (source_done_ || awaiting_source_ || !gather_body()) break;
    if (!call.carried_by(this)) return;  // the source failed, and the exchange with it
  }
  if (stream().has_pending_output()) {
    const net::WriteResult result = stream().flush();
    if (result.io == Io::failed || result.io == Io::closed) {
      send_failed_ = true;
      return;
    }
  }
  const Request& request = call_->request();
  const bool nothing_left = out_.empty() && !stream().has_pending_output();
  const bool body_left = request.source() ? !source_done_ : body_offset_ < request.body().size();
  if (nothing_left && awaiting_continue_) {
    if (deadline_code_ != ErrorCode::last_) set_deadline(call_->limits().expect_continue, ErrorCode::last_);
  } else if (nothing_left && !body_left) {
    if (!all_sent_) sent();
  } else if (awaiting_source_ && nothing_left) {
    set_deadline(Duration::zero(), ErrorCode::timeout_total);  // the caller's own pace is not the peer's stall
  } else {
    wants_writable_ = true;
    set_deadline(call_->limits().write_stall, ErrorCode::timeout_write);
    if (mode_.load(std::memory_order_relaxed) == Mode::loop) {
      listen(net::readable | net::writable);
    }
  }
}

// Takes the next piece from the caller's source into out_. False: there is none now.
bool Connection::gather_body() {
  const Request& request = call_->request();
  struct Piece;
  auto& piece = per_thread<std::array<char, source_piece>, Piece>();
  Callback<void()> resume;
  if (in_caller_mode()) {
    const std::shared_ptr<SourceEvent>& event = call_->source_event();
    if (event->fd() < 0) {
      fail(failure(ErrorCode::no_sockets, "the process has no descriptor left to wait for the request body with"),
           CloseReason::cancelled);
      return true;
    }
    resume = [event] { event->wake(); };
  } else {
    resume = [loop = loop_.mailbox(), weak = call_->weak_from_this(), this, at = requests] {
      loop.post([weak, this, at] {
        // While the call lives and is on this connection, so is the connection.
        const auto call = weak.lock();
        if (call && call->carried_by(this) && requests == at) resume_writing();
      });
    };
  }
  BodySource::Pull pull;
  try {
    pull = request.source()->pull(piece, std::move(resume));
  } catch (const std::exception& thrown) {
    pull = {BodySource::Pull::failed, 0, thrown.what()};
  }
  if (pull.kind == BodySource::Pull::bytes && pull.size == 0) {  // it would look like the end of the body
    pull = {BodySource::Pull::failed, 0, "its source gave no byte and did not say that it was the end"};
  }
  awaiting_source_ = pull.kind == BodySource::Pull::later;
  switch (pull.kind) {
    case BodySource::Pull::later:
      return false;
    case BodySource::Pull::failed:
      fail(failure(ErrorCode::body_source_failed, "the request body could not be read: " + pull.reason),
           CloseReason::cancelled);
      return true;
    case BodySource::Pull::bytes: {
      const std::string_view bytes(piece.data(), std::min(pull.size, piece.size()));
      if (chunked_) {
        http1::encode_chunk_prefix(bytes.size(), out_);
        out_.append(bytes).append("\r\n");
        return true;
      }
      if (bytes.size() > source_left_) {
        fail(failure(ErrorCode::body_source_failed, "the request body is longer than the length that it promised"),
             CloseReason::cancelled);
        return true;
      }
      source_left_ -= bytes.size();
      out_.append(bytes);
      return true;
    }
    case BodySource::Pull::end:
      source_done_ = true;
      if (!chunked_ && source_left_ > 0) {
        fail(failure(ErrorCode::body_source_failed, "the request body is shorter than the length that it promised"),
             CloseReason::cancelled);
        return true;
      }
      if (chunked_) {
        if (auto ended = http1::encode_last_chunk(request.source()->trailers(), out_); !ended) {
          fail(failure(ErrorCode::body_source_failed, ended.error().message), CloseReason::cancelled);
        }
      }
      return true;
  }
  return false;
}

void Connection::sent() {
  all_sent_ = true;
  if (call_->traced()) call_->trace(TraceEvent::sent, {});
  if (!decoder_->head_seen()) {
    set_deadline(call_->limits().first_byte, ErrorCode::timeout_first_byte);
  } else if (reading_wanted()) {
    set_deadline(call_->limits().idle_read, ErrorCode::timeout_idle_read);
  } else {
    set_deadline(Duration::zero(), ErrorCode::timeout_total);  // the caller's pace
  }
}

void Connection::resume_writing() {
  const std::shared_ptr<Call> call = call_->shared_from_this();
  awaiting_source_ = false;
  if (send_failed_ || all_sent_) return;
  write_some();
  if (call->carried_by(this) && send_failed_ && !in_caller_mode()) on_events(net::readable);
}

std::uint64_t Connection::bytes_sent_in_exchange() const { return dialled_.stream->bytes_sent() - sent_before_; }

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
      may_be_readable_ = peer_closed_ = false;
      return false;
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
          write_some();
          if (!call.carried_by(this)) return false;
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
  while ((may_be_readable_ || !held_.empty() || at_end()) && reading_wanted()) {
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
      may_be_readable_ = peer_closed_ = false;
      return false;
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
  const net::ReadResult result = stream().read(net::Scratch::of_this_thread());
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

// --- driven by the calling thread

void Connection::set_caller_mode() {
  mode_.store(Mode::caller, std::memory_order_relaxed);
  if (quiet_since_.exchange(unheard) == heard) loop_.disarm(stream().fd(), *this);
}

void Connection::listen(std::uint32_t interest) {
  quiet_since_.store(heard);
  loop_.arm(stream().fd(), *this, interest);
}

// What the loop has not heard, this thread looks for: after a TLS ticket there may be nothing for us.
bool Connection::still_there() {
  if (quiet_since_.load(std::memory_order_relaxed) == heard) return true;
  return stream().read(net::Scratch::of_this_thread()).io == Io::again;
}

bool Connection::watch_if_quiet(TimePoint quiet_before) {
  std::int64_t since = quiet_since_.load();
  if (since >= 0 && since <= quiet_before.time_since_epoch().count()) {
    // A caller who takes it between these two lines finds it heard, and his disarm may come before this: then the loop
    // hears events that are not its business, and looks when the connection comes back.
    if (quiet_since_.compare_exchange_strong(since, heard)) loop_.arm(stream().fd(), *this, net::readable);
    since = quiet_since_.load();
  }
  if (since >= 0) return false;
  // Heard, or in a caller's hands, who brings it again; unless he has just done so and believed that it is here.
  with_late_watch_.store(false);
  return quiet_since_.load() < 0 || with_late_watch_.exchange(true);
}

void Connection::hand_to_loop() {
  mode_.store(Mode::loop, std::memory_order_relaxed);
  may_be_readable_ = true;
  listen(wants_writable_ ? net::readable | net::writable : net::readable);
  if (!awaiting_source_) return;
  // The source's word is still to come, and now it must come to the loop.
  call_->source_event()->redirect([loop = loop_.mailbox(), weak = call_->weak_from_this(), this, at = requests] {
    loop.post([weak, this, at] {
      const auto call = weak.lock();
      if (call && call->carried_by(this) && requests == at) resume_writing();
    });
  });
}

// Once the exchange has ended, this object is somebody else's: only `call` may be asked.
// Usually the request has been sent and the response is all there is to wait for: one receive then does what poll() and
// a receive would. Where there is more to wait for, or the time limit is near, it is poll().
void Connection::drive(Call& call) {
  while (call.carried_by(this) && !call.satisfied()) {
    if ((may_be_readable_ || !held_.empty() || at_end()) && reading_wanted()) {
      if (read_some() || !call.carried_by(this) || call.satisfied()) continue;
    }
    if (!wants_writable_ && !awaiting_source_ && reading_wanted() && !peer_closed_ &&
        (deadline_ == never || deadline_ - Clock::now() > 2 * net::Stream::waiting_limit)) {
      read_result(stream().read_waiting(net::Scratch::of_this_thread()));
      continue;
    }
    std::array<pollfd, 2> fds{};
    fds[0].fd = stream().fd();
    fds[0].events = static_cast<short>((reading_wanted() ? POLLIN | POLLRDHUP : 0) | (wants_writable_ ? POLLOUT : 0));
    nfds_t count = 1;
    if (awaiting_source_) {
      fds[1].fd = call.source_event()->fd();
      fds[1].events = POLLIN;
      count = 2;
    }
    timespec wait{};
    timespec* limit = nullptr;
    if (deadline_ != never) {
      const auto left = std::max<Duration>(deadline_ - Clock::now(), Duration::zero());
      wait.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(left).count();
      wait.tv_nsec = (left % std::chrono::seconds(1)).count();
      limit = &wait;
    }
    const int ready = ppoll(fds.data(), count, limit, nullptr);
    if (ready == 0 && Clock::now() >= deadline_) expire();
    if (ready <= 0) continue;  // or a signal
    if ((fds[0].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0) peer_closed_ = true;
    if ((fds[0].revents & (POLLIN | POLLRDHUP | POLLHUP | POLLERR)) != 0) may_be_readable_ = true;
    if (count == 2 && fds[1].revents != 0) {
      call.source_event()->clear();
      resume_writing();
    } else if ((fds[0].revents & POLLOUT) != 0 && wants_writable_ && !send_failed_) {
      write_some();
    }
    if (call.carried_by(this) && send_failed_) may_be_readable_ = true;
  }
}

}  // namespace trunkline
