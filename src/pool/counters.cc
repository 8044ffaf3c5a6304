// The counters' sums, and the laws that they keep. The pool asserts them after every step of its simulation.
#include <numeric>
#include <string_view>

#include <trunkline/stats.hpp>

namespace trunkline {
namespace {

template <std::size_t N>
std::uint64_t sum(const std::array<std::uint64_t, N>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

template <std::size_t N>
void add_each(std::array<std::uint64_t, N>& to, const std::array<std::uint64_t, N>& from) {
  for (std::size_t i = 0; i < N; ++i) to[i] += from[i];
}

// "dials_started 5 != 4 = succeeded + failed + dialing". Modulo 2^64, so a gauge below zero still adds up here: that is
// told apart by `negative`.
std::string unequal(std::string_view left, std::uint64_t value, std::string_view right, std::uint64_t parts) {
  if (value == parts) return {};
  return std::string(left) + " " + std::to_string(value) + " != " + std::to_string(parts) + " = " + std::string(right);
}

std::string negative(std::string_view name, std::int64_t gauge) {
  return gauge < 0 ? std::string(name) + " is " + std::to_string(gauge) : std::string();
}

template <class Number>
std::string exceeds(std::string_view part, Number value, std::string_view whole, Number bound) {
  if (value <= bound) return {};
  return std::string(part) + " " + std::to_string(value) + " > " + std::string(whole) + " " + std::to_string(bound);
}

std::string first_of(std::initializer_list<std::string> findings) {
  for (const std::string& each : findings) {
    if (!each.empty()) return each;
  }
  return {};
}

std::uint64_t count(std::int64_t gauge) { return static_cast<std::uint64_t>(gauge); }

std::string broken_law_of(const PoolCounters& c) {
  const auto none = static_cast<std::size_t>(ReuseMiss::none);
  return first_of({
      negative("dialing", c.dialing),
      negative("open", c.open),
      negative("idle", c.idle),
      negative("active", c.active),
      negative("draining", c.draining),
      negative("upgraded", c.upgraded),
      negative("waiting", c.waiting),
      negative("shared_open", c.shared_open),
      negative("retiring", c.retiring),
      unequal("dials_started", c.dials_started, "dials_succeeded + dials_failed + dialing",
              c.dials_succeeded + c.dials_failed + count(c.dialing)),
      unequal("dials_failed", c.dials_failed, "the sum of dials_failed_by_phase", sum(c.dials_failed_by_phase)),
      unequal("dials_started", c.dials_started, "the sum of dials_by_reason", sum(c.dials_by_reason)),
      unequal("dials_succeeded", c.dials_succeeded, "open + closed", count(c.open) + c.closed()),
      unequal("open", count(c.open), "idle + active + draining + upgraded",
              count(c.idle) + count(c.active) + count(c.draining) + count(c.upgraded)),
      c.shared_open > 0 ? std::string()
                        : unequal("leases", count(c.leases), "active + upgraded", count(c.active) + count(c.upgraded)),
      exceeds("active + upgraded", c.active + c.upgraded, "leases", c.leases),
      exceeds("shared_open", c.shared_open, "open", c.open),
      exceeds("retiring", c.retiring, "active", c.active),
      exceeds("retiring", c.retiring, "shared_open", c.shared_open),
      unequal("granted", c.granted, "reused + the sum of misses", c.reused + sum(c.misses) - c.misses[none]),
      exceeds("dials_unused", c.dials_unused, "closed", c.closed()),
  });
}

}  // namespace

void PoolCounters::add(const PoolCounters& other) {
  dials_started += other.dials_started;
  dials_succeeded += other.dials_succeeded;
  dials_failed += other.dials_failed;
  add_each(dials_failed_by_phase, other.dials_failed_by_phase);
  dialing += other.dialing;
  add_each(dials_by_reason, other.dials_by_reason);
  dials_unused += other.dials_unused;
  open += other.open;
  idle += other.idle;
  active += other.active;
  draining += other.draining;
  upgraded += other.upgraded;
  leases += other.leases;
  shared_open += other.shared_open;
  retiring += other.retiring;
  limit_changes += other.limit_changes;
  add_each(closed_by_reason, other.closed_by_reason);
  granted += other.granted;
  reused += other.reused;
  add_each(misses, other.misses);
  queued += other.queued;
  waiting += other.waiting;
  queue_rejected += other.queue_rejected;
}

std::uint64_t PoolCounters::closed() const { return sum(closed_by_reason); }

std::uint64_t RequestCounters::failed_total() const { return sum(failed); }

std::string Stats::broken_law() const {
  std::string broken = first_of({
      negative("requests in_flight", requests.in_flight),
      unequal("requests started", requests.started, "completed + failed + in_flight",
              requests.completed + requests.failed_total() + count(requests.in_flight)),
  });
  if (!broken.empty()) return broken;
  broken = broken_law_of(pool);
  if (!broken.empty()) return "pool: " + broken;
  for (const RouteStats& route : routes) {
    broken = broken_law_of(route.counters);
    if (!broken.empty()) return route.route + ": " + broken;
  }
  return {};
}

}  // namespace trunkline
