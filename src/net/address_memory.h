// The order in which the addresses of a name are dialled, from what happened before: successive dials start at
// successive addresses, families take turns (RFC 8305) and the one that worked last goes first, and what failed lately
// is tried last. Thread-safe: one lock, held for a few hundred instructions.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "net/address.h"

namespace trunkline::net {

struct AddressMemoryLimits {
  Clock::duration penalty = std::chrono::seconds(30);      // after a first failure; doubles with each that follows
  Clock::duration most_penalty = std::chrono::minutes(5);  // and afterwards the count of failures decays as slowly
  // How long a name remembers which family worked, so that IPv6 gets another chance when its route is mended.
  Clock::duration family = std::chrono::minutes(10);
  std::size_t addresses = 4096;
  std::size_t names = 4096;
};

class AddressMemory {
 public:
  AddressMemory() = default;
  explicit AddressMemory(const AddressMemoryLimits& limits) : limits_(limits) {}

  // Counts as a dial: the next order for this name starts one address further. None is left out, none added.
  std::vector<Address> order(const std::string& name, const std::vector<Address>& addresses, TimePoint now);

  void failed(const Address& address, TimePoint now);
  bool has_failed(const Address& address, TimePoint now);  // lately
  void succeeded(const std::string& name, const Address& address, TimePoint now);
  void clear();

 private:
  struct Failure {
    int count = 0;
    TimePoint until{};   // penalised
    TimePoint forget{};  // and the count with it
  };
  struct Name {
    std::uint64_t dials = 0;
    int family = 0;  // that worked last
    TimePoint family_until{};
    TimePoint used{};
  };

  Name& name_of(const std::string& name, TimePoint now);

  const AddressMemoryLimits limits_{};
  std::mutex mutex_;
  std::unordered_map<std::string, Failure> failures_;  // by Address::identity()
  std::unordered_map<std::string, Name> names_;
};

}  // namespace trunkline::net
