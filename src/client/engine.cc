#include "client/engine.h"

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <system_error>

#include "base/text.h"
#include "client/call.h"
#include "client/transport_impl.h"
#include "net/descriptors.h"
#include "net/per_process.h"

namespace trunkline {

namespace {

constexpr std::size_t most_transports = 256;
constexpr auto transport_grace = std::chrono::seconds(60);

// One is right for most clients; more help programs that need more than one core for their I/O.
std::size_t loop_count() {
  const char* const wanted = std::getenv("TRUNKLINE_LOOPS");
  const int count = wanted != nullptr ? std::atoi(wanted) : 1;
  return static_cast<std::size_t>(std::clamp(count, 1, 64));
}

// Chosen by the machine's limits, unless whoever runs the program knows better.
std::int64_t socket_limit() {
  const char* const wanted = std::getenv("TRUNKLINE_SOCKETS");
  const std::int64_t limit = wanted != nullptr ? std::atoll(wanted) : 0;
  return limit > 0 ? limit : pool::Budget::limit_of_this_process();
}

}  // namespace

Engine& Engine::instance() { return net::per_process<Engine>(); }

Engine::Engine() : generation_(net::fork_generation()), budget_(socket_limit()), shared_pool_(make_pool()) {}

std::shared_ptr<pool::Pool> Engine::make_pool() {
  auto made =
      std::make_shared<pool::Pool>(budget_, *this, static_cast<std::uint32_t>(Clock::now().time_since_epoch().count()));
  budget_.enroll(made);
  return made;
}

Engine::Worker& Engine::next_worker() {
  std::call_once(workers_once_, [this] {
    const std::size_t count = loop_count();
    try {
      while (workers_.size() < count) workers_.push_back(std::make_unique<Worker>());
    } catch (const std::system_error&) {  // no descriptor or thread is left: fewer will do
      if (workers_.empty()) throw;
    }
    has_loops_.store(true);
  });
  return workers_.size() == 1 ? *workers_[0]
                              : *workers_[next_.fetch_add(1, std::memory_order_relaxed) % workers_.size()];
}

// --- acting for the pool

void Engine::grant(pool::Waiter& waiter, pool::Entry& entry) {
  static_cast<Call&>(waiter).granted(static_cast<PooledConnection&>(entry));
}

void Engine::fail(pool::Waiter& waiter, pool::Route& route, ErrorCode code, std::shared_ptr<const Error> error) {
  static_cast<Call&>(waiter).wait_failed(route, code, error);
}

void Engine::dial(pool::Route& route, std::shared_ptr<const pool::DialOrder> order) {
  // Here it lives, since it asks; later nobody may hold it but this dial.
  auto pool = static_cast<const Destination&>(*route.attachment).pool.lock();
  try {
    Worker& worker = next_worker();
    if (worker.loop.on_this_thread()) {
      dial_on(worker, pool, route.shared_from_this(), order);
    } else {
      worker.loop.post(
          [&worker, pool, route = route.shared_from_this(), order] { dial_on(worker, pool, route, order); });
    }
  } catch (const std::system_error& error) {  // no descriptor or thread is left for a loop
    pool->dial_failed(route, Error(ErrorCode::no_sockets, Phase::connect, error.what()), Clock::now());
  }
}

// HTTP/2 where the handshake has chosen it, or where it was agreed upon beforehand.
Result<std::unique_ptr<PooledConnection>> Engine::make_connection(Worker& worker,
                                                                  const std::shared_ptr<pool::Pool>& pool,
                                                                  const std::shared_ptr<pool::Route>& route,
                                                                  net::Dialled dialled, const pool::DialOrder& order) {
  const auto& destination = static_cast<const Destination&>(*route->attachment);
  const auto& target = *destination.target;
  const auto refuse = [&](ErrorCode code, const std::string& message) {
    Error error(code, Phase::tls, message);
    error.route = target.route;
    error.address = dialled.address;
    return error;
  };
  if (!dialled.alpn.empty() && std::find(target.alpn.begin(), target.alpn.end(), dialled.alpn) == target.alpn.end()) {
    return refuse(ErrorCode::tls_failed, "the server chose the protocol \"" + printable(dialled.alpn, 40) +
                                             "\", which was not offered (ALPN)");
  }
  const bool agreed = !target.secure && (destination.protocol == Protocol::h2c);
  if (agreed || dialled.alpn == "h2") {
    return std::unique_ptr<PooledConnection>(std::make_unique<Http2Connection>(
        worker.loop, pool, route, std::move(dialled), destination.http2, order.limits, order.expected_capacity));
  }
  const bool needs_http2 = destination.protocol == Protocol::http2 || destination.protocol == Protocol::h2c;
  if (needs_http2 && !destination.http2.http2.fall_back_to_http1) {
    return refuse(ErrorCode::http1_required,
                  "the server did not choose HTTP/2 (ALPN), and the options allow nothing else: set "
                  "Options::protocol to automatic, or http2.fall_back_to_http1");
  }
  return std::unique_ptr<PooledConnection>(
      std::make_unique<Connection>(worker.loop, worker.late_watch, pool, route, std::move(dialled)));
}

void Engine::dial_on(Worker& worker, const std::shared_ptr<pool::Pool>& pool, const std::shared_ptr<pool::Route>& route,
                     const std::shared_ptr<const pool::DialOrder>& order) {
  const auto& destination = static_cast<const Destination&>(*route->attachment);
  const Timeouts& timeouts = order->timeouts;
  const net::DialLimits limits{timeouts.resolve, timeouts.connect, timeouts.proxy, timeouts.tls};
  net::dial(worker.loop, destination.target, limits, [&worker, route, order, pool](Result<net::Dialled> dialled) {
    const net::Loop& loop = worker.loop;
    if (!dialled) {
      pool->dial_failed(*route, std::move(dialled).error(), loop.now());
      return;
    }
    auto connection = make_connection(worker, pool, route, std::move(*dialled), *order);
    if (!connection) {
      pool->dial_failed(*route, std::move(connection).error(), loop.now());
      return;
    }
    if (!(*connection)->watch(order->limits.idle_timeout)) {
      pool->dial_failed(*route, Error(ErrorCode::no_sockets, Phase::connect, "the kernel watches no more descriptors"),
                        loop.now());
      return;
    }
    // From now on the pool knows it; shut() ends it.
    (*connection)->start();
    pool->dialled(*route, *connection->release(), *order, loop.now());
  });
}

void Engine::close(pool::Route&, pool::Entry& entry) {
  auto& connection = static_cast<PooledConnection&>(entry);
  if (connection.loop().on_this_thread()) {
    connection.shut();
  } else {
    connection.loop().post([&connection] { connection.shut(); });
  }
}

void Engine::look(pool::Route&, pool::Entry& entry) {
  auto& connection = static_cast<PooledConnection&>(entry);
  connection.loop().post([&connection] { connection.look(); });
}

namespace {

// Calls Pool::tick once, later. On the first loop, whichever asks.
class Wake final : public net::Timer {
 public:
  Wake(net::Loop& loop, std::shared_ptr<pool::Pool> pool, std::shared_ptr<pool::Route> route)
      : loop_(loop), pool_(std::move(pool)), route_(std::move(route)) {}
  void on_timer() override {
    pool_->tick(*route_, loop_.now());
    loop_.cancel_timer(*this);
    loop_.retire([this] { delete this; });
  }

