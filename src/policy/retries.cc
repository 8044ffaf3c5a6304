// with_retries.
#include <ctime>
#include <mutex>
#include <random>
#include <utility>

#include "base/per_thread.h"
#include "client/body_source.h"
#include "client/retry.h"
#include "net/per_process.h"
#include "policy/bounded_map.h"
#include "policy/layer.h"
#include "policy/retry_rules.h"
#include "policy/route_ledger.h"

namespace trunkline {
namespace {

struct SharedBudget {
  std::mutex mutex;
  RetryBudget budget;
};

struct Budgets {
  BoundedMap<SharedBudget> by_policy_and_route{1024};
};

double chance() {
  struct Retries;
  auto& random = per_thread<std::minstd_rand, Retries>();
  static thread_local const bool seeded = (random.seed(std::random_device{}()), true);
  static_cast<void>(seeded);
  return std::uniform_real_distribution<double>(0, 1)(random);
}

// What equal policies have in common.
std::string name_of(const RetryPolicy& policy) {
  return std::to_string(policy.attempts) + " " + std::to_string(policy.budget) + " " + std::to_string(policy.spare);
}

class Retry final : public Journey {
 public:
  Retry(const RetryPolicy& policy, RoundTripper& next, Request&& request)
      : policy_(policy),
        request_(std::move(request)),
        route_(route_of(next, request_.url())),
        ledger_(RouteLedger::of(route_)) {
    if (request_.headers().contains("Idempotency-Key")) request_.idempotent();
    repeatable_ = request_.is_idempotent() || is_idempotent(request_.method());
  }

  Result<Sending> depart(TimePoint now) override {
    if (++attempts_ == 1) {
      began_ = now;
      ++ledger_->requests;
      budget_ = net::per_process<Budgets>().by_policy_and_route.get(name_of(policy_) + " " + route_.key);
      std::lock_guard lock(budget_->mutex);
      budget_->budget.on_request(policy_);
    }
    if (attempts_ == policy_.attempts) return Sending{std::move(request_), nullptr};
    return Sending{request_, nullptr};
  }

  Verdict judge(const ResponseHead* head, const Error* error, TimePoint now, TimePoint until) override {
    if (attempts_ >= policy_.attempts || !may_send_again(policy_, repeatable_, head, error)) return {};
    Duration pause = backoff(policy_, attempts_, chance());
    if (head != nullptr) {
      if (const auto value = head->headers.get("Retry-After")) {
        const auto asked = retry_after(*value, std::time(nullptr));
        if (asked && *asked > policy_.longest_retry_after) return {};
        if (asked) pause = std::min<Duration>(std::max(pause, *asked), ten_years);
      }
    }
    if (policy_.give_up_after > Duration::zero() && pause > policy_.give_up_after - (now - began_)) return {};
    if (until != never && pause >= until - now) return {};
    // After a good status its upload may still be under way.
    if (request_.source() && ((head != nullptr && head->status < 300) || !rewind_source(*request_.source()))) return {};
    {
      std::lock_guard lock(budget_->mutex);
      if (!budget_->budget.take(policy_, now)) {
        ++ledger_->retries_refused;
        return {};
      }
    }
    ++ledger_->retries;
    if (request_.tracer()) {
      TraceEvent event;
      event.kind = TraceEvent::retry;
      event.at = now - began_;
      if (head != nullptr) event.connection = head->connection.id;
      event.detail = error != nullptr ? error->message : "status " + std::to_string(head->status);
      request_.tracer()->on_event(event);
    }
    return {.kind = Verdict::again, .pause = pause, .error = std::nullopt};
  }

 private:
  const RetryPolicy policy_;
  Request request_;
  const RouteName route_;
  std::shared_ptr<RouteLedger> ledger_;
  std::shared_ptr<SharedBudget> budget_;
  TimePoint began_{};
  bool repeatable_ = false;
  int attempts_ = 0;
};

class Retries final : public Layer {
 public:
  Retries(std::shared_ptr<RoundTripper> next, RetryPolicy&& policy)
      : Layer(std::move(next)), policy_(std::move(policy)) {}

 private:
  std::unique_ptr<Journey> journey(Request&& request) override {
    return std::make_unique<Retry>(policy_, *next(), std::move(request));
  }
  std::shared_ptr<RoundTripper> over(std::shared_ptr<RoundTripper> next) const override {
    return with_retries(std::move(next), policy_);
  }
  const RetryPolicy policy_;
};

}  // namespace

std::shared_ptr<RoundTripper> with_retries(std::shared_ptr<RoundTripper> next, RetryPolicy policy) {
  return std::make_shared<Retries>(std::move(next), std::move(policy));
}

}  // namespace trunkline
