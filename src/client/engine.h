// What the process has once: loops, the socket budget, the shared pool and the cache of transports. Made at first use,
// made anew in a forked child, and never destroyed, so that nothing races with the end of the program.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "client/connection.h"
#include "client/http2_connection.h"
#include "client/late_watch.h"
#include "client/shared_transports.h"
#include "net/loop.h"
#include "pool/budget.h"
#include "pool/pool.h"

namespace trunkline {

class TransportImpl;

// What a route's connections have in common, for dialling.
class Destination final : public pool::Attachment {
 public:
  std::shared_ptr<const net::DialTarget> target;
  std::weak_ptr<pool::Pool> pool;
  std::atomic<int> transports{0};  // that use this route: with the last, its idle connections go
  Protocol protocol = Protocol::http1;
  Http2Settings http2;
  // HTTP/1.1 is spoken with this origin until then (nanoseconds of the clock), although the options would have HTTP/2:
  // the server has asked for it, or knows nothing else.
  std::atomic<std::int64_t> http1_until{0};
  std::string proxy_authorization_line;  // "Proxy-Authorization: ...\r\n", for plain requests through a proxy
};

class Engine final : public pool::Performer {
 public:
  static Engine& instance();

  struct Worker {
    net::Loop loop;
    LateWatch late_watch{loop};
  };
  // Throws std::system_error when there is none yet, and no descriptor or thread is left for the first one.
  net::Loop& next_loop() { return next_worker().loop; }
  bool has_loops() const { return has_loops_.load(std::memory_order_relaxed); }
  pool::Budget& budget() { return budget_; }
  const std::shared_ptr<pool::Pool>& shared_pool() { return shared_pool_; }
  std::shared_ptr<pool::Pool> make_pool();
  std::uint64_t generation() const { return generation_; }

  // The cache behind Transport::shared.
  std::shared_ptr<TransportImpl> find(const std::string& fingerprint);
  std::shared_ptr<TransportImpl> find_or_make(const std::string& fingerprint,
                                              Callback<std::shared_ptr<TransportImpl>()> make);
  void forget(const TransportImpl& transport);
  SharedTransports& shared_transports() { return shared_transports_; }

  // Waits until the loops have done what they had been given before: what was to be closed is closed. False: not in
  // time. Not for a loop's thread, which would wait for itself.
  bool settle(TimePoint deadline);

  // pool::Performer
  void grant(pool::Waiter& waiter, pool::Entry& entry) override;
  void fail(pool::Waiter& waiter, pool::Route& route, ErrorCode code, std::shared_ptr<const Error> error) override;
  void dial(pool::Route& route, std::shared_ptr<const pool::DialOrder> order) override;
  void close(pool::Route& route, pool::Entry& entry) override;
  void look(pool::Route& route, pool::Entry& entry) override;
  void wake(pool::Route& route, TimePoint when) override;

  Engine();

 private:
  Worker& next_worker();
  static Result<std::unique_ptr<PooledConnection>> make_connection(Worker& worker,
                                                                   const std::shared_ptr<pool::Pool>& pool,
                                                                   const std::shared_ptr<pool::Route>& route,
                                                                   net::Dialled dialled, const pool::DialOrder& order);
  static void dial_on(Worker& worker, const std::shared_ptr<pool::Pool>& pool,
                      const std::shared_ptr<pool::Route>& route, const std::shared_ptr<const pool::DialOrder>& order);
  struct Cached {
    std::shared_ptr<TransportImpl> transport;
    TimePoint last_asked{};
  };
  std::vector<std::shared_ptr<TransportImpl>> sweep(TimePoint now);

  const std::uint64_t generation_;
  std::once_flag workers_once_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::atomic<bool> has_loops_{false};
  std::atomic<std::size_t> next_{0};
  pool::Budget budget_;
  std::shared_ptr<pool::Pool> shared_pool_;
  std::mutex mutex_;  // transports_
  std::unordered_map<std::string, Cached> transports_;
  SharedTransports shared_transports_;
};

}  // namespace trunkline
