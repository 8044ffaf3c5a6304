// A world for pools to live in, for simulation_test.cc: a hand-moved clock, a performer whose deliveries arrive late
// and in any order, dials that succeed, fail or hang, peers that close and speak, that share connections or not, permit
// more requests or fewer or none, and say goodbye. After each step every law of the pool is checked. A schedule is a
// list of steps that mean something in any state, so any part of it can be left out.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "pool/pool.h"

namespace trunkline::pool::simulation {

struct Step {
  enum Op : unsigned char {
    arrive,
    deliver,
    deliver_all,
    cancel,
    dial_succeeds,
    dial_fails,
    release,
    upgrade,
    peer_acts,
    wait,
    jump,
    fire,
    set_limit,
    expire,
    drop_suspects,
    hint,
    invalidate,
    shut_down,
    leave_late,
    settings,
    retire,
    count_
  } op;
  std::uint32_t a, b, c;  // interpreted modulo what is there
};

struct Schedule {
  std::uint64_t seed = 0;
  std::vector<Step> steps;
};

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {  // splitmix64
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(next() >> 32) % bound; }

 private:
  std::uint64_t state_;
};

inline Schedule make_schedule(std::uint64_t seed) {
  // How often each step is taken, in the order of Step::Op.
  static constexpr int weights[Step::count_] = {26, 34, 6, 8, 14, 6, 16, 1, 8, 12, 1, 4, 2, 3, 1, 1, 1, 0, 2, 7, 2};
  static constexpr int total = [] {
    int sum = 0;
    for (const int each : weights) sum += each;
    return sum;
  }();
  Random random(seed);
  Schedule schedule{.seed = seed};
  const std::uint32_t length = 10 + random.below(110);
  schedule.steps.reserve(length);
  for (std::uint32_t i = 0; i < length; ++i) {
    int roll = static_cast<int>(random.below(total));
    int op = 0;
    while (roll >= weights[op]) roll -= weights[op++];
    schedule.steps.push_back(
        {static_cast<Step::Op>(op), random.below(1 << 30), random.below(1 << 30), random.below(1 << 30)});
  }
  // A quarter of the schedules end one of their pools somewhere on the way.
  if (random.below(4) == 0) schedule.steps[random.below(length)].op = Step::shut_down;
  return schedule;
}

class World final : public Performer {
 public:
  World(std::uint64_t seed, bool talkative)
      : random_(seed ^ 0x5EED), talkative_(talkative), budget_(1 + random_.below(6)) {
    for (PoolLimits& each : limits_) each = some_limits();
    const std::uint32_t pools = 1 + random_.below(2);
    for (std::uint32_t i = 0; i < pools; ++i) {
      pools_.push_back(std::make_shared<Pool>(budget_, *this, random_.below(1 << 30)));
      budget_.enroll(pools_.back());
    }
    const std::uint32_t routes = 1 + random_.below(4);
    for (std::uint32_t i = 0; i < routes; ++i) {
      Place place;
      place.number = static_cast<int>(i);
      place.pool = pools_[i % pools].get();
      constexpr Sharing modes[] = {Sharing::never, Sharing::never, Sharing::unknown, Sharing::always, Sharing::always};
      place.sharing = modes[random_.below(5)];
      place.peer = place.sharing == Sharing::unknown ? static_cast<Place::Peer>(random_.below(3))
                   : place.sharing == Sharing::never ? Place::exclusive
                                                     : Place::shared;
      const std::string name = "route" + std::to_string(i);
      place.route = place.pool->route(
          name, name, now_,
          [&] {
            auto attachment = std::make_shared<Number>();
            attachment->number = place.number;
            return attachment;
          },
          place.sharing);
      say(name, " is shared: ", words(place.sharing), ", its peer's connections: ", words(place.peer));
      places_.push_back(std::move(place));
    }
    for (const PoolLimits& each : limits_) {
      say("limits ", &each - limits_, ": open ", each.open_per_host, ", idle ", each.idle_per_host, ", idle in all ",
          each.idle_total, ", queue ", each.queue_per_host, ", requests ", each.requests_per_connection, ", idle for ",
          each.idle_timeout, ", age ", each.max_age);
    }
    say(pools, " pools, ", routes, " routes, ", budget_.limit(), " sockets");
  }

  // The law that broke, or empty.
  std::string run(const Schedule& schedule) {
    for (std::size_t i = 0; i < schedule.steps.size() && law_.empty(); ++i) {
      say("\n", i + 1, ". ");
      take(schedule.steps[i]);
      check();
    }
    if (law_.empty()) heal();
    if (law_.empty()) end();
    return law_;
  }
  const std::string& log() const { return log_; }

