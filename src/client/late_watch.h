// Connections that blocking callers have just given back. A busy caller takes the same one again within microseconds,
// so its loop listens to it only once it has lain idle for a moment: two epoll_ctl fewer per request, under a lock that
// all callers would share. Until then whoever takes it looks for himself (Connection::still_there).
#pragma once

#include <atomic>
#include <mutex>
#include <vector>

#include "net/loop.h"

namespace trunkline {

class Connection;

class LateWatch final : public net::Timer {
 public:
  explicit LateWatch(net::Loop& loop) : loop_(loop) {}

  void add(Connection& connection);     // from any thread; once, until it is watched or forgotten
  void forget(Connection& connection);  // on the loop's thread, before the connection is destroyed

  void on_timer() override;

 private:
  bool take_new();  // false: there is nothing to watch over

  net::Loop& loop_;
  std::mutex mutex_;
  std::vector<Connection*> new_;        // under the mutex
  bool ticking_ = false;                // under the mutex: the timer is set, or will be
  std::vector<Connection*> unwatched_;  // the loop's
};

}  // namespace trunkline
