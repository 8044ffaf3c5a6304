// What to send. A class with a builder's methods, safe to write inline in a coroutine even with g++ 12.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <trunkline/body.hpp>
#include <trunkline/headers.hpp>
#include <trunkline/options.hpp>
#include <trunkline/trace.hpp>

namespace trunkline {

class Request {
 public:
  Request(std::string method, std::string url) : method_(std::move(method)), url_(std::move(url)) {}

  Request& url(std::string url) & { return url_ = std::move(url), *this; }
  Request&& url(std::string value) && { return std::move(url(std::move(value))); }
  Request& header(std::string_view name, std::string_view value) & { return headers_.add(name, value), *this; }
  Request&& header(std::string_view name, std::string_view value) && { return std::move(header(name, value)); }
  Request& headers(Headers headers) & { return headers_ = std::move(headers), *this; }
  Request&& headers(Headers value) && { return std::move(headers(std::move(value))); }
  Request& body(std::string bytes) & { return body_ = std::move(bytes), has_body_ = true, *this; }
  Request&& body(std::string bytes) && { return std::move(body(std::move(bytes))); }
  Request& body(std::shared_ptr<BodySource> source) & { return source_ = std::move(source), has_body_ = true, *this; }
  Request&& body(std::shared_ptr<BodySource> source) && { return std::move(body(std::move(source))); }
  // Instead of the transport's; only for this request.
  Request& timeouts(const Timeouts& timeouts) & {
    return timeouts_ = std::make_shared<const Timeouts>(timeouts), *this;
  }
  Request&& timeouts(const Timeouts& value) && { return std::move(timeouts(value)); }
  Request& total_timeout(Duration limit) & { return total_timeout_ = limit, *this; }
  Request&& total_timeout(Duration limit) && { return std::move(total_timeout(limit)); }
  // May be sent twice although its method does not say so, e.g. because it carries an idempotency key.
  Request& idempotent(bool yes = true) & { return idempotent_ = yes, *this; }
  Request&& idempotent(bool yes = true) && { return std::move(idempotent(yes)); }
  // On a connection of its own, dialled for it.
  Request& fresh_connection(bool yes = true) & { return fresh_ = yes, *this; }
  Request&& fresh_connection(bool yes = true) && { return std::move(fresh_connection(yes)); }
  // Ask before sending the body.
  Request& expect_continue(bool yes = true) & { return expect_continue_ = yes, *this; }
  Request&& expect_continue(bool yes = true) && { return std::move(expect_continue(yes)); }
  // Ask for another protocol on this connection; a 101 hands it over (ResponseStream::take_connection).
  Request& upgrade(std::string_view protocol) & {
    headers_.set("Upgrade", protocol);
    headers_.set("Connection", "upgrade");
    upgrade_ = true;
    return *this;
  }
  Request&& upgrade(std::string_view protocol) && { return std::move(upgrade(protocol)); }
  // The bound of a body that is read whole, instead of the transport's.
  Request& body_limit(std::size_t bytes) & { return body_limit_ = bytes, *this; }
  Request&& body_limit(std::size_t bytes) && { return std::move(body_limit(bytes)); }
  // Is told what happens to this request while it happens.
  Request& trace(std::shared_ptr<Tracer> tracer) & { return tracer_ = std::move(tracer), *this; }
  Request&& trace(std::shared_ptr<Tracer> tracer) && { return std::move(trace(std::move(tracer))); }

  const std::string& method() const { return method_; }
  const std::string& url() const { return url_; }
  const Headers& headers() const { return headers_; }
  Headers& headers() { return headers_; }
  bool has_body() const { return has_body_; }
  const std::string& body() const { return body_; }
  const std::shared_ptr<BodySource>& source() const { return source_; }
  const Timeouts* timeouts() const { return timeouts_.get(); }  // null: the transport's
  std::optional<Duration> total_timeout() const { return total_timeout_; }
  bool is_idempotent() const { return idempotent_; }
  bool wants_fresh_connection() const { return fresh_; }
  bool wants_continue() const { return expect_continue_; }
  bool wants_upgrade() const { return upgrade_; }
  std::optional<std::size_t> body_limit() const { return body_limit_; }
  const std::shared_ptr<Tracer>& tracer() const { return tracer_; }

 private:
  std::string method_;
  std::string url_;
  Headers headers_;
  std::string body_;
  std::shared_ptr<BodySource> source_;
  std::shared_ptr<const Timeouts> timeouts_;  // apart, so that a request is cheap to move
  std::optional<Duration> total_timeout_;
  std::optional<std::size_t> body_limit_;
  std::shared_ptr<Tracer> tracer_;
  bool has_body_ = false;
  bool idempotent_ = false;
  bool fresh_ = false;
  bool expect_continue_ = false;
  bool upgrade_ = false;
};

inline Request get(std::string url) { return {"GET", std::move(url)}; }
inline Request head(std::string url) { return {"HEAD", std::move(url)}; }
inline Request del(std::string url) { return {"DELETE", std::move(url)}; }
inline Request post(std::string url, std::string body) {
  Request request{"POST", std::move(url)};
  request.body(std::move(body));
  return request;
}
inline Request put(std::string url, std::string body) {
  Request request{"PUT", std::move(url)};
  request.body(std::move(body));
  return request;
}

}  // namespace trunkline
