#include <algorithm>

#include "base/recycled.h"
#include "base/text.h"
#include "client/advice.h"
#include "client/call.h"
#include "client/check.h"
#include "client/engine.h"
#include "client/transport_impl.h"
#include "net/descriptors.h"
#include "net/per_process.h"
#include "net/resolver.h"

namespace trunkline {

namespace {

constexpr int retry_cost = 100;
constexpr int retry_gain = 20;    // one retry for five requests
constexpr int retry_most = 1000;  // and ten at once after a quiet time
constexpr std::size_t most_routes_in_stats = 100;

bool has_own_material(const TlsOptions& tls) {
  return !tls.ca_file.empty() || !tls.ca_directory.empty() || !tls.ca_pem.empty() || !tls.certificate_file.empty() ||
         !tls.certificate_pem.empty();
}

// In a forked child, what stands for the isolated transports of its parent.
struct Reborn {
  std::mutex mutex;
  std::unordered_map<const TransportImpl*, std::shared_ptr<TransportImpl>> by_parents;
};

bool websocket_in_clear(const Url& url) { return url.scheme() == "ws"; }

}  // namespace

TransportImpl::TransportImpl(Options options, IdentifiedMaterial identified, bool own_pool)
    : options_(std::move(options)),
      identity_(std::move(identified.identity)),
      own_pool_(own_pool),
      generation_(net::fork_generation()),
      pool_(own_pool ? Engine::instance().make_pool() : Engine::instance().shared_pool()),
      tls_(std::make_shared<net::LazyTlsContext>(std::move(identified.material))),
      proxy_tls_(std::make_shared<net::LazyTlsContext>(std::move(identified.proxy_material))),
      proxy_(*parse_proxy_url(options_.proxy)),  // check() has read it already
      no_proxy_(options_.no_proxy) {
  if (!own_pool_) Engine::instance().shared_transports().enlist(*this);
}

TransportImpl::TransportImpl(Options options, Error error)
    : options_(std::move(options)),
      unusable_(std::make_unique<Error>(std::move(error))),
      own_pool_(true),
      generation_(net::fork_generation()) {}

TransportImpl::~TransportImpl() {
  if (own_pool_ && !is_of_this_process()) {
    auto& reborn = net::per_process<Reborn>();
    std::shared_ptr<TransportImpl> mine;  // goes without the lock
    std::lock_guard lock(reborn.mutex);
    if (const auto found = reborn.by_parents.find(this); found != reborn.by_parents.end()) {
      mine = std::move(found->second);
      reborn.by_parents.erase(found);
    }
  }
  if (!pool_ || !is_of_this_process()) return;
  const TimePoint now = Clock::now();
  if (own_pool_) {
    pool_->shut_down(now);
    return;
  }
  Engine::instance().shared_transports().dismiss(*this);
  // Sockets that only this transport could still use are closed; others stay warm for those who share them.
  targets_.clear();
  for (const auto& [origin, route] : routes_) {
    auto& destination = static_cast<Destination&>(*route->attachment);
    if (destination.transports.fetch_sub(1) == 1) pool_->invalidate(*route, now);
  }
}

std::shared_ptr<Transport> Transport::shared(const Options& options) {
  if (auto sound = check(options); !sound) return std::make_shared<TransportImpl>(options, sound.error());
  Result<std::string> known = trunkline::fingerprint(options);
  if (!known) return std::make_shared<TransportImpl>(options, known.error());
  if (auto found = Engine::instance().find(*known)) return found;
  Result<IdentifiedMaterial> identified = identify_and_load(options);
  if (!identified) return std::make_shared<TransportImpl>(options, identified.error());
  // Several threads may come this far; the first makes it, the others get what it made.
  const std::string handle = identified->identity.handle;
  return Engine::instance().find_or_make(handle, [&]() -> std::shared_ptr<TransportImpl> {
    return std::make_shared<TransportImpl>(options, std::move(*identified), false);
  });
}

std::shared_ptr<Transport> Transport::create(const Options& options) {
  if (auto sound = check(options); !sound) return std::make_shared<TransportImpl>(options, sound.error());
  Result<IdentifiedMaterial> identified = identify_and_load(options);
  if (!identified) return std::make_shared<TransportImpl>(options, identified.error());
  return std::make_shared<TransportImpl>(options, std::move(*identified), true);
}

std::shared_ptr<RoundTripper> Transport::elsewhere() {
  const TlsOptions& tls = options().tls;
  if (tls.certificate_file.empty() && tls.certificate_pem.empty() && tls.server_name.empty()) return nullptr;
  return shared(options().derive([](Options& o) {
    o.tls.certificate_file.clear();
    o.tls.key_file.clear();
    o.tls.certificate_pem.clear();
    o.tls.key_pem.clear();
    o.tls.server_name.clear();
  }));
}

Result<void> TransportImpl::ready() const {
  if (unusable_) return *unusable_;
  if (has_own_material(options_.tls)) {
    if (auto context = tls_->get(); !context) return context.error();
  }
  if (proxy_ && proxy_->kind == ProxyKind::https && has_own_material(options_.proxy_tls)) {
    if (auto context = proxy_tls_->get(); !context) return context.error();
  }
  return {};
}

RouteName TransportImpl::route_of(const std::string& url) {
  const std::shared_ptr<TransportImpl> self = living();
  if (self->unusable_) return {};
  const auto target = self->target_of(url);
  if (!target) return {};
  const pool::Route& route = *(*target)->route;
  return {route.name(), route.key()};
}

// In a forked child, the transport that takes this one's place: the parent's sockets are not ours.
std::shared_ptr<TransportImpl> TransportImpl::living() {
  if (generation_ == net::fork_generation() || unusable_) return shared_from_this();
  if (!own_pool_) return std::static_pointer_cast<TransportImpl>(Transport::shared(options_));
  // Not under mutex_, nor in a member: a thread that exists only in the parent may be at either.
  auto& reborn = net::per_process<Reborn>();
  std::lock_guard lock(reborn.mutex);
  auto& mine = reborn.by_parents[this];
  if (!mine) mine = std::static_pointer_cast<TransportImpl>(Transport::create(options_));
  return mine;
}

Result<Response> TransportImpl::send(Request&& request) {
  return std::allocate_shared<Call>(Recycled<Call>(), living(), std::move(request), Call::Kind::whole)->run_whole();
}

Result<ResponseStream> TransportImpl::open(Request&& request) {
  return std::allocate_shared<Call>(Recycled<Call>(), living(), std::move(request), Call::Kind::stream)->run_stream();
}

CallHandle TransportImpl::start(Request&& request, Callback<void(Result<Response>)>&& done) {
  auto call = std::allocate_shared<Call>(Recycled<Call>(), living(), std::move(request), Call::Kind::whole);
  CallHandle handle(call);
  Call& started = *call;
  started.start(std::move(call), std::move(done));
  return handle;
}

CallHandle TransportImpl::start_open(Request&& request, Callback<void(Result<ResponseStream>)>&& done) {
  auto call = std::allocate_shared<Call>(Recycled<Call>(), living(), std::move(request), Call::Kind::stream);
  CallHandle handle(call);
  Call& started = *call;
  started.start_stream(std::move(call), std::move(done));
  return handle;
}

// --- routes

// What the options mean for this URL. In clear nothing can be chosen by ALPN: it is HTTP/1.1 unless agreed otherwise.
Protocol TransportImpl::protocol_for(const Url& url) const {
  if (options_.protocol == Protocol::automatic && !url.secure()) return Protocol::http1;
  if (url.scheme().starts_with("ws")) return Protocol::http1;
  return options_.protocol;
}

// A proxy passes a WebSocket on only inside a tunnel (RFC 6455 section 4.1), and plain requests without one: they share
// no connection.
const char* TransportImpl::route_suffix(const Url& url, bool http1_only) const {
  if (!options_.proxy.empty() && websocket_in_clear(url)) return " websocket";
  return http1_only ? " http/1.1" : "";
}

Result<std::shared_ptr<pool::Route>> TransportImpl::route_for(const Url& url, bool http1_only) {
  http1_only = http1_only || protocol_for(url) == Protocol::http1;
  std::string origin(url.secure() ? "https://" : "http://");
  origin.append(url.host());
  if (url.rooted()) origin += '.';
  if (!url.zone().empty()) origin.append("%").append(url.zone());
  origin.append(":").append(std::to_string(url.port()));
  const std::string key = origin + route_suffix(url, http1_only);
  std::lock_guard lock(mutex_);
  if (auto found = routes_.find(key); found != routes_.end()) return found->second;
  // A program that talks to ever new hosts must not grow for ever; but one that talks to thousands must not go through
  // all of them for each new one.
  if (routes_.size() >= sweep_at_) {
    targets_.assign(targets_.size(), nullptr);
    std::erase_if(routes_, [](const auto& item) {
      std::lock_guard route_lock(item.second->mutex);
      if (!item.second->empty()) return false;
      static_cast<Destination&>(*item.second->attachment).transports.fetch_sub(1);
      return true;
    });
    sweep_at_ = std::max<std::size_t>(4096, 2 * routes_.size());
  }
  Result<std::shared_ptr<pool::Route>> route = add_route(url, origin, http1_only);
  if (route) {
    routes_.emplace(key, *route);
    static_cast<Destination&>(*(*route)->attachment).transports.fetch_add(1);
  }
  return route;
}

// Made for each route, so that tickets of the proxy are kept under a socket key as the origin's are.
std::shared_ptr<const net::DialProxy> TransportImpl::dial_proxy() const {
  auto proxy = std::make_shared<net::DialProxy>();
  proxy->kind = proxy_->kind;
  proxy->host = proxy_->host;
  proxy->zone = proxy_->zone;
  proxy->port = proxy_->port;
  proxy->login = {proxy_->user, proxy_->password};
  if (!proxy_->is_socks() && proxy_->has_credentials) {
    proxy->authorization = "Basic " + base64(proxy_->user + ":" + proxy_->password);
  }
  if (proxy_->kind == ProxyKind::https) {
    proxy->tls = proxy_tls_;
    proxy->tls_name = options_.proxy_tls.server_name.empty() ? proxy_->host : options_.proxy_tls.server_name;
    if (options_.proxy_tls.session_resumption) proxy->sessions = std::make_shared<net::TlsSessions>();
  }
  return proxy;
}

// With mutex_ held.
Result<std::shared_ptr<pool::Route>> TransportImpl::add_route(const Url& url, const std::string& origin,
                                                              bool http1_only) {
  const Protocol protocol = http1_only ? Protocol::http1 : protocol_for(url);
  if (protocol == Protocol::http2 && !url.secure()) {
    return Error(ErrorCode::unsupported, Phase::prepare,
                 "HTTP/2 without TLS needs prior knowledge: set Options::protocol to h2c, or use an https URL");
  }
  auto target = std::make_shared<net::DialTarget>();
  target->host = url.host();
  target->rooted = url.rooted();
  target->zone = url.zone();
  target->port = url.port();
  target->secure = url.secure();
  target->bind_address = options_.bind_address;
  target->guard = options_.address_guard;
  target->route = origin;
  if (url.secure()) {
    target->tls_name = options_.tls.server_name.empty() ? std::string(url.host()) : options_.tls.server_name;
    if (protocol != Protocol::http1) target->alpn.emplace_back("h2");
    const bool needs_http2 = protocol == Protocol::http2 || protocol == Protocol::h2c;
    if (!needs_http2 || options_.http2.fall_back_to_http1) target->alpn.emplace_back("http/1.1");
    target->tls = tls_;
    if (options_.tls.session_resumption) target->sessions = std::make_shared<net::TlsSessions>();
  }
  for (const auto& [from, to] : options_.resolve) {
    const auto named = Url::parse("http://" + from);  // however it is spelt
    if (named && named->host() == url.host() && named->port() == url.port()) target->address_override = to;
  }
  std::string name = origin;
  std::string authorization_line;
  if (proxy_ && !no_proxy_.covers(url)) {
    if (!url.zone().empty()) {
      return Error(ErrorCode::unsupported, Phase::prepare,
                   "an address with a zone can be dialled from this machine only, not by a proxy: add it to no_proxy");
    }
    target->proxy = dial_proxy();
    // None would pass frames on.
    target->tunnel = url.secure() || proxy_->is_socks() || protocol == Protocol::h2c || websocket_in_clear(url);
    if (!target->proxy->authorization.empty()) {
      authorization_line = "Proxy-Authorization: " + target->proxy->authorization + "\r\n";
    }
    name += " via " + proxy_->origin();
  }
  // The socket key: everything in the options that changes the wire, and where it leads. NUL cannot occur in either.
  const std::string key = identity_.wire + '\0' + origin + route_suffix(url, http1_only);
  const auto sharing = protocol == Protocol::http1                         ? pool::Sharing::never
                       : protocol == Protocol::automatic                   ? pool::Sharing::unknown
                       : options_.http2.fall_back_to_http1 && url.secure() ? pool::Sharing::unknown
                                                                           : pool::Sharing::always;
  return pool_->route(
      key, name, Clock::now(),
      [&] {
        auto destination = std::make_shared<Destination>();
        destination->target = std::move(target);
        destination->pool = pool_;
        destination->protocol = protocol;
        destination->http2 = {options_.http2, options_.response};
        destination->proxy_authorization_line = std::move(authorization_line);
        return destination;
      },
      sharing);
}

// --- counters

void TransportImpl::call_started() {
  started_.fetch_add(1);
  int tokens = retry_tokens_.load(std::memory_order_relaxed);
  while (tokens < retry_most && !retry_tokens_.compare_exchange_weak(tokens, std::min(retry_most, tokens + retry_gain),
                                                                     std::memory_order_relaxed)) {
  }
}

void TransportImpl::call_completed() {
  completed_.fetch_add(1);
  if (closed_.load()) call_ended();
}

void TransportImpl::call_failed(ErrorKind kind) {
  failed_[static_cast<std::size_t>(kind)].fetch_add(1);
  if (closed_.load()) call_ended();
}

// drain() says that it is closed and then counts; a call counts itself and then asks whether it is closed. So one of
// them sees the other.
void TransportImpl::call_ended() {
  std::lock_guard lock(drained_mutex_);
  drained_.notify_all();
}

// Ends are read before starts: a call that starts or ends meanwhile is in flight, and never missing.
RequestCounters TransportImpl::request_counters() const {
  RequestCounters counters;
  counters.completed = completed_.load();
  std::uint64_t ended = counters.completed;
  for (std::size_t i = 0; i < failed_.size(); ++i) ended += counters.failed[i] = failed_[i].load();
  counters.retries = retries_.load();
  counters.started = started_.load();
  counters.in_flight = counters.started - ended;
  return counters;
}

bool TransportImpl::spend_retry() {
  if (retry_tokens_.fetch_sub(retry_cost, std::memory_order_relaxed) < retry_cost) {
    retry_tokens_.fetch_add(retry_cost, std::memory_order_relaxed);
    return false;
  }
  retries_.fetch_add(1);
  return true;
}

void collect_pool(Stats& stats, pool::Pool& pool) { pool.collect(stats, most_routes_in_stats, Clock::now()); }

std::string shown_key(const std::string& route_key) { return route_key.substr(0, 12); }

void complete_route(RouteStats& route, const PoolLimits& limits, const Stats& stats) {
  route.key = shown_key(route.key);
  const Error* last = route.last_dial_error ? &*route.last_dial_error : nullptr;
  route.advice = advice(route, AdviceContext{limits, last, stats.sockets_open, stats.sockets_limit});
}

Stats TransportImpl::stats() const {
  Stats stats;
  stats.requests = request_counters();
  if (pool_) collect_pool(stats, *pool_);
  for (RouteStats& route : stats.routes) complete_route(route, options_.limits, stats);
  return stats;
}

std::vector<std::string> TransportImpl::used_of(const std::unordered_set<std::string>& route_keys) const {
  std::vector<std::string> used;
  const std::lock_guard lock(mutex_);
  for (const auto& [origin, route] : routes_) {
    if (route_keys.contains(route->key())) used.push_back(route->key());
  }
  return used;
}

bool TransportImpl::warm(const std::string& url) {
  const std::shared_ptr<TransportImpl> self = living();
  if (self->unusable_ || self->closed()) return false;
  const Result<std::shared_ptr<const Target>> target = self->target_of(url);
  return target && self->pool_->dial_ahead(*(*target)->route, options_.limits, options_.timeouts, Clock::now());
}

void TransportImpl::invalidate(const std::string& given) {
  if (!pool_) return;
  // A name is known by both its spellings: that with a dot at the end is not looked up in the search list.
  const std::string host = given.ends_with('.') ? given.substr(0, given.size() - 1) : given;
  net::invalidate(host);
  if (!host.empty()) net::invalidate(host + ".");
  std::vector<std::shared_ptr<pool::Route>> routes;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [origin, route] : routes_) {
      const auto& target = *static_cast<const Destination&>(*route->attachment).target;
      const bool is_meant = host.empty() || equals_ignore_case(target.host, host) ||
                            (target.proxy && equals_ignore_case(target.proxy->host, host));
      if (is_meant) routes.push_back(route);
    }
  }
  for (const auto& route : routes) {
    const net::DialTarget& target = *static_cast<const Destination&>(*route->attachment).target;
    if (target.sessions) target.sessions->clear();
    if (target.proxy && target.proxy->sessions) target.proxy->sessions->clear();
    pool_->invalidate(*route, Clock::now());
  }
}

bool TransportImpl::drain(Duration limit) {
  closed_.store(true);
  if (!pool_) return true;
  Engine::instance().forget(*this);
  const TimePoint deadline = Clock::now() + std::min<Duration>(limit, std::chrono::hours(24 * 365));
  bool all = false;
  {
    std::unique_lock lock(drained_mutex_);
    all = drained_.wait_until(lock, deadline, [this] { return request_counters().in_flight == 0; });
  }
  if (own_pool_) {
    pool_->shut_down(Clock::now());
  } else {
    invalidate({});
  }
  return Engine::instance().settle(deadline) && all;
}

}  // namespace trunkline
