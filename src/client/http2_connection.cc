#include "client/http2_connection.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/per_thread.h"
#include "base/text.h"
#include "client/call.h"

namespace trunkline {

using http2::Code;
using net::Io;

namespace {

constexpr std::size_t write_size = 64 * 1024;
constexpr auto doubtful_after = std::chrono::seconds(10);  // idle for longer, it is asked along with the next request

http2::Limits session_limits(const Http2Settings& settings) {
  http2::Limits limits;
  // What the peer is told; each request has bounds of its own.
  limits.header_bytes = std::max(limits.header_bytes, settings.response.head_bytes);
  limits.stream_window = static_cast<std::uint32_t>(settings.http2.stream_window);
  limits.connection_window = static_cast<std::uint32_t>(settings.http2.connection_window);
  return limits;
}

// Apart from that of other connections: while a session takes bytes from it, callers are told and may start requests
// that read elsewhere.
net::Scratch& read_buffer() {
  struct Http2Reads;
  return per_thread<net::Scratch, Http2Reads>();
}

// Where a session's frames are made before they are written. Callbacks that run meanwhile may end another connection of
// this thread, which says goodbye at once: it has room of its own.
struct Outgoing {
  std::array<char, write_size> bytes;
  bool in_use = false;

  class Use {
   public:
    Use() : nested_(std::exchange(outgoing_.in_use, true)) {}
    ~Use() { outgoing_.in_use = nested_; }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    std::span<char> room() { return nested_ ? std::span<char>(own_) : std::span<char>(outgoing_.bytes); }