  // Performer: deliveries are put into a bag, from which they are taken in any order.
  void grant(Waiter& waiter, Entry& entry) override {
    auto& request = static_cast<Request&>(waiter);
    expect_answerable(request, "granted");
    note_grant(request, static_cast<Connection&>(entry), true);
    bag_.push_back(
        {.kind = Mail::Kind::grant, .place = request.place, .request = &request, .connection = request.connection});
  }
  void fail(Waiter& waiter, Route& route, ErrorCode code, std::shared_ptr<const Error> error) override {
    auto& request = static_cast<Request&>(waiter);
    expect_answerable(request, "failed");
    say("  -> ", request, " fails: ", to_string(code));
    Place& place = place_of(route);
    request.state = Request::answered;
    bag_.push_back({.kind = Mail::Kind::fail, .place = request.place, .request = &request});
    switch (code) {
      case ErrorCode::timeout_queue:
        if (request.deadline > now_) broken(name(request) + " timed out before its time");
        return;
      case ErrorCode::transport_closed:
        if (!place.closing) broken(name(request) + " was told of a shutdown that has not been");
        return;
      case ErrorCode::route_down:
        if (route.counters().open > 0 || route.counters().dialing > 0) broken("the route is not down");
        if (failures_now_ == 0) broken("route_down without a failed dial");
        break;
      default:
        if (++failures_now_ > 1) broken("one failed dial failed two waiters");
        if (!dial_failing_) broken(name(request) + " failed although no dial did");
        if (error == nullptr) broken("the error of the dial is missing");
    }
    expect_first_in_line(request, false);
  }
  void dial(Route& route, std::shared_ptr<const DialOrder> order) override {
    Place& place = place_of(route);
    say("  -> dial for ", route, " (", to_string(order->reason), ")");
    const std::uint32_t expected = now_ < place.limit_until ? place.limit : 1;
    if (order->expected_capacity != expected) broken("the dial expects a limit that nobody set");
    started_.push_back({&place, order, place.generation});
    bag_.push_back(
        {.kind = Mail::Kind::dial, .place = &place, .order = std::move(order), .generation = place.generation});
  }
  void close(Route& route, Entry& entry) override {
    auto& connection = static_cast<Connection&>(entry);
    say("  -> close ", connection, " (", to_string(entry.close_reason), ")");
    if (connection.closing) broken(name(connection) + " is closed twice");
    if (connection.users > 0) broken(name(connection) + " is closed under its user");
    if (entry.state != State::draining) broken(name(connection) + " is closed but not draining");
    connection.closing = true;
    bag_.push_back({.kind = Mail::Kind::close, .place = &place_of(route), .connection = &connection});
  }
  void look(Route& route, Entry& entry) override {
    auto& connection = static_cast<Connection&>(entry);
    say("  -> look at ", connection);
    if (!entry.examined) broken(name(connection) + " is to be looked at but not marked");
    bag_.push_back({.kind = Mail::Kind::look, .place = &place_of(route), .connection = &connection});
  }
  void wake(Route& route, TimePoint when) override {
    Place& place = place_of(route);
    say("  -> wake ", route, " in ", when <= now_ ? std::chrono::nanoseconds(0) : when - now_);
    if (when <= now_) {
      bag_.push_back({.kind = Mail::Kind::tick, .place = &place});
    } else {
      place.timers.push_back(when);
    }
  }

 private:
  struct Number : Attachment {
    int number = 0;
  };
  struct Place {
    enum Peer : unsigned char { exclusive, shared, fickle };
    int number = 0;
    Sharing sharing = Sharing::never;
    Peer peer = exclusive;
    Pool* pool = nullptr;
    std::shared_ptr<Route> route;
    std::vector<TimePoint> timers;
    bool closing = false;
    bool starved = false;  // before the step under way: in the budget's queue, not served yet
    bool in_turn = false;  // before the step under way: in the budget's queue or served
    std::uint32_t generation = 0;
    TimePoint last_dial{};
    TimePoint last_failure{};     // of a dial, since the last success
    TimePoint exclusive_until{};  // what the route should know: HTTP/1.1
    TimePoint limit_until{};      // and the peer's limit
    std::uint32_t limit = 1;
  };
  struct Connection;
  struct Request : Waiter {
    enum { waiting, answered, holding, over } state = waiting;
    int number = 0;
    Place* place = nullptr;
    bool left = false;  // cancel came too late: what is granted goes back
    TimePoint arrived{};
    Connection* connection = nullptr;
  };
  struct Connection : Entry {
    Place* place = nullptr;
    std::uint32_t users = 0;
    std::uint32_t carried = 0;        // requests, ever
    std::uint32_t invalidations = 0;  // of its route, when its dial was started
    bool told = false;                // its SETTINGS have come
    TimePoint paused{};               // its peer said that it permits none
    bool parting = false;             // it broke, or its peer asked to end it
    bool peer_closed = false;
    bool closing = false;
    bool destroyed = false;
  };
  struct Mail {
    enum class Kind : unsigned char { grant, fail, dial, close, look, tick } kind;
    Place* place = nullptr;
    Request* request = nullptr;
    Connection* connection = nullptr;
    std::shared_ptr<const DialOrder> order{};
    std::uint32_t generation = 0;
  };
  struct Started {
    Place* place;
    std::shared_ptr<const DialOrder> order;
    std::uint32_t generation;  // of the route when the dial was started
  };

  PoolLimits some_limits() {
    using std::chrono::seconds;
    PoolLimits limits;
    limits.open_per_host = 1 + static_cast<int>(random_.below(5));
    limits.idle_per_host = static_cast<int>(random_.below(4));
    limits.idle_total = 1 + static_cast<int>(random_.below(5));
    limits.queue_per_host = 1 + static_cast<int>(random_.below(8));
    constexpr int requests[] = {0, 0, 1, 3, 20};
    limits.requests_per_connection = requests[random_.below(5)];
    constexpr seconds idle[] = {seconds(55), seconds(2), seconds(0), seconds(3600)};
    limits.idle_timeout = idle[random_.below(4)];
    constexpr seconds ages[] = {seconds(0), seconds(1), seconds(600)};
    limits.max_age = ages[random_.below(3)];
    return limits;
  }

