#include "pool/idle_limit.h"

#include <algorithm>

namespace trunkline::pool {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// No more than a day: a server's word must not overflow our clock.
void IdleLimit::hint(std::chrono::seconds timeout) {
  hinted_ = std::min<std::chrono::seconds>(timeout, std::chrono::hours(24));
}

void IdleLimit::observe(nanoseconds idle_for, TimePoint now) {
  if (count_ > 0) {
    Sample& last = samples_[(count_ - 1) % samples_.size()];
    if (now - last.at < burst) {
      last.idle_for = std::max(last.idle_for, idle_for);  // the longest says most about a limit that all obeyed
      return;
    }
  }
  samples_[count_++ % samples_.size()] = {idle_for, now};

  // A limit shows as closes at about the same age. The shortest age that at least three recent closes agree on is it;
  // a single early close (a deploy, a crash) agrees with nothing and is ignored.
  std::array<nanoseconds, 16> ages{};
  std::size_t recent = 0;
  for (std::size_t i = 0; i < std::min(count_, samples_.size()); ++i) {
    if (now - samples_[i].at < memory) ages[recent++] = samples_[i].idle_for;
  }
  std::sort(ages.begin(), ages.begin() + static_cast<std::ptrdiff_t>(recent));
  for (std::size_t i = 0; i + enough_samples <= recent; ++i) {
    const nanoseconds agreement = std::max<nanoseconds>(ages[i] / 4, milliseconds(20));
    if (ages[i + enough_samples - 1] - ages[i] <= agreement) {
      learned_ = ages[i];
      learned_at_ = now;
      return;
    }
  }
}

nanoseconds IdleLimit::learned(TimePoint now) const { return now - learned_at_ < memory ? learned_ : nanoseconds(0); }

int IdleLimit::samples(TimePoint now) const {
  int recent = 0;
  for (std::size_t i = 0; i < std::min(count_, samples_.size()); ++i) recent += now - samples_[i].at < memory;
  return recent;
}

nanoseconds IdleLimit::effective(nanoseconds configured, TimePoint now) const {
  nanoseconds limit = configured;
  // A second less than the hint, for the way there; a hint of a second or two still leaves half of it.
  if (hinted_ > nanoseconds(0))
    limit = std::min(limit, std::max<nanoseconds>(hinted_ - std::chrono::seconds(1), hinted_ / 2));
  if (const nanoseconds seen = learned(now); seen > nanoseconds(0)) {
    limit = std::min(limit, std::max<nanoseconds>(seen * 9 / 10, milliseconds(20)));
  }
  return limit;
}

}  // namespace trunkline::pool
