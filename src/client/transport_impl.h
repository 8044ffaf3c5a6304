// Transport as it is: options, the pool that they lead to, and the counters of the requests made through it.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <trunkline/transport.hpp>
#include <trunkline/url.hpp>

#include "base/lock.h"
#include "client/identity.h"
#include "net/descriptors.h"
#include "net/dial.h"
#include "pool/pool.h"
#include "url/no_proxy.h"
#include "url/proxy_url.h"

namespace trunkline {

class Destination;

// A URL as this transport understands it.
struct Target {
  std::string text;  // as it was given
  Url url;
  std::shared_ptr<pool::Route> route;
  bool may_be_http2 = false;    // the route's connections, or some of them
  std::string request_target;   // path and query; with a proxy and without a tunnel, the whole URL
  std::string usual_start;      // of a request's head: http1::usual_start
  std::string_view extra_head;  // Proxy-Authorization, for a plain request through a proxy; the route's
  bool websocket = false;
};

// What a pool has to say; each route is then to be completed with advice, by the limits under which it is used.
void collect_pool(Stats& stats, pool::Pool& pool);
std::string shown_key(const std::string& route_key);  // RouteStats::key
void complete_route(RouteStats& route, const PoolLimits& limits, const Stats& stats);

class TransportImpl final : public Transport, public std::enable_shared_from_this<TransportImpl> {
 public:
  // `own_pool`: shared with nobody. An `error` makes every request fail with it.
  TransportImpl(Options options, IdentifiedMaterial identified, bool own_pool);
  TransportImpl(Options options, Error error);
  ~TransportImpl() override;

  Result<ResponseStream> open(Request&& request) override;
  Result<Response> send(Request&& request) override;
  CallHandle start(Request&& request, Callback<void(Result<Response>)>&& done) override;
  CallHandle start_open(Request&& request, Callback<void(Result<ResponseStream>)>&& done) override;
  RouteName route_of(const std::string& url) override;
  Result<void> ready() const override;
  const Options& options() const override { return options_; }
  const std::string& fingerprint() const override { return identity_.handle; }
  Stats stats() const override;
  bool warm(const std::string& url) override;
  ConnectionList connections(const ConnectionQuery& query) const override;
  void invalidate(const std::string& host) override;
  bool drain(Duration limit) override;

  RequestCounters request_counters() const;
  std::string shown_key() const { return trunkline::shown_key(identity_.wire); }
  // Those of these routes on which it has sent, or tried to.
  std::vector<std::string> used_of(const std::unordered_set<std::string>& route_keys) const;

  // For calls.
  Result<std::shared_ptr<const Target>> target_of(const std::string& url);
  // To the same place, with HTTP/1.1 connections only.
  Result<std::shared_ptr<pool::Route>> http1_route(const Target& target) { return route_for(target.url, true); }
  const std::shared_ptr<pool::Pool>& pool() const { return pool_; }
  const Error* unusable() const { return unusable_.get(); }
  bool is_of_this_process() const { return generation_ == net::fork_generation(); }
  bool closed() const { return closed_.load(std::memory_order_relaxed); }
  void call_started();
  void call_completed();
  void call_failed(ErrorKind kind);
  void count_retry() { retries_.fetch_add(1); }
  bool spend_retry();  // from a budget of one in five, so that retries cannot double an outage

 private:
  void call_ended();
  void make_room_for_targets();
  std::shared_ptr<const Target>& slot_of(std::size_t hash) { return targets_[hash & (targets_.size() - 1)]; }
  Result<std::shared_ptr<pool::Route>> route_for(const Url& url, bool http1_only);
  Protocol protocol_for(const Url& url) const;
  std::shared_ptr<const net::DialProxy> dial_proxy() const;
  const char* route_suffix(const Url& url, bool http1_only) const;
  Result<std::shared_ptr<pool::Route>> add_route(const Url& url, const std::string& origin, bool http1_only);
  std::shared_ptr<TransportImpl> living();

  const Options options_;
  const Identity identity_;
  std::unique_ptr<Error> unusable_;
  const bool own_pool_;
  const std::uint64_t generation_;
  std::shared_ptr<pool::Pool> pool_;
  const std::shared_ptr<net::LazyTlsContext> tls_;
  const std::shared_ptr<net::LazyTlsContext> proxy_tls_;
  const std::optional<ProxyUrl> proxy_;
  const NoProxy no_proxy_;

  mutable Lock mutex_;  // targets_, routes_, sweep_at_
  // Programs send to the same URLs again and again: what a text led to stands in the slot of its hash, until another
  // text wants the slot. It saves parsing and looking up. As many as a power of two.
  std::vector<std::shared_ptr<const Target>> targets_;
  std::unordered_map<std::string, std::shared_ptr<pool::Route>> routes_;
  std::size_t sweep_at_ = 4096;  // when so many routes are known, those that are quiet are forgotten

  std::atomic<bool> closed_{false};
  // What is in flight is never counted, but follows from these: so a snapshot always adds up (see request_counters).
  std::atomic<std::uint64_t> started_{0}, completed_{0}, retries_{0};
  std::array<std::atomic<std::uint64_t>, error_kind_count> failed_{};
  std::atomic<int> retry_tokens_{1000};  // hundredths
  std::mutex drained_mutex_;
  std::condition_variable drained_;  // nothing is in flight any more
};

}  // namespace trunkline
