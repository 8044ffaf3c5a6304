// What names came to, for as long as DNS permits. The caller locks, and passes the time.
//
//   stored          refresh_at        fresh_until                     stale_until
//     |-- answered -----|-- answered, ----|-- looked up again; answered ----|
//                          refresh too       only while look-ups fail
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <trunkline/error.hpp>
#include <trunkline/result.hpp>

#include "base/clock.h"
#include "net/address.h"

namespace trunkline::net {

using Addresses = Result<std::vector<Address>>;

struct NameCacheLimits {
  // An answer's own TTL counts between these: 0 would make every dial a look-up, a week would outlive every move.
  Clock::duration least = std::chrono::seconds(1);
  Clock::duration most = std::chrono::hours(1);
  Clock::duration stale = std::chrono::minutes(5);  // how long after its TTL an answer serves while look-ups fail
  // "There is no such name" counts as long as the zone says, between these. Other failures count the shorter one.
  Clock::duration failure = std::chrono::seconds(1);
  Clock::duration most_failure = std::chrono::seconds(10);
  std::size_t names = 4096;  // the one that was stored longest ago goes
};

class NameCache {
 public:
  NameCache() = default;
  explicit NameCache(const NameCacheLimits& limits) : limits_(limits) {}

  struct Found {
    const Addresses* answer = nullptr;  // null: look it up. Good until the next call that changes the cache
    bool refresh = false;               // an answer that should be looked up again meanwhile
  };
  Found find(const std::string& name, TimePoint now);

  // An old answer that may serve because look-ups do not succeed, or null.
  const Addresses* stale(const std::string& name, TimePoint now) const;

  void store(const std::string& name, std::vector<Address> addresses, Clock::duration ttl, TimePoint now);
  // The name servers say that there is no such name, or no address of it: that replaces every older answer.
  void deny(const std::string& name, Error error, std::optional<Clock::duration> ttl, TimePoint now);
  // No answer came. An older one serves on, and is tried again after `failure`; otherwise the error counts as long.
  // Returns what those who waited are to be told. Good until the next call that changes the cache.
  const Addresses& fail(const std::string& name, Error error, TimePoint now);

  void invalidate(const std::string& name);
  void clear();
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string name;
    Addresses answer;
    TimePoint refresh_at{};
    TimePoint fresh_until{};
    TimePoint stale_until{};
    bool failing = false;  // look-ups have failed since the answer came
    TimePoint retry_at{};  // while failing
  };
  using Entries = std::list<Entry>;

  Entry& put(const std::string& name, Addresses answer);

  NameCacheLimits limits_{};
  Entries entries_;  // stored longest ago first
  std::unordered_map<std::string, Entries::iterator> by_name_;
};

}  // namespace trunkline::net
