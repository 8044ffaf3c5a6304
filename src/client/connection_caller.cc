// A Connection that the calling thread drives, without the loop; and its way back to the loop.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "client/call.h"
#include "client/connection.h"
#include "client/source_event.h"

namespace trunkline {

using net::Io;

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
    // A server that always has more would otherwise be read for ever.
    if (call.total_deadline() != never && Clock::now() >= call.total_deadline()) {
      expire();
      continue;
    }
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
