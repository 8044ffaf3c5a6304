#include "client/source_event.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

namespace trunkline {

SourceEvent::SourceEvent() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (fd_ >= 0) net::note_descriptor(fd_);
}

SourceEvent::~SourceEvent() {
  if (fd_ < 0 || generation_ != net::fork_generation()) return;  // closed at the fork; the number may be another's
  net::forget_descriptor(fd_);
  ::close(fd_);
}

void SourceEvent::wake() {
  std::lock_guard lock(mutex_);
  if (to_) {
    to_();
    return;
  }
  woken_ = true;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one);
}

void SourceEvent::clear() {
  std::lock_guard lock(mutex_);
  woken_ = false;
  std::uint64_t drained = 0;
  [[maybe_unused]] const auto got = ::read(fd_, &drained, sizeof drained);
}

void SourceEvent::redirect(Callback<void()> to) {
  std::lock_guard lock(mutex_);
  to_ = std::move(to);
  if (std::exchange(woken_, false)) to_();
}

}  // namespace trunkline
