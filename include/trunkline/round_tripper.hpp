// The one seam: whatever turns a request into a response. A transport, a recorder, a fake, your own.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include <trunkline/call_handle.hpp>
#include <trunkline/callback.hpp>
#include <trunkline/request.hpp>
#include <trunkline/response.hpp>
#include <trunkline/result.hpp>

namespace trunkline {

struct RouteName {
  std::string route;  // for people: "https://host:port via http://proxy:3128"
  std::string key;    // equal where the route is the same one; empty: it has no name
};

class RoundTripper {
 public:
  virtual ~RoundTripper() = default;

  // Blocks until the head is there. Not for loop threads (callbacks of the start_ functions).
  virtual Result<ResponseStream> open(Request&& request) = 0;
  // Blocks until the whole response is there.
  virtual Result<Response> send(Request&& request) = 0;

  // `done` is called exactly once, on a loop thread, and never from inside this call. It must not block. The very first
  // call of a process may throw std::system_error instead, when no thread or descriptor is left for a loop.
  virtual CallHandle start(Request&& request, Callback<void(Result<Response>)>&& done) = 0;
  virtual CallHandle start_open(Request&& request, Callback<void(Result<ResponseStream>)>&& done) = 0;

  // Itself for requests that a redirect has taken away from the origin they were made for: without what is meant for
  // that one only, such as a client certificate. Null: it holds nothing of the kind. What wraps others passes it on.
  virtual std::shared_ptr<RoundTripper> elsewhere() { return nullptr; }

  // The route of requests for this URL: where they go, and through what. Policies keep what they learn by it, because a
  // proxy that is down says nothing of the servers behind it. Without a name it is the URL's origin. What wraps others
  // passes it on.
  virtual RouteName route_of(const std::string& url) {
    static_cast<void>(url);
    return {};
  }
};

}  // namespace trunkline
