// A call before anything is sent: what is refused without a socket, which way it goes, and what is said first.
#include <algorithm>

#include "client/call.h"
#include "client/check.h"
#include "client/engine.h"
#include "client/time_limits.h"
#include "client/transport_impl.h"

namespace trunkline {

// Everything that can be refused is refused here, before a socket is touched.
std::optional<Error> Call::prepare() {
  const Options& options = transport_->options();
  Waiter::timeouts = request_.timeouts() != nullptr ? request_.timeouts() : &options.timeouts;
  if (request_.timeouts() != nullptr || request_.total_timeout()) {
    if (auto unsound = check_times()) return unsound;
  }
  total_deadline_ = after(started_, request_.total_timeout().value_or(limits().total));
  body_limit_ = request_.body_limit().value_or(options.response.body_bytes);
  if (transport_->closed()) {
    return Error(ErrorCode::transport_closed, Phase::prepare, "the transport has been drained");
  }
  if (const Error* unusable = transport_->unusable()) return *unusable;
  Result<std::shared_ptr<const Target>> target = transport_->target_of(request_.url());
  if (!target) return std::move(target).error();
  target_ = std::move(*target);
  route_ = target_->route.get();
  if (target_->may_be_http2) {
    if ((http1_asked() || request_.wants_upgrade()) && !use_http1()) {
      return Error(ErrorCode::unsupported, Phase::prepare, "no HTTP/1.1 connection can be had for this request");
    }
  }
  pool_ = transport_->pool().get();
  if (target_->websocket && !request_.wants_upgrade()) {
    return Error(ErrorCode::unsupported, Phase::prepare, "a WebSocket URL needs an upgrade, not a plain request");
  }
  if (std::string_view(request_.method()) == "CONNECT") {
    return Error(ErrorCode::invalid_request, Phase::prepare,
                 "CONNECT is between a client and its proxy: set Options::proxy");
  }
  if (auto ok = http1::check_head(request_.method(), request_.headers()); !ok) return ok.error();
  if (!request_.headers().empty() || request_.wants_upgrade()) {
    std::optional<std::uint64_t> length;
    if (request_.has_body()) length = request_.source() ? request_.source()->length() : request_.body().size();
    if (auto ok = http1::check_framing(request_.headers(), request_.has_body(), length, request_.wants_upgrade());
        !ok) {
      return ok.error();
    }
    if (const auto connection = request_.headers().get("Connection")) {
      wants_close_ = equals_ignore_case(*connection, "close");
    }
  }
  accepts_codings_ = options.decompress && accepts_codings(request_);
  idempotent_ = request_.is_idempotent() || is_idempotent(request_.method());
  Waiter::limits = &options.limits;
  Waiter::deadline = std::min(after(started_, limits().queue), total_deadline_);
  Waiter::fresh = request_.wants_fresh_connection();
  return std::nullopt;
}

// Those of a request are not checked with the options. Added to the present time they must not overflow.
std::optional<Error> Call::check_times() const {
  Options options;
  options.timeouts = limits();
  if (const auto total = request_.total_timeout()) {
    if (*total < Duration::zero()) {
      return Error(ErrorCode::timeout_total, Phase::prepare, "the time limit of the whole request has passed already");
    }
    options.timeouts.total = *total;
  }
  if (auto sound = check(options); !sound) {
    return Error(ErrorCode::invalid_request, Phase::prepare, sound.error().message);
  }
  return std::nullopt;
}

// The server has said that it wants HTTP/1.1.
bool Call::http1_asked() const {
  const auto& destination = static_cast<const Destination&>(*target_->route->attachment);
  return destination.http1_until.load() > started_.time_since_epoch().count();
}

// For requests that HTTP/2 has no word for, and servers that want them otherwise.
bool Call::use_http1() {
  Result<std::shared_ptr<pool::Route>> route = transport_->http1_route(*target_);
  if (!route || route->get() == route_) return false;
  http1_route_ = std::move(*route);
  route_ = http1_route_.get();
  return true;
}

http1::RequestHead Call::head() const {
  http1::RequestHead head;
  head.method = request_.method();
  head.target = target_->request_target;
  head.host = target_->url.authority();
  head.headers = &request_.headers();
  head.user_agent = transport_->options().user_agent;
  if (accepts_codings_) head.accept_encoding = accepted_codings;
  if (accepts_codings_ == transport_->options().decompress) head.usual = target_->usual_start;
  head.extra = target_->extra_head;
  head.upgrade = request_.wants_upgrade();
  head.has_body = request_.has_body();
  if (head.has_body) {
    head.content_length = request_.source() ? request_.source()->length() : request_.body().size();
    head.expect_continue = request_.wants_continue() && head.content_length != 0U;
  }
  return head;
}

http1::RequestFraming Call::framing() const {
  return {.head = std::string_view(request_.method()) == "HEAD", .connect = false, .upgrade = request_.wants_upgrade()};
}

}  // namespace trunkline
