// A dial is a state machine that lives on its loop: resolve, connect, proxy, tls, each with its own time limit. One
// Dial is kept by its loop's thread until it is over; what comes back from elsewhere finds it by a weak pointer.
#include "net/dial.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "http1/request_encoder.h"
#include "http1/response_decoder.h"
#include "net/descriptors.h"
#include "net/resolver.h"

namespace trunkline::net {
namespace {

constexpr Duration fallback_limit = std::chrono::seconds(10);
// RFC 8305: the next address gets its chance before the first one has failed.
constexpr Duration stagger = std::chrono::milliseconds(250);
constexpr std::size_t proxy_head_limit = 16 * 1024;
constexpr int keepalive_idle_s = 30;
constexpr int keepalive_interval_s = 15;
constexpr int keepalive_probes = 3;
constexpr unsigned int user_timeout_ms = 30'000;  // bytes that nobody acknowledges: the peer is gone

std::string text_of(int error) { return std::error_code(error, std::generic_category()).message(); }

std::string authority(const std::string& host, std::uint16_t port) {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

template <class T>
void set_option(int fd, int level, int name, T value) {
  ::setsockopt(fd, level, name, &value, sizeof value);  // all are improvements: without them the connection works too
}

void set_options(int fd) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, keepalive_idle_s);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, keepalive_interval_s);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, keepalive_probes);
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, user_timeout_ms);
}

// TCP lets a socket that dials an unused local port meet itself there.
bool met_itself(int fd) {
  Address own, peer;
  own.length = peer.length = sizeof own.storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&own.storage), &own.length) != 0) return false;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer.storage), &peer.length) != 0) return false;
  return own.text() == peer.text();
}

class Dial : public std::enable_shared_from_this<Dial> {
 public:
  Dial(Loop& loop, std::shared_ptr<const DialTarget> target, const DialLimits& limits,
       Callback<void(Result<Dialled>)> done)
      : loop_(loop), target_(std::move(target)), limits_(limits), done_(std::move(done)) {}

  void start();

 private:
  // One address being connected to. Stays in memory as long as the dial, because its events may be in hand.
  struct Attempt final : Watcher {
    Attempt(Dial& owner, const Address& to) : dial(owner), address(to) {}
    Attempt(const Attempt&) = delete;
    Attempt& operator=(const Attempt&) = delete;
    ~Attempt() { close(); }
    void on_events(std::uint32_t events) override { dial.on_events(*this, events); }
    void close() {
      if (fd < 0) return;
      forget_descriptor(fd);
      ::close(std::exchange(fd, -1));
    }

    Dial& dial;
    const Address address;
    int fd = -1;  // the winner's goes on to the stream
  };

  struct Alarm final : Timer {
    Alarm(Dial& owner, void (Dial::*what)()) : dial(owner), rings(what) {}
    void on_timer() override { (dial.*rings)(); }
    Dial& dial;
    void (Dial::*rings)();
  };

  void enter(Phase phase, Duration limit);
  Duration leave() const { return Clock::now() - phase_started_; }
  void on_limit();

  void use_override();
  void on_resolved(Result<std::vector<Address>> addresses);
  void connect(std::vector<Address> addresses);
  void try_next();
  int open(Attempt& attempt);
  bool bind(int fd, int family, std::string& why);
  void on_events(Attempt& attempt, std::uint32_t events);
  void on_connecting(Attempt& attempt, std::uint32_t events);
  void give_up(Attempt& attempt, int error, const std::string& why);
  void fail_connect();
  void connected(Attempt& attempt);

  void begin_proxy();
  void step_proxy();
  void read_proxy();
  void judge_proxy(std::string_view rest);
  void fail_proxy(const std::string& why);

  void begin_tls();
  void on_context(Result<std::shared_ptr<TlsContext>> context);
  void step_tls();

  void succeed();
  void fail(ErrorCode code, std::string message);
  void close_all();
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
  Alarm limit_{*this, &Dial::on_limit};
  Alarm stagger_{*this, &Dial::try_next};

  std::vector<Address> addresses_;
  std::size_t next_address_ = 0;
  std::vector<std::unique_ptr<Attempt>> attempts_;
  std::string failures_;  // "10.0.0.1:80: Connection refused; ..."
  std::string last_address_;
  bool all_without_port_ = true;
  Attempt* winner_ = nullptr;

