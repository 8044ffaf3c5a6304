// What the policies did, by origin, for policy_stats().
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <trunkline/url.hpp>

namespace trunkline {

struct OriginLedger {
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> retries{0};
  std::atomic<std::uint64_t> retries_refused{0};
  std::atomic<std::uint64_t> redirects{0};
  std::atomic<std::uint64_t> refused_open{0};
  std::atomic<std::uint64_t> refused_limit{0};
  std::atomic<std::uint64_t> circuit_opened{0};
  std::atomic<const char*> circuit{"closed"};

  static std::shared_ptr<OriginLedger> of(const std::string& origin);
};

// "https://host:port", or "" for what is no URL: such a request fails before it goes anywhere.
std::string origin_of(const std::string& url);

}  // namespace trunkline
