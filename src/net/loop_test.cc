// The first test of each group shows how the thing is used.
#include "net/loop.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <random>

#include "net/peers.h"

namespace trunkline::net {
namespace {

using namespace std::chrono_literals;
using peers::arrived;
using peers::on;

struct Recorder final : Watcher {
  std::function<void(std::uint32_t)> then;
  void on_events(std::uint32_t events) override { then(events); }
};

struct Ring final : Timer {
  std::function<void()> then;
  void on_timer() override { then(); }
};

TEST(Loop, runs_tasks_in_the_order_in_which_they_were_posted) {
  Loop loop;
  std::vector<int> order;
  for (int i = 0; i < 100; ++i) loop.post([&order, i] { order.push_back(i); });
  on(loop, [] {});
  ASSERT_EQ(order.size(), 100u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(Loop, runs_a_task_posted_by_a_task_after_that_task) {
  Loop loop;
  std::promise<std::string> order;
  auto future = order.get_future();
  on(loop, [&] {
    auto text = std::make_shared<std::string>();
    loop.post([&order, text] {
      *text += "inner";
      order.set_value(*text);
    });
    *text += "outer ";
  });
  ASSERT_TRUE(arrived(future));
  EXPECT_EQ(future.get(), "outer inner");
}

TEST(Loop, takes_tasks_from_many_threads_and_loses_none) {
  Loop loop;
  constexpr int each = 5000;
  std::atomic<int> count{0};
  std::vector<std::thread> posters;
  for (int i = 0; i < 4; ++i) {
    posters.emplace_back([&] {
      for (int n = 0; n < each; ++n) loop.post([&] { ++count; });
    });
  }
  for (std::thread& poster : posters) poster.join();
  on(loop, [] {});
  EXPECT_EQ(count, 4 * each);
}

TEST(Loop, wakes_up_for_every_task_posted_while_it_sleeps) {
  Loop loop;
  for (int i = 0; i < 500; ++i) on(loop, [] {});  // one lost wake-up hangs the test
}

TEST(Loop, knows_its_thread) {
  Loop loop;
  EXPECT_EQ(Loop::current(), nullptr);
  EXPECT_FALSE(loop.on_this_thread());
  on(loop, [&] { EXPECT_TRUE(loop.on_this_thread()); });
}

TEST(Loop, leaves_signals_to_the_programs_threads) {
  Loop loop;
  on(loop, [] {
    sigset_t blocked;
    pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
    EXPECT_EQ(sigismember(&blocked, SIGINT), 1);
    EXPECT_EQ(sigismember(&blocked, SIGTERM), 1);
  });
}

TEST(Loop, drops_what_is_still_posted_when_it_ends) {
  auto held = std::make_shared<int>(1);
  std::promise<void> entered;
  std::promise<void> go;
  auto gate = go.get_future();
  {
    Loop loop;
    loop.post([&] {
      entered.set_value();
      gate.wait();
    });
    entered.get_future().wait();
    for (int i = 0; i < 10; ++i) loop.post([held] {});
    go.set_value();
  }
  EXPECT_EQ(held.use_count(), 1);
}

TEST(Loop, can_be_destroyed_by_its_own_task) {
  std::promise<void> gone;
  auto future = gone.get_future();
  auto loop = std::make_unique<Loop>();
  Loop& raw = *loop;
  // The promise is kept by a task that comes after the end: it is dropped, and that tells.
  auto tell = std::shared_ptr<void>(nullptr, [&](void*) { gone.set_value(); });
  raw.post([&raw, owned = std::move(loop), after = std::move(tell)]() mutable {
    raw.post([after = std::move(after)] { FAIL() << "ran after the loop was destroyed"; });
    owned.reset();
  });
  ASSERT_TRUE(arrived(future));
}

TEST(Loop, is_outlived_by_its_mailbox) {
  auto loop = std::make_unique<Loop>();
  const Loop::Mailbox mailbox = loop->mailbox();
  std::promise<void> ran;
  auto future = ran.get_future();
  mailbox.post([&] { ran.set_value(); });
  EXPECT_TRUE(arrived(future));
  loop.reset();
  mailbox.post([] { FAIL() << "ran without a loop"; });
}

TEST(Loop, is_harmless_in_a_forked_child) {
  auto loop = std::make_unique<Loop>();
  on(*loop, [] {});
  const pid_t child = ::fork();
  if (child == 0) {
    loop->post([] { ::_exit(2); });
    Recorder recorder;
    const bool added = loop->add(0, recorder);
    loop.reset();
    ::_exit(added ? 3 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  on(*loop, [] {});
}

TEST(LoopTimer, fires_once_at_its_time) {
  Loop loop;
  Ring ring;
  std::promise<TimePoint> rang;
  auto future = rang.get_future();
  ring.then = [&] { rang.set_value(loop.now()); };
  const TimePoint when = Clock::now() + 5ms;
  on(loop, [&] {
    loop.set_timer(ring, when);
    EXPECT_TRUE(ring.armed());
  });
  ASSERT_TRUE(arrived(future));
  EXPECT_GE(future.get(), when);
  on(loop, [&] { EXPECT_FALSE(ring.armed()); });
}

TEST(LoopTimer, fires_in_the_order_of_time_whatever_the_order_of_setting) {
  Loop loop;
  std::vector<int> steps(500);
  for (std::size_t i = 0; i < steps.size(); ++i) steps[i] = static_cast<int>(i);
  std::shuffle(steps.begin(), steps.end(), std::mt19937(7));
  std::vector<std::unique_ptr<Ring>> rings;
  std::vector<int> order;
  std::promise<void> done;
  auto future = done.get_future();
  const TimePoint start = Clock::now() + 2ms;
  on(loop, [&] {
    for (const int step : steps) {
      rings.push_back(std::make_unique<Ring>());
      rings.back()->then = [&, step] {
        order.push_back(step);
        if (order.size() == steps.size() - steps.size() / 5) done.set_value();
      };
      // First elsewhere, so that timers are moved both ways.
      loop.set_timer(*rings.back(), start + std::chrono::microseconds(500 - step));
      loop.set_timer(*rings.back(), start + 20us * step);
    }
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (steps[i] % 5 == 0) loop.cancel_timer(*rings[i]);
    }
  });
  ASSERT_TRUE(arrived(future));
  on(loop, [&] {
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
    EXPECT_TRUE(std::none_of(order.begin(), order.end(), [](int step) { return step % 5 == 0; }));
  });
}

TEST(LoopTimer, moved_later_fires_once_and_not_before) {
  Loop loop;
  Ring moved, early;
  int times = 0;
  std::promise<TimePoint> rang;
  auto future = rang.get_future();
  const TimePoint start = Clock::now();
  early.then = [&] {};
  moved.then = [&] {
    ++times;
    rang.set_value(loop.now());
  };
  on(loop, [&] {
    loop.set_timer(moved, start + 2ms);
    loop.set_timer(early, start + 3ms);
    loop.set_timer(moved, start + 15ms);
  });
  ASSERT_TRUE(arrived(future));
  EXPECT_GE(future.get(), start + 15ms);
  on(loop, [&] { EXPECT_EQ(times, 1); });
}

TEST(LoopTimer, moved_earlier_does_not_wait_for_its_old_time) {
  Loop loop;
  Ring ring;
  std::promise<void> rang;
  auto future = rang.get_future();
  ring.then = [&] { rang.set_value(); };
  on(loop, [&] {
    loop.set_timer(ring, Clock::now() + 1h);
    loop.set_timer(ring, Clock::now() + 2ms);
  });
  EXPECT_TRUE(arrived(future));
}

TEST(LoopTimer, cancelled_or_set_to_never_does_not_fire) {
  Loop loop;
  Ring cancelled, disarmed, last;
  std::promise<void> rang;
  auto future = rang.get_future();
  cancelled.then = disarmed.then = [] { FAIL() << "fired"; };
  last.then = [&] { rang.set_value(); };
  on(loop, [&] {
    const TimePoint now = Clock::now();
    loop.set_timer(cancelled, now + 1ms);
    loop.set_timer(disarmed, now + 2ms);
    loop.set_timer(last, now + 5ms);
    loop.cancel_timer(cancelled);
    loop.cancel_timer(cancelled);  // twice does no harm
    loop.set_timer(disarmed, never);
    EXPECT_FALSE(cancelled.armed());
    EXPECT_FALSE(disarmed.armed());
  });
  EXPECT_TRUE(arrived(future));
}

TEST(LoopTimer, set_to_never_can_be_set_again) {
  Loop loop;
  Ring ring;
  std::promise<void> rang;
  auto future = rang.get_future();
  ring.then = [&] { rang.set_value(); };
  on(loop, [&] {
    loop.set_timer(ring, Clock::now() + 1ms);
    loop.set_timer(ring, never);
    loop.set_timer(ring, Clock::now() + 3ms);
  });
  EXPECT_TRUE(arrived(future));
}

TEST(LoopTimer, that_sets_itself_to_now_leaves_others_their_turn) {
  Loop loop;
  Ring greedy;
  greedy.then = [&] { loop.set_timer(greedy, loop.now()); };
  on(loop, [&] { loop.set_timer(greedy, loop.now()); });
  on(loop, [] {});
  on(loop, [&] { loop.cancel_timer(greedy); });
}

TEST(LoopTimer, may_be_destroyed_by_its_own_callback) {
  Loop loop;
  auto ring = std::make_unique<Ring>();
  std::promise<void> rang;
  auto future = rang.get_future();
  ring->then = [&] {
    loop.cancel_timer(*ring);
    auto* told = &rang;
    loop.retire([&] { ring.reset(); });
    loop.retire([told] { told->set_value(); });
  };
  on(loop, [&] { loop.set_timer(*ring, loop.now()); });
  ASSERT_TRUE(arrived(future));
  EXPECT_EQ(ring, nullptr);
}

// Collects the events of one socket until those asked for have come.
class EventLog {
 public:
  EventLog() {
    recorder_.then = [this](std::uint32_t events) {
      std::lock_guard lock(mutex_);
      seen_ |= events;
      ++calls_;
      changed_.notify_all();
    };
  }
  Watcher& watcher() { return recorder_; }
  bool saw(std::uint32_t events) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 10s, [&] { return (seen_ & events) == events; });
  }
  bool saw_any(std::uint32_t events) {
    std::lock_guard lock(mutex_);
    return (seen_ & events) != 0;
  }
  void clear() {
    std::lock_guard lock(mutex_);
    seen_ = 0;
    calls_ = 0;
  }
  int calls() {
    std::lock_guard lock(mutex_);
    return calls_;
  }

 private:
  Recorder recorder_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint32_t seen_ = 0;
  int calls_ = 0;
};

TEST(LoopSocket, reports_what_comes_and_the_end) {
  Loop loop;
  EventLog log;
  auto [stream, peer] = peers::tcp_pair();
  ASSERT_TRUE(loop.add(stream->fd(), log.watcher()));
  EXPECT_TRUE(log.saw(writable));
  peer.send("x");
  EXPECT_TRUE(log.saw(readable));
  peer.close();
  EXPECT_TRUE(log.saw(hung_up | readable));
  loop.remove(stream->fd());
  on(loop, [] {});
}

TEST(LoopSocket, reports_a_reset_as_everything_at_once) {
  Loop loop;
  EventLog log;
  auto [stream, peer] = peers::tcp_pair();
  ASSERT_TRUE(loop.add(stream->fd(), log.watcher()));
  EXPECT_TRUE(log.saw(writable));
  log.clear();
  peer.reset();
  EXPECT_TRUE(log.saw(hung_up | readable | writable));
  loop.remove(stream->fd());
  on(loop, [] {});
}

TEST(LoopSocket, says_once_what_nobody_reads) {
  Loop loop;
  EventLog log;
  auto [stream, peer] = peers::tcp_pair();
  ASSERT_TRUE(loop.add(stream->fd(), log.watcher()));
  peer.send("x");
  EXPECT_TRUE(log.saw(readable));
  const int calls = log.calls();
  for (int i = 0; i < 20; ++i) on(loop, [] {});
  EXPECT_EQ(log.calls(), calls);
  loop.remove(stream->fd());
  on(loop, [] {});
}

TEST(LoopSocket, is_silent_while_disarmed_and_tells_all_when_armed_again) {
  Loop loop;
  EventLog log;
  auto [stream, peer] = peers::tcp_pair();
  ASSERT_TRUE(loop.add(stream->fd(), log.watcher()));
  EXPECT_TRUE(log.saw(writable));
  loop.disarm(stream->fd(), log.watcher());
  on(loop, [] {});
  log.clear();
  peer.send("x");
  ASSERT_TRUE(peers::wait_for(stream->fd(), POLLIN));
  for (int i = 0; i < 5; ++i) on(loop, [] {});
  EXPECT_EQ(log.calls(), 0);
  loop.arm(stream->fd(), log.watcher());
  EXPECT_TRUE(log.saw(readable));
  loop.remove(stream->fd());
  on(loop, [] {});
}

TEST(LoopSocket, tells_of_room_to_write_only_when_that_is_wanted) {
  Loop loop;
  EventLog log;
  auto [stream, peer] = peers::tcp_pair();
  ASSERT_TRUE(loop.add(stream->fd(), log.watcher(), readable));
  peer.send("x");
  EXPECT_TRUE(log.saw(readable));
  EXPECT_FALSE(log.saw_any(writable));
  loop.arm(stream->fd(), log.watcher());
  EXPECT_TRUE(log.saw(writable));
  loop.remove(stream->fd());
  on(loop, [] {});
}

TEST(LoopSocket, refuses_what_cannot_be_watched) {
  Loop loop;
  EventLog log;
  EXPECT_FALSE(loop.add(-1, log.watcher()));
}

TEST(LoopRetire, runs_after_the_events_and_tasks_of_the_turn) {
  Loop loop;
  std::string order;
  on(loop, [&] {
    loop.retire([&] { order += "retired"; });
    order += "task, ";
  });
  on(loop, [&] { EXPECT_EQ(order, "task, retired"); });
}

TEST(LoopRetire, runs_what_was_retired_while_retiring) {
  Loop loop;
  std::promise<void> inner;
  auto future = inner.get_future();
  on(loop, [&] { loop.retire([&] { loop.retire([&] { inner.set_value(); }); }); });
  EXPECT_TRUE(arrived(future));
}

TEST(LoopRetire, is_kept_when_the_loop_ends) {
  bool ran = false;
  {
    Loop loop;
    loop.post([&] { loop.retire([&] { loop.retire([&] { ran = true; }); }); });
    on(loop, [] {});
  }
  EXPECT_TRUE(ran);
}

TEST(Scratch, belongs_to_a_thread) {
  Scratch& mine = Scratch::of_this_thread();
  EXPECT_EQ(&mine, &Scratch::of_this_thread());
  Loop loop;
  on(loop, [&] { EXPECT_NE(&mine, &Scratch::of_this_thread()); });
}

}  // namespace
}  // namespace trunkline::net