  Dialled result_;
  std::string outgoing_;  // the CONNECT request
  std::size_t outgoing_sent_ = 0;
  http1::ResponseDecoder proxy_reply_;
  TlsStream* tls_ = nullptr;  // result_.stream, once it is that
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
  const DialProxy* proxy = target_->proxy.get();
  if (!proxy && !target_->address_override.empty()) return use_override();

  std::string host = proxy ? proxy->host : target_->host;
  if (!proxy && !target_->zone.empty()) host += "%" + target_->zone;
  const std::uint16_t port = proxy ? proxy->port : target_->port;
  Address literal;
  if (Address::parse(host, port, literal)) return connect({literal});

  enter(Phase::resolve, limits_.resolve);
  resolve(loop_, host, port, [dial = weak_from_this()](Result<std::vector<Address>> addresses) {
    if (auto self = dial.lock()) self->on_resolved(std::move(addresses));
  });
}

void Dial::use_override() {
  std::vector<Address> addresses;
  for (std::string_view rest = target_->address_override; !rest.empty();) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    Address address;
    if (!Address::parse(rest.substr(0, comma), target_->port, address)) {
      return fail(ErrorCode::invalid_options,
                  "\"" + printable(rest.substr(0, comma)) + "\" is not an IP address to dial");
    }
    addresses.push_back(address);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  connect(std::move(addresses));
}

void Dial::on_resolved(Result<std::vector<Address>> addresses) {
  if (over_) return;
  result_.resolve = leave();
  if (!addresses) return fail(addresses.error().code, addresses.error().message);
  connect(*std::move(addresses));
}

void Dial::connect(std::vector<Address> addresses) {
  enter(Phase::connect, limits_.connect > Duration::zero() ? limits_.connect : fallback_limit);
  addresses_ = std::move(addresses);
  try_next();
}

// Starts the next attempt, and goes on to those after it while they fail at once.
void Dial::try_next() {
  loop_.cancel_timer(stagger_);
  while (!over_ && !winner_ && next_address_ < addresses_.size()) {
    attempts_.push_back(std::make_unique<Attempt>(*this, addresses_[next_address_++]));
    Attempt& attempt = *attempts_.back();
    last_address_ = attempt.address.text();
    const int error = open(attempt);
    if (over_) return;
    if (error == 0) return connected(attempt);
    if (error != EINPROGRESS) continue;
    if (next_address_ < addresses_.size()) loop_.set_timer(stagger_, Clock::now() + stagger);
    return;
  }
  const bool waiting = std::any_of(attempts_.begin(), attempts_.end(), [](const auto& a) { return a->fd >= 0; });
  if (!over_ && !winner_ && !waiting) fail_connect();
}

// 0: connected. EINPROGRESS: an event will tell. Anything else: the attempt is noted as failed, or the dial is over.
int Dial::open(Attempt& attempt) {
  const int family = attempt.address.storage.ss_family;
  attempt.fd = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (attempt.fd < 0) {
    const int error = errno;
    if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
      rlimit limit{};
      ::getrlimit(RLIMIT_NOFILE, &limit);
      const std::string advice = error == EMFILE ? " (the process may open " + std::to_string(limit.rlim_cur) +
                                                       " files: raise RLIMIT_NOFILE, or lower the pool's limits)"
                                                 : " (the machine has no more to give)";
      fail(ErrorCode::no_sockets, "no socket can be opened: " + text_of(error) + advice);
    } else {
      give_up(attempt, error, text_of(error));
    }
    return error;
  }
  note_descriptor(attempt.fd);
  set_options(attempt.fd);
  if (std::string why; !target_->bind_address.empty() && !bind(attempt.fd, family, why)) {
    give_up(attempt, EINVAL, why);
    return EINVAL;
  }
  const int error = ::connect(attempt.fd, attempt.address.data(), attempt.address.length) == 0 ? 0 : errno;
  if (error != 0 && error != EINPROGRESS) {
    give_up(attempt, error, text_of(error));
    return error;
  }
  if (!loop_.add(attempt.fd, attempt)) {
    fail(ErrorCode::no_sockets,
         "the kernel watches no more sockets: " + text_of(errno) + " (see fs.epoll.max_user_watches)");
    return ENOSPC;
  }
  return error;
}

bool Dial::bind(int fd, int family, std::string& why) {
  Address local;
  if (!Address::parse(target_->bind_address, 0, local)) {
    why = "the bind address \"" + printable(target_->bind_address) + "\" is not an IP address";
    return false;
  }
  if (local.storage.ss_family != family) {
    why = "the bind address " + target_->bind_address + " is of the other family";
    return false;
  }
  // The port is chosen when the destination is known: one local port can serve many destinations.
  set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  if (::bind(fd, local.data(), local.length) == 0) return true;
  why = "cannot bind to the local address " + target_->bind_address + ": " + text_of(errno);
  return false;
}

