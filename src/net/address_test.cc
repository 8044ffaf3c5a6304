#include "net/address.h"

#include <gtest/gtest.h>

namespace trunkline::net {
namespace {

TEST(Address, is_read_from_a_literal_and_written_back) {
  struct Row {
    const char* ip;
    const char* text;  // null: not a literal
  };
  for (const Row& row : {Row{"192.0.2.1", "192.0.2.1:443"},
                         {"2001:db8::1", "[2001:db8::1]:443"},
                         {"::ffff:1.2.3.4", "[::ffff:1.2.3.4]:443"},
                         {"fe80::1%lo", "[fe80::1%lo]:443"},
                         {"fe80::1%1", "[fe80::1%lo]:443"},
                         {"fe80::1%", nullptr},
                         {"fe80::1%no-such-zone", nullptr},
                         {"192.0.2.1%lo", nullptr},
                         {"127.1", nullptr},  // other libraries read these as addresses
                         {"0x7f.0.0.1", nullptr},
                         {"2130706433", nullptr},
                         {"192.0.2.256", nullptr},
                         {"[::1]", nullptr},
                         {"localhost", nullptr},
                         {"", nullptr}}) {
    Address address;
    EXPECT_EQ(Address::parse(row.ip, 443, address), row.text != nullptr) << row.ip;
    if (row.text) {
      EXPECT_EQ(address.text(), row.text);
    }
  }
  Address address;
  EXPECT_FALSE(Address::parse(std::string_view("127.0.0.1\0x", 11), 1, address));
}

TEST(Address, tells_itself_from_another_by_ip_zone_and_port) {
  const auto address = [](const char* ip, std::uint16_t port) {
    Address made;
    EXPECT_TRUE(Address::parse(ip, port, made)) << ip;
    return made;
  };
  EXPECT_EQ(address("192.0.2.1", 80), address("192.0.2.1", 80));
  EXPECT_FALSE(address("192.0.2.1", 80) == address("192.0.2.1", 81));
  EXPECT_FALSE(address("192.0.2.1", 80) == address("192.0.2.2", 80));
  EXPECT_FALSE(address("192.0.2.1", 80) == address("::ffff:192.0.2.1", 80));
  EXPECT_FALSE(address("fe80::1", 80) == address("fe80::1%1", 80));
  Address moved = address("2001:db8::1", 80);
  moved.set_port(443);
  EXPECT_EQ(moved, address("2001:db8::1", 443));
  EXPECT_EQ(Address::from_bytes(moved.ip()).text(), "[2001:db8::1]:0");
  EXPECT_EQ(Address::from_bytes("abc").ip(), "");
}

}  // namespace
}  // namespace trunkline::net
