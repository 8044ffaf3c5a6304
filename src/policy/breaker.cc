// with_breaker.
#include <mutex>
#include <utility>

#include "net/per_process.h"
#include "policy/bounded_map.h"
#include "policy/circuit.h"
#include "policy/layer.h"
#include "policy/origin_ledger.h"

namespace trunkline {
namespace {

struct Guarded {
  std::mutex mutex;
  Circuit circuit;
  int at_once = 0;
};

struct GuardedOrigins {
  BoundedMap<Guarded> by_policy_and_origin{1024};
};

// What equal policies have in common.
std::string name_of(const BreakerPolicy& policy) {
  std::string name;
  for (const auto number :
       {static_cast<std::int64_t>(policy.failures_in_a_row), static_cast<std::int64_t>(policy.failure_rate * 1e6),
        static_cast<std::int64_t>(policy.least_requests), policy.window.count(), policy.open_for.count(),
        static_cast<std::int64_t>(policy.probes), static_cast<std::int64_t>(policy.most_at_once)}) {
    name += std::to_string(number) + " ";
  }
  return name;
}

Circuit::Outcome outcome_of(const ResponseHead* head, const Error* error) {
  if (head != nullptr) {
    const int status = head->status;
    const bool failed = status == 500 || (status >= 502 && status <= 504);
    return failed ? Circuit::Outcome::failure : Circuit::Outcome::success;
  }
  switch (error->kind) {
    case ErrorKind::unreachable:
    case ErrorKind::disconnected:
    case ErrorKind::timed_out:
    case ErrorKind::broken_peer:
      return Circuit::Outcome::failure;
    default:  // our own doing says nothing of the server
      return Circuit::Outcome::neither;
  }
}

class Guard final : public Journey {
 public:
  Guard(const BreakerPolicy& policy, Request&& request)
      : policy_(policy), request_(std::move(request)), origin_(origin_of(request_.url())) {}
  ~Guard() override { end(Circuit::Outcome::neither, Clock::now()); }

  Result<Sending> depart(TimePoint now) override {
    guarded_ = net::per_process<GuardedOrigins>().by_policy_and_origin.get(name_of(policy_) + origin_);
    ledger_ = OriginLedger::of(origin_);
    std::lock_guard lock(guarded_->mutex);
    if (policy_.most_at_once > 0 && guarded_->at_once >= policy_.most_at_once) {
      ++ledger_->refused_limit;
      return refusal(ErrorCode::limit_reached, std::to_string(policy_.most_at_once) +
                                                   " requests to this origin are under way, as many as the policy "
                                                   "permits: send fewer at once, or raise most_at_once");
    }
    const bool allowed = guarded_->circuit.begin(now);
    show();
    if (!allowed) {
      ++ledger_->refused_open;
      return refusal(ErrorCode::circuit_open,
                     "the last requests to this origin failed; it is tried again by single requests, the next one in " +
                         wait(now));
    }
    ++guarded_->at_once;
    under_way_ = true;
    return Sending{std::move(request_), nullptr};
  }

  Verdict judge(const ResponseHead* head, const Error* error, TimePoint now) override {
    end(outcome_of(head, error), now);
    return {};
  }

 private:
  void end(Circuit::Outcome outcome, TimePoint now) {
    if (!std::exchange(under_way_, false)) return;
    std::lock_guard lock(guarded_->mutex);
    --guarded_->at_once;
    const std::uint64_t before = guarded_->circuit.times_opened();
    guarded_->circuit.end(policy_, outcome, now);
    ledger_->circuit_opened += guarded_->circuit.times_opened() - before;
    show();
  }

  void show() {
    constexpr const char* names[] = {"closed", "open", "half_open"};
    ledger_->circuit = names[static_cast<std::size_t>(guarded_->circuit.state())];
  }

  std::string wait(TimePoint now) const {
    const TimePoint until = guarded_->circuit.opens_again();
    if (until <= now) return "a moment";
    return std::to_string(std::chrono::ceil<std::chrono::seconds>(until - now).count()) + " s at most";
  }

  Error refusal(ErrorCode code, std::string message) const {
    Error error(code, Phase::prepare, std::move(message));
    error.route = origin_;
    return error;
  }

  const BreakerPolicy policy_;
  Request request_;
  const std::string origin_;
  std::shared_ptr<Guarded> guarded_;
  std::shared_ptr<OriginLedger> ledger_;
  bool under_way_ = false;
};

class Breaker final : public Layer {
 public:
  Breaker(std::shared_ptr<RoundTripper> next, const BreakerPolicy& policy) : Layer(std::move(next)), policy_(policy) {}

 private:
  std::unique_ptr<Journey> journey(Request&& request) override {
    return std::make_unique<Guard>(policy_, std::move(request));
  }
  std::shared_ptr<RoundTripper> over(std::shared_ptr<RoundTripper> next) const override {
    return with_breaker(std::move(next), policy_);
  }
  const BreakerPolicy policy_;
};

}  // namespace

std::shared_ptr<RoundTripper> with_breaker(std::shared_ptr<RoundTripper> next, BreakerPolicy policy) {
  return std::make_shared<Breaker>(std::move(next), policy);
}

}  // namespace trunkline