void Dial::on_events(Attempt& attempt, std::uint32_t events) {
  if (over_) return;
  if (&attempt == winner_) {
    if (phase_ == Phase::proxy) step_proxy();
    if (!over_ && phase_ == Phase::tls && tls_) step_tls();
    return;
  }
  if (phase_ == Phase::connect && attempt.fd >= 0) on_connecting(attempt, events);
}

void Dial::on_connecting(Attempt& attempt, std::uint32_t events) {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(attempt.fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error == 0) {
    if (events & writable) connected(attempt);
    return;
  }
  loop_.remove(attempt.fd);
  give_up(attempt, error, text_of(error));
  try_next();
}

void Dial::give_up(Attempt& attempt, int error, const std::string& why) {
  attempt.close();
  if (error != EADDRNOTAVAIL) all_without_port_ = false;
  if (!failures_.empty()) failures_ += "; ";
  failures_ += attempt.address.text() + ": " + why;
}

void Dial::fail_connect() {
  if (all_without_port_ && !attempts_.empty()) {
    return fail(ErrorCode::no_ports,
                "no ephemeral port is left for " + last_address_ +
                    " (all in use or in TIME_WAIT): reuse connections (share the transport), or widen "
                    "net.ipv4.ip_local_port_range");
  }
  fail(ErrorCode::connect_failed, "cannot connect to " + failures_);
}

void Dial::connected(Attempt& attempt) {
  if (met_itself(attempt.fd)) {
    loop_.remove(attempt.fd);
    give_up(attempt, ECONNREFUSED, text_of(ECONNREFUSED));
    return try_next();
  }
  winner_ = &attempt;
  loop_.cancel_timer(stagger_);
  result_.connect = leave();
  result_.address = last_address_ = attempt.address.text();
  result_.stream = make_tcp_stream(std::exchange(attempt.fd, -1));
  for (const auto& other : attempts_) {
    if (other->fd < 0) continue;
    loop_.remove(other->fd);
    other->close();
  }
  if (target_->proxy && target_->tunnel) return begin_proxy();
  if (target_->secure) return begin_tls();
  succeed();
}

void Dial::begin_proxy() {
  enter(Phase::proxy, limits_.proxy > Duration::zero() ? limits_.proxy : fallback_limit);
  const std::string tunnel_end = authority(target_->host, target_->port);
  const auto checked = http1::check_request("CONNECT", tunnel_end, {});
  if (!checked || !http1::is_field_value(target_->proxy->authorization)) {
    return fail_proxy("the host or the credentials hold bytes that must not stand in a request");
  }
  std::string credentials;
  if (!target_->proxy->authorization.empty()) {
    credentials = "Proxy-Authorization: " + target_->proxy->authorization + "\r\n";
  }
  http1::RequestHead head;
  head.method = "CONNECT";
  head.target = head.host = tunnel_end;
  head.extra = credentials;
  std::string buffer;
  outgoing_ = http1::encode_head(head, buffer);

  http1::DecoderLimits limits;
  limits.head_bytes = proxy_head_limit;
  proxy_reply_ = http1::ResponseDecoder(limits);
  http1::RequestFraming framing;
  framing.connect = true;
  proxy_reply_.begin(framing);
  step_proxy();
}

void Dial::step_proxy() {
  if (outgoing_sent_ < outgoing_.size()) {
    const std::string_view rest = std::string_view(outgoing_).substr(outgoing_sent_);
    const WriteResult written = result_.stream->write({&rest, 1});
    if (written.io == Io::failed) return fail_proxy("the connection broke: " + written.error.message());
    outgoing_sent_ += written.accepted;
  }
  read_proxy();
}

void Dial::read_proxy() {
  for (;;) {
    const ReadResult got = result_.stream->read(Scratch::of_this_thread());
    if (got.io == Io::again) return;
    if (got.io == Io::failed) return fail_proxy("the connection broke: " + got.error.message());
    if (got.io != Io::ok) return fail_proxy("it closed the connection without a complete answer");
    std::string_view input = got.bytes;
    for (;;) {
      const auto event = proxy_reply_.next(input);
      if (event == http1::ResponseDecoder::Event::head) return judge_proxy(input);
      if (event == http1::ResponseDecoder::Event::error) return fail_proxy(proxy_reply_.error().message);
      if (event == http1::ResponseDecoder::Event::need_more) break;
    }
  }
}

