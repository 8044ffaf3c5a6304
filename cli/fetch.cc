#include "fetch.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/text.h"
#include "exchange.h"
#include "exit_code.h"
#include "json_output.h"
#include "plan.h"
#include "policies.h"
#include "transport_options.h"
#include "verbose.h"
#include "websocket_fetch.h"

namespace trunkline::cli {
namespace {

// Results that wait for an earlier one before they can be printed; a slow first request must not fill the memory.
constexpr std::uint64_t results_ahead = 4096;

ExchangeRules rules_of(const FetchFlags& flags, const Options& options, const Policies& policies) {
  ExchangeRules rules;
  rules.redirects = policies.redirects;
  rules.retries = policies.retries;
  rules.fail = flags.fail;
  rules.include_head = flags.include_head;
  rules.verbose = flags.verbose;
  rules.trace = flags.trace;
  rules.record = flags.json;
  if (flags.transport.max_body) rules.max_body = options.response.body_bytes;
  rules.secrecy = {flags.show_secrets, flags.secret_headers};
  return rules;
}

class FetchRun {
 public:
  FetchRun(const FetchFlags& flags, Plan plan, const Options& options, const Policies& policies)
      : flags_(flags),
        plan_(std::move(plan)),
        rules_(rules_of(flags, options, policies)),
        transports_(options, sharing_of(flags)),
        out_(Output::to_stdout()) {}

  int run();

 private:
  std::uint64_t count() const { return plan_.requests.size() * static_cast<std::uint64_t>(plan_.repeat); }
  const PlannedRequest& planned(std::uint64_t index) const { return plan_.requests[index % plan_.requests.size()]; }
  Delivery delivery_of(const PlannedRequest& request, bool alone) const;
  std::uint64_t end_of_group(std::uint64_t first) const;

  void run_alone(std::uint64_t index);
  void run_together(std::uint64_t first, std::uint64_t end, std::uint64_t window);
  void settle(Report report);
  void print(const Report& report);
  void print_body(const Report& report);
  void note_failure(int code);

