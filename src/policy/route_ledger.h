// What the policies did, by route, for policy_stats().
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <trunkline/round_tripper.hpp>

namespace trunkline {

struct RouteLedger {
  explicit RouteLedger(std::string name) : route(std::move(name)) {}

  const std::string route;
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> retries{0};
  std::atomic<std::uint64_t> retries_refused{0};
  std::atomic<std::uint64_t> redirects{0};
  std::atomic<std::uint64_t> refused_open{0};
  std::atomic<std::uint64_t> refused_limit{0};
  std::atomic<std::uint64_t> circuit_opened{0};
  std::atomic<const char*> circuit{"closed"};

  static std::shared_ptr<RouteLedger> of(const RouteName& route);
};

// As `next` names it; where it has no name for it, the origin. Empty for what is no URL: such a request fails before it
// goes anywhere.
RouteName route_of(RoundTripper& next, const std::string& url);

}  // namespace trunkline