   private:
    Outgoing& outgoing_ = per_thread<Outgoing, Outgoing>();
    const bool nested_;
    std::array<char, 1024> own_;
  };
};

}  // namespace

Http2Connection::Http2Connection(net::Loop& loop, std::shared_ptr<pool::Pool> pool, std::shared_ptr<pool::Route> route,
                                 net::Dialled dialled, const Http2Settings& settings, const PoolLimits& limits,
                                 std::uint32_t expected_capacity)
    : PooledConnection(loop, std::move(pool), std::move(route), std::move(dialled)),
      session_(session_limits(settings), *this),
      limits_(limits),
      ping_after_(settings.http2.ping_timeout > Duration::zero() ? settings.http2.ping_after : Duration::zero()),
      ping_timeout_(settings.http2.ping_timeout),
      last_heard_(loop.now()) {
  shared = true;
  capacity = expected_capacity;
}

Http2Connection::~Http2Connection() {
  for (const auto& each : streams_) loop_.cancel_timer(*each);
}

void Http2Connection::start() {
  want_flush();
  if (!stream().has_buffered_input()) return;
  loop_.retire([this] {
    if (dialled_.stream != nullptr) read_some();
  });
}

// --- calls

void Http2Connection::begin(Call& call, bool) {
  ++carried_;
  if (leases_++ == 0) watch_over(loop_.now());
  if (spare_.empty()) {
    streams_.push_back(std::make_unique<Http2Stream>(*this));
    spare_.push_back(streams_.back().get());
  }
  Http2Stream& stream = *spare_.back();
  spare_.pop_back();
  stream.begin(call);
}

void Http2Connection::done_with(Http2Stream& stream) {
  spare_.push_back(&stream);
  if (outlives_socket_ && spare_.size() == streams_.size()) end();
}

void Http2Connection::end_lease(bool keep, CloseReason reason, Duration answer) {
  --leases_;
  pool_->release(*route_, *this, keep, reason, limits_, loop_.now(), answer);
}

void Http2Connection::on_slots_freed(int count) {
  for (int i = 0; i < count; ++i) end_lease(true, CloseReason::shutdown);
}

void Http2Connection::on_stream_limit(std::uint32_t streams) {
  pool_->set_capacity(*route_, *this, streams, loop_.now());
}

void Http2Connection::on_goaway(Code code, std::string_view debug) {
  calm_asked_ = calm_asked_ || code == Code::enhance_your_calm;
  insecure_ = insecure_ || code == Code::inadequate_security;
  if (code != Code::no_error) {
    goaway_ = std::string(http2::to_string(code));
    if (!debug.empty()) goaway_ += ": " + printable(debug, 100);
  }
  pool_->retire(*route_, *this, CloseReason::goaway, loop_.now());
}

Error Http2Connection::loss(Phase phase, bool response_began) const {
  if (!lost_) {
    return Error(ErrorCode::connection_closed, phase, "the server closed the connection (GOAWAY " + goaway_ + ")");
  }
  Error error = *lost_;
  error.phase = phase;
  if (response_began && error.code == ErrorCode::connection_closed) error.code = ErrorCode::truncated_body;
  return error;
}

// --- bytes

void Http2Connection::on_events(std::uint32_t events) {
  if (dialled_.stream == nullptr) return;  // shut, earlier in this turn
  if ((events & net::hung_up) != 0) hung_up_ = true;
  if ((events & net::writable) != 0 && !out_.empty()) flush();
  if ((events & (net::readable | net::hung_up)) != 0 && dialled_.stream != nullptr) read_some();
}

void Http2Connection::read_some() {
  for (int reads = 0;; ++reads) {
    if (reads == reads_per_turn) {
      if (!self_) self_ = std::make_shared<Http2Connection*>(this);
      loop_.post([self = self_] {
        if (*self != nullptr) (*self)->on_events(net::readable);
      });
      break;
    }
    const net::ReadResult result = stream().read(read_buffer());
    if (result.io == Io::again) {
      if (!std::exchange(hung_up_, false)) break;
      continue;
    }
    if (result.io != Io::ok) {
      const std::string why = result.io == Io::failed ? ": " + result.error.message() : std::string();
      lose(result.io == Io::failed ? ErrorCode::connection_reset : ErrorCode::connection_closed,
           "the server closed the connection" + why,
           leases_ == 0 ? CloseReason::peer_closed_idle : CloseReason::request_failed);
      return;
    }
    last_heard_ = loop_.now();
    busy_ = true;
    const bool sound = session_.receive(result.bytes, last_heard_);
    finish_streams();
    busy_ = false;
    if (ping_deadline_ != never && session_.pings_unanswered() == 0) {
      ping_deadline_ = never;
      if (leases_ > 0) watch_over(last_heard_);
    }
    if (shut_wanted_) {
      shut();
      return;
    }
    if (!sound) {
      const bool http1 = session_.answered_in_http1();
      lose(http1 ? ErrorCode::http1_required : ErrorCode::invalid_response, session_.failure().message,
           CloseReason::protocol_error);
      return;
    }
    if (result.drained && !hung_up_) break;
  }
  if (session_.wants_write()) want_flush();
}

// Reading, ending calls and sending each fit the instruction cache; in turn for every call they do not: that was 280
// misses a request instead of 70.
void Http2Connection::finish_later(Http2Stream& stream) { finished_.push_back(&stream); }

void Http2Connection::finish_streams() {
  for (std::size_t i = 0; i < finished_.size(); ++i) finished_[i]->finish();
  finished_.clear();
}

void Http2Connection::want_flush() {
  if (dialled_.stream == nullptr) return;  // a response that came in time is read late
  if (std::exchange(flush_queued_, true)) return;
  loop_.retire([this] {
    flush_queued_ = false;
    if (dialled_.stream != nullptr && out_.empty()) flush();
  });
}

void Http2Connection::flush() {
  Outgoing::Use use;
  const std::span<char> buffer = use.room();
  for (;;) {
    std::string_view bytes(out_);
    bytes.remove_prefix(out_offset_);
    if (bytes.empty()) {
      busy_ = true;
      bytes = {buffer.data(), session_.produce(buffer)};
      finish_streams();
      busy_ = false;
      if (bytes.empty()) {
        if (session_.failed() && !broken_ && !shut_wanted_) {
          lose(ErrorCode::invalid_response, session_.failure().message, CloseReason::protocol_error);
          return;
        }
        break;
      }
    }
    const std::array<std::string_view, 1> parts{bytes};
    const net::WriteResult result = stream().write(parts);
    if (result.io == Io::failed || result.io == Io::closed) {
      out_.clear();
      out_offset_ = 0;
      // The peer may have said why before it closed: read first, then it is lost.
      if (!broken_) read_some();
      if (!broken_ && dialled_.stream != nullptr && !shut_wanted_) {
        lose(ErrorCode::connection_reset, "the connection broke: " + result.error.message(),
             CloseReason::request_failed);
      }
      return;
    }
    const std::size_t accepted = result.io == Io::ok ? result.accepted : 0;
    if (accepted < bytes.size()) {
      if (out_.empty()) {
        out_.assign(bytes.substr(accepted));
        out_offset_ = 0;
      } else {
        out_offset_ += accepted;
      }
      loop_.arm(stream().fd(), *this, net::readable | net::writable);
      waits_for_room_ = true;
      break;
    }
    out_.clear();
    out_offset_ = 0;
  }
  if (out_.empty() && stream().has_pending_output()) {
    stream().flush();
    if (stream().has_pending_output()) {
      loop_.arm(stream().fd(), *this, net::readable | net::writable);
      waits_for_room_ = true;
    }
  }
  if (out_.empty() && !stream().has_pending_output() && std::exchange(waits_for_room_, false)) {
    std::string().swap(out_);
    loop_.arm(stream().fd(), *this, net::readable);
  }
  if (shut_wanted_) {
    shut();
    return;
  }
  if (session_.pings_unanswered() > 0 && ping_deadline_ == never && ping_timeout_ > Duration::zero()) {
    ping_deadline_ = loop_.now() + ping_timeout_;
    watch_over(loop_.now());
  } else if (session_.ping_due() != never) {
    watch_over(loop_.now());
  }
}

// --- the end

void Http2Connection::lose(ErrorCode code, std::string message, CloseReason reason) {
  if (std::exchange(broken_, true)) return;
  if (code == ErrorCode::connection_closed && !goaway_.empty()) message += " (GOAWAY " + goaway_ + ")";
  lost_ = std::make_unique<Error>(code, Phase::body, std::move(message));
  if (code == ErrorCode::invalid_response) flush();  // our GOAWAY says why
  busy_ = true;
  pool_->retire(*route_, *this, reason, loop_.now());
  session_.lost();
  busy_ = false;
  if (shut_wanted_) shut();
}

// Not while the session is at work: its caller would come back to a connection without a socket.
void Http2Connection::shut() {
  if (busy_) {
    shut_wanted_ = true;
    return;
  }
  if (std::exchange(shutting_, true)) return;
  if (self_) *self_ = nullptr;
  if (!broken_) {
    session_.say_goodbye();
    broken_ = true;
    flush();
  }
  PooledConnection::shut();
}

// --- time

void Http2Connection::on_timer() {
  const TimePoint now = loop_.now();
  if (dialled_.stream == nullptr) return;
  if (leases_ == 0) {
    const TimePoint again = pool_->expire(*route_, *this, now);
    if (dialled_.stream == nullptr) return;  // closed
    // `never`: it has just been leased, and its call is on the way.
    loop_.set_timer(*this, again != never ? again : now + std::chrono::seconds(5));
    return;
  }
  if (session_.ping_due() <= now) {
    session_.on_ping_due(now);
    want_flush();
  }
  if (now >= ping_deadline_ && session_.pings_unanswered() > 0) {
    if (last_heard_ + ping_timeout_ <= now) {
      lose(ErrorCode::connection_closed,
           "the server has said nothing for too long, not even in answer to a PING: it is gone, or the way to it is",
           CloseReason::ping_timeout);
      return;
    }
    ping_deadline_ = last_heard_ + ping_timeout_;  // slow, but alive
  }
  if (ping_after_ > Duration::zero() && session_.pings_unanswered() == 0 && now >= last_heard_ + ping_after_) {
    session_.ping(now);
    want_flush();
  }
  watch_over(now);
}

// Sets the timer for what is next to be looked at while calls are under way.
void Http2Connection::watch_over(TimePoint now) {
  TimePoint next = session_.ping_due();
  if (ping_after_ > Duration::zero()) {
    if (session_.pings_unanswered() > 0) {
      next = std::min(next, ping_deadline_);
    } else {
      // After a long silence the first request is not trusted to a connection that may be dead for ten minutes.
      if (now - last_heard_ >= doubtful_after && leases_ == 1) {
        session_.ping(now);
        ping_deadline_ = now + ping_timeout_;
        want_flush();
        next = std::min(next, ping_deadline_);
      }
      next = std::min(next, std::max(last_heard_ + ping_after_, now + std::chrono::milliseconds(1)));
    }
  }
  if (next == never) next = now + std::chrono::minutes(1);  // and then for its idle limit
  loop_.set_timer(*this, next);
}

}  // namespace trunkline
