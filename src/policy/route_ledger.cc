#include "policy/route_ledger.h"

#include <trunkline/policy.hpp>
#include <trunkline/url.hpp>

#include "net/per_process.h"
#include "policy/bounded_map.h"

namespace trunkline {
namespace {

constexpr std::size_t most_routes = 1024;

struct Ledgers {
  BoundedMap<RouteLedger> by_key{most_routes};
};

}  // namespace

std::shared_ptr<RouteLedger> RouteLedger::of(const RouteName& route) {
  return net::per_process<Ledgers>().by_key.get(route.key, route.route);
}

RouteName route_of(RoundTripper& next, const std::string& url) {
  RouteName name = next.route_of(url);
  if (!name.key.empty()) return name;
  const Result<Url> parsed = Url::parse(url);
  std::string origin = parsed ? parsed->origin() : std::string();
  return {origin, origin};
}

PolicyStats policy_stats() {
  PolicyStats stats;
  net::per_process<Ledgers>().by_key.for_each([&](const std::string&, RouteLedger& ledger) {
    PolicyStats::Route& one = stats.routes.emplace_back();
    one.route = ledger.route;
    one.requests = ledger.requests;
    one.retries = ledger.retries;
    one.retries_refused = ledger.retries_refused;
    one.redirects = ledger.redirects;
    one.refused_open = ledger.refused_open;
    one.refused_limit = ledger.refused_limit;
    one.circuit_opened = ledger.circuit_opened;
    one.circuit = ledger.circuit;
  });
  return stats;
}

}  // namespace trunkline
