// Pools under many real threads: callers that acquire, cancel and release, and a performer whose own threads dial,
// close and look, and hear what peers permit. Made for ThreadSanitizer; the counters must add up afterwards.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <random>
#include <thread>

#include "pool/pool.h"

namespace trunkline::pool {
namespace {

using namespace std::chrono_literals;

class Caller : public Waiter {
 public:
  enum Word : int { none, granted, failed };
  std::atomic<int> word{none};
  Entry* entry = nullptr;

  void hear(Word said) {
    word.store(said, std::memory_order_release);
    word.notify_one();
  }
  Word listen() {
    word.wait(none, std::memory_order_acquire);
    return static_cast<Word>(word.load(std::memory_order_acquire));
  }
};

// A connection that counts its users, and lives until the last word about it has been said.
struct Line : Entry {
  std::atomic<int> users{0};
  std::shared_ptr<Line> self;
};

class ThreadedPerformer final : public Performer {
 public:
  static constexpr unsigned most_permitted = 4;

  struct Owner : Attachment {
    Pool* pool = nullptr;
    Sharing sharing = Sharing::never;
  };

  explicit ThreadedPerformer(int threads) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this, i] { work(static_cast<unsigned>(i)); });
  }
  ~ThreadedPerformer() override { stop(); }

  void stop() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    for (std::thread& each : threads_) each.join();
    threads_.clear();
  }

  void grant(Waiter& waiter, Entry& entry) override {
    auto& caller = static_cast<Caller&>(waiter);
    caller.entry = &entry;
    caller.hear(Caller::granted);
  }
  void fail(Waiter& waiter, Route&, ErrorCode, std::shared_ptr<const Error>) override {
    static_cast<Caller&>(waiter).hear(Caller::failed);
  }
  void dial(Route& route, std::shared_ptr<const DialOrder> order) override {
    post([this, keep = route.shared_from_this(), order](std::minstd_rand& random) {
      if (random() % 64 == 0) {
        pool_of(*keep).dial_failed(*keep, Error(ErrorCode::connect_failed, Phase::connect, "no"), Clock::now());
      } else {
        auto line = std::make_shared<Line>();
        line->self = line;  // until close()
        line->id = next_id_.fetch_add(1);
        const Sharing sharing = static_cast<Owner&>(*keep->attachment).sharing;
        line->shared = sharing == Sharing::always || (sharing == Sharing::unknown && random() % 2 == 0);
        if (line->shared) line->capacity = order->expected_capacity;
        pool_of(*keep).dialled(*keep, *line, *order, Clock::now());
        if (line->shared && random() % 8 != 0) settings(keep, line, 1 + random() % most_permitted);
        if (line->shared && random() % 2 == 0) settings(keep, line, random() % (most_permitted + 1));
        if (line->shared && random() % 4 == 0) retire(keep, line);
      }
    });
  }
  void settings(std::shared_ptr<Route> route, std::shared_ptr<Line> line, std::uint32_t capacity) {
    post([route, line, capacity](std::minstd_rand&) {
      pool_of(*route).set_capacity(*route, *line, capacity, Clock::now());
    });
  }
  void retire(std::shared_ptr<Route> route, std::shared_ptr<Line> line) {
    post(
        [route, line](std::minstd_rand&) { pool_of(*route).retire(*route, *line, CloseReason::goaway, Clock::now()); });
  }
  void close(Route& route, Entry& entry) override {
    post([keep = route.shared_from_this(), &entry](std::minstd_rand&) {
      auto& line = static_cast<Line&>(entry);
      EXPECT_EQ(line.users, 0);
      pool_of(*keep).closed(*keep, line, Clock::now());
      const std::shared_ptr<Line> last = std::move(line.self);
    });
  }
  void look(Route& route, Entry& entry) override {
    post([keep = route.shared_from_this(), &entry](std::minstd_rand& random) {
      pool_of(*keep).examined(*keep, entry, random() % 2 == 0, CloseReason::peer_closed_idle, Clock::now());
    });
  }
  void wake(Route& route, TimePoint when) override {
    std::lock_guard lock(mutex_);
    timers_.emplace(when, route.shared_from_this());
    changed_.notify_one();
  }

  static Pool& pool_of(Route& route) { return *static_cast<Owner&>(*route.attachment).pool; }

  // Everything that was asked for has been done.
  void settle() {
    std::unique_lock lock(mutex_);
    while (!tasks_.empty() || busy_ > 0) {
      lock.unlock();
      std::this_thread::sleep_for(1ms);
      lock.lock();
    }
  }

 private:
  using Task = std::function<void(std::minstd_rand&)>;

  void post(Task task) {
    std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    changed_.notify_one();
  }

  void work(unsigned seed) {
    std::minstd_rand random(seed + 1);
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      const TimePoint now = Clock::now();
      if (!timers_.empty() && timers_.begin()->first <= now) {
        const std::shared_ptr<Route> route = timers_.begin()->second;
        timers_.erase(timers_.begin());
        ++busy_;
        lock.unlock();
        pool_of(*route).tick(*route, now);
        lock.lock();
        --busy_;
      } else if (!tasks_.empty()) {
        const std::size_t at = random() % tasks_.size();
        std::swap(tasks_[at], tasks_.back());
        const Task task = std::move(tasks_.back());
        tasks_.pop_back();
        ++busy_;
        lock.unlock();
        task(random);
        lock.lock();
        --busy_;
      } else {
        changed_.wait_for(lock, 1ms);
      }
    }
  }

  std::atomic<std::uint64_t> next_id_{1};
  std::mutex mutex_;  // all below
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  std::multimap<TimePoint, std::shared_ptr<Route>> timers_;
  int busy_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