  const FetchFlags& flags_;
  const Plan plan_;
  const ExchangeRules rules_;
  Transports transports_;
  Output out_;
  Inbox inbox_;
  std::map<std::uint64_t, std::unique_ptr<Exchange>> running_;
  std::map<std::uint64_t, Report> settled_;  // not printed yet
  std::uint64_t printed_ = 0;                // as many of the first
  int exit_ = exit_ok;
};

int FetchRun::run() {
  if (plan_.parallel > 1) {
    run_together(0, count(), static_cast<std::uint64_t>(plan_.parallel));
  } else {
    for (std::uint64_t next = 0; next < count() && !out_.failed();) {
      const std::uint64_t end = end_of_group(next);
      end - next == 1 ? run_alone(next) : run_together(next, end, end - next);
      next = end;
    }
  }
  const Stats stats = transports_.stats();
  if (flags_.json) out_.write(counters_line(stats));
  if (out_.failed()) {
    if (!out_.reader_gone()) std::fprintf(stderr, "trunkline: stdout: %s\n", out_.failure().c_str());
    return exit_output_failed;
  }
  return exit_;
}

// One past the neighbours that run together with `first`; a group does not reach over a repetition.
std::uint64_t FetchRun::end_of_group(std::uint64_t first) const {
  std::uint64_t end = first + 1;
  if (planned(first).group.empty()) return end;
  while (end % plan_.requests.size() != 0 && planned(end).group == planned(first).group) ++end;
  return end;
}

Delivery FetchRun::delivery_of(const PlannedRequest& request, bool alone) const {
  if (flags_.sse) return Delivery::events;
  if (!request.output.empty() && request.output != "-") return Delivery::file;
  // Bodies of several requests would mix on stdout, and --json has its lines there.
  return flags_.json || !alone ? Delivery::whole : Delivery::standard_output;
}

void FetchRun::run_alone(std::uint64_t index) {
  const PlannedRequest& request = planned(index);
  // A delay stands between requests: the first has none before it unless a batch says so.
  if (index > 0 || !flags_.batch.empty()) std::this_thread::sleep_for(request.delay);
  Exchange exchange(request, index + 1, delivery_of(request, true), rules_, transports_, out_, nullptr);
  exchange.begin([this](Report report) { settle(std::move(report)); });
}

void FetchRun::run_together(std::uint64_t first, std::uint64_t end, std::uint64_t window) {
  const bool is_group = plan_.parallel == 1;
  const Inbox::Clock::time_point began = Inbox::Clock::now();
  // In a group each delay counts from the start of the group; otherwise the starts are that far apart.
  const auto due = [&](std::uint64_t index) {
    return began + planned(index).delay * (is_group ? 1 : static_cast<std::int64_t>(index - first));
  };
  std::vector<std::pair<Inbox::Clock::time_point, std::uint64_t>> group;
  if (is_group) {
    for (std::uint64_t index = first; index < end; ++index) group.emplace_back(due(index), index);
    std::sort(group.begin(), group.end());
  }
  for (std::uint64_t started = first; printed_ < end;) {
    const bool may_start = started < end && running_.size() < window && started < printed_ + results_ahead;
    if (out_.failed() && running_.empty()) return;
    if (!may_start || out_.failed()) {
      inbox_.run_one();
      continue;
    }
    const std::uint64_t next = is_group ? group[started - first].second : started;
    if (Inbox::Clock::now() < due(next)) {
      inbox_.run_one(due(next));
      continue;
    }
    ++started;
    const PlannedRequest& request = planned(next);
    auto exchange =
        std::make_unique<Exchange>(request, next + 1, delivery_of(request, false), rules_, transports_, out_, &inbox_);
    Exchange& begun = *exchange;
    running_.emplace(next, std::move(exchange));
    begun.begin([this, next](Report report) {
      // Not from inside the exchange, which this destroys.
      inbox_.post([this, next, report = std::move(report)]() mutable {
        running_.erase(next);
        settle(std::move(report));
      });
    });
  }
}

void FetchRun::settle(Report report) {
  const std::uint64_t index = report.number - 1;
  settled_.emplace(index, std::move(report));
  for (auto next = settled_.find(printed_); next != settled_.end(); next = settled_.find(printed_)) {
    print(next->second);
    settled_.erase(next);
    ++printed_;
  }
}

void FetchRun::print(const Report& report) {
  // The JSON line has it already.
  const bool quiet = (flags_.silent || flags_.json) && !flags_.show_error;
  const auto complain = [&](const std::string& what) {
    if (!quiet) std::fprintf(stderr, "trunkline: %s\n", what.c_str());
  };
  if (flags_.json) {
    out_.write(json_line(report));
  } else {
    print_body(report);
  }
  if (report.error) {
    Error error = *report.error;
    error.route.clear();  // the URL says it
    complain(shown_url(report.url) + ": " + error.describe());
    note_failure(exit_code_of(error.kind));
  } else if (flags_.fail && report.head && report.head->status >= 400) {
    complain(shown_url(report.url) + ": status " + std::to_string(report.head->status) + " (--fail)");
    note_failure(exit_status);
  }
  if (!report.output_error.empty()) {
    complain(printable(report.output_error, 1024));
    note_failure(exit_output_failed);
  }
}

void FetchRun::print_body(const Report& report) {
  if (report.streamed || report.error || !report.head) return;
  if (flags_.fail && report.head->status >= 400) return;
  if (flags_.include_head) out_.write(head_text(*report.head));
  out_.write(report.body);
}

void FetchRun::note_failure(int code) {
  if (exit_ == exit_ok) exit_ = code;
}

}  // namespace

int run_fetch(const FetchFlags& flags) {
  Result<Options> options = options_from(flags.transport);
  Result<Plan> plan = options ? plan_from(flags, *options) : Result<Plan>(options.error());
  Result<Policies> policies = plan ? policies_from(flags) : Result<Policies>(plan.error());
  if (!policies) {
    std::fprintf(stderr, "trunkline fetch: %s\n", policies.error().message.c_str());
    return exit_misuse;
  }
  const Result<bool> websocket = is_websocket_plan(flags, *plan);
  if (!websocket) {
    std::fprintf(stderr, "trunkline fetch: %s\n", websocket.error().message.c_str());
    return exit_misuse;
  }
  if (*websocket) return run_websockets(flags, *plan, *options);
  FetchRun run(flags, *std::move(plan), *options, *policies);
  return run.run();
}

}  // namespace trunkline::cli