  // --- steps

  void take(const Step& step) {
    switch (step.op) {
      case Step::arrive:
        return arrive(step);
      case Step::deliver:
        return deliver(step.a);
      case Step::deliver_all:
        say("everything is delivered");
        for (std::size_t n = bag_.size(); n > 0 && law_.empty(); --n) {
          deliver(step.b);
          check();
        }
        return;
      case Step::cancel:
        if (Request* request = pick_request(step.a, true)) leave(*request);
        return;
      case Step::dial_succeeds:
        return dial_succeeds(step.a);
      case Step::dial_fails:
        return dial_fails(step.a, step.b);
      case Step::release:
        if (Request* request = pick_request(step.a, false)) let_go(*request, step.b % 4 != 0, some_close(step.c));
        return;
      case Step::upgrade:
        if (Request* request = pick_request(step.a, false);
            request != nullptr && request->connection->state == State::active && !request->connection->shared) {
          say(*request, " upgrades ", *request->connection);
          request->place->pool->upgrade(*request->place->route, *request->connection);
        }
        return;
      case Step::peer_acts:
        return peer_acts(step.a, step.b);
      case Step::wait:
        return pass(std::chrono::milliseconds(1 + step.a % (step.b % 4 == 0 ? 2000 : 60)));
      case Step::jump:
        return pass(std::chrono::seconds(1 + step.a % (step.b % 2 == 0 ? 100 : 7200)));
      case Step::fire:
        return fire();
      case Step::set_limit:
        say("the process may now hold ", 1 + step.a % 8, " sockets");
        budget_.set_limit(1 + step.a % 8);
        return;
      case Step::expire:
        if (Connection* connection = pick_connection(step.a)) {
          say(*connection, " is looked at for its age");
          const TimePoint again = connection->place->pool->expire(*connection->place->route, *connection, now_);
          if (again <= now_) broken(name(*connection) + " should have expired");
        }
        return;
      case Step::drop_suspects:
        if (Request* request = pick_request(step.a, false)) {
          say(*request->connection, " turned out dead");
          request->place->pool->drop_suspects(*request->place->route, *request->connection, now_);
        }
        return;
      case Step::hint: {
        Place& place = places_[step.a % places_.size()];
        say(*place.route, " hints at ", step.b % 20, " s");
        place.pool->hint(*place.route, std::chrono::seconds(step.b % 20));
        return;
      }
      case Step::invalidate: {
        Place& place = places_[step.a % places_.size()];
        say(*place.route, " is invalidated");
        ++place.generation;
        place.exclusive_until = TimePoint{};
        place.limit = 1;
        place.pool->invalidate([&](const std::string& route) { return route == place.route->name(); }, now_);
        return;
      }
      case Step::shut_down:
        return shut_down(*pools_[step.a % pools_.size()]);
      case Step::leave_late:
        for (auto& request : requests_) {
          if (request->state == Request::waiting && request->deadline <= now_) leave(*request);
          check();
        }
        return;
      case Step::settings:
        if (Connection* connection = pick_connection(step.a, true)) settings(*connection, step.b);
        return;
      case Step::retire:
        if (Connection* connection = pick_connection(step.a, true)) {
          constexpr CloseReason reasons[] = {CloseReason::goaway, CloseReason::goaway, CloseReason::streams_exhausted,
                                             CloseReason::ping_timeout, CloseReason::protocol_error};
          part(*connection, reasons[step.b % 5]);
        }
        return;
      case Step::count_:
        return;
    }
  }

  void arrive(const Step& step) {
    Place& place = places_[step.a % places_.size()];
    auto request = std::make_unique<Request>();
    request->number = static_cast<int>(requests_.size());
    request->place = &place;
    request->limits = &limits_[(step.b >> 8) % 8 == 0 ? step.b % 3 : 0];
    request->timeouts = &timeouts_;
    request->fresh = step.c % 8 == 0;
    request->arrived = now_;
    if ((step.c >> 4) % 6 == 0) {
      for (const auto& each : connections_) {
        if (!each->destroyed && each->place == &place && (request->avoid == 0 || step.b % 3 == 0)) {
          request->avoid = each->id;
        }
      }
    }
    if (step.c % 3 == 0) request->deadline = now_ + std::chrono::milliseconds((step.c >> 8) % 3000);
    Request& r = *request;
    requests_.push_back(std::move(request));
    say(r, " arrives for ", *place.route, ", limits ", r.limits - limits_, r.fresh ? ", fresh" : "",
        r.avoid != 0 ? ", avoids c" + std::to_string(r.avoid) : std::string());
    if (r.deadline != never) say("  it waits for ", r.deadline - now_);
    Entry* granted = nullptr;
    switch (place.pool->acquire(*place.route, r, now_, granted)) {
      case Route::Outcome::granted:
        note_grant(r, static_cast<Connection&>(*granted), false);
        r.state = Request::holding;
        expect_replacement(r, static_cast<Connection&>(*granted));
        break;
      case Route::Outcome::queued:
        if (place.route->counters().waiting > r.limits->queue_per_host) broken("more wait than queue_per_host permits");
        break;
      case Route::Outcome::queue_full:
        say("  -> queue full");
        if (place.route->counters().waiting < r.limits->queue_per_host) broken("the queue is not full");
        r.state = Request::over;
        break;
      case Route::Outcome::down:
        say("  -> down");
        if (place.route->counters().open > 0 || place.route->counters().dialing > 0) broken("the route is not down");
        r.state = Request::over;
        break;
      case Route::Outcome::closed:
        if (!place.closing) broken("closed before its time");
        r.state = Request::over;
        break;
    }
  }

