#include "server/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "base/per_thread.h"
#include "http2/server_session.h"
#include "net/tls.h"
#include "server/http1.h"
#include "server/http2.h"
#include "server/request.h"
#include "server/worker.h"

namespace trunkline::server {

using net::Io;

namespace {

constexpr int reads_per_turn = 16;  // 1 MiB, then others have their turn
constexpr Clock::duration drain_grace = std::chrono::milliseconds(250);

// Apart from the client's: a handler may use that one on this thread while we still look at the bytes in ours.
net::Scratch& read_buffer() {
  struct ServerReads;
  return per_thread<net::Scratch, ServerReads>();
}

}  // namespace

void Speaker::on_stalled() { connection_.cut(ConnectionEnd::timed_out); }

Connection::Connection(Worker& worker, std::unique_ptr<net::Stream> stream, std::string peer)
    : worker_(worker), stream_(std::move(stream)), peer_(std::move(peer)), token_(worker.ledger()) {}

Connection::~Connection() = default;

TimePoint Connection::now() const { return worker_.loop().now(); }

void Connection::begin(net::TlsStream* handshake) {
  handshake_ = handshake;
  const Timeouts& timeouts = worker_.settings().timeouts;
  deadline_ = after(now(), handshake != nullptr ? timeouts.tls_handshake : timeouts.idle);
  update_timer();
  if (!worker_.loop().add(stream_->fd(), *this)) cut(ConnectionEnd::stopped);
}

// --- events

void Connection::on_events(std::uint32_t events) {
  if (shut_) return;
  if ((events & (net::readable | net::hung_up)) != 0) may_be_readable_ = true;
  if ((events & net::hung_up) != 0) hung_up_ = true;
  if ((events & net::writable) != 0 && blocked_) flush();
  work();
}

// What was put off to the end of the turn, or to a resumption of reading.
void Connection::later() {
  if (shut_ || std::exchange(later_queued_, true)) return;
  worker_.loop().retire([this] {
    later_queued_ = false;
    work();
  });
}

void Connection::work() {
  if (shut_ || working_) return;
  working_ = true;
  if (write_broken_) {
    take_read_end(true);
  } else if (handshake_ == nullptr || shake_hands()) {
    if (std::exchange(room_owed_, false) && speaker_ && !closing_) speaker_->on_room();
    if (!shut_) read_some();
    if (waiting_bytes() != 0 && !blocked_) flush();
  }
  working_ = false;
  if (shut_) return;
  if (room_owed_) later();
  if (write_broken_) later();
  update_timer();
}

bool Connection::shake_hands() {
  using Step = net::TlsStream::Step;
  Step step = handshake_->handshake(read_buffer());
  // Its last bytes and its end may have come as one event.
  if (step == Step::again && std::exchange(hung_up_, false)) step = handshake_->handshake(read_buffer());
  if (step == Step::again) return false;
  if (step == Step::failed) {
    cut(ConnectionEnd::tls_failed);
    return false;
  }
  const net::TlsPeer peer = handshake_->peer();
  tls_ = std::make_shared<const TlsFacts>(TlsFacts{peer.server_name, peer.subject, peer.fingerprint});
  deadline_ = worker_.draining() ? now() + drain_grace : after(now(), worker_.settings().timeouts.idle);
  const bool http2 = std::exchange(handshake_, nullptr)->alpn() == "h2";
  may_be_readable_ = true;
  if (http2) {
    speaker_ = make_http2(*this);
  } else {
    speaker_ = make_http1(*this);
  }
  return !shut_;
}

void Connection::read_some() {
  for (int reads = 0; !shut_ && !paused_ && !read_ended_; ++reads) {
    if (closing_ && !lingering_) return;
    if (speaker_ && rest_) {
      const auto rest = std::exchange(rest_, nullptr);
      take_bytes(*rest);
      continue;
    }
    if (!may_be_readable_ && !stream_->has_buffered_input()) return;
    if (reads >= reads_per_turn) {
      later();
      return;
    }
    const net::ReadResult result = stream_->read(read_buffer());
    if (result.io == Io::again) {
      may_be_readable_ = std::exchange(hung_up_, false);
      continue;
    }
    if (result.io != Io::ok) {
      take_read_end(result.io == Io::failed);
      return;
    }
    if (result.drained && !hung_up_) may_be_readable_ = false;
    received_ += result.bytes.size();
    if (!lingering_) take_bytes(result.bytes);
  }
}

void Connection::take_bytes(std::string_view bytes) {
  if (speaker_) {
    speaker_->on_bytes(bytes);
  } else {
    choose_speaker(bytes);
  }
}

// In clear, HTTP/2 is what begins with its preface (RFC 9113 section 3.3). No request of HTTP/1 does.
void Connection::choose_speaker(std::string_view bytes) {
  if (!rest_) {
    rest_ = std::make_unique<std::string>();
    set_deadline(after(now(), worker_.settings().timeouts.header));
  }
  *rest_ += bytes;
  const std::string_view start = std::string_view(*rest_).substr(0, http2::client_preface.size());
  if (start == http2::client_preface) {
    speaker_ = make_http2(*this);
  } else if (!http2::client_preface.starts_with(start)) {
    speaker_ = make_http1(*this);
  }
}

void Connection::take_read_end(bool broken) {
  if (std::exchange(read_ended_, true) && !broken) return;
  if (lingering_) {
    shut();
  } else if (speaker_) {
    speaker_->on_read_end(broken);
    if (broken && !shut_) cut(ConnectionEnd::peer_closed);
  } else {
    cut(handshake_ != nullptr ? ConnectionEnd::tls_failed : ConnectionEnd::peer_closed);
  }
}

void Connection::on_timer() {
  if (shut_) return;
  if (!sending_.check(stream_->bytes_sent(), now())) {
    sending_.stop();
    if (speaker_) {
      speaker_->on_stalled();
    } else {
      cut(ConnectionEnd::timed_out);
    }
  }
  if (!shut_ && now() >= deadline_) {
    deadline_ = never;
    if (lingering_) {
      shut();
    } else if (speaker_) {
      speaker_->on_deadline();
    } else {
      cut(worker_.draining()                ? ConnectionEnd::drained
          : !rest_ && handshake_ == nullptr ? ConnectionEnd::idle
                                            : ConnectionEnd::timed_out);
    }
  }
  if (!shut_) update_timer();
}

void Connection::set_deadline(TimePoint when) {
  deadline_ = when;
  if (!working_) update_timer();
}

void Connection::update_timer() { worker_.loop().set_timer(*this, std::min(deadline_, sending_.deadline())); }

// --- sending

void Connection::send(std::initializer_list<std::string_view> parts) {
  if (shut_ || write_broken_ || closing_) return;
  std::size_t taken = 0;
  const bool direct = !corked_ && waiting_bytes() == 0;
  if (direct) {
    const net::WriteResult result = stream_->write({parts.begin(), parts.size()});
    if (result.io == Io::failed || result.io == Io::closed) {
      write_broken_ = true;
      later();
      return;
    }
    taken = result.accepted;
  }
  append(parts, taken);
  if (direct) {
    watch_output();
  } else if (!corked_ && !blocked_) {
    flush();  // behind what was put off: the socket has not been asked yet
  }
}

void Connection::send_soon(std::initializer_list<std::string_view> parts) {
  if (shut_ || write_broken_ || closing_) return;
  append(parts, 0);
  if (waiting_bytes() >= soon_limit && !blocked_) {
    flush();
  } else if (!working_) {
    later();
  }
}

void Connection::append(std::initializer_list<std::string_view> parts, std::size_t taken) {
  for (const std::string_view part : parts) {
    const std::size_t skipped = std::min(taken, part.size());
    taken -= skipped;
    out_ += part.substr(skipped);
  }
}

// After a write: what the socket did not take now waits for its event, and for the peer's progress.
void Connection::watch_output() {
  blocked_ = waiting_bytes() != 0 || stream_->has_pending_output();
  if (!blocked_) {
    sending_.stop();
  } else if (!sending_.running()) {
    const Timeouts& timeouts = worker_.settings().timeouts;
    sending_.start(stream_->bytes_sent(), now(), timeouts.progress, timeouts.progress_bytes);
    if (!working_) update_timer();
  }
}

void Connection::uncork() {
  // Not after close(): that has uncorked by itself, and sends what waits.
  if (!std::exchange(corked_, false) || waiting_bytes() == 0 || shut_) return;
  const std::string out = std::exchange(out_, {});
  send({std::string_view(out).substr(std::exchange(out_offset_, 0))});
}

void Connection::flush() {
  if (write_broken_ || corked_ || shut_) return;
  net::WriteResult result;
  result.io = Io::ok;
  if (waiting_bytes() != 0) {
    const std::string_view out = std::string_view(out_).substr(out_offset_);
    result = stream_->write({&out, 1});
    out_offset_ += result.accepted;
    if (waiting_bytes() == 0) {
      std::string().swap(out_);  // an idle connection owns no buffer
      out_offset_ = 0;
    }
  }
  if (waiting_bytes() == 0 && result.io == Io::ok && stream_->has_pending_output()) result = stream_->flush();
  if (result.io == Io::failed || result.io == Io::closed) {
    write_broken_ = true;
    if (!working_) later();
    return;
  }
  const bool was_blocked = blocked_;
  watch_output();
  if (blocked_) return;
  if (was_blocked) room_owed_ = true;
  if (closing_) finish_closing();
}

// --- reading

void Connection::resume_reading() {
  if (std::exchange(paused_, false)) later();
}

void Connection::become(std::unique_ptr<Speaker> next, std::string rest) {
  worker_.loop().retire([before = std::move(speaker_)] {});
  speaker_ = std::move(next);
  keep_rest(std::move(rest));
  paused_ = false;
  come_again();
}

void Connection::keep_rest(std::string bytes) {
  rest_ = bytes.empty() ? nullptr : std::make_unique<std::string>(std::move(bytes));
}

void Connection::come_again() {
  room_owed_ = true;
  later();
}

void Connection::put_back(std::string bytes) {
  keep_rest(std::move(bytes));
  later();
}

// --- the end

void Connection::close(ConnectionEnd why, bool lingers) {
  if (shut_ || std::exchange(closing_, true)) return;
  token_.because(why);
  lingers_ = lingers && !read_ended_;
  deadline_ = never;
  corked_ = false;
  if (waiting_bytes() != 0 || stream_->has_pending_output()) flush();
  if (write_broken_) {
    shut();
  } else if (waiting_bytes() == 0 && !stream_->has_pending_output()) {
    finish_closing();
  }
}

void Connection::finish_closing() {
  if (shut_ || lingering_) return;
  stream_->farewell();
  if (!lingers_) {
    shut();
    return;
  }
  // Closed with bytes unread, the socket would send a reset, and the peer's kernel would drop our answer for it.
  ::shutdown(stream_->fd(), SHUT_WR);
  lingering_ = true;
  paused_ = false;
  deadline_ = after(now(), std::max<Duration>(worker_.settings().timeouts.linger, std::chrono::milliseconds(1)));
  update_timer();
  later();
}

void Connection::cut(ConnectionEnd why) {
  if (shut_) return;
  if (!closing_) token_.because(why);
  closing_ = true;
  shut();
}

void Connection::cut_with_reset(ConnectionEnd why) {
  if (shut_) return;
  const linger at_once{1, 0};
  ::setsockopt(stream_->fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  cut(why);
}

void Connection::shut() {
  if (std::exchange(shut_, true)) return;
  closing_ = true;
  worker_.loop().remove(stream_->fd());
  worker_.loop().cancel_timer(*this);
  if (speaker_) speaker_->on_gone();
  worker_.forget(*this);
}

void Connection::drain() {
  if (shut_ || closing_) return;
  if (speaker_) {
    // A request that has come already, perhaps behind an answer that let it come, is served as the last one.
    may_be_readable_ = true;
    work();
    if (!shut_ && !closing_) speaker_->drain();
  } else {
    // It may have sent a request that we have not read yet.
    set_deadline(std::min(deadline_, now() + drain_grace));
  }
}

}  // namespace trunkline::server
