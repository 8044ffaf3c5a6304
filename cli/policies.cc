#include "policies.h"

#include <algorithm>
#include <numeric>

#include "base/text.h"
#include "fail.h"

namespace trunkline::cli {
namespace {

using namespace std::chrono_literals;

constexpr int most_retries = 1000;

Result<std::optional<Duration>> time_of(const std::string& flag, const std::string& text) {
  if (text.empty()) return std::optional<Duration>();
  Result<Duration> time = parse_duration(text);
  if (!time) return misuse(flag + " " + printable(text, 40) + ": " + time.error().message);
  return std::optional<Duration>(*time);
}

Result<RetryPolicy> retry_policy(const FetchFlags& flags) {
  RetryPolicy policy;
  policy.attempts = flags.retry + 1;
  policy.statuses = {408, 429, 500, 502, 503, 504};
  if (flags.retry_all_errors && flags.fail) {
    policy.statuses.resize(200);
    std::iota(policy.statuses.begin(), policy.statuses.end(), 400);
  }
  policy.backoff = 1s;
  policy.longest_backoff = 10min;
  // One request gets all the retries that were asked for; a fleet of them does not, each.
  policy.spare = std::max(policy.spare, flags.retry);
  const auto delay = time_of("--retry-delay", flags.retry_delay);
  if (!delay) return delay.error();
  if (*delay) policy.shortest_backoff = policy.longest_backoff = policy.backoff = **delay;
  const auto limit = time_of("--retry-max-time", flags.retry_max_time);
  if (!limit) return limit.error();
  if (*limit) policy.give_up_after = **limit;
  return policy;
}

}  // namespace

Result<Policies> policies_from(const FetchFlags& flags) {
  Policies policies;
  if (flags.follow) {
    policies.redirects.emplace();
    policies.redirects->most = flags.max_redirects;
    policies.redirects->allow_downgrade = flags.allow_downgrade;
    policies.redirects->secret_headers = flags.secret_headers;
  }
  if (flags.retry < 0 || flags.retry > most_retries) {
    return misuse("--retry " + std::to_string(flags.retry) + ": want 0 to " + std::to_string(most_retries));
  }
  if (flags.retry == 0) {
    if (flags.retry_delay.empty() && flags.retry_max_time.empty() && !flags.retry_all_errors) return policies;
    return misuse("--retry-delay, --retry-max-time and --retry-all-errors mean nothing without --retry N");
  }
  Result<RetryPolicy> retries = retry_policy(flags);
  if (!retries) return std::move(retries).error();
  policies.retries = *std::move(retries);
  return policies;
}

}  // namespace trunkline::cli
