// A dial is a state machine that lives on its loop: resolve, connect, proxy, tls, each with its own time limit. One
// Dial is kept by its loop's thread until it is over; what comes back from elsewhere finds it by a weak pointer.
#include "net/dial.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "net/address_policy.h"
#include "net/connect_race.h"
#include "net/connect_tunnel.h"
#include "net/prefixed_stream.h"
#include "net/resolver.h"

namespace trunkline::net {
namespace {

constexpr Duration fallback_limit = std::chrono::seconds(10);

// Of those that a name has, one that has not failed lately, and of these IPv4 first: a proxy without IPv6 could only
// say so by failing.
Address address_for_proxy(const std::vector<Address>& addresses, TimePoint now) {
  const auto rank = [now](const Address& address) {
    return std::pair(address_memory().has_failed(address, now), address.family() != AF_INET);
  };
  return *std::ranges::min_element(addresses, {}, rank);
}

std::string authority(const std::string& host, std::uint16_t port) {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

class Dial final : public std::enable_shared_from_this<Dial>, ConnectRace::Owner, Watcher {
 public:
  Dial(Loop& loop, std::shared_ptr<const DialTarget> target, const DialLimits& limits,
       Callback<void(Result<Dialled>)> done)
      : loop_(loop), target_(std::move(target)), limits_(limits), done_(std::move(done)) {}

  void start();

 private:
  struct Limit final : Timer {
    explicit Limit(Dial& of) : dial(of) {}
    void on_timer() override { dial.on_limit(); }
    Dial& dial;
  };

  void enter(Phase phase, Duration limit);
  Duration leave() const { return Clock::now() - phase_started_; }
  void on_limit();
  const DialProxy& proxy() const { return *target_->proxy; }
  bool tunnels() const { return target_->proxy && target_->tunnel; }
  std::string name_of_target() const { return target_->rooted ? target_->host + "." : target_->host; }
  std::string proxy_name() const { return "the proxy " + authority(proxy().host, proxy().port); }

  using Resolved = void (Dial::*)(Result<std::vector<Address>>);
  Result<std::vector<Address>> overrides() const;
  Result<std::vector<Address>> guarded(std::vector<Address> addresses) const;
  void look_up(std::string host, const std::string& zone, std::uint16_t port, Resolved then);
  void on_far_end(Result<std::vector<Address>> addresses);
  void begin_connect();
  void on_resolved(Result<std::vector<Address>> addresses);
  void connect(std::vector<Address> addresses);
  void on_race_won(int fd, const Address& address) override;
  void on_race_lost(ErrorCode code, std::string why) override;
  void on_events(std::uint32_t events) override;

  void begin_proxy();
  void begin_tunnel();
  void step_tunnel();
  bool send_to_proxy();
  void on_tunnel(std::string_view rest);
  void fail_proxy(const std::string& why, ErrorCode code = ErrorCode::proxy_failed);

  void begin_tls();
  void load_context(const std::shared_ptr<LazyTlsContext>& tls);
  void on_context(Result<std::shared_ptr<TlsContext>> context);
  void step_tls();
  void on_proxy_tls();
  std::string tls_peer() const;

  void succeed();
  void fail(ErrorCode code, std::string message) { fail({code, phase_, std::move(message)}); }
  void fail(Error error);  // which becomes one of the present phase
  void finish(Result<Dialled> result);

  Loop& loop_;
  const std::shared_ptr<const DialTarget> target_;
  const DialLimits limits_;
  Callback<void(Result<Dialled>)> done_;
  const TimePoint started_ = Clock::now();

  Phase phase_ = Phase::resolve;
  TimePoint phase_started_{};
  Duration phase_limit_{0};
  bool over_ = false;
  Limit limit_{*this};

  ConnectRace race_{loop_, *this, target_->bind_address};
  Dialled result_;
  std::string far_end_;  // what a SOCKS5 proxy is asked for: a name, or an address
  std::optional<Address> far_address_;
  std::unique_ptr<TunnelHandshake> tunnel_;
  // The peer's last bytes and its end may come as one event: a TLS below reads no further than the bytes.
  bool hung_up_ = false;
  TlsStream* tls_ = nullptr;  // result_.stream while it shakes hands, with the proxy or with the target
};

// Of this thread's loop. When the loop ends, dials in progress end with it, silently.
std::unordered_map<Dial*, std::shared_ptr<Dial>>& dials() {
  thread_local std::unordered_map<Dial*, std::shared_ptr<Dial>> of_this_thread;
  return of_this_thread;
}

void Dial::enter(Phase phase, Duration limit) {
  phase_ = phase;
  phase_started_ = Clock::now();
  phase_limit_ = limit;
  loop_.set_timer(limit_, limit > Duration::zero() ? phase_started_ + limit : never);
}

void Dial::start() {
  if (tunnels() && proxy().kind == ProxyKind::socks5) {
    if (target_->address_override.empty()) {
      return look_up(name_of_target(), target_->zone, target_->port, &Dial::on_far_end);
    }
    return on_far_end(overrides());
  }
  far_end_ = target_->host;
  begin_connect();
}

// Literals cost no look-up and no turn of the loop.
void Dial::look_up(std::string host, const std::string& zone, std::uint16_t port, Resolved then) {
  if (!zone.empty()) host += "%" + zone;
  Address literal;
  if (Address::parse(host, port, literal)) return (this->*then)(std::vector{literal});
  enter(Phase::resolve, limits_.resolve);
  resolve(loop_, host, port, [dial = weak_from_this(), then](Result<std::vector<Address>> addresses) {
    const auto self = dial.lock();
    if (!self || self->over_) return;
    self->result_.resolve += self->leave();
    ((*self).*then)(std::move(addresses));
  });
}

void Dial::on_far_end(Result<std::vector<Address>> addresses) {
  if (!addresses) return fail(addresses.error());
  addresses = guarded(*std::move(addresses));
  if (!addresses) return fail(addresses.error());
  far_address_ = address_for_proxy(*addresses, loop_.now());
  far_end_ = far_address_->ip_text();
  begin_connect();
}

// Only those that may be dialled.
Result<std::vector<Address>> Dial::guarded(std::vector<Address> addresses) const {
  if (!target_->guard) return addresses;
  return permitted([this](const Address& address) { return target_->guard->permits(address.ip_text()); }, target_->host,
                   std::move(addresses));
}

void Dial::begin_connect() {
  if (Address literal; target_->proxy && target_->guard && Address::parse(target_->host, target_->port, literal)) {
    if (auto allowed = guarded({literal}); !allowed) return fail(allowed.error());
  }
  if (target_->proxy) return look_up(proxy().host, proxy().zone, proxy().port, &Dial::on_resolved);
  if (!target_->address_override.empty()) return on_resolved(overrides());
  look_up(name_of_target(), target_->zone, target_->port, &Dial::on_resolved);
}

Result<std::vector<Address>> Dial::overrides() const {
  std::vector<Address> addresses;
  for (std::string_view rest = target_->address_override; !rest.empty();) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    Address address;
    if (!Address::parse(rest.substr(0, comma), target_->port, address)) {
      return Error(ErrorCode::invalid_options, phase_,
                   "\"" + printable(rest.substr(0, comma)) + "\" is not an IP address to dial");
    }
    addresses.push_back(address);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return addresses;
}

void Dial::on_resolved(Result<std::vector<Address>> addresses) {
  if (addresses && !target_->proxy) addresses = guarded(*std::move(addresses));
  if (!addresses) return fail(addresses.error());
  connect(*std::move(addresses));
}

void Dial::connect(std::vector<Address> addresses) {
  enter(Phase::connect, limits_.connect > Duration::zero() ? limits_.connect : fallback_limit);
  race_.start(std::move(addresses));
}

void Dial::on_race_won(int fd, const Address& address) {
  result_.connect = leave();
  result_.address = address.text();
  result_.local_address = Address::own(fd).text();
  address_memory().succeeded(target_->proxy ? proxy().host : name_of_target(), address, loop_.now());
  result_.stream = make_tcp_stream(fd);
  const bool greets_proxy = target_->proxy && (target_->tunnel || proxy().kind == ProxyKind::https);
  if (greets_proxy || target_->secure) loop_.arm(fd, *this);
  if (greets_proxy) return begin_proxy();
  if (target_->secure) return begin_tls();
  succeed();
}

void Dial::on_race_lost(ErrorCode code, std::string why) {
  const bool reach = code == ErrorCode::connect_failed && target_->proxy;
  fail(code, reach ? proxy_name() + " cannot be reached: " + why : std::move(why));
}

void Dial::on_events(std::uint32_t events) {
  if (over_) return;
  hung_up_ = hung_up_ || (events & hung_up) != 0;
  if (tls_) return step_tls();
  if (tunnel_) step_tunnel();
}

void Dial::begin_proxy() {
  enter(Phase::proxy, limits_.proxy > Duration::zero() ? limits_.proxy : fallback_limit);
  if (proxy().kind == ProxyKind::https) return load_context(proxy().tls);
  begin_tunnel();
}

void Dial::begin_tunnel() {
  if (proxy().kind == ProxyKind::socks5 || proxy().kind == ProxyKind::socks5h) {
    tunnel_ = std::make_unique<Socks5>(far_end_, target_->port, proxy().login);
  } else {
    const auto& [user, password] = proxy().login;
    // Where there is no password, a long user is the secret: a key. A short one stands in too many sentences.
    constexpr std::size_t shortest_key = 8;
    const bool is_key = password.empty() && user.size() >= shortest_key;
    tunnel_ = std::make_unique<ConnectTunnel>(authority(target_->host, target_->port), proxy().authorization,
                                              is_key ? user : password);
  }
  step_tunnel();
}

void Dial::step_tunnel() {
  if (tunnel_->step() == TunnelHandshake::Step::failed) return fail_proxy(tunnel_->failure(), tunnel_->code());
  while (send_to_proxy()) {
    ReadResult got = result_.stream->read(Scratch::of_this_thread());
    if (got.io == Io::again && std::exchange(hung_up_, false)) {
      got = result_.stream->read(Scratch::of_this_thread());
    }
    if (got.io == Io::again) return;
    if (got.io == Io::failed) return fail_proxy("the connection broke: " + got.error.message());
    if (got.io != Io::ok) return fail_proxy("it closed the connection without a complete answer");
    std::string_view input = got.bytes;
    const auto step = tunnel_->feed(input);
    if (tunnel_->unreachable() && far_address_) address_memory().failed(*far_address_, loop_.now());
    if (step == TunnelHandshake::Step::failed) return fail_proxy(tunnel_->failure(), tunnel_->code());
    if (step == TunnelHandshake::Step::done) return on_tunnel(input);
  }
}

// False when the dial is over. What the socket does not take now is sent upon its next event.
bool Dial::send_to_proxy() {
  const std::string_view rest = tunnel_->output();
  if (rest.empty()) return true;
  const WriteResult written = result_.stream->write({&rest, 1});
  if (written.io == Io::failed) {
    fail_proxy("the connection broke: " + written.error.message());
    return false;
  }
  tunnel_->take_output(written.accepted);
  return true;
}

void Dial::on_tunnel(std::string_view rest) {
  // With TLS the far end speaks only after our ClientHello: these bytes are the proxy's own, and nobody knows what they
  // mean. In clear it may speak first, as an HTTP/2 server does.
  if (!rest.empty() && target_->secure) return fail_proxy("it sent bytes after its answer before the tunnel was used");
  if (!rest.empty()) result_.stream = make_prefixed_stream(std::string(rest), std::move(result_.stream));
  result_.proxy = leave();
  tunnel_.reset();
  if (target_->secure) return begin_tls();
  succeed();
}

void Dial::fail_proxy(const std::string& why, ErrorCode code) {
  fail(code, proxy_name() + " opened no tunnel to " + authority(target_->host, target_->port) + ": " + why);
}

void Dial::begin_tls() {
  enter(Phase::tls, limits_.tls > Duration::zero() ? limits_.tls : fallback_limit);
  load_context(target_->tls);
}

// With the proxy or with the target, as the phase says.
void Dial::load_context(const std::shared_ptr<LazyTlsContext>& tls) {
  if (!tls) return fail(ErrorCode::tls_failed, "no TLS settings were given");
  if (tls->ready()) return on_context(tls->get());
  run_on_worker([dial = weak_from_this(), mailbox = loop_.mailbox(), tls] {
    mailbox.post([dial, context = tls->get()]() mutable {
      if (auto self = dial.lock()) self->on_context(std::move(context));
    });
  });
}

void Dial::on_context(Result<std::shared_ptr<TlsContext>> context) {
  if (over_) return;
  if (!context) return fail(context.error());
  // HTTP/1.1 is all that we speak to proxies: CONNECT over HTTP/2 is another protocol.
  auto stream = phase_ == Phase::proxy ? make_tls_stream(std::move(result_.stream), *std::move(context),
                                                         proxy().tls_name, {"http/1.1"}, proxy().sessions)
                                       : make_tls_stream(std::move(result_.stream), *std::move(context),
                                                         target_->tls_name, target_->alpn, target_->sessions);
  tls_ = stream.get();
  result_.stream = std::move(stream);
  step_tls();
}

void Dial::step_tls() {
  // What a TLS below this one could not send yet.
  if (tls_->has_pending_output()) tls_->flush();
  TlsStream::Step step = tls_->handshake(Scratch::of_this_thread());
  if (step == TlsStream::Step::again && std::exchange(hung_up_, false)) {
    step = tls_->handshake(Scratch::of_this_thread());
  }
  switch (step) {
    case TlsStream::Step::again:
      return;
    case TlsStream::Step::failed:
      return fail(tls_->untrusted() ? ErrorCode::tls_untrusted : ErrorCode::tls_failed,
                  "TLS with " + tls_peer() + " failed: " + tls_->failure());
    case TlsStream::Step::done:
      break;
  }
  TlsStream& tls = *std::exchange(tls_, nullptr);
  if (phase_ == Phase::proxy) {
    if (tls.alpn().empty() || tls.alpn() == "http/1.1") return on_proxy_tls();
    return fail(ErrorCode::proxy_failed, proxy_name() + " wants to speak " + printable(tls.alpn()) + ", not HTTP/1.1");
  }
  result_.handshake = leave();
  result_.alpn = tls.alpn();
  result_.tls = tls.description();
  succeed();
}

void Dial::on_proxy_tls() {
  if (target_->tunnel) return begin_tunnel();
  result_.proxy = leave();
  succeed();
}

std::string Dial::tls_peer() const { return phase_ == Phase::proxy ? proxy_name() : printable(target_->tls_name); }

void Dial::on_limit() {
  const std::string after = " within " + print_duration(phase_limit_);
  switch (phase_) {
    case Phase::resolve: {
      const bool far_end = !target_->proxy || (tunnels() && far_end_.empty());
      return fail(ErrorCode::timeout_resolve,
                  "no name server answered for " + printable(far_end ? target_->host : proxy().host) + after);
    }
    case Phase::connect: {
      race_.blame_silent();
      const std::string others = race_.failures().empty() ? "" : "; " + race_.failures();
      return fail(ErrorCode::timeout_connect, "no answer from " + race_.silent_addresses() + after + others);
    }
    case Phase::proxy:
      if (!tunnel_) return fail(ErrorCode::timeout_proxy, "TLS with " + proxy_name() + " was not done" + after);
      return fail(ErrorCode::timeout_proxy, proxy_name() + " opened no tunnel" + after);
    default:
      return fail(ErrorCode::timeout_tls, "the TLS handshake with " + tls_peer() + " was not done" + after);
  }
}

void Dial::succeed() {
  loop_.remove(result_.stream->fd());
  finish(std::move(result_));
}

void Dial::fail(Error error) {
  if (over_) return;
  race_.stop();
  if (result_.stream) {
    loop_.remove(result_.stream->fd());
    tls_ = nullptr;
    result_.stream.reset();
  }
  error.phase = phase_;
  error.route = target_->route;
  error.address = race_.last_address();
  error.elapsed = Clock::now() - started_;
  finish(std::move(error));
}

void Dial::finish(Result<Dialled> result) {
  over_ = true;
  loop_.cancel_timer(limit_);
  loop_.retire([self = this] { dials().erase(self); });
  auto done = std::move(done_);
  done(std::move(result));
}

}  // namespace

void dial(Loop& loop, std::shared_ptr<const DialTarget> target, const DialLimits& limits,
          Callback<void(Result<Dialled>)> done) {
  auto made = std::make_shared<Dial>(loop, std::move(target), limits, std::move(done));
  dials().emplace(made.get(), made);
  // Some dials fail at once: the caller must have returned by then.
  loop.post([self = std::weak_ptr<Dial>(made)] {
    if (auto alive = self.lock()) alive->start();
  });
}

}  // namespace trunkline::net
