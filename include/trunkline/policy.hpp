// What is done around requests: redirects, retries, a circuit breaker, the choice of a proxy. Each takes a RoundTripper
// and is one, so that they stack: Client(with_retries(with_redirects(Transport::shared(options)))).
//
// Equal policies share what they have learned of a route (the budget of retries, whether it is failing) over the
// process, as equal options share connections: a client that is re-created for every call forgets nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <trunkline/options.hpp>
#include <trunkline/round_tripper.hpp>

namespace trunkline {

struct RedirectPolicy {
  int most = 10;
  bool allow_downgrade = false;  // from https to http
  bool referer = false;          // tell where the redirect came from, as browsers do
  // Dropped with Authorization and Cookie when a redirect leaves their origin.
  std::vector<std::string> secret_headers;
};

// Follows 301, 302, 303, 307 and 308 within http and https. What belongs to one origin stays there: headers with
// credentials, and whatever else `next` leaves behind in elsewhere(): a transport its client certificate and its
// server name.
std::shared_ptr<RoundTripper> with_redirects(std::shared_ptr<RoundTripper> next, RedirectPolicy policy = {});

struct RetryPolicy {
  int attempts = 3;  // in all
  // Before the second attempt a random time up to `backoff`, then up to twice that, and so on.
  Duration backoff = std::chrono::milliseconds(100);
  Duration shortest_backoff = Duration::zero();  // never less than that; equal to the longest: always that
  Duration longest_backoff = std::chrono::seconds(10);
  // No attempt begins later than that after the first; zero: only total_timeout ends them.
  Duration give_up_after = Duration::zero();
  // A server that asks for a later time with Retry-After gets it, if it is no later than that.
  Duration longest_retry_after = std::chrono::seconds(60);
  std::vector<int> statuses = {429, 502, 503, 504};
  // Retries are at most this part of the requests on a route, and `spare` in ten seconds beside: what is down is not
  // brought up by three times its load.
  double budget = 0.2;
  int spare = 10;
};

// Sends again what failed, or was answered with one of the statuses, if that cannot do harm: the request is idempotent,
// or carries an Idempotency-Key, or the server has certainly not processed it. Its total_timeout bounds all attempts
// together, the pauses included.
std::shared_ptr<RoundTripper> with_retries(std::shared_ptr<RoundTripper> next, RetryPolicy policy = {});

struct BreakerPolicy {
  int failures_in_a_row = 5;  // open the circuit
  // So does this part of at least `least_requests` within `window`.
  double failure_rate = 0.5;
  int least_requests = 20;
  Duration window = std::chrono::seconds(10);
  Duration open_for = std::chrono::seconds(5);  // doubles with each time that the probes fail, to twelve times that
  int probes = 3;                               // one at a time; when all succeed the circuit closes
  int most_at_once = 0;                         // requests on one route under way; 0: no limit
};

// Refuses at once, with `circuit_open`, what would fail anyway: a route whose requests fail to connect, time out, break
// off or are answered with 500, 502, 503 or 504. With `limit_reached` what exceeds most_at_once; open streams and
// WebSockets count until they are dropped.
std::shared_ptr<RoundTripper> with_breaker(std::shared_ptr<RoundTripper> next, BreakerPolicy policy = {});

// What the policies of the process did, by route; bounded, the ones used last.
struct PolicyStats {
  struct Route {
    std::string route;           // RouteName::route
    std::uint64_t requests = 0;  // that came to with_retries
    std::uint64_t retries = 0;
    std::uint64_t retries_refused = 0;  // by the budget
    std::uint64_t redirects = 0;
    std::uint64_t refused_open = 0;   // by an open circuit
    std::uint64_t refused_limit = 0;  // by most_at_once
    std::uint64_t circuit_opened = 0;
    std::string circuit = "closed";  // or "open", "half_open"
  };
  std::vector<Route> routes;
};
PolicyStats policy_stats();

// Through what a call goes, in this order: the proxy of its credential, the proxy that is configured, a RoundTripper
// that the caller supplies, the shared transport of `options`. A proxy is a URL or "direct"; one that cannot be used
// fails the requests, which never go another way. A transport for each proxy, however many calls there are.
struct Way {
  std::string credential_proxy;
  std::string configured_proxy;
  std::shared_ptr<RoundTripper> round_tripper;
};
std::shared_ptr<RoundTripper> choose(const Way& way, const Options& options = Options::executor());

}  // namespace trunkline