void Dial::judge_proxy(std::string_view rest) {
  const http1::ResponseHead& head = proxy_reply_.head();
  if (head.status / 100 != 2) {
    std::string why = "it answered " + std::to_string(head.status);
    if (!head.reason.empty()) why += " " + printable(head.reason, 80);
    if (head.status == 407) {
      why += target_->proxy->authorization.empty() ? ": it wants credentials" : ": it refused the credentials";
    }
    return fail_proxy(why);
  }
  // The far end speaks only after our ClientHello: these bytes are the proxy's own, and nobody knows what they mean.
  if (!rest.empty()) return fail_proxy("it sent bytes after its answer before the tunnel was used");
  result_.proxy = leave();
  std::string().swap(outgoing_);
  if (target_->secure) return begin_tls();
  succeed();
}

void Dial::fail_proxy(const std::string& why) {
  fail(ErrorCode::proxy_failed, "the proxy " + authority(target_->proxy->host, target_->proxy->port) +
                                    " opened no tunnel to " + authority(target_->host, target_->port) + ": " + why);
}

void Dial::begin_tls() {
  enter(Phase::tls, limits_.tls > Duration::zero() ? limits_.tls : fallback_limit);
  if (!target_->tls) return fail(ErrorCode::tls_failed, "no TLS settings were given");
  if (target_->tls->ready()) return on_context(target_->tls->get());
  run_on_worker([dial = weak_from_this(), mailbox = loop_.mailbox(), tls = target_->tls] {
    mailbox.post([dial, context = tls->get()]() mutable {
      if (auto self = dial.lock()) self->on_context(std::move(context));
    });
  });
}

void Dial::on_context(Result<std::shared_ptr<TlsContext>> context) {
  if (over_) return;
  if (!context) return fail(context.error().code, context.error().message);
  auto stream = make_tls_stream(std::move(result_.stream), *std::move(context), target_->tls_name, target_->alpn,
                                target_->sessions);
  tls_ = stream.get();
  result_.stream = std::move(stream);
  step_tls();
}

void Dial::step_tls() {
  switch (tls_->handshake(Scratch::of_this_thread())) {
    case TlsStream::Step::again:
      return;
    case TlsStream::Step::failed:
      return fail(tls_->untrusted() ? ErrorCode::tls_untrusted : ErrorCode::tls_failed,
                  "TLS with " + printable(target_->tls_name) + " failed: " + tls_->failure());
    case TlsStream::Step::done:
      break;
  }
  result_.handshake = leave();
  result_.alpn = tls_->alpn();
  result_.tls = tls_->description();
  succeed();
}

void Dial::on_limit() {
  const std::string after = " within " + print_duration(phase_limit_);
  switch (phase_) {
    case Phase::resolve:
      return fail(
          ErrorCode::timeout_resolve,
          "no name server answered for " + printable(target_->proxy ? target_->proxy->host : target_->host) + after);
    case Phase::connect: {
      std::string silent;
      for (const auto& attempt : attempts_) {
        if (attempt->fd >= 0) silent += (silent.empty() ? "" : ", ") + attempt->address.text();
      }
      const std::string others = failures_.empty() ? "" : "; " + failures_;
      return fail(ErrorCode::timeout_connect, "no answer from " + silent + after + others);
    }
    case Phase::proxy:
      return fail(ErrorCode::timeout_proxy, "the proxy " + authority(target_->proxy->host, target_->proxy->port) +
                                                " did not answer CONNECT" + after);
    default:
      return fail(ErrorCode::timeout_tls,
                  "the TLS handshake with " + printable(target_->tls_name) + " was not done" + after);
  }
}

void Dial::succeed() {
  loop_.remove(result_.stream->fd());
  finish(std::move(result_));
}

void Dial::fail(ErrorCode code, std::string message) {
  if (over_) return;
  close_all();
  Error error(code, phase_, std::move(message));
  error.route = target_->route;
  error.address = last_address_;
  error.elapsed = Clock::now() - started_;
  finish(std::move(error));
}

void Dial::close_all() {
  if (result_.stream) {
    loop_.remove(result_.stream->fd());
    tls_ = nullptr;
    result_.stream.reset();
  }
  for (const auto& attempt : attempts_) {
    if (attempt->fd < 0) continue;
    loop_.remove(attempt->fd);
    attempt->close();
  }
}

void Dial::finish(Result<Dialled> result) {
  over_ = true;
  loop_.cancel_timer(limit_);
  loop_.cancel_timer(stagger_);
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
