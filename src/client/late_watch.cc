#include "client/late_watch.h"

#include <algorithm>

#include "client/connection.h"

namespace trunkline {

namespace {
constexpr auto pace = std::chrono::milliseconds(10);
}

void LateWatch::add(Connection& connection) {
  bool start = false;
  {
    std::lock_guard lock(mutex_);
    new_.push_back(&connection);
    start = !std::exchange(ticking_, true);
  }
  if (start) loop_.post([this] { loop_.set_timer(*this, loop_.now() + pace); });
}

bool LateWatch::take_new() {
  std::lock_guard lock(mutex_);
  unwatched_.insert(unwatched_.end(), new_.begin(), new_.end());
  new_.clear();
  return ticking_ = !unwatched_.empty();
}

void LateWatch::forget(Connection& connection) {
  {
    std::lock_guard lock(mutex_);
    std::erase(new_, &connection);
  }
  std::erase(unwatched_, &connection);
}

void LateWatch::on_timer() {
  const TimePoint quiet_before = loop_.now() - pace;
  std::erase_if(unwatched_, [&](Connection* connection) { return connection->watch_if_quiet(quiet_before); });
  if (take_new()) loop_.set_timer(*this, loop_.now() + pace);
}

}  // namespace trunkline
