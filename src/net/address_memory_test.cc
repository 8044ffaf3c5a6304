#include "net/address_memory.h"

#include <gtest/gtest.h>

namespace trunkline::net {
namespace address_memory_test {

using namespace std::chrono_literals;

const TimePoint start{1000h};

Address address(const std::string& ip, std::uint16_t port = 443) {
  Address made;
  EXPECT_TRUE(Address::parse(ip, port, made)) << ip;
  return made;
}

std::vector<Address> list(const std::vector<std::string>& ips) {
  std::vector<Address> made;
  for (const std::string& ip : ips) made.push_back(address(ip));
  return made;
}

// "::1 192.0.2.1"
std::string text(const std::vector<Address>& addresses) {
  std::string out;
  for (const Address& one : addresses) {
    std::string ip = one.text();
    ip.resize(ip.rfind(':'));
    if (ip.front() == '[') ip = ip.substr(1, ip.size() - 2);
    out += (out.empty() ? "" : " ") + ip;
  }
  return out;
}

TEST(AddressMemory, successive_dials_start_at_successive_addresses) {
  AddressMemory memory;
  const auto addresses = list({"192.0.2.1", "192.0.2.2", "192.0.2.3"});
  EXPECT_EQ(text(memory.order("a", addresses, start)), "192.0.2.1 192.0.2.2 192.0.2.3");
  EXPECT_EQ(text(memory.order("a", addresses, start)), "192.0.2.2 192.0.2.3 192.0.2.1");
  EXPECT_EQ(text(memory.order("b", addresses, start)), "192.0.2.1 192.0.2.2 192.0.2.3") << "each name by itself";
  EXPECT_EQ(text(memory.order("a", addresses, start)), "192.0.2.3 192.0.2.1 192.0.2.2");
  EXPECT_EQ(text(memory.order("a", addresses, start)), "192.0.2.1 192.0.2.2 192.0.2.3");
  EXPECT_EQ(text(memory.order("a", {}, start)), "");
}

TEST(AddressMemory, interleaves_the_families_and_begins_with_ipv6) {
  AddressMemory memory;
  const auto addresses = list({"192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1"});
  EXPECT_EQ(text(memory.order("a", addresses, start)), "2001:db8::1 192.0.2.1 192.0.2.2 192.0.2.3");
  EXPECT_EQ(text(memory.order("a", addresses, start)), "2001:db8::1 192.0.2.2 192.0.2.3 192.0.2.1");
}

TEST(AddressMemory, begins_with_the_family_that_worked_last_for_a_while) {
  AddressMemory memory;
  const auto addresses = list({"2001:db8::1", "192.0.2.1"});
  memory.succeeded("a", address("192.0.2.1"), start);
  EXPECT_EQ(text(memory.order("a", addresses, start)), "192.0.2.1 2001:db8::1");
  EXPECT_EQ(text(memory.order("b", addresses, start)), "2001:db8::1 192.0.2.1") << "of another name";
  EXPECT_EQ(text(memory.order("a", addresses, start + 10min - 1ns)), "192.0.2.1 2001:db8::1");
  EXPECT_EQ(text(memory.order("a", addresses, start + 10min)), "2001:db8::1 192.0.2.1");
  memory.succeeded("a", address("192.0.2.1"), start + 11min);
  memory.succeeded("a", address("2001:db8::1"), start + 11min);
  EXPECT_EQ(text(memory.order("a", addresses, start + 11min)), "2001:db8::1 192.0.2.1");
}

TEST(AddressMemory, an_address_that_failed_goes_behind_the_others_for_half_a_minute) {
  AddressMemory memory;
  const auto addresses = list({"2001:db8::1", "192.0.2.1", "192.0.2.2"});
  memory.failed(address("2001:db8::1"), start);
  EXPECT_EQ(text(memory.order("a", addresses, start)), "192.0.2.1 192.0.2.2 2001:db8::1");
  EXPECT_EQ(text(memory.order("b", addresses, start + 30s - 1ns)), "192.0.2.1 192.0.2.2 2001:db8::1");
  EXPECT_EQ(text(memory.order("c", addresses, start + 30s)), "2001:db8::1 192.0.2.1 192.0.2.2");
}

TEST(AddressMemory, the_penalty_doubles_to_five_minutes_and_decays) {
  AddressMemory memory;
  const auto addresses = list({"192.0.2.1", "192.0.2.2"});
  TimePoint now = start;
  int fresh = 0;
  const auto last = [&](TimePoint when) {
    return text(memory.order("fresh-" + std::to_string(fresh++), addresses, when)) == "192.0.2.2 192.0.2.1";
  };
  for (const auto penalty : {30s, 60s, 120s, 240s, 300s, 300s}) {
    memory.failed(address("192.0.2.1"), now);
    EXPECT_TRUE(last(now + penalty - 1ns)) << penalty.count();
    EXPECT_FALSE(last(now + penalty)) << penalty.count();
    now += penalty;
  }
  now += 5min;  // without a failure: the next is a first one
  memory.failed(address("192.0.2.1"), now);
  EXPECT_TRUE(last(now + 30s - 1ns));
  EXPECT_FALSE(last(now + 30s));
}

TEST(AddressMemory, failures_that_come_together_count_once) {
  AddressMemory memory;
  const auto addresses = list({"192.0.2.1", "192.0.2.2"});
  for (int i = 0; i < 100; ++i) memory.failed(address("192.0.2.1"), start + i * 1ms);
  EXPECT_EQ(text(memory.order("a", addresses, start + 30s)), "192.0.2.1 192.0.2.2");
}

TEST(AddressMemory, success_clears_the_failures) {
  AddressMemory memory;
  const auto addresses = list({"192.0.2.1", "192.0.2.2"});
  memory.failed(address("192.0.2.1"), start);
  memory.failed(address("192.0.2.1"), start + 30s);
  memory.succeeded("other", address("192.0.2.1"), start + 31s);
  EXPECT_EQ(text(memory.order("a", addresses, start + 31s)), "192.0.2.1 192.0.2.2");
  memory.failed(address("192.0.2.1"), start + 32s);
  EXPECT_EQ(text(memory.order("b", addresses, start + 62s)), "192.0.2.1 192.0.2.2") << "a first failure again";
}

TEST(AddressMemory, orders_by_the_oldest_failure_when_all_have_failed) {
  AddressMemory memory;
  memory.failed(address("192.0.2.2"), start);
  memory.failed(address("192.0.2.1"), start + 1s);
  memory.failed(address("2001:db8::1"), start + 2s);
  const auto addresses = list({"2001:db8::1", "192.0.2.1", "192.0.2.2"});
  EXPECT_EQ(text(memory.order("a", addresses, start + 3s)), "192.0.2.2 192.0.2.1 2001:db8::1");
}

TEST(AddressMemory, tells_ports_apart) {
  AddressMemory memory;
  memory.failed(address("192.0.2.1", 80), start);
  EXPECT_EQ(text(memory.order("a", list({"192.0.2.1", "192.0.2.2"}), start)), "192.0.2.1 192.0.2.2");
}

TEST(AddressMemory, stays_within_its_bounds) {
  AddressMemoryLimits limits;
  limits.addresses = 2;
  limits.names = 2;
  AddressMemory memory(limits);
  memory.failed(address("192.0.2.1"), start);
  memory.failed(address("192.0.2.2"), start + 1s);
  memory.failed(address("192.0.2.3"), start + 2s);  // the first is forgotten
  EXPECT_EQ(text(memory.order("a", list({"192.0.2.3", "192.0.2.2", "192.0.2.1"}), start + 3s)),
            "192.0.2.1 192.0.2.2 192.0.2.3");
  const auto two = list({"198.51.100.1", "198.51.100.2"});
  memory.order("b", two, start + 4s);
  memory.order("c", two, start + 5s);  // "a" is forgotten
  EXPECT_EQ(text(memory.order("b", two, start + 6s)), "198.51.100.2 198.51.100.1");
  EXPECT_EQ(text(memory.order("a", two, start + 7s)), "198.51.100.1 198.51.100.2") << "and starts anew";
}

}  // namespace address_memory_test
}  // namespace trunkline::net