  void deliver(std::uint32_t which) {
    if (bag_.empty()) return say("nothing to deliver");
    const std::size_t at = which % bag_.size();
    Mail mail = std::move(bag_[at]);
    bag_[at] = std::move(bag_.back());
    bag_.pop_back();
    Place& place = *mail.place;
    switch (mail.kind) {
      case Mail::Kind::grant:
        say(*mail.request, " hears that it has ", *mail.connection);
        mail.request->state = Request::holding;
        if (mail.request->left) let_go(*mail.request, true, CloseReason::cancelled);
        break;
      case Mail::Kind::fail:
        say(*mail.request, " hears that it failed");
        mail.request->state = Request::over;
        break;
      case Mail::Kind::dial:
        say("a dial for ", *place.route, " sets out");
        wires_.push_back({&place, std::move(mail.order), mail.generation});
        break;
      case Mail::Kind::close:
        say(*mail.connection, " is closed");
        place.pool->closed(*place.route, *mail.connection, now_);
        mail.connection->destroyed = true;
        break;
      case Mail::Kind::look:
        say(*mail.connection, (mail.connection->peer_closed ? " was closed by its peer" : " is all right"));
        place.pool->examined(*place.route, *mail.connection, mail.connection->peer_closed,
                             CloseReason::peer_closed_idle, now_);
        break;
      case Mail::Kind::tick:
        say(*place.route, " is woken");
        place.pool->tick(*place.route, now_);
        break;
    }
  }

  void leave(Request& request) {
    if (request.left) return;
    say(request, " is cancelled");
    const bool was_waiting = request.state == Request::waiting;
    if (request.place->pool->cancel(*request.place->route, request, now_)) {
      if (!was_waiting) broken(name(request) + " was answered and cancelled");
      request.state = Request::over;
    } else {
      if (request.state == Request::waiting) broken(name(request) + " can neither be cancelled nor was it answered");
      say("  -> too late");
      request.left = true;
    }
  }

  void dial_succeeds(std::uint32_t which) {
    if (wires_.empty()) return say("no dial is under way");
    const Started wire = take_wire(which);
    wire.place->last_failure = TimePoint{};
    auto made = std::make_unique<Connection>();
    Place& place = *wire.place;
    made->id = connections_.size() + 1;
    made->place = &place;
    made->invalidations = wire.generation;
    made->shared = place.peer == Place::shared || (place.peer == Place::fickle && random_.below(2) == 0);
    if (made->shared) made->capacity = wire.order->expected_capacity;
    if (wire.generation == place.generation) {
      place.exclusive_until = made->shared ? TimePoint{} : now_ + std::chrono::minutes(10);
    }
    Connection& connection = *made;
    connections_.push_back(std::move(made));
    say("a dial for ", *place.route, " becomes ", connection, connection.shared ? ", shared" : "");
    const auto due = count_due(place);
    const IdleBefore before = idle_of(place);
    place.pool->dialled(*place.route, connection, *wire.order, now_);
    check_idle(place, before, wire.order->limits);
    if (wire.order->reason == DialReason::aged && due > 0 && count_due(place) >= due) {
      broken("what " + name(connection) + " replaces stays");
    }
  }

  void dial_fails(std::uint32_t which, std::uint32_t how) {
    if (wires_.empty()) return say("no dial is under way");
    constexpr ErrorCode codes[] = {ErrorCode::connect_failed,  ErrorCode::resolve_failed, ErrorCode::tls_failed,
                                   ErrorCode::timeout_connect, ErrorCode::no_ports,       ErrorCode::no_sockets};
    const Started wire = take_wire(which);
    const ErrorCode code = codes[how % 6];
    say("a dial for ", *wire.place->route, " fails: ", to_string(code));
    dial_failing_ = true;
    wire.place->last_failure = now_;
    wire.place->pool->dial_failed(*wire.place->route, Error(code, Phase::connect, "no"), now_);
    dial_failing_ = false;
  }

  void let_go(Request& request, bool keep, CloseReason reason) {
    Connection& connection = *request.connection;
    if (connection.state == State::upgraded || connection.peer_closed) keep = false;
    say(request, (keep ? " gives back " : " throws away "), connection);
    request.state = Request::over;
    request.connection = nullptr;
    --connection.users;
    if (!keep) connection.parting = true;
    if (connection.told && connection.invalidations == request.place->generation) {
      request.place->limit_until = now_ + std::chrono::minutes(10);
    }
    const IdleBefore before = idle_of(*request.place);
    request.place->pool->release(*request.place->route, connection, keep, reason, *request.limits, now_);
    check_idle(*request.place, before, *request.limits);
  }

