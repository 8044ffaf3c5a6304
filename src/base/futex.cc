#include "base/futex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace trunkline {

void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t value, TimePoint until) {
  timespec limit{};
  timespec* timeout = nullptr;
  if (until != never) {
    const auto left = std::max<Clock::duration>(until - Clock::now(), Clock::duration::zero());
    limit.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(left).count();
    limit.tv_nsec = (left % std::chrono::seconds(1)).count();
    timeout = &limit;
  }
  ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, timeout, nullptr, 0);
}

void futex_wake_one(std::atomic<std::uint32_t>& word) {
  ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

}  // namespace trunkline
