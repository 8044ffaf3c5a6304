#include "client/redirect.h"

#include <string_view>
#include <utility>

#include "client/body_source.h"

namespace trunkline {
namespace {

// RFC 9110 section 15.4, without 300 and 305, which no client follows by itself.
bool asks_for_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

struct Next {
  std::string method;
  bool keeps_body;
};

// RFC 9110 sections 15.4.2 to 15.4.9: after 301 and 302 a POST becomes a GET, as every browser does it; after 303
// everything does, but a HEAD, which is a GET without a body already; 307 and 308 change nothing.
Next next_method(const std::string& method, int status) {
  if ((status == 301 || status == 302) && method == "POST") return {"GET", false};
  if (status == 303 && method != "HEAD") return {"GET", false};
  return {method, true};
}

// These speak of a body that is no longer there.
constexpr std::string_view body_fields[] = {"Content-Type",     "Content-Length",   "Content-Encoding",
                                            "Content-Language", "Content-Location", "Content-MD5",
                                            "Content-Digest",   "Digest",           "Repr-Digest",
                                            "Expect",           "Trailer",          "Transfer-Encoding"};

// These are for the origin that they were written for. Host and Referer are no secrets, but wrong elsewhere.
constexpr std::string_view origin_fields[] = {"Authorization",    "Cookie", "Cookie2", "Proxy-Authorization",
                                              "WWW-Authenticate", "Host",   "Referer", "Origin"};

// The server answered and so has processed the request; only the hop is refused.
Error refusal(ErrorCode code, const Url& from, std::string message) {
  Error error(code, Phase::done, std::move(message));
  error.maybe_processed = MaybeProcessed::yes;
  error.route = from.origin();
  return error;
}

bool is_websocket(const Url& url) { return url.scheme() == "ws" || url.scheme() == "wss"; }

// A handshake that is sent on stays one: "https://host/chat" means wss, as it does for whoever opens the WebSocket.
Result<Url> as_websocket(const Url& url) {
  const std::string text = url.text();
  return text.starts_with("http") ? Url::parse("ws" + text.substr(4)) : Result<Url>(url);
}

// A server that was asked by a rooted name was not told so, and sends on to the name without the dot. It means itself.
Result<Url> keep_root(const Url& from, const Url& to) {
  if (!from.rooted() || to.rooted() || from.host() != to.host()) return to;
  std::string text = to.text();
  text.insert(text.find("://") + 3 + to.host().size(), 1, '.');
  return Url::parse(text);
}

Result<Url> target_of(const Url& from, const ResponseHead& response, const RedirectRules& rules) {
  const std::vector<std::string_view> locations = response.headers.get_all("Location");
  for (const std::string_view other : locations) {
    // Readers that take the first and readers that take the last would go to different places.
    if (other != locations.front()) {
      return refusal(ErrorCode::invalid_response, from, "the response holds two different Location fields");
    }
  }
  Result<Url> target = from.resolve(locations.front());
  if (!target) {
    return refusal(ErrorCode::invalid_response, from,
                   "the redirect's Location is no usable URL: " + target.error().message);
  }
  if (is_websocket(from)) target = as_websocket(*target);
  if (!target) return std::move(target).error();
  if (!is_websocket(from) && target->scheme() != "http" && target->scheme() != "https") {
    return refusal(ErrorCode::invalid_request, from,
                   "the redirect to the scheme \"" + std::string(target->scheme()) +
                       "\" was refused: only http and https are followed");
  }
  if (from.secure() && !target->secure() && !rules.allow_downgrade) {
    return refusal(ErrorCode::invalid_request, from,
                   "the redirect from https to http was refused: the rest would be readable on the way");
  }
  return keep_root(from, *target);
}

// A request has no setters for its method and URL, so the rest is copied field by field.
Request copy_to(const Request& request, std::string method, const Url& target) {
  Request next(std::move(method), target.text());  // without userinfo: nobody asked us to log in there
  next.headers(request.headers());
  if (request.wants_upgrade()) next.upgrade(request.headers().get("Upgrade").value_or(""));
  if (request.timeouts()) next.timeouts(*request.timeouts());
  if (request.total_timeout()) next.total_timeout(*request.total_timeout());
  if (request.body_limit()) next.body_limit(*request.body_limit());
  next.idempotent(request.is_idempotent());
  next.fresh_connection(request.wants_fresh_connection());
  next.trace(request.tracer());
  return next;
}

}  // namespace

bool same_origin(const Url& a, const Url& b) {
  return a.secure() == b.secure() && a.host() == b.host() && a.rooted() == b.rooted() && a.zone() == b.zone() &&
         a.port() == b.port();
}

Result<std::optional<Request>> redirected(const Request& request, const Url& from, const ResponseHead& response,
                                          const RedirectRules& rules) {
  using Hop = std::optional<Request>;
  if (!asks_for_redirect(response.status) || !response.headers.contains("Location")) return Hop();
  Result<Url> target = target_of(from, response, rules);
  if (!target) return std::move(target).error();

  Next how = next_method(request.method(), response.status);
  Request next = copy_to(request, std::move(how.method), *target);
  if (!how.keeps_body) {
    for (const std::string_view name : body_fields) next.headers().remove(name);
  } else if (request.source()) {
    if (!rewind_source(*request.source())) {
      return refusal(ErrorCode::invalid_request, from,
                     "the redirect with status " + std::to_string(response.status) +
                         " asks for the body again, and its source cannot go back to the start");
    }
    next.body(request.source());
  } else if (request.has_body()) {
    next.body(request.body());
  }
  next.expect_continue(how.keeps_body && request.wants_continue());

  if (!same_origin(from, *target)) {
    for (const std::string_view name : origin_fields) next.headers().remove(name);
    for (const std::string& name : rules.secret_headers) next.headers().remove(name);
  }
  return Hop(std::move(next));
}

}  // namespace trunkline