  // Whoever lays a connection aside keeps to its own limits; what others have laid aside under theirs may stay, and so
  // may what is being looked at just now.
  struct IdleBefore {
    std::int64_t of_route = 0;
    std::int64_t of_pool = 0;
  };
  IdleBefore idle_of(const Place& place) const {
    IdleBefore idle{place.route->counters().idle, place.pool->idle()};
    for (const Place& other : places_) idle.of_pool -= other.pool == place.pool ? other.route->examining() : 0;
    return idle;
  }
  void check_idle(const Place& place, const IdleBefore& before, const PoolLimits& limits) {
    const IdleBefore after = idle_of(place);
    if (after.of_route > std::max<std::int64_t>(before.of_route, limits.idle_per_host)) {
      broken("more idle than idle_per_host permits: " + place.route->describe());
    }
    if (after.of_pool > std::max<std::int64_t>(before.of_pool, limits.idle_total)) {
      broken("more idle than idle_total permits");
    }
  }

  void peer_acts(std::uint32_t which, std::uint32_t how) {
    Connection* const connection = pick_connection(which);
    if (connection == nullptr) return;
    if (connection->shared) {
      if (connection->place->pool->examine(*connection->place->route, *connection)) broken("a shared one is examined");
      if (how % 2 == 0 && connection->state == State::idle) part(*connection, CloseReason::peer_closed_idle);
      return;
    }
    if (how % 2 == 0 && connection->state == State::idle) connection->peer_closed = true;
    say("the peer of ", *connection, (connection->peer_closed ? " closes" : " says something"));
    if (connection->place->pool->examine(*connection->place->route, *connection)) {
      bag_.push_back({.kind = Mail::Kind::look, .place = connection->place, .connection = connection});
    }
  }

  void settings(Connection& connection, std::uint32_t which) {
    constexpr std::uint32_t limits[] = {0, 1, 1, 2, 3, 5, 100};
    const std::uint32_t limit = limits[which % 7];
    Place& place = *connection.place;
    const bool open = connection.state == State::idle || connection.state == State::active;
    if (open) connection.told = true;
    if (open && limit == 0) connection.paused = now_;
    if (open && limit > 0 && connection.invalidations == place.generation) {
      place.limit = limit;
      place.limit_until = now_ + std::chrono::minutes(10);
    }
    say("the peer of ", connection, " permits ", limit);
    place.pool->set_capacity(*place.route, connection, limit, now_);
  }

  void part(Connection& connection, CloseReason reason) {
    say(connection, " retires: ", to_string(reason));
    connection.parting = true;
    connection.place->pool->retire(*connection.place->route, connection, reason, now_);
  }

  void pass(std::chrono::nanoseconds time) {
    now_ += time;
    say(time, " pass");
  }

  void fire() {
    for (Place& place : places_) {
      const auto due =
          std::partition(place.timers.begin(), place.timers.end(), [&](TimePoint when) { return when > now_; });
      const auto count = place.timers.end() - due;
      place.timers.erase(due, place.timers.end());
      for (auto i = count; i > 0 && law_.empty(); --i) {
        say(*place.route, "'s timer fires");
        place.pool->tick(*place.route, now_);
        check();
      }
    }
  }

  void shut_down(Pool& pool) {
    say("a pool shuts down");
    for (Place& place : places_) {
      if (place.pool == &pool) place.closing = true;
    }
    pool.shut_down(now_);
  }

