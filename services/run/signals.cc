#include "services/run/signals.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <limits>

namespace trunkline::run {

SignalQueue::SignalQueue(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  woken_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

SignalQueue::~SignalQueue() {
  ::close(signals_);
  ::close(woken_);
}

std::optional<int> SignalQueue::wait(std::optional<std::chrono::microseconds> most) {
  using std::chrono::microseconds;
  const auto until = std::chrono::steady_clock::now() + most.value_or(microseconds(0));
  for (;;) {
    int milliseconds = -1;
    if (most) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
      milliseconds = static_cast<int>(std::clamp<std::int64_t>(left, 0, std::numeric_limits<int>::max()));
    }
    std::array<pollfd, 2> both{{{signals_, POLLIN, 0}, {woken_, POLLIN, 0}}};
    if (::poll(both.data(), both.size(), milliseconds) < 0) continue;  // interrupted: look how much time is left
    signalfd_siginfo info{};
    if (::read(signals_, &info, sizeof info) == sizeof info) return static_cast<int>(info.ssi_signo);
    std::uint64_t count = 0;
    if (::read(woken_, &count, sizeof count) == sizeof count) return std::nullopt;
    if (most && std::chrono::steady_clock::now() >= until) return std::nullopt;
  }
}

void SignalQueue::wake() {
  const std::uint64_t one = 1;
  // It can only fail when it has been woken already.
  [[maybe_unused]] const ssize_t written = ::write(woken_, &one, sizeof one);
}

}  // namespace trunkline::run
