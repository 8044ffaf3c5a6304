#include "net/address_memory.h"

#include <algorithm>
#include <utility>

namespace trunkline::net {
namespace {

// Makes room for one: whoever is earliest by `when` among a few, because looking at all of them takes too long under a
// lock. A table's own order is as good as random.
template <class Table, class When>
void make_room(Table& table, std::size_t limit, When when) {
  if (table.size() < limit || table.empty()) return;
  constexpr int sample = 16;
  auto victim = table.begin();
  auto candidate = victim;
  for (int i = 0; i < sample && candidate != table.end(); ++i, ++candidate) {
    if (when(candidate->second) < when(victim->second)) victim = candidate;
  }
  table.erase(victim);
}

void rotate(std::vector<Address>& addresses, std::uint64_t steps) {
  if (addresses.empty()) return;
  std::rotate(addresses.begin(), addresses.begin() + static_cast<std::ptrdiff_t>(steps % addresses.size()),
              addresses.end());
}

}  // namespace

std::vector<Address> AddressMemory::order(const std::string& name, const std::vector<Address>& addresses,
                                          TimePoint now) {
  struct Penalised {
    TimePoint until;
    Address address;
  };
  std::vector<Address> families[2];
  std::vector<Penalised> penalised;
  std::uint64_t dials = 0;
  int first_family = AF_INET6;
  {
    std::lock_guard lock(mutex_);
    Name& known = name_of(name, now);
    dials = known.dials++;
    if (known.family != 0 && now < known.family_until) first_family = known.family;
    for (const Address& address : addresses) {
      const auto failure = failures_.find(address.identity());
      if (failure != failures_.end() && now < failure->second.until) {
        penalised.push_back({failure->second.until, address});
      } else {
        families[address.family() == first_family ? 0 : 1].push_back(address);
      }
    }
  }
  // Each family turns by itself: with one address of IPv6 and four of IPv4, all four get their share.
  for (auto& family : families) rotate(family, dials);
  std::vector<Address> ordered;
  ordered.reserve(addresses.size());
  for (std::size_t i = 0; i < std::max(families[0].size(), families[1].size()); ++i) {
    for (const auto& family : families) {
      if (i < family.size()) ordered.push_back(family[i]);
    }
  }
  // When all have failed lately, the one whose failure is longest ago is the best guess.
  std::sort(penalised.begin(), penalised.end(), [](const auto& a, const auto& b) { return a.until < b.until; });
  for (const Penalised& entry : penalised) ordered.push_back(entry.address);
  return ordered;
}

void AddressMemory::failed(const Address& address, TimePoint now) {
  const std::string key = address.identity();
  std::lock_guard lock(mutex_);
  auto found = failures_.find(key);
  if (found == failures_.end()) {
    make_room(failures_, limits_.addresses, [](const Failure& failure) { return failure.until; });
    found = failures_.emplace(key, Failure{}).first;
  }
  Failure& failure = found->second;
  if (now >= failure.forget) failure = Failure{};
  if (now < failure.until) return;  // a hundred dials that fail together are one failure
  Clock::duration penalty = limits_.penalty;
  for (int i = 0; i < failure.count && penalty < limits_.most_penalty; ++i) penalty *= 2;
  penalty = std::min(penalty, limits_.most_penalty);
  failure.count = std::min(failure.count + 1, 64);
  failure.until = now + penalty;
  failure.forget = failure.until + limits_.most_penalty;
}

bool AddressMemory::has_failed(const Address& address, TimePoint now) {
  std::lock_guard lock(mutex_);
  const auto found = failures_.find(address.identity());
  return found != failures_.end() && now < found->second.until;
}

void AddressMemory::succeeded(const std::string& name, const Address& address, TimePoint now) {
  std::lock_guard lock(mutex_);
  failures_.erase(address.identity());
  Name& known = name_of(name, now);
  known.family = address.family();
  known.family_until = now + limits_.family;
}

void AddressMemory::clear() {
  std::lock_guard lock(mutex_);
  failures_.clear();
  names_.clear();
}

AddressMemory::Name& AddressMemory::name_of(const std::string& name, TimePoint now) {
  auto found = names_.find(name);
  if (found == names_.end()) {
    make_room(names_, limits_.names, [](const Name& known) { return known.used; });
    found = names_.emplace(name, Name{}).first;
  }
  found->second.used = now;
  return found->second;
}

}  // namespace trunkline::net
