// One loop of a server, with all that lives on it.
#pragma once

#include <atomic>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "net/listener.h"
#include "net/loop.h"
#include "server/exchange.h"
#include "server/gauges.h"
#include "server/settings.h"

namespace trunkline::net {
class TlsServer;
}

namespace trunkline::server {

class Connection;

// What all loops of a server share. Immutable, but for the atomics.
struct Shared {
  Settings settings;
  Handler handler;
  std::shared_ptr<net::TlsServer> tls;  // null: nothing is secure
  std::atomic<std::size_t> connections{0};
  std::atomic<bool> draining{false};
};

// `limit` after `start`, or never for zero.
inline TimePoint after(TimePoint start, Clock::duration limit) {
  return limit > Clock::duration::zero() ? start + limit : never;
}

class Worker {
 public:
  explicit Worker(std::shared_ptr<Shared> shared);
  ~Worker();  // cuts what is still open
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  net::Loop& loop() { return loop_; }
  Ledger& ledger() { return ledger_; }
  const Settings& settings() const { return shared_->settings; }
  const Handler& handler() const { return shared_->handler; }
  // Says it to the operator, if he wants to know.
  void trouble(const std::string& sentence) const {
    if (settings().on_trouble) settings().on_trouble(sentence);
  }
  bool draining() const { return shared_->draining.load(std::memory_order_relaxed); }
  Gauges gauges() const;

  // --- on the loop's thread

  Result<void> listen(net::ListeningSocket socket, bool secure, std::function<void(int, std::string)> taker);
  // An accepted socket.
  void adopt(int fd, std::string peer, bool secure);
  void forget(Connection& connection);  // it is shut: destroyed at the end of the turn
  // The value of Date.
  std::string_view date();
  void stop_listening();
  void drain();
  void cut_all(ConnectionEnd why);

 private:
  void refuse(int fd, bool secure);

  std::shared_ptr<Shared> shared_;
  Ledger ledger_;
  std::vector<std::unique_ptr<net::Acceptor>> acceptors_;
  std::atomic<std::uint64_t> accept_pauses_{0};
  Connection* first_ = nullptr;
  std::string date_;
  std::time_t date_second_ = -1;
  net::Loop loop_;  // last: its thread ends before the rest goes
};

}  // namespace trunkline::server
