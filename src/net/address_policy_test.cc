#include "net/address_policy.h"

#include <gtest/gtest.h>

namespace trunkline::net {
namespace address_policy_test {

Address address(const std::string& ip) {
  Address made;
  EXPECT_TRUE(Address::parse(ip, 443, made)) << ip;
  return made;
}

TEST(AddressPolicy, refuse_private_permits_the_public_internet_only) {
  const AddressPolicy policy = refuse_private();
  struct Row {
    const char* ip;
    bool permitted;
  };
  for (const Row& row : {
           Row{"1.1.1.1", true},
           {"8.8.8.8", true},
           {"9.255.255.255", true},
           {"11.0.0.0", true},
           {"100.63.255.255", true},
           {"100.128.0.0", true},
           {"126.255.255.255", true},
           {"128.0.0.0", true},
           {"169.253.255.255", true},
           {"169.255.0.0", true},
           {"172.15.255.255", true},
           {"172.32.0.0", true},
           {"192.167.255.255", true},
           {"192.169.0.0", true},
           {"223.255.255.255", true},
           {"0.0.0.0", false},
           {"0.1.2.3", false},
           {"10.0.0.0", false},
           {"10.255.255.255", false},
           {"100.64.0.0", false},
           {"100.100.100.200", false},  // Alibaba's metadata
           {"100.127.255.255", false},
           {"127.0.0.1", false},
           {"127.255.255.255", false},
           {"168.63.129.16", false},  // Azure's wire server
           {"169.254.0.1", false},
           {"169.254.169.254", false},
           {"169.254.170.2", false},  // credentials of ECS tasks
           {"172.16.0.0", false},
           {"172.31.255.255", false},
           {"192.0.0.192", false},  // Oracle's metadata
           {"192.0.2.1", false},
           {"192.168.0.0", false},
           {"192.168.255.255", false},
           {"198.18.0.1", false},
           {"198.19.255.255", false},
           {"198.51.100.1", false},
           {"203.0.113.1", false},
           {"224.0.0.1", false},
           {"239.255.255.255", false},
           {"240.0.0.1", false},
           {"255.255.255.255", false},
           {"2606:4700:4700::1111", true},
           {"2001:4860:4860::8888", true},
           {"3ffe::1", true},
           {"::", false},
           {"::1", false},
           {"::127.0.0.1", false},  // compatible
           {"::8.8.8.8", false},
           {"fc00::1", false},
           {"fd00:ec2::254", false},
           {"fdff:ffff::1", false},
           {"fe80::1", false},
           {"febf::1", false},
           {"fec0::1", false},
           {"ff02::1", false},
           {"100::1", false},   // discards
           {"5f00::1", false},  // segment routing
           {"2001:db8::1", false},
           {"2001:2::1", false},
           {"3fff::1", false},
           {"::ffff:8.8.8.8", true},  // mapped
           {"::ffff:127.0.0.1", false},
           {"::ffff:10.1.2.3", false},
           {"::ffff:169.254.169.254", false},
           {"::ffff:0:8.8.8.8", true},  // translated
           {"::ffff:0:192.168.1.1", false},
           {"64:ff9b::8.8.8.8", true},  // NAT64
           {"64:ff9b::10.0.0.1", false},
           {"64:ff9b::169.254.169.254", false},
           {"64:ff9b::127.0.0.1", false},
           {"64:ff9b:1::8.8.8.8", false},  // a network's own NAT64: its layout is not known
           {"2002:808:808::1", true},      // 6to4
           {"2002:7f00:1::1", false},
           {"2002:a9fe:a9fe::1", false},
           {"2002:c0a8:101::1", false},
           {"2001:0:808:808::f7f7:f7f7", true},     // Teredo of 8.8.8.8, by the server 8.8.8.8
           {"2001:0:808:808::5601:5601", false},    // of 169.254.169.254
           {"2001:0:a9fe:a9fe::f7f7:f7f7", false},  // by the server 169.254.169.254
       }) {
    EXPECT_EQ(policy(address(row.ip)), row.permitted) << row.ip;
  }
  EXPECT_FALSE(policy(Address{})) << "an address of no family";
}

TEST(AddressPolicy, keeps_the_permitted_addresses_in_their_order) {
  const auto kept = permitted(refuse_private(), "mixed.test",
                              {address("1.1.1.1"), address("10.0.0.1"), address("::1"), address("8.8.8.8")});
  ASSERT_TRUE(kept);
  ASSERT_EQ(kept->size(), 2u);
  EXPECT_EQ(kept->at(0).text(), "1.1.1.1:443");
  EXPECT_EQ(kept->at(1).text(), "8.8.8.8:443");
}

TEST(AddressPolicy, says_which_host_has_no_permitted_address_left) {
  const auto none = permitted(refuse_private(), "inner\n.test", {address("10.0.0.1"), address("::1")});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::address_refused);
  EXPECT_EQ(none.error().kind, ErrorKind::rejected) << "or it would be tried again, and counted against the server";
  EXPECT_EQ(none.error().phase, Phase::resolve);
  EXPECT_EQ(none.error().message,
            "the address policy refuses every address of \"inner\\n.test\", such as 10.0.0.1:443: permit it in the "
            "options if this host is meant to be reached");
}

TEST(AddressPolicy, permits_everything_when_there_is_none) {
  const auto all = permitted(nullptr, "inner.test", {address("127.0.0.1")});
  ASSERT_TRUE(all);
  EXPECT_EQ(all->size(), 1u);
}

}  // namespace address_policy_test
}  // namespace trunkline::net
