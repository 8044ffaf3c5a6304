#include "net/connect_race.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

#include "base/text.h"
#include "net/descriptors.h"
#include "net/per_process.h"
#include "net/resolver.h"

namespace trunkline::net {
namespace {

// RFC 8305: the next address gets its chance before the first one has failed.
constexpr std::chrono::milliseconds stagger(250);
// Silent addresses must not multiply the sockets that the pool has counted: each dial may have one more beside its own,
// so that an address of the other family gets its chance, and all dials together so many beside those.
constexpr int most_extra_sockets = 64;
// Finds a peer that is gone while nothing is sent. TCP_USER_TIMEOUT is left alone: with it the kernel gives up after
// one lost probe, and on a peer that lives and does not read, whatever write_stall says.
constexpr int keepalive_idle_s = 30;
constexpr int keepalive_interval_s = 15;
constexpr int keepalive_probes = 3;

// Beside the numbers of errno: for want of a descriptor, not for anything about the address.
constexpr int no_room = -1;

std::string error_text(int error) { return std::error_code(error, std::generic_category()).message(); }

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
}

struct ExtraSockets {
  std::atomic<int> open{0};
};
ExtraSockets& extra_sockets() { return per_process<ExtraSockets>(); }
bool take_extra() {
  if (extra_sockets().open.fetch_add(1) < most_extra_sockets) return true;
  extra_sockets().open.fetch_sub(1);
  return false;
}

// TCP lets a socket that dials an unused local port meet itself there.
bool met_itself(int fd) {
  const Address own = Address::own(fd);
  const Address peer = Address::peer(fd);
  return own.length > 0 && peer.length > 0 && own.text() == peer.text();
}

// The kernel says EADDRNOTAVAIL for want of a port, and likewise where the machine has no address of its own from which
// this one could be reached, as without IPv6. Only then can a datagram's socket not be connected either.
bool has_source_for(const Address& address) {
  const int fd = ::socket(address.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return true;
  const bool found = ::connect(fd, address.data(), address.length) == 0 || errno != EADDRNOTAVAIL;
  ::close(fd);
  return found;
}

}  // namespace

// One address being connected to. Stays in memory as long as the race, because its events may be in hand.
struct ConnectRace::Attempt final : Watcher {
  Attempt(ConnectRace& of, const Address& to) : race(of), address(to) {}
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;
  ~Attempt() { close(); }
  void on_events(std::uint32_t events) override { race.on_events(*this, events); }
  void close() {
    const int own = std::exchange(fd, -1);
    if (own < 0 || generation != fork_generation()) return;  // in a forked child its number may be another's by now
    forget_descriptor(own);
    ::close(own);
    give_extra();
  }
  void give_extra() {
    if (std::exchange(is_extra, false)) extra_sockets().open.fetch_sub(1);
  }

