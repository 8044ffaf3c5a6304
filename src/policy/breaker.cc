// with_breaker.
#include <mutex>
#include <optional>
#include <utility>

#include "net/descriptors.h"
#include "net/per_process.h"
#include "policy/bounded_map.h"
#include "policy/circuit.h"
#include "policy/layer.h"
#include "policy/route_ledger.h"

namespace trunkline {
namespace {

struct Guarded {
  std::mutex mutex;
  Circuit circuit;
  int at_once = 0;
};

struct GuardedRoutes {
  BoundedMap<Guarded> by_policy_and_route{1024};
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

// One request that is under way, or its response while somebody reads it.
class UnderWay final : public StreamWatch {
 public:
  UnderWay(const BreakerPolicy& policy, std::shared_ptr<Guarded> guarded, std::shared_ptr<RouteLedger> ledger,
           Circuit::Pass pass)
      : policy_(policy), guarded_(std::move(guarded)), ledger_(std::move(ledger)), pass_(pass) {}
  ~UnderWay() override {
    // A forked child that drops what its parent had open would find locks of threads that it has not.
    if (generation_ != net::fork_generation()) return;
    end(Circuit::Outcome::neither, Clock::now());
    std::lock_guard lock(guarded_->mutex);
    --guarded_->at_once;
  }

  // By the head, or by what came instead of it.
  void end(Circuit::Outcome outcome, TimePoint now) {
    if (std::exchange(ended_, true)) return;
    succeeded_ = outcome == Circuit::Outcome::success;
    change([&](Circuit& circuit) {
      circuit.end(policy_, pass_, outcome, now);
      pass_.probe = false;
    });
  }

  // Once, however often the body is asked for again. That the caller's own time is up says nothing of the server.
  void on_error(const Error& error) override {
    if (error.code == ErrorCode::timeout_total || outcome_of(nullptr, &error) != Circuit::Outcome::failure) return;
    if (!std::exchange(succeeded_, false)) return;
    change([&](Circuit& circuit) { circuit.take_back(policy_, pass_, Clock::now()); });
  }

  static void show(RouteLedger& ledger, const Circuit& circuit) {
    constexpr const char* names[] = {"closed", "open", "half_open"};
    ledger.circuit = names[static_cast<std::size_t>(circuit.state())];
  }

 private:
  template <class Change>
  void change(Change change) {
    std::lock_guard lock(guarded_->mutex);
    const std::uint64_t before = guarded_->circuit.times_opened();
    change(guarded_->circuit);
    ledger_->circuit_opened += guarded_->circuit.times_opened() - before;
    show(*ledger_, guarded_->circuit);
  }

  const std::uint64_t generation_ = net::fork_generation();
  const BreakerPolicy policy_;
  const std::shared_ptr<Guarded> guarded_;
  const std::shared_ptr<RouteLedger> ledger_;
  Circuit::Pass pass_;
  bool ended_ = false;
  bool succeeded_ = false;  // by its head, and nothing else is known yet
};

class Guard final : public Journey {
 public:
  Guard(const BreakerPolicy& policy, RoundTripper& next, Request&& request)
      : policy_(policy), request_(std::move(request)), route_(route_of(next, request_.url())) {}

  Result<Sending> depart(TimePoint now) override {
    const auto guarded = net::per_process<GuardedRoutes>().by_policy_and_route.get(name_of(policy_) + route_.key);
    const auto ledger = RouteLedger::of(route_);
    std::unique_lock lock(guarded->mutex);
    if (policy_.most_at_once > 0 && guarded->at_once >= policy_.most_at_once) {
      ++ledger->refused_limit;
      lock.unlock();
      return refusal(ErrorCode::limit_reached, std::to_string(policy_.most_at_once) +
                                                   " requests on this route are under way, as many as the policy "
                                                   "permits: send fewer at once, or raise most_at_once");
    }
    const std::optional<Circuit::Pass> pass = guarded->circuit.begin(now);
    UnderWay::show(*ledger, guarded->circuit);
    if (!pass) {
      ++ledger->refused_open;
      const std::string when = wait(guarded->circuit, now);
      lock.unlock();
      return refusal(
          ErrorCode::circuit_open,
          "the last requests on this route failed; it is tried again by single requests, the next one in " + when);
    }
    ++guarded->at_once;
    under_way_ = std::make_shared<UnderWay>(policy_, guarded, ledger, *pass);
    return Sending{std::move(request_), nullptr};
  }

  Verdict judge(const ResponseHead* head, const Error* error, TimePoint now, TimePoint) override {
    under_way_->end(outcome_of(head, error), now);
    return {};
  }

  std::shared_ptr<StreamWatch> watch() override { return under_way_; }

 private:
  static std::string wait(const Circuit& circuit, TimePoint now) {
    const TimePoint until = circuit.opens_again();
    if (until <= now) return "a moment";
    return std::to_string(std::chrono::ceil<std::chrono::seconds>(until - now).count()) + " s at most";
  }

  // Without the lock: the tracer is the caller's.
  Error refusal(ErrorCode code, std::string message) const {
    if (request_.tracer()) {
      TraceEvent event;
      event.kind = TraceEvent::refused;
      event.detail = message;
      request_.tracer()->on_event(event);
    }
    Error error(code, Phase::prepare, std::move(message));
    error.route = route_.route;
    return error;
  }

  const BreakerPolicy policy_;
  Request request_;
  const RouteName route_;
  std::shared_ptr<UnderWay> under_way_;
};

class Breaker final : public Layer {
 public:
  Breaker(std::shared_ptr<RoundTripper> next, const BreakerPolicy& policy) : Layer(std::move(next)), policy_(policy) {}

 private:
  std::unique_ptr<Journey> journey(Request&& request) override {
    return std::make_unique<Guard>(policy_, *next(), std::move(request));
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
