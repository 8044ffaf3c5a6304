// with_redirects, by the rules of client/redirect.h.
#include <algorithm>
#include <utility>
#include <vector>

#include <trunkline/policy.hpp>

#include "base/text.h"
#include "client/redirect.h"
#include "policy/layer.h"
#include "policy/route_ledger.h"

namespace trunkline {
namespace {

class Redirect final : public Journey {
 public:
  Redirect(const RedirectPolicy& policy, std::shared_ptr<RoundTripper> next, Request&& request)
      : policy_(policy), next_(std::move(next)), request_(std::move(request)) {}

  Result<Sending> depart(TimePoint now) override {
    if (hops_ == 0) began_ = now;
    return Sending{request_, through_};
  }

  Verdict judge(const ResponseHead* head, const Error* error, TimePoint now, TimePoint) override {
    if (error != nullptr && answered_) return failed_after_hop(*error);
    if (head == nullptr || head->status < 300 || head->status > 399) return {};
    const Result<Url> from = Url::parse(request_.url());
    if (!from) return {};
    Result<std::optional<Request>> next = redirected(request_, *from, *head, rules_);
    if (!next) return {.kind = Verdict::fail, .pause = Duration::zero(), .error = std::move(next).error()};
    if (!*next) return {};
    const Result<Url> to = Url::parse((*next)->url());
    // Not its query, nor its userinfo: codes and tokens travel there.
    const std::string last = to ? to->origin() + printable(to->path(), 200) : std::string("nowhere");
    if (++hops_ > policy_.most) {
      return fail(*from, "more than " + std::to_string(policy_.most) + " redirects; the last one leads to " + last);
    }
    // A cookie may make the difference, if whoever sends for us keeps them.
    if (head->headers.contains("Set-Cookie")) been_.clear();
    been_.push_back(request_.method() + " " + request_.url());
    if (std::find(been_.begin(), been_.end(), (*next)->method() + " " + (*next)->url()) != been_.end()) {
      return fail(*from, "the redirects go round in a circle: this one leads back to " + last);
    }
    answered_ = answered_ || (head->status != 307 && head->status != 308);  // those ask another to do it
    ++RouteLedger::of(trunkline::route_of(through_ ? *through_ : *next_, request_.url()))->redirects;
    tell(last, *head, now);
    if (policy_.referer) refer(*from, *to, **next);
    if (!same_origin(*from, *to) && !left_) {
      left_ = true;  // for good: nothing comes back on the way back
      through_ = next_->elsewhere();
    }
    request_ = std::move(**next);
    return {.kind = Verdict::again, .pause = Duration::zero(), .error = std::nullopt};
  }

 private:
  // Whatever became of the last hop, a server before it has done what it was asked.
  static Verdict failed_after_hop(const Error& hop) {
    Error error = hop;
    error.maybe_processed = MaybeProcessed::yes;
    return {.kind = Verdict::fail, .pause = Duration::zero(), .error = std::move(error)};
  }

  static Verdict fail(const Url& from, std::string why) {
    Error error(ErrorCode::limit_exceeded, Phase::done, std::move(why));
    error.maybe_processed = MaybeProcessed::yes;
    error.route = from.origin();
    return {.kind = Verdict::fail, .pause = Duration::zero(), .error = std::move(error)};
  }

  // As browsers do by default: the whole URL within an origin, only the origin to others, nothing in clear of what was
  // not. Never userinfo, nor the fragment.
  static void refer(const Url& from, const Url& to, Request& request) {
    request.headers().remove("Referer");
    if (from.secure() && !to.secure()) return;
    std::string text = from.text().substr(0, from.text().find('#'));
    if (!same_origin(from, to)) text = std::string(from.scheme()) + "://" + std::string(from.authority()) + "/";
    request.header("Referer", text);
  }

  void tell(const std::string& to, const ResponseHead& head, TimePoint now) const {
    if (!request_.tracer()) return;
    TraceEvent event;
    event.kind = TraceEvent::redirect;
    event.at = now - began_;
    event.connection = head.connection.id;
    event.detail = to;
    request_.tracer()->on_event(event);
  }

  const RedirectPolicy policy_;
  const RedirectRules rules_{policy_.allow_downgrade, policy_.secret_headers};
  std::shared_ptr<RoundTripper> next_;
  std::shared_ptr<RoundTripper> through_;
  Request request_;
  TimePoint began_{};
  std::vector<std::string> been_;  // "GET https://...", of the hops so far
  bool answered_ = false;          // by a server that sent us on for the answer only
  bool left_ = false;              // the origin that the request was made for
  int hops_ = 0;
};

class Redirects final : public Layer {
 public:
  Redirects(std::shared_ptr<RoundTripper> next, RedirectPolicy&& policy)
      : Layer(std::move(next)), policy_(std::move(policy)) {}

 private:
  std::unique_ptr<Journey> journey(Request&& request) override {
    return std::make_unique<Redirect>(policy_, next(), std::move(request));
  }
  std::shared_ptr<RoundTripper> over(std::shared_ptr<RoundTripper> next) const override {
    return with_redirects(std::move(next), policy_);
  }
  const RedirectPolicy policy_;
};

}  // namespace

std::shared_ptr<RoundTripper> with_redirects(std::shared_ptr<RoundTripper> next, RedirectPolicy policy) {
  return std::make_shared<Redirects>(std::move(next), std::move(policy));
}

}  // namespace trunkline
