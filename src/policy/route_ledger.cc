#include "policy/origin_ledger.h"

#include <trunkline/policy.hpp>

#include "net/per_process.h"
#include "policy/bounded_map.h"

namespace trunkline {
namespace {

constexpr std::size_t most_origins = 1024;

struct Ledgers {
  BoundedMap<OriginLedger> by_origin{most_origins};
};

}  // namespace

std::shared_ptr<OriginLedger> OriginLedger::of(const std::string& origin) {
  return net::per_process<Ledgers>().by_origin.get(origin);
}

std::string origin_of(const std::string& url) {
  const Result<Url> parsed = Url::parse(url);
  return parsed ? parsed->origin() : std::string();
}

PolicyStats policy_stats() {
  PolicyStats stats;
  net::per_process<Ledgers>().by_origin.for_each([&](const std::string& origin, OriginLedger& ledger) {
    PolicyStats::Origin& one = stats.origins.emplace_back();
    one.origin = origin;
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