  ConnectRace& race;
  const Address address;
  const std::uint64_t generation = fork_generation();
  int fd = -1;            // the winner's goes on to the owner
  bool is_extra = false;  // two attempts of this race were open already
};

ConnectRace::ConnectRace(Loop& loop, Owner& owner, std::string bind_address)
    : loop_(loop), owner_(owner), bind_address_(std::move(bind_address)) {}

ConnectRace::~ConnectRace() = default;

void ConnectRace::start(std::vector<Address> addresses) {
  addresses_ = std::move(addresses);
  try_next();
}

void ConnectRace::stop() {
  over_ = true;
  loop_.cancel_timer(stagger_);
  for (const auto& attempt : attempts_) {
    if (attempt->fd < 0) continue;
    loop_.remove(attempt->fd);
    attempt->close();
  }
}

void ConnectRace::blame_silent() {
  for (const auto& attempt : attempts_) {
    if (attempt->fd >= 0) address_memory().failed(attempt->address, loop_.now());
  }
}

// They had a head start and were overtaken: next time whoever is quicker begins. The clock of those that started after
// the winner has not run out.
void ConnectRace::blame_those_before(const Attempt& winner) {
  for (const auto& attempt : attempts_) {
    if (attempt.get() == &winner) return;
    if (attempt->fd >= 0) address_memory().failed(attempt->address, loop_.now());
  }
}

std::string ConnectRace::silent_addresses() const {
  std::string silent;
  for (const auto& attempt : attempts_) {
    if (attempt->fd >= 0) silent += (silent.empty() ? "" : ", ") + attempt->address.text();
  }
  return silent;
}

// Starts the next attempt, and goes on to those after it while they fail at once.
void ConnectRace::try_next() {
  loop_.cancel_timer(stagger_);
  while (!over_ && next_address_ < addresses_.size()) {
    const bool is_extra = connecting() >= 2;
    if (is_extra && !take_extra()) return loop_.set_timer(stagger_, Clock::now() + stagger);
    attempts_.push_back(std::make_unique<Attempt>(*this, addresses_[next_address_++]));
    Attempt& attempt = *attempts_.back();
    attempt.is_extra = is_extra;
    const int error = open(attempt);
    if (error != no_room || connecting() == 0) last_address_ = attempt.address.text();
    if (error == no_room) {
      if (connecting() == 0) return lose(ErrorCode::no_sockets, std::move(want_));
      attempts_.pop_back();  // later: what is under way may succeed, and may make room when it fails
      --next_address_;
      return loop_.set_timer(stagger_, Clock::now() + stagger);
    }
    if (error == 0) return connected(attempt);
    if (error != EINPROGRESS) continue;
    if (next_address_ < addresses_.size()) loop_.set_timer(stagger_, Clock::now() + stagger);
    return;
  }
  if (!over_ && connecting() == 0) lose();
}

std::ptrdiff_t ConnectRace::connecting() const {
  return std::count_if(attempts_.begin(), attempts_.end(), [](const auto& attempt) { return attempt->fd >= 0; });
}

// 0: connected. EINPROGRESS: an event will tell. no_room: see want_. Anything else: the attempt is noted as failed.
int ConnectRace::open(Attempt& attempt) {
  const int family = attempt.address.storage.ss_family;
  attempt.fd = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (attempt.fd < 0) {
    const int error = errno;
    attempt.give_extra();
    if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
      rlimit limit{};
      ::getrlimit(RLIMIT_NOFILE, &limit);
      const std::string advice = error == EMFILE ? " (the process may open " + std::to_string(limit.rlim_cur) +
                                                       " files: raise RLIMIT_NOFILE, or lower the pool's limits)"
                                                 : " (the machine has no more to give)";
      want_ = "no socket can be opened: " + error_text(error) + advice;
      return no_room;
    }
    give_up(attempt, error, error_text(error));
    return error;
  }
  note_descriptor(attempt.fd);
  set_options(attempt.fd);
  if (std::string why; !bind_address_.empty() && !bind(attempt.fd, family, why)) {
    give_up(attempt, EINVAL, why);
    return EINVAL;
  }
  const int error = ::connect(attempt.fd, attempt.address.data(), attempt.address.length) == 0 ? 0 : errno;
  if (error != 0 && error != EINPROGRESS) {
    give_up(attempt, error, error_text(error));
    return error;
  }
  if (!loop_.add(attempt.fd, attempt)) {
    want_ = "the kernel watches no more sockets: " + error_text(errno) + " (see fs.epoll.max_user_watches)";
    attempt.close();
    return no_room;
  }
  return error;
}

bool ConnectRace::bind(int fd, int family, std::string& why) const {
  Address local;
  if (!Address::parse(bind_address_, 0, local)) {
    why = "the bind address \"" + printable(bind_address_) + "\" is not an IP address";
    return false;
  }
  if (local.storage.ss_family != family) {
    why = "the bind address " + bind_address_ + " is of the other family";
    return false;
  }
  // The port is chosen when the destination is known: one local port can serve many destinations.
  set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  if (::bind(fd, local.data(), local.length) == 0) return true;
  why = "cannot bind to the local address " + bind_address_ + ": " + error_text(errno);
  return false;
}

void ConnectRace::on_events(Attempt& attempt, std::uint32_t events) {
  if (over_ || attempt.fd < 0) return;
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(attempt.fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error == 0) {
    if (events & writable) connected(attempt);
    return;
  }
  loop_.remove(attempt.fd);
  give_up(attempt, error, error_text(error));
  try_next();
}

void ConnectRace::give_up(Attempt& attempt, int error, const std::string& why) {
  attempt.close();
  // For want of our own ports or descriptors, and of a local address, the far one is not to blame.
  if (error != EADDRNOTAVAIL && error != EINVAL && error != EMFILE && error != ENFILE) {
    address_memory().failed(attempt.address, loop_.now());
  }
  if (error != EADDRNOTAVAIL || !has_source_for(attempt.address)) all_without_port_ = false;
  if (!failures_.empty()) failures_ += "; ";
  failures_ += attempt.address.text() + ": " + why;
}

void ConnectRace::connected(Attempt& attempt) {
  if (met_itself(attempt.fd)) {
    loop_.remove(attempt.fd);
    give_up(attempt, ECONNREFUSED, error_text(ECONNREFUSED));
    return try_next();
  }
  const int fd = std::exchange(attempt.fd, -1);
  attempt.give_extra();
  last_address_ = attempt.address.text();
  blame_those_before(attempt);
  stop();
  owner_.on_race_won(fd, attempt.address);
}

void ConnectRace::lose() {
  if (all_without_port_ && !attempts_.empty()) {
    return lose(ErrorCode::no_ports,
                "no ephemeral port is left for " + last_address_ +
                    " (all in use or in TIME_WAIT): reuse connections (share the transport), or widen "
                    "net.ipv4.ip_local_port_range");
  }
  lose(ErrorCode::connect_failed, "cannot connect to " + failures_);
}

void ConnectRace::lose(ErrorCode code, std::string why) {
  stop();
  owner_.on_race_lost(code, std::move(why));
}

}  // namespace trunkline::net
