// Those transports of the process that share its pool, so that one can ask about all of them together. What a transport
// has counted stays in the sum when the transport is gone.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include <trunkline/options.hpp>
#include <trunkline/stats.hpp>

namespace trunkline {

class TransportImpl;

class SharedTransports {
 public:
  // By its constructor and its destructor. Nothing is done with one that is not known: a forked child's parent's.
  void enlist(const TransportImpl& transport);
  void dismiss(const TransportImpl& transport);

  RequestCounters requests() const;
  // Of one whose routes have this RouteStats::key, if there is one.
  std::optional<Options> options_of(const std::string& shown_route_key) const;
  // The limits under which each of these routes is used; of several, whose pool is the largest. For advice.
  std::unordered_map<std::string, PoolLimits> limits_of(const std::unordered_set<std::string>& route_keys) const;

 private:
  mutable std::mutex mutex_;
  std::unordered_set<const TransportImpl*> alive_;
  RequestCounters gone_;
};

}  // namespace trunkline
