#include "net/resolver.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "net/dns_lookup.h"
#include "net/dns_names.h"
#include "net/per_process.h"

namespace trunkline::net {
namespace {

constexpr std::size_t flight_limit = 4096;
constexpr auto unknown_ttl = std::chrono::seconds(30);

using Done = Callback<void(Addresses)>;

struct Waiter {
  Loop* loop;
  Loop::Mailbox mailbox;
  std::string host;
  std::uint16_t port;
  Done done;

  void answer(Addresses addresses);
};

// A name being looked up, on the loop of one of those who wait for it.
struct Flight {
  std::string name;
  Loop* loop = nullptr;
  std::shared_ptr<const DnsSetup> setup;
  std::vector<Waiter> waiters;
  bool told = false;  // it goes on only for the other family's addresses: nobody else joins
  bool over = false;
};

struct Names {
  std::mutex mutex;
  NameCache cache;
  std::unordered_map<std::string, std::shared_ptr<Flight>> flights;
  std::shared_ptr<const DnsSetup> setup = std::make_shared<const DnsSetup>();
  std::uint64_t lookups = 0;

  // Whether what it brings counts; not once the name was invalidated or is looked up anew.
  bool is_current(const Flight& flight) const {
    const auto found = flights.find(flight.name);
    return found != flights.end() && found->second.get() == &flight;
  }
  void forget(const Flight& flight) {
    if (is_current(flight)) flights.erase(flight.name);
  }
};

Error failure(const std::string& host, std::string_view why) {
  std::string message = "cannot resolve \"" + printable(host) + "\": ";
  message += why;
  return {ErrorCode::resolve_failed, Phase::resolve, std::move(message)};
}

void Waiter::answer(Addresses addresses) {
  if (addresses) {
    for (Address& address : *addresses) address.set_port(port);
    // Each dial has an order of its own: the addresses take turns.
    *addresses = address_memory().order(host, *addresses, Clock::now());
  }
  mailbox.post([call = std::move(done), result = std::move(addresses)]() mutable { call(std::move(result)); });
}

Addresses take_in(Names& names, const Flight& flight, DnsReply& reply) {
  const bool counts = names.is_current(flight);
  const TimePoint now = Clock::now();
  switch (reply.outcome) {
    case DnsOutcome::found:
      if (counts) names.cache.store(flight.name, reply.addresses, reply.ttl.value_or(unknown_ttl), now);
      return std::move(reply.addresses);
    case DnsOutcome::no_name:
    case DnsOutcome::no_address: {
      const bool exists = reply.outcome == DnsOutcome::no_address;
      Error error = failure(flight.name, exists ? "it has no IP address" : "there is no such name");
      if (counts) names.cache.deny(flight.name, error, reply.ttl, now);
      return error;
    }
    case DnsOutcome::failed:
      break;
  }
  Error error = failure(flight.name, reply.why);
  if (reply.no_sockets) {  // which says nothing of the name, and passes
    const Addresses* old = counts ? names.cache.stale(flight.name, now) : nullptr;
    if (old != nullptr) return *old;
    return Error(ErrorCode::no_sockets, Phase::resolve, std::move(error.message));
  }
  if (counts) return names.cache.fail(flight.name, std::move(error), now);
  return error;
}

void on_news(Names& names, Flight& flight, LookupNews news) {
  std::vector<Waiter> waiters;
  Addresses answer = std::vector<Address>();
  {
    std::lock_guard lock(names.mutex);
    if (news.kind == LookupNews::slow) {
      // Whoever comes until it is over gets the old answer at once.
      if (!names.is_current(flight) || !names.cache.stale(flight.name, Clock::now())) return;
      news.reply.why = "no name server answered so far";
    }
    answer = take_in(names, flight, news.reply);
    if (news.kind == LookupNews::partial) flight.told = true;
    if (news.kind == LookupNews::over) {
      flight.over = true;
      names.forget(flight);
    }
    waiters.swap(flight.waiters);
  }
  for (Waiter& waiter : waiters) waiter.answer(answer);
}

// Kept by whatever does the flight's work. When that dies undone, because its loop ends, the flight goes on at the loop
// of another who waits.
class Ticket {
 public:
  Ticket(Names& names, std::shared_ptr<Flight> flight) : names_(&names), flight_(std::move(flight)) {}
  Ticket(Ticket&& other) noexcept
      : names_(other.names_), flight_(std::move(other.flight_)), generation_(other.generation_) {}
  Ticket& operator=(Ticket&&) = delete;
  ~Ticket() {
    if (flight_ && generation_ == fork_generation()) hand_over();
  }
  Names& names() const { return *names_; }
  Flight& flight() const { return *flight_; }

 private:
  void hand_over();

