// with_redirects, by the rules of client/redirect.h.
#include <utility>

#include <trunkline/policy.hpp>

#include "client/redirect.h"
#include "policy/layer.h"
#include "policy/origin_ledger.h"

namespace trunkline {
namespace {

class Redirect final : public Journey {
 public:
  Redirect(const RedirectPolicy& policy, std::shared_ptr<RoundTripper> next, Request&& request)
      : policy_(policy), next_(std::move(next)), request_(std::move(request)) {}

  Result<Sending> depart(TimePoint) override { return Sending{request_, through_}; }

  Verdict judge(const ResponseHead* head, const Error*, TimePoint) override {
    if (head == nullptr || head->status < 300 || head->status > 399) return {};
    const Result<Url> from = Url::parse(request_.url());
    if (!from) return {};
    Result<std::optional<Request>> next = redirected(request_, *from, *head, rules_);
    if (!next) return {.kind = Verdict::fail, .pause = Duration::zero(), .error = std::move(next).error()};
    if (!*next) return {};
    if (++hops_ > policy_.most) return fail(*from, (*next)->url());
    const Result<Url> to = Url::parse((*next)->url());
    ++OriginLedger::of(from->origin())->redirects;
    tell((*next)->url());
    if (policy_.referer) refer(*from, *to, **next);
    if (!same_origin(*from, *to) && !left_) {
      left_ = true;  // for good: nothing comes back on the way back
      through_ = next_->elsewhere();
    }
    request_ = std::move(**next);
    return {.kind = Verdict::again, .pause = Duration::zero(), .error = std::nullopt};
  }

 private:
  Verdict fail(const Url& from, const std::string& to) const {
    const Result<Url> last = Url::parse(to);
    Error error(ErrorCode::limit_exceeded, Phase::done,
                "more than " + std::to_string(policy_.most) + " redirects; the last one leads to " +
                    (last ? last->text() : std::string("nowhere")));
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

  void tell(const std::string& to) const {
    if (!request_.tracer()) return;
    TraceEvent event;
    event.kind = TraceEvent::redirect;
    const Result<Url> url = Url::parse(to);
    event.detail = url ? url->text() : std::string();
    request_.tracer()->on_event(event);
  }

  const RedirectPolicy policy_;
  const RedirectRules rules_{policy_.allow_downgrade, policy_.secret_headers};
  std::shared_ptr<RoundTripper> next_;
  std::shared_ptr<RoundTripper> through_;
  Request request_;
  bool left_ = false;  // the origin that the request was made for
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