  // The world turns kind: dials succeed, callers finish, time goes on. Everybody must be served, or out of time.
  void heal() {
    say("\nthe world heals");
    const TimePoint patience = now_ + std::chrono::seconds(40);  // less than most idle timeouts: they are no help
    for (int rounds = 0; law_.empty();) {
      while (law_.empty() && (!bag_.empty() || !wires_.empty())) {
        if (++rounds > 20'000) return broken("the pool is busy for ever in a healthy world");
        if (!bag_.empty()) {
          deliver(random_.below(1 << 30));
        } else {
          dial_succeeds(random_.below(1 << 30));
        }
        check();
      }
      for (auto& request : requests_) {
        if (request->state == Request::holding && law_.empty()) {
          let_go(*request, true, CloseReason::upgraded);
          check();
        }
      }
      if (!bag_.empty() || !law_.empty()) continue;
      TimePoint next = never;
      bool waiting = false;
      for (auto& request : requests_) {
        if (request->state != Request::waiting) continue;
        waiting = true;
        if (request->deadline <= now_) {
          leave(*request);
          check();
        } else {
          next = std::min(next, request->deadline);
        }
      }
      if (!waiting || !bag_.empty()) {
        if (bag_.empty()) return;
        continue;
      }
      for (const Place& place : places_) {
        for (const TimePoint when : place.timers) next = std::min(next, when);
      }
      if (next > patience) {
        for (auto& request : requests_) {
          if (request->state == Request::waiting) return broken(name(*request) + " starves in a healthy world");
        }
        return;
      }
      if (next > now_) pass(next - now_);
      fire();
      check();
    }
  }

  void end() {
    say("\nthe end");
    for (const auto& pool : pools_) shut_down(*pool);
    while (!bag_.empty() && law_.empty()) deliver(0);
    check();
    if (!law_.empty()) return;
    for (const auto& request : requests_) {
      if (request->state != Request::over) broken(name(*request) + " never heard anything");
    }
    for (const Place& place : places_) {
      const PoolCounters& c = place.route->counters();
      if (c.open + c.dialing + c.idle + c.active + c.draining + c.upgraded + c.waiting != 0) {
        broken("not empty at the end: " + place.route->describe());
      }
    }
    if (budget_.open() != 0) broken(std::to_string(budget_.open()) + " sockets are left at the end");
  }

  // --- laws

  void check() {
    if (!law_.empty()) return;
    check_dials();
    for (const auto& each : connections_) {
      if (!each->destroyed && each->shared && each->leases != each->users) {
        broken(name(*each) + " counts " + std::to_string(each->leases) + " leases of " + std::to_string(each->users));
      }
    }
    std::int64_t sockets = 0;
    bool can_evict = false;
    for (const Place& place : places_) {
      const Route& route = *place.route;
      if (std::string law = route.broken_law(); !law.empty()) return broken(law);
      sockets += route.counters().open + route.counters().dialing + (route.served() ? 1 : 0);
      can_evict = can_evict || route.can_evict();
      check_waiters(place);
    }
    if (budget_.open() != sockets) {
      broken("the budget counts " + std::to_string(budget_.open()) + " sockets, the routes " + std::to_string(sockets));
    }
    if (budget_.open() > std::max(budget_.limit(), sockets_before_)) broken("more sockets than the process may hold");
    sockets_before_ = budget_.open();
    if (budget_.anyone_waits() && budget_.open() < budget_.limit()) broken("a route waits for a socket that is there");
    if (budget_.wants_relief() && can_evict) broken("a route waits for a socket while a connection is idle");
    for (Place& place : places_) {
      place.in_turn = place.route->starved();
      place.starved = place.in_turn && !place.route->served();
    }
    for (const auto& pool : pools_) {
      std::int64_t idle = 0;
      for (const Place& place : places_) idle += place.pool == pool.get() ? place.route->counters().idle : 0;
      if (idle != pool->idle())
        broken("the pool counts " + std::to_string(pool->idle()) + " idle, its routes " + std::to_string(idle));
    }
    failures_now_ = 0;
  }

  // Dials that this step started. Deciding comes before performing, so all of a route's are counted by now.
  void check_dials() {
    for (std::size_t i = 0; i < started_.size(); ++i) {
      const auto& [place, order, generation] = started_[i];
      const PoolCounters& c = place->route->counters();
      std::int64_t later = 0;
      for (std::size_t k = i + 1; k < started_.size(); ++k) later += started_[k].place == place;
      if (c.open + c.dialing - later > order->limits.open_per_host) {
        broken("more than " + std::to_string(order->limits.open_per_host) +
               " connections: " + place->route->describe());
      }
      if (order->reason != DialReason::aged && c.dialing - later > c.waiting) {
        broken("a dial that nobody waits for: " + place->route->describe());
      }
      for (const Place& other : places_) {
        if (!place->in_turn && other.starved && other.route->starved() && !other.route->served()) {
          broken(place->route->name() + " takes a socket before " + other.route->name() + ", which waits for one");
        }
      }
      if (place->closing) broken("a dial for a pool that has been shut down");
      if (shares(*place)) check_dial_of_shared(*place, *order, c.dialing - later);
      place->last_dial = now_;
    }
    started_.clear();
  }

  // One at a time, a hedge apart. None while SETTINGS are to come, or nobody has waited for as long as requests take;
  // unless a connection that is open will not do.
  void check_dial_of_shared(const Place& place, const DialOrder& order, std::int64_t dialing) {
    if (dialing > 2) broken("more dials than one and a hedge");
    if (dialing == 2 && now_ - place.last_dial < std::chrono::milliseconds(50)) broken("a hedge comes too soon");
    bool usable = false;
    bool awaited = false;
    bool due = false;
    for (const auto& each : connections_) {
      if (each->place != &place || !each->shared || each->destroyed) continue;
      due = due || is_due(*each);
      usable = usable || is_usable(*each);
      awaited = awaited || (is_usable(*each) && !each->told && now_ < each->opened + std::chrono::seconds(1));
      awaited = awaited || (is_usable(*each) && is_paused(*each) && now_ < each->paused + std::chrono::seconds(1));
    }
    if (!usable || (due && order.reason == DialReason::aged)) return;
    bool impatient = false;
    for (const auto& each : requests_) {
      if (each->place != &place || !each->queued) continue;
      if (each->fresh || each->avoid != 0) return;
      impatient = impatient || now_ - each->arrived >= std::chrono::milliseconds(5);
    }
    if (!impatient) broken("a dial although nobody has waited in vain: " + place.route->describe());
    if (awaited) broken("a dial although SETTINGS may come: " + place.route->describe());
  }

  bool shares(const Place& place) const {
    return place.sharing == Sharing::always || (place.sharing == Sharing::unknown && now_ >= place.exclusive_until);
  }

  static bool is_usable(const Connection& connection) {
    return connection.shared && !connection.retiring && !connection.parting &&
           (connection.state == State::idle || connection.state == State::active);
  }

  static bool is_paused(const Connection& connection) { return connection.told && connection.capacity == 0; }
  bool is_due(const Connection& connection) const {
    return now_ >= connection.rotate_at ||
           (connection.most_requests > 0 && connection.requests * 16 >= connection.most_requests * 15);
  }

  std::ptrdiff_t count_due(const Place& place) const {
    return std::count_if(connections_.begin(), connections_.end(),
                         [&](const auto& each) { return each->place == &place && is_usable(*each) && is_due(*each); });
  }

  // Make before break, if a dial can be had.
  void expect_replacement(const Request& request, const Connection& connection) {
    const PoolCounters& c = request.place->route->counters();
    const bool paused = now_ < request.place->last_failure + std::chrono::seconds(7);
    if (is_usable(connection) && is_due(connection) && c.dialing == 0 && !paused && request.limits->idle_per_host > 0 &&
        c.open < request.limits->open_per_host && budget_.open() < budget_.limit() && !budget_.anyone_waits()) {
      broken(name(connection) + " is due and is not replaced");
    }
  }

  bool another_is_usable(const Connection& connection) const {
    return std::any_of(connections_.begin(), connections_.end(), [&](const auto& each) {
      return each.get() != &connection && each->place == connection.place && is_usable(*each) && each->capacity > 0;
    });
  }

  // That connection is to be had, by the rules, for this request that waits.
  bool has_a_right_to(const Request& request, const Connection& connection) const {
    if (connection.place != request.place || request.fresh) return false;
    const bool avoided = request.avoid == connection.id;
    if (!connection.shared) return connection.state == State::idle && !connection.examined && !avoided;
    if (!is_usable(connection) || connection.leases >= connection.capacity) return false;
    if (!avoided) return true;
    const Route& route = *request.place->route;
    const PoolCounters& c = route.counters();
    if (c.dialing > 0 || another_is_usable(connection)) return false;
    const bool paused = now_ < request.place->last_failure + std::chrono::milliseconds(15);
    const bool no_room = connection.state == State::active && c.open - c.draining >= request.limits->open_per_host;
    return paused || no_room || (route.starved() && !route.served());
  }

  void check_waiters(const Place& place) {
    const Route& route = *place.route;
    const PoolCounters& c = route.counters();
    bool entitled = false;
    std::int64_t queued = 0;
    for (const auto& request : requests_) {
      if (request->place != &place || request->state != Request::waiting) continue;
      const bool has_dial = queued++ < c.dialing + route.examining();
      if (!request->queued) broken(name(*request) + " was lost");
      if (request->deadline <= now_) continue;
      entitled = entitled || (!has_dial && c.open + c.dialing < request->limits->open_per_host);
      for (const auto& each : connections_) {
        if (!each->destroyed && has_a_right_to(*request, *each)) {
          broken(name(*request) + " waits beside " + name(*each) + ": " + route.describe());
        }
      }
    }
    const auto ahead =
        std::count_if(place.timers.begin(), place.timers.end(), [&](TimePoint when) { return when > now_; });
    if (ahead > 20) broken("timers pile up");  // every dial that is faster than usual asks for an earlier hedge
    if (queued != c.waiting) broken("the queue has others than those who wait: " + route.describe());
    if (queued == 0) return;
    if (place.closing) return broken("somebody waits for a pool that has been shut down");
    if (shares(place) && c.dialing >= 2) return;
    if (entitled && c.waiting > c.dialing + route.examining() && place.timers.empty() && !route.starved() &&
        !has_tick(place)) {
      broken("nothing will wake those who wait: " + route.describe());
    }
  }

  bool has_tick(const Place& place) const {
    return std::any_of(bag_.begin(), bag_.end(),
                       [&](const Mail& mail) { return mail.kind == Mail::Kind::tick && mail.place == &place; });
  }

  void expect_answerable(const Request& request, const char* how) {
    if (request.state != Request::waiting) broken(name(request) + " is " + how + " but does not wait");
    if (request.queued) broken(name(request) + " is " + how + " and still queued");
  }

  void expect_first_in_line(const Request& request, bool reused, const Connection* connection = nullptr) {
    for (const auto& other : requests_) {
      if (other->number >= request.number) break;
      if (other->place == request.place && other->state == Request::waiting && other->queued &&
          other->deadline > now_ && !(reused && other->fresh) &&
          (connection == nullptr || other->avoid != connection->id)) {
        broken(name(request) + " overtakes " + name(*other));
      }
    }
  }

  void note_grant(Request& request, Connection& connection, bool waited) {
    say("  -> ", request, " gets ", connection);
    const bool reused = connection.shared ? request.miss == ReuseMiss::none : connection.was_reused;
    if (connection.shared) {
      if (connection.leases > connection.capacity) broken(name(connection) + " carries more than its peer permits");
      if (connection.parting) broken(name(connection) + " is given away although it is to end");
    } else if (connection.users > 0) {
      broken(name(connection) + " is given to two");
    }
    if (connection.place != request.place) broken(name(connection) + " belongs to another route");
    if (connection.state != State::active || connection.closing) broken(name(connection) + " cannot be given away");
    if (request.fresh && (reused || connection.carried > 0)) broken(name(request) + " wanted a fresh one");
    if (request.avoid == connection.id && (!connection.shared || another_is_usable(connection))) {
      broken(name(request) + " wanted another than " + name(connection));
    }
    if ((reused || connection.carried > 0) && connection.invalidations != request.place->generation) {
      broken("reused after invalidation");
    }
    if (reused && now_ >= connection.retire_at) broken(name(connection) + " is too old");
    if (reused && connection.most_requests > 0 && connection.requests > connection.most_requests) {
      broken(name(connection) + " has carried enough");
    }
    const bool was_idle = !waited && (!connection.shared || connection.leases == 1);
    if (reused && was_idle && now_ > connection.idle_until) broken(name(connection) + " had been idle for too long");
    if (reused != (request.miss == ReuseMiss::none)) broken("reuse and reason disagree");
    if (connection.peer_spoke) broken(name(connection) + " is given away unseen, although its peer spoke");
    if (!waited) expect_best(request, connection);
    if (waited && request.deadline <= now_) broken(name(request) + " had run out of time");
    expect_first_in_line(request, reused, &connection);
    request.connection = &connection;
    ++connection.users;
    ++connection.carried;
    if (waited) request.state = Request::answered;
  }

  // What it got without waiting is what the rules say: shared before exclusive, busy before idle while all that are
  // busy are less than half full, and of the idle the most recently used.
  void expect_best(const Request& request, const Connection& connection) {
    const bool woken = connection.leases <= 1;
    int busy = 0;
    int light = 0;
    const Connection* last = nullptr;
    for (const auto& other : connections_) {
      if (other.get() == &connection || other->place != request.place || other->id == request.avoid) continue;
      if (other->state == State::idle && !other->examined && other->shared == connection.shared && woken &&
          other->capacity > 0 && other->idle_since > connection.idle_since) {
        broken(name(*other) + " was used more recently than " + name(connection));
      }
      if (!is_usable(*other) || other->leases >= other->capacity) continue;
      if (!connection.shared) broken(name(*other) + " is shared and could carry " + name(request));
      if (other->state == State::active) ++busy, light += other->leases * 2 < other->capacity, last = other.get();
    }
    if (!woken && busy == 1 && request.avoid == 0 &&
        last->leases * connection.capacity < (connection.leases - 1) * last->capacity) {
      broken(name(connection) + " carries more than " + name(*last));
    }
    if (woken && busy > 0 && light == busy) broken(name(connection) + " is woken although others are hardly loaded");
  }

  void broken(const std::string& law) {
    if (!law_.empty()) return;
    law_ = law;
    say("\nBROKEN: ", law);
  }

  // --- picking

  Request* pick_request(std::uint32_t which, bool to_cancel) {
    std::size_t matching = 0;
    const auto matches = [&](const Request& request) {
      if (!to_cancel) return request.state == Request::holding;
      return (request.state == Request::waiting || request.state == Request::answered) && !request.left;
    };
    for (const auto& request : requests_) matching += matches(*request);
    if (matching == 0) {
      say("no such request");
      return nullptr;
    }
    std::size_t skip = which % matching;
    for (const auto& request : requests_) {
      if (matches(*request) && skip-- == 0) return request.get();
    }
    return nullptr;
  }

  Connection* pick_connection(std::uint32_t which, bool shared = false) {
    const auto matches = [&](const Connection& each) { return !each.destroyed && (each.shared || !shared); };
    std::size_t alive = 0;
    for (const auto& each : connections_) alive += matches(*each);
    if (alive == 0) {
      say("no connection");
      return nullptr;
    }
    std::size_t skip = which % alive;
    for (const auto& each : connections_) {
      if (matches(*each) && skip-- == 0) return each.get();
    }
    return nullptr;
  }

  Started take_wire(std::uint32_t which) {
    const std::size_t at = which % wires_.size();
    Started wire = std::move(wires_[at]);
    wires_.erase(wires_.begin() + static_cast<std::ptrdiff_t>(at));
    return wire;
  }

  static CloseReason some_close(std::uint32_t which) {
    constexpr CloseReason reasons[] = {CloseReason::connection_close, CloseReason::early_body_close,
                                       CloseReason::request_failed, CloseReason::request_timeout,
                                       CloseReason::parse_error};
    return reasons[which % 5];
  }

  Place& place_of(const Route& route) {
    return places_[static_cast<std::size_t>(static_cast<const Number&>(*route.attachment).number)];
  }

  // --- words

  static std::string name(const Request& request) { return "r" + std::to_string(request.number); }
  static std::string name(const Connection& connection) { return "c" + std::to_string(connection.id); }
  static std::string words(Sharing sharing) {
    return sharing == Sharing::never ? "never" : sharing == Sharing::always ? "always" : "unknown";
  }
  static std::string words(Place::Peer peer) {
    return peer == Place::exclusive ? "exclusive" : peer == Place::shared ? "shared" : "now this, now that";
  }
  static std::string words(std::string_view text) { return std::string(text); }
  static std::string words(std::chrono::nanoseconds time) {
    return std::to_string(std::chrono::duration<double>(time).count()) + " s";
  }
  static std::string words(std::integral auto number) { return std::to_string(number); }
  static std::string words(const Route& route) { return route.name(); }
  static std::string words(const Request& request) { return name(request); }
  static std::string words(const Connection& connection) { return name(connection); }
  template <class... Parts>
  void say(const Parts&... parts) {
    if (!talkative_) return;
    ((log_ += words(parts)), ...);
    log_ += "\n";
  }

  Random random_;
  const bool talkative_;
  std::string log_;
  std::string law_;
  TimePoint now_{std::chrono::hours(1)};
  PoolLimits limits_[3];
  Timeouts timeouts_;
  Budget budget_;
  std::vector<std::unique_ptr<Request>> requests_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<std::shared_ptr<Pool>> pools_;
  std::vector<Place> places_;
  std::vector<Mail> bag_;
  std::vector<Started> wires_;
  std::vector<Started> started_;  // by the step under way
  int failures_now_ = 0;          // waiters that it failed
  bool dial_failing_ = false;
  std::int64_t sockets_before_ = 0;
};

}  // namespace trunkline::pool::simulation