  Names* names_;
  std::shared_ptr<Flight> flight_;
  std::uint64_t generation_ = fork_generation();
};

void take_off(Ticket ticket, const Loop::Mailbox& mailbox, Loop* loop) {
  mailbox.post([ticket = std::move(ticket), loop]() mutable {
    auto setup = ticket.flight().setup;
    std::string name = ticket.flight().name;
    look_up(*loop, std::move(setup), std::move(name), [ticket = std::move(ticket)](LookupNews news) {
      on_news(ticket.names(), ticket.flight(), std::move(news));
    });
  });
}

void Ticket::hand_over() {
  std::vector<Waiter> gone;
  std::unique_lock lock(names_->mutex);
  Flight& flight = *flight_;
  if (flight.over) return;
  for (Waiter& waiter : flight.waiters) {
    if (waiter.loop == flight.loop) gone.push_back(std::move(waiter));
  }
  std::erase_if(flight.waiters, [&](const Waiter& waiter) { return waiter.loop == flight.loop; });
  if (flight.waiters.empty()) {
    flight.over = true;
    names_->forget(flight);
    return;
  }
  flight.loop = flight.waiters.front().loop;
  const Loop::Mailbox mailbox = flight.waiters.front().mailbox;
  lock.unlock();
  take_off(Ticket(*names_, flight_), mailbox, flight.loop);
}

// One per process: a machine without IPv6 refuses ::1 to everybody, and a dial to it would only add to its messages.
bool has_ipv6_loopback() {
  enum : int { unknown, yes, no };
  static constinit std::atomic<int> known{unknown};
  if (known.load(std::memory_order_relaxed) == unknown) {
    Address address;
    Address::parse("::1", 0, address);
    const int fd = ::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const bool bound = fd >= 0 && ::bind(fd, address.data(), address.length) == 0;
    const int why = bound ? 0 : errno;
    if (fd >= 0) ::close(fd);
    if (!bound && why != EAFNOSUPPORT && why != EADDRNOTAVAIL) return true;  // for want of a socket: a dial will tell
    known.store(bound ? yes : no, std::memory_order_relaxed);
  }
  return known.load(std::memory_order_relaxed) == yes;
}

std::vector<Address> loopback() {
  std::vector<Address> addresses;
  for (const char* ip : {"::1", "127.0.0.1"}) {
    Address address;
    if ((ip[0] != ':' || has_ipv6_loopback()) && Address::parse(ip, 0, address)) addresses.push_back(address);
  }
  return addresses;
}

// What the cache says, unless the name must be looked up. Starts or joins the flight; to be called under the lock, and
// what it gives back is to be used outside of it.
struct Step {
  std::optional<Addresses> answer;
  std::shared_ptr<Flight> begin;
};

Step step(Names& names, const std::string& name, std::optional<Waiter>& waiter) {
  Step next;
  const NameCache::Found found = names.cache.find(name, Clock::now());
  if (found.answer) next.answer = *found.answer;
  if (found.answer && !found.refresh) return next;
  auto flying = names.flights.find(name);
  const bool can_join = flying != names.flights.end() && !flying->second->told;
  if (!can_join) {
    if (flying == names.flights.end() && names.flights.size() >= flight_limit) {
      if (!next.answer) next.answer = failure(name, "too many names are being resolved at once");
      return next;
    }
    next.begin = std::make_shared<Flight>();
    next.begin->name = name;
    next.begin->loop = waiter->loop;
    next.begin->setup = names.setup;
    flying = names.flights.insert_or_assign(name, next.begin).first;
    ++names.lookups;
  }
  if (!next.answer) {
    flying->second->waiters.push_back(std::move(*waiter));
  }
  return next;
}

}  // namespace

void resolve(Loop& loop, const std::string& host, std::uint16_t port, Done done) {
  std::optional<Waiter> waiter(Waiter{&loop, loop.mailbox(), host, port, std::move(done)});
  Address literal;
  if (Address::parse(host, port, literal)) {
    return waiter->mailbox.post([call = std::move(waiter->done), literal]() mutable { call({{literal}}); });
  }
  switch (kind_of_name(host)) {
    case NameKind::not_a_name:
      return waiter->answer(failure(host, "this cannot be a host name"));
    case NameKind::nowhere:
      return waiter->answer(failure(host, "there is no such name"));
    case NameKind::loopback:
      return waiter->answer(loopback());
    case NameKind::ordinary:
      break;
  }
  auto& names = per_process<Names>();
  Step next;
  {
    std::lock_guard lock(names.mutex);
    next = step(names, in_small_letters(host), waiter);
  }
  if (next.begin) take_off(Ticket(names, next.begin), loop.mailbox(), &loop);
  if (next.answer) waiter->answer(*std::move(next.answer));
}

void invalidate(const std::string& host) {
  auto& names = per_process<Names>();
  const std::string name = in_small_letters(host);
  std::lock_guard lock(names.mutex);
  if (host.empty()) {
    names.cache.clear();
    names.flights.clear();
    return;
  }
  names.cache.invalidate(name);
  names.flights.erase(name);  // those who wait get its answer, and nobody else
}

AddressMemory& address_memory() { return per_process<AddressMemory>(); }

std::uint64_t lookup_count() {
  auto& names = per_process<Names>();
  std::lock_guard lock(names.mutex);
  return names.lookups;
}

void use_dns_for_tests(DnsSetup setup, const NameCacheLimits& limits) {
  auto& names = per_process<Names>();
  {
    std::lock_guard lock(names.mutex);
    names.setup = std::make_shared<const DnsSetup>(std::move(setup));
    names.cache = NameCache(limits);
    names.flights.clear();
  }
  address_memory().clear();
}

}  // namespace trunkline::net