TEST(PoolThreads, counters_add_up_after_callers_dialers_and_peers_raced) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  constexpr int requests = 1'000;
#else
  constexpr int requests = 5'000;
#endif
  constexpr int threads = 6;
  Budget budget(6);
  ThreadedPerformer performer(3);
  std::vector<std::shared_ptr<Pool>> pools;
  for (std::uint32_t i = 0; i < 2; ++i) {
    pools.push_back(std::make_shared<Pool>(budget, performer, i + 1));
    budget.enroll(pools.back());
  }
  PoolLimits limits;
  limits.open_per_host = 4;
  limits.idle_per_host = 2;
  limits.idle_total = 4;
  limits.requests_per_connection = 50;
  const Timeouts timeouts;
  std::atomic<std::uint64_t> served{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> cancelled{0};
  std::atomic<std::uint64_t> last_used{0};

  const auto call = [&](std::minstd_rand& random) {
    Pool& pool = *pools[random() % pools.size()];
    const unsigned host = random() % 6;
    const std::string name = "host" + std::to_string(host);
    const Sharing sharing = host < 3 ? Sharing::never : host == 3 ? Sharing::unknown : Sharing::always;
    const auto attach = [&] {
      auto owner = std::make_shared<ThreadedPerformer::Owner>();
      owner->pool = &pool;
      owner->sharing = sharing;
      return owner;
    };
    const auto route = pool.route(name, name, Clock::now(), attach, sharing);
    Caller caller;
    caller.limits = &limits;
    caller.timeouts = &timeouts;
    caller.fresh = random() % 16 == 0;
    if (random() % 8 == 0) caller.avoid = last_used;
    Entry* entry = nullptr;
    const Route::Outcome outcome = pool.acquire(*route, caller, Clock::now(), entry);
    if (outcome == Route::Outcome::queued) {
      if (random() % 8 == 0 && pool.cancel(*route, caller, Clock::now())) {
        ++cancelled;
        return;
      }
      if (caller.listen() == Caller::granted) entry = caller.entry;
    }
    if (entry == nullptr) {
      ++refused;
      return;
    }
    auto& line = static_cast<Line&>(*entry);
    last_used = line.id;
    const int most = line.shared ? static_cast<int>(ThreadedPerformer::most_permitted) : 1;
    EXPECT_LE(++line.users, most);
    if (!line.shared) {
      EXPECT_EQ(line.state, State::active);
    }
    if (random() % 8 == 0) {
      std::this_thread::yield();
      EXPECT_FALSE(pool.examine(*route, *entry));  // the peer spoke while it is ours
    }
    if (random() % 64 == 0) pool.drop_suspects(*route, *entry, Clock::now());
    ++served;
    --line.users;
    pool.release(*route, *entry, random() % 16 != 0, CloseReason::request_failed, limits, Clock::now());
  };

  std::atomic<bool> done{false};
  std::vector<std::thread> callers;
  for (int i = 0; i < threads; ++i) {
    callers.emplace_back([&, i] {
      std::minstd_rand random(static_cast<unsigned>(i) + 100);
      for (int n = 0; n < requests; ++n) call(random);
    });
  }
  std::thread meddler([&] {
    std::minstd_rand random(7);
    while (!done) {
      Pool& pool = *pools[random() % pools.size()];
      switch (random() % 5) {
        case 0:
          pool.evict_one(Clock::now());
          break;
        case 1:
          pool.invalidate([](const std::string& name) { return name == "host1"; }, Clock::now());
          break;
        case 2:
          EXPECT_EQ(pool.broken_law(), "");
          break;
        case 3:
          budget.set_limit(3 + random() % 6);
          break;
        default: {
          Stats stats;
          pool.collect(stats, 10, Clock::now());
          EXPECT_EQ(stats.broken_law(), "");
        }
      }
      std::this_thread::sleep_for(200us);
    }
  });
  for (std::thread& each : callers) each.join();
  done = true;
  meddler.join();

  EXPECT_EQ(served + refused + cancelled, static_cast<std::uint64_t>(threads) * requests);
  EXPECT_GT(served, static_cast<std::uint64_t>(requests));
  for (const auto& pool : pools) pool->shut_down(Clock::now());
  performer.settle();
  for (const auto& pool : pools) {
    Stats stats;
    pool->collect(stats, 10, Clock::now());
    EXPECT_EQ(stats.broken_law(), "");
    EXPECT_EQ(stats.pool.open + stats.pool.dialing + stats.pool.waiting, 0);
    EXPECT_EQ(pool->idle(), 0);
  }
  for (int i = 0; i < 1000 && budget.open() != 0; ++i) std::this_thread::sleep_for(1ms);  // a poke may be under way
  EXPECT_EQ(budget.open(), 0);
  performer.stop();  // before the pools end
}

}  // namespace
}  // namespace trunkline::pool
