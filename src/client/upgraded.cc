#include "client/upgraded.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>

#include "base/clock.h"
#include "client/connection.h"

namespace trunkline {

using net::Io;

namespace {

// Waits for the socket. False: the time is up.
bool wait_for(int fd, short events, TimePoint until) {
  for (;;) {
    pollfd waiting{fd, events, 0};
    timespec time{};
    if (until != never) {
      const auto left = std::max<Duration>(until - Clock::now(), Duration::zero());
      time.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(left).count();
      time.tv_nsec = (left % std::chrono::seconds(1)).count();
    }
    const int ready = ppoll(&waiting, 1, until != never ? &time : nullptr, nullptr);
    if (ready > 0) return true;
    if (ready == 0 && Clock::now() >= until) return false;
  }
}

TimePoint until_after(Duration limit) {
  return limit > Duration::zero() && limit < ten_years ? Clock::now() + limit : never;
}

}  // namespace

UpgradedConnection::Impl::Impl(Connection& connection) : connection_(&connection), held_(connection.take_held()) {}

UpgradedConnection::Impl::~Impl() {
  if (connection_ != nullptr) connection_->abort(CloseReason::upgraded);
}

Connection& UpgradedConnection::Impl::release(std::string& held) {
  held = std::move(held_);
  return *std::exchange(connection_, nullptr);
}

Result<std::size_t> UpgradedConnection::Impl::read(std::span<char> into, Duration limit) {
  const TimePoint until = until_after(limit);
  while (held_.empty()) {
    std::unique_lock lock(mutex_);
    const net::ReadResult result = connection_->stream().read(net::Scratch::of_this_thread());
    lock.unlock();
    switch (result.io) {
      case Io::ok:
        held_.assign(result.bytes);
        break;
      case Io::closed:
        return std::size_t{0};
      case Io::cut:
      case Io::failed:
        return Error(ErrorCode::connection_reset, Phase::body, "the connection broke");
      case Io::again:
        if (!wait_for(connection_->stream().fd(), POLLIN, until)) {
          return Error(ErrorCode::timeout_idle_read, Phase::body, "the peer has sent nothing in time");
        }
        break;
    }
  }
  const std::size_t size = std::min(into.size(), held_.size());
  std::copy_n(held_.begin(), size, into.begin());
  held_.erase(0, size);
  return size;
}

Result<void> UpgradedConnection::Impl::write(std::string_view bytes, Duration limit) {
  const TimePoint until = until_after(limit);
  net::Stream& stream = connection_->stream();
  for (;;) {
    std::unique_lock lock(mutex_);
    if (bytes.empty() && !stream.has_pending_output()) break;
    const std::array<std::string_view, 1> parts{bytes};
    const net::WriteResult result = bytes.empty() ? stream.flush() : stream.write(parts);
    lock.unlock();
    if (result.io == Io::failed || result.io == Io::closed) {
      return Error(ErrorCode::connection_reset, Phase::send, "the connection broke");
    }
    bytes.remove_prefix(result.accepted);
    if (result.io == Io::again && !wait_for(stream.fd(), POLLOUT, until)) {
      return Error(ErrorCode::timeout_write, Phase::send, "the peer has taken nothing in time");
    }
  }
  return {};
}

UpgradedConnection::UpgradedConnection(std::unique_ptr<Impl> impl, StreamWatches watches)
    : impl_(std::move(impl)), watches_(std::move(watches)) {}
UpgradedConnection::UpgradedConnection(UpgradedConnection&&) noexcept = default;
UpgradedConnection& UpgradedConnection::operator=(UpgradedConnection&&) noexcept = default;
UpgradedConnection::~UpgradedConnection() = default;

std::unique_ptr<UpgradedConnection::Impl> UpgradedConnection::release(StreamWatches& watches) && {
  watches = std::move(watches_);
  return std::move(impl_);
}

Result<std::size_t> UpgradedConnection::read(std::span<char> into, Duration limit) { return impl_->read(into, limit); }
Result<void> UpgradedConnection::write(std::string_view bytes, Duration limit) { return impl_->write(bytes, limit); }

}  // namespace trunkline
