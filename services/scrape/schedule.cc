#include "services/scrape/schedule.h"

#include <algorithm>
#include <cmath>

namespace trunkline::scrape {

using std::chrono::milliseconds;

Result<void> check(const ScheduleSettings& settings) {
  const auto refuse = [](const char* why) { return Error(ErrorCode::invalid_options, Phase::prepare, why); };
  constexpr Duration longest = std::chrono::hours(24);
  if (settings.interval < milliseconds(10) || settings.interval > longest) {
    return refuse("the scrape interval is at least 10ms and at most a day");
  }
  if (settings.timeout <= Duration::zero() || settings.timeout > settings.interval) {
    return refuse("the scrape timeout is above zero and at most the interval");
  }
  if (settings.budget < Duration::zero() || settings.budget >= settings.interval) {
    return refuse("the budget before the cut-off is less than the interval");
  }
  if (settings.second_try < Duration::zero() || settings.second_try > settings.budget) {
    return refuse("the second try lies within the budget before the cut-off");
  }
  if (settings.concurrency == 0) return refuse("the concurrency is at least 1");
  return {};
}

ScheduleSettings settings_for(Duration interval) {
  ScheduleSettings settings;
  settings.interval = interval;
  settings.timeout = std::min(settings.timeout, interval);
  settings.budget = std::min(settings.budget, interval / 3);
  settings.second_try = std::min(settings.second_try, settings.budget / 2);
  return settings;
}

Duration offset_of(std::uint64_t hash, const ScheduleSettings& settings) {
  const Duration window = settings.interval - settings.budget;
  const Duration tick = std::clamp<Duration>(settings.interval / 1000, milliseconds(1), milliseconds(10));
  const auto ticks = static_cast<std::uint64_t>(window / tick) + 1;
  // FNV leaves its low bits poorly mixed for short texts that differ in one digit, as pods' addresses do.
  std::uint64_t mixed = hash ^ settings.seed;
  mixed = (mixed ^ (mixed >> 33)) * 0xff51afd7ed558ccdU;
  mixed ^= mixed >> 33;
  return tick * static_cast<Duration::rep>(mixed % ticks);
}

Schedule::Schedule(const ScheduleSettings& settings, TimePoint origin, TimePoint now)
    : settings_(settings), origin_(origin) {
  begin_cycle(now <= origin ? 0 : static_cast<std::uint64_t>((now - origin) / settings.interval));
}

void Schedule::begin_cycle(std::uint64_t cycle) {
  cycle_ = cycle;
  begins_ = origin_ + settings_.interval * static_cast<Duration::rep>(cycle);
  second_tries_done_ = settings_.second_try == Duration::zero();
  due_ = {};
  ready_.clear();
  for (auto& [id, turn] : turns_) {
    if (turn.state != State::in_flight) turn.state = State::waiting;
    turn.owed = false;
    turn.again = false;
    if (turn.removed) continue;
    const Duration offset = offset_of(turn.hash, settings_);
    due_.push({begins_ + offset, id});
    // The first ones of a cycle are told half of their way into it: late, but no cycle reaches into another, and
    // however long before its turn each is to be told, they are not told all at once.
    if (turn.ahead > Duration::zero()) due_.push({begins_ + offset - std::min(turn.ahead, offset / 2), id, true});
  }
}

void Schedule::add(TargetId target, std::uint64_t hash, TimePoint now) {
  turns_[target].hash = hash;
  const TimePoint turn = begins_ + offset_of(hash, settings_);
  if (turn >= now) return due_.push({turn, target});
  // Its moment has passed. A new pod is asked soon all the same, but a thousand new ones not all at once.
  const TimePoint last = cut_off_at() - settings_.budget;
  const Duration left = last - now;
  if (left <= Duration::zero()) return;
  ScheduleSettings rest = settings_;
  rest.interval = left;
  rest.budget = Duration::zero();
  due_.push({now + std::min(left, offset_of(hash, rest)), target});
}

void Schedule::set_ahead(TargetId target, Duration ahead) {
  if (const auto found = turns_.find(target); found != turns_.end()) found->second.ahead = ahead;
}

void Schedule::remove(TargetId target) {
  const auto found = turns_.find(target);
  if (found == turns_.end()) return;
  if (found->second.state == State::in_flight) {
    found->second.removed = true;
  } else {
    turns_.erase(found);
  }
}

void Schedule::ended(TargetId target, Ending ending) {
  const auto found = turns_.find(target);
  if (found == turns_.end() || found->second.state != State::in_flight) return;
  --in_flight_;
  Turn& turn = found->second;
  if (turn.removed) {
    turns_.erase(found);
    return;
  }
  if (turn.asked_in == cycle_) {
    turn.state = ending == Ending::answered ? State::answered
                 : ending == Ending::failed ? State::failed
                                            : State::hopeless;
  } else if (turn.owed) {
    turn.owed = false;
    turn.state = State::ready;
    ready_.push_back(target);
  } else {
    turn.state = State::waiting;  // its turn in this cycle is yet to come
  }
}

bool Schedule::is_waiting(TargetId target) const {
  const auto found = turns_.find(target);
  return found != turns_.end() && found->second.state == State::waiting;
}

// Its moment has come.
void Schedule::call(TargetId target) {
  const auto found = turns_.find(target);
  if (found == turns_.end()) return;
  Turn& turn = found->second;
  if (turn.state == State::in_flight) {
    turn.owed = true;  // never asked twice at the same time
  } else if (turn.state == State::waiting) {
    turn.state = State::ready;
    ready_.push_back(target);
  }
}

void Schedule::order_second_tries() {
  second_tries_done_ = true;
  std::vector<TargetId> failed;
  for (const auto& [id, turn] : turns_) {
    if (turn.state == State::failed) failed.push_back(id);
  }
  const double share = std::ceil(settings_.second_try_share * static_cast<double>(turns_.size()));
  if (static_cast<double>(failed.size()) > std::max(share, static_cast<double>(settings_.second_try_least))) return;
  std::sort(failed.begin(), failed.end());
  for (const TargetId id : failed) {
    Turn& turn = turns_.at(id);
    turn.state = State::ready;
    turn.again = true;
    ready_.push_back(id);
  }
}

Orders Schedule::due(TimePoint now) {
  Orders orders;
  if (now >= cut_off_at()) {
    // After a long stop (a machine that slept) the cycles between are not made up for.
    orders.cut_off = CutOff{cycle_, cut_off_at()};
    begin_cycle(static_cast<std::uint64_t>((now - origin_) / settings_.interval));
  }
  while (!due_.empty() && due_.top().at <= now) {
    const Due due = due_.top();
    due_.pop();
    if (!due.ahead) {
      call(due.target);
    } else if (is_waiting(due.target)) {
      orders.warm.push_back(due.target);
    }
  }
  if (!second_tries_done_ && now >= cut_off_at() - settings_.second_try) order_second_tries();
  while (!ready_.empty() && in_flight_ < settings_.concurrency) {
    const TargetId target = ready_.front();
    ready_.pop_front();
    const auto found = turns_.find(target);
    if (found == turns_.end() || found->second.state != State::ready) continue;
    found->second.state = State::in_flight;
    found->second.asked_in = cycle_;
    ++in_flight_;
    const TimePoint give_up = now + settings_.timeout;
    orders.starts.push_back({target, found->second.again, std::min(give_up, cut_off_at()), give_up});
  }
  return orders;
}

TimePoint Schedule::next() const {
  TimePoint next = cut_off_at();
  if (!due_.empty()) next = std::min(next, due_.top().at);
  if (!second_tries_done_) next = std::min(next, cut_off_at() - settings_.second_try);
  return next;
}

}  // namespace trunkline::scrape
