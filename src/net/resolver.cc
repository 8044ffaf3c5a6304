#include "net/resolver.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <unordered_map>

#include "base/text.h"
#include "net/per_process.h"

namespace trunkline::net {
namespace {

constexpr auto keep_answer = std::chrono::seconds(30);  // getaddrinfo does not tell how long an answer may be kept
constexpr auto keep_failure = std::chrono::seconds(1);  // enough against a storm, too short to be noticed
constexpr std::size_t name_limit = 4096;
constexpr std::size_t host_length_limit = 255;

using Answer = Result<std::vector<Address>>;
using Done = Callback<void(Answer)>;

struct Waiter {
  Loop::Mailbox mailbox;
  std::uint16_t port;
  Done done;

  void answer(Answer addresses) {
    if (addresses) {
      for (Address& address : *addresses) address.set_port(port);
    }
    mailbox.post([call = std::move(done), result = std::move(addresses)]() mutable { call(std::move(result)); });
  }
};

struct Name {
  std::optional<Answer> answer;  // none: being looked up for the first time
  TimePoint expires{};
  bool busy = false;
  std::vector<Waiter> waiters;
};

struct Names {
  std::mutex mutex;
  std::unordered_map<std::string, Name> names;
  std::uint64_t lookups = 0;

  bool make_room(TimePoint now);
};

// Drops what is stale, and if that is nothing, any one answer.
bool Names::make_room(TimePoint now) {
  if (names.size() < name_limit) return true;
  std::erase_if(names, [now](const auto& entry) { return !entry.second.busy && entry.second.expires <= now; });
  if (names.size() < name_limit) return true;
  const auto victim = std::find_if(names.begin(), names.end(), [](const auto& entry) { return !entry.second.busy; });
  if (victim == names.end()) return false;
  names.erase(victim);
  return true;
}

Error failure(const std::string& host, std::string_view why) {
  std::string message = "cannot resolve \"" + printable(host) + "\": ";
  message += why;
  return {ErrorCode::resolve_failed, Phase::resolve, std::move(message)};
}

// v6, v4, v6, ... keeping the system's order (RFC 6724) within each family: if one family is broken, the other has its
// turn after one failure.
std::vector<Address> interleave(const addrinfo* list) {
  std::vector<Address> families[2];
  for (const addrinfo* entry = list; entry; entry = entry->ai_next) {
    if (entry->ai_family != AF_INET && entry->ai_family != AF_INET6) continue;
    Address address;
    address.length = static_cast<socklen_t>(std::min<std::size_t>(entry->ai_addrlen, sizeof address.storage));
    std::memcpy(&address.storage, entry->ai_addr, address.length);
    auto& family = families[entry->ai_family == AF_INET ? 1 : 0];
    const bool known = std::any_of(family.begin(), family.end(), [&](const Address& other) {
      return other.length == address.length && std::memcmp(&other.storage, &address.storage, address.length) == 0;
    });
    if (!known) family.push_back(address);
  }
  std::vector<Address> addresses;
  for (std::size_t i = 0; i < std::max(families[0].size(), families[1].size()); ++i) {
    for (const auto& family : families) {
      if (i < family.size()) addresses.push_back(family[i]);
    }
  }
  return addresses;
}

Answer look_up(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  // No AI_ADDRCONFIG: it hides loopback addresses on machines without a network. A family without a route fails at
  // once anyway.
  addrinfo* list = nullptr;
  const int code = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (code == EAI_SYSTEM) return failure(host, std::error_code(errno, std::generic_category()).message());
  if (code != 0) return failure(host, ::gai_strerror(code));
  std::vector<Address> addresses = interleave(list);
  ::freeaddrinfo(list);
  if (addresses.empty()) return failure(host, "it has no IP address");
  return addresses;
}

void look_up_and_tell(const std::string& host) {
  auto& names = per_process<Names>();
  Answer answer = look_up(host);
  std::vector<Waiter> waiters;
  {
    std::lock_guard lock(names.mutex);
    Name& name = names.names[host];
    name.busy = false;
    name.expires = Clock::now() + (answer ? Clock::duration(keep_answer) : Clock::duration(keep_failure));
    name.answer = answer;
    waiters.swap(name.waiters);
  }
  for (Waiter& waiter : waiters) waiter.answer(answer);
}

}  // namespace

void resolve(Loop& loop, const std::string& host, std::uint16_t port, Done done) {
  Waiter waiter{loop.mailbox(), port, std::move(done)};
  Address literal;
  if (Address::parse(host, port, literal)) return waiter.answer(std::vector<Address>{literal});
  if (host.empty() || host.size() > host_length_limit || host.find('\0') != std::string::npos) {
    return waiter.answer(failure(host, "this cannot be a host name"));
  }

  auto& names = per_process<Names>();
  std::unique_lock lock(names.mutex);
  const TimePoint now = Clock::now();
  auto found = names.names.find(host);
  if (found == names.names.end()) {
    if (!names.make_room(now)) {
      lock.unlock();
      return waiter.answer(failure(host, "too many names are being resolved at once"));
    }
    found = names.names.emplace(host, Name{}).first;
  }
  Name& name = found->second;
  if (!name.busy && name.answer && now < name.expires) {
    Answer answer = *name.answer;
    lock.unlock();
    return waiter.answer(std::move(answer));
  }
  name.waiters.push_back(std::move(waiter));
  if (name.busy) return;
  name.busy = true;
  ++names.lookups;
  lock.unlock();
  run_on_worker([host] { look_up_and_tell(host); });
}

std::uint64_t lookup_count() {
  auto& names = per_process<Names>();
  std::lock_guard lock(names.mutex);
  return names.lookups;
}

}  // namespace trunkline::net
