// One route on a bench, for route_test.cc and route_sharing_test.cc.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "pool/route.h"

namespace trunkline::pool {

using namespace std::chrono_literals;
using Outcome = Route::Outcome;

// What it decides is written down in the order of deciding, and done by the test: a dial is in
// `orders` until dial_succeeds() or dial_fails() ends it, a connection that is closed is in `closing` until close().
class RouteTest : public testing::Test {
 protected:
  struct Granted {
    Waiter* waiter;
    Entry* entry;
  };
  struct Failed {
    Waiter* waiter;
    ErrorCode code;
    std::shared_ptr<const Error> error;
  };

  ~RouteTest() override { EXPECT_EQ(route->broken_law(), ""); }

  Waiter& waiter(TimePoint deadline = never) {
    Waiter& made = waiters.emplace_back();
    made.limits = &limits;
    made.timeouts = &timeouts;
    made.deadline = deadline;
    return made;
  }
  Waiter& fresh_waiter() {
    Waiter& made = waiter();
    made.fresh = true;
    return made;
  }

  // The connection, or null when it has to wait or is refused; `outcome` says which.
  Entry* acquire(Waiter& waiter) {
    Entry* entry = nullptr;
    outcome = route->acquire(waiter, now, actions, entry);
    sort_actions();
    return entry;
  }
  Waiter& queued() {
    Waiter& made = waiter();
    EXPECT_EQ(acquire(made), nullptr);
    EXPECT_EQ(outcome, Outcome::queued);
    return made;
  }
  void turn_away(ErrorCode code) {
    route->turn_away(std::make_shared<const Error>(code, Phase::body, "not here"), actions);
    sort_actions();
  }
  bool dial_ahead() {
    const bool dials = route->dial_ahead(limits, timeouts, now, actions);
    sort_actions();
    return dials;
  }
  bool cancel(Waiter& waiter) {
    const bool cancelled = route->cancel(waiter, now, actions);
    sort_actions();
    return cancelled;
  }
  Entry& dial_succeeds(std::size_t which = 0) {
    const auto order = take_order(which);
    Entry& made = entries.emplace_back();
    made.id = entries.size();
    route->dialled(made, *order, now, actions);
    sort_actions();
    return made;
  }
  // What it becomes is shared, and permits what its peer permitted when last heard, or one request.
  Entry& dial_shares(std::size_t which = 0) {
    const auto order = take_order(which);
    Entry& made = entries.emplace_back();
    made.id = entries.size();
    made.shared = true;
    made.capacity = order->expected_capacity;
    route->dialled(made, *order, now, actions);
    sort_actions();
    return made;
  }
  void settings(Entry& entry, std::uint32_t capacity) {
    route->set_capacity(entry, capacity, now, actions);
    sort_actions();
  }
  void retire(Entry& entry, CloseReason reason = CloseReason::goaway) {
    route->retire(entry, reason, now, actions);
    sort_actions();
  }
  void dial_fails(ErrorCode code = ErrorCode::connect_failed, std::size_t which = 0) {
    take_order(which);
    route->dial_failed(std::make_shared<const Error>(code, Phase::connect, "refused"), now, actions);
    sort_actions();
  }
  // A connection that somebody holds.
  Entry& active() {
    queued();
    Entry& made = dial_succeeds();
    grants.clear();
    return made;
  }
  Entry& idle() {
    Entry& made = active();
    release(made);
    return made;
  }
  std::vector<Entry*> several_active(int count) {
    std::vector<Entry*> made;
    for (int i = 0; i < count; ++i) made.push_back(&active());
    return made;
  }
  void release(Entry& entry, bool keep = true, CloseReason reason = CloseReason::request_failed) {
    route->release(entry, keep, reason, limits, now, actions);
    sort_actions();
  }
  void close() {
    for (Entry* entry : std::exchange(closing, {})) {
      route->closed(*entry, now, actions);
      sort_actions();
    }
  }
  void tick() {
    route->tick(now, actions);
    sort_actions();
  }
  void wait_for_wake() {
    ASSERT_FALSE(wakes.empty());
    now = std::max(now, wakes.back());
    wakes.clear();
    tick();
  }
  void examined(Entry& entry, bool close, CloseReason reason = CloseReason::peer_closed_idle) {
    route->examined(entry, close, reason, now, actions);
    sort_actions();
  }
  TimePoint expire(Entry& entry) {
    const TimePoint again = route->expire(entry, now, actions);
    sort_actions();
    return again;
  }
  void invalidate() {
    route->invalidate(now, actions);
    sort_actions();
  }
  void shut_down() {
    route->shut_down(now, actions);
    sort_actions();
  }
  // Dials in a row, each after its pause.
  void fail_dials(int count) {
    for (int i = 0; i < count; ++i) {
      queued();
      if (orders.empty()) wait_for_wake();
      dial_fails();
    }
  }

  const PoolCounters& counters() const { return route->counters(); }
  std::uint64_t closed_for(CloseReason reason) const {
    return counters().closed_by_reason[static_cast<std::size_t>(reason)];
  }
  std::uint64_t missed_for(ReuseMiss miss) const { return counters().misses[static_cast<std::size_t>(miss)]; }

  PoolLimits limits;
  Timeouts timeouts;
  Budget budget{1000};
  TimePoint now{1h};
  std::shared_ptr<Route> route = std::make_shared<Route>("http://host:80", budget, 1);
  std::deque<Entry> entries;
  std::deque<Waiter> waiters;

  Outcome outcome = Outcome::closed;
  std::vector<Granted> grants;
  std::vector<Failed> failures;
  std::vector<std::shared_ptr<const DialOrder>> orders;
  std::vector<Entry*> closing;
  std::vector<Entry*> looks;
  std::vector<TimePoint> wakes;
  std::vector<std::shared_ptr<Route>> pokes;
  int reliefs = 0;

 private:
  std::shared_ptr<const DialOrder> take_order(std::size_t which) {
    const auto order = orders.at(which);
    orders.erase(orders.begin() + static_cast<std::ptrdiff_t>(which));
    return order;
  }
  void sort_actions() {
    for (Action& action : std::exchange(actions, {})) {
      switch (action.kind) {
        case Action::grant:
          grants.push_back({action.waiter, action.entry});
          break;
        case Action::fail:
          failures.push_back({action.waiter, action.code, action.error});
          break;
        case Action::dial:
          orders.push_back(action.order);
          break;
        case Action::close:
          closing.push_back(action.entry);
          break;
        case Action::look:
          looks.push_back(action.entry);
          break;
        case Action::wake:
          wakes.push_back(action.when);
          break;
        case Action::relieve:
          ++reliefs;
          break;
        case Action::poke:
          pokes.push_back(action.other);
          break;
      }
    }
    EXPECT_EQ(route->broken_law(), "");
  }
  Actions actions;
};

}  // namespace trunkline::pool