 private:
  net::Loop& loop_;
  std::shared_ptr<pool::Pool> pool_;
  std::shared_ptr<pool::Route> route_;
};

}  // namespace

void Engine::wake(pool::Route& route, TimePoint when) {
  auto pool = static_cast<const Destination&>(*route.attachment).pool.lock();
  if (!pool) return;
  net::Loop* first = nullptr;
  try {
    first = &next_loop();
  } catch (const std::system_error&) {  // then no dial is under way either: those who wait look for themselves
    return;
  }
  net::Loop& loop = *first;
  loop.post([&loop, when, pool = std::move(pool), route = route.shared_from_this()]() mutable {
    if (when <= loop.now()) {
      pool->tick(*route, loop.now());
    } else {
      loop.set_timer(*new Wake(loop, std::move(pool), std::move(route)), when);
    }
  });
}

bool Engine::settle(TimePoint deadline) {
  if (budget_.open() == 0 || net::Loop::current() != nullptr) return true;  // no socket, no loop
  next_worker();                                                            // none are made any more
  struct Rest {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t loops = 0;
  };
  const auto rest = std::make_shared<Rest>();
  rest->loops = workers_.size();
  for (const auto& worker : workers_) {
    worker->loop.post([rest] {
      std::lock_guard lock(rest->mutex);
      --rest->loops;
      rest->changed.notify_all();
    });
  }
  std::unique_lock lock(rest->mutex);
  return rest->changed.wait_until(lock, deadline, [&] { return rest->loops == 0; });
}

// --- the cache of transports

std::shared_ptr<TransportImpl> Engine::find(const std::string& fingerprint) {
  std::lock_guard lock(mutex_);
  const auto found = transports_.find(fingerprint);
  if (found == transports_.end()) return nullptr;
  found->second.last_asked = Clock::now();
  return found->second.transport;
}

std::shared_ptr<TransportImpl> Engine::find_or_make(const std::string& fingerprint,
                                                    Callback<std::shared_ptr<TransportImpl>()> make) {
  std::vector<std::shared_ptr<TransportImpl>> gone;  // destroyed after the lock
  std::lock_guard lock(mutex_);
  const TimePoint now = Clock::now();
  if (auto found = transports_.find(fingerprint); found != transports_.end()) {
    found->second.last_asked = now;
    return found->second.transport;
  }
  gone = sweep(now);
  auto made = make();
  transports_[fingerprint] = {made, now};
  return made;
}

// With the lock held. What nobody holds goes after a while; beyond the bound, the longest unused goes at once.
std::vector<std::shared_ptr<TransportImpl>> Engine::sweep(TimePoint now) {
  std::vector<std::shared_ptr<TransportImpl>> gone;
  std::vector<std::pair<TimePoint, const std::string*>> unused;
  for (const auto& [key, cached] : transports_) {
    if (cached.transport.use_count() == 1) unused.emplace_back(cached.last_asked, &key);
  }
  std::sort(unused.begin(), unused.end());
  std::size_t excess = transports_.size() >= most_transports ? transports_.size() - most_transports + 1 : 0;
  for (const auto& [asked, key] : unused) {
    if (excess == 0 && now - asked < transport_grace) break;
    if (excess > 0) --excess;
    const auto found = transports_.find(*key);
    gone.push_back(std::move(found->second.transport));
    transports_.erase(found);
  }
  return gone;
}

void Engine::forget(const TransportImpl& transport) {
  std::shared_ptr<TransportImpl> gone;
  std::lock_guard lock(mutex_);
  const auto found = transports_.find(transport.fingerprint());
  if (found != transports_.end() && found->second.transport.get() == &transport) {
    gone = std::move(found->second.transport);
    transports_.erase(found);
  }
}

}  // namespace trunkline
