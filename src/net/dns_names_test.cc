#include "net/dns_names.h"

#include <gtest/gtest.h>

namespace trunkline::net {
namespace {

TEST(DnsNames, knows_which_names_mean_something_by_themselves) {
  struct Row {
    std::string name;
    NameKind kind;
  };
  for (const Row& row : {
           Row{"example.org", NameKind::ordinary},
           {"example.org.", NameKind::ordinary},
           {"a_b.internal", NameKind::ordinary},
           {"xn--mnchen-3ya.test", NameKind::ordinary},
           {"1.2.3.4a", NameKind::ordinary},
           {"3com", NameKind::ordinary},
           {"localhost.example.org", NameKind::ordinary},
           {"notlocalhost", NameKind::ordinary},
           {"localhost", NameKind::loopback},
           {"LocalHost.", NameKind::loopback},
           {"app.localhost", NameKind::loopback},
           {"a.b.localhost.", NameKind::loopback},
           {"x.invalid", NameKind::nowhere},
           {"INVALID", NameKind::nowhere},
           {"x.onion.", NameKind::nowhere},
           {"", NameKind::not_a_name},
           {".", NameKind::not_a_name},
           {".test", NameKind::not_a_name},
           {"a..test", NameKind::not_a_name},
           {"a.test..", NameKind::not_a_name},
           {std::string("a\0b", 3), NameKind::not_a_name},
           {"a b", NameKind::not_a_name},
           {"a\\.b", NameKind::not_a_name},
           {"a/b", NameKind::not_a_name},
           {"m\xC3\xBCnchen.test", NameKind::not_a_name},
           {"127.1", NameKind::not_a_name},  // what inet_aton() takes for addresses
           {"127.0.0.1.", NameKind::not_a_name},
           {"2130706433", NameKind::not_a_name},
           {"0x7f.0.0.0x1", NameKind::not_a_name},
           {"0x7f000001", NameKind::not_a_name},
           {"a.0x", NameKind::not_a_name},
       }) {
    EXPECT_EQ(static_cast<int>(kind_of_name(row.name)), static_cast<int>(row.kind)) << row.name;
  }
  std::string label(63, 'a');
  EXPECT_EQ(kind_of_name(label), NameKind::ordinary);
  label += 'a';
  EXPECT_EQ(kind_of_name(label), NameKind::not_a_name);
  std::string longest;
  while (longest.size() < 252) longest += "a.";
  EXPECT_EQ(kind_of_name(longest + "a"), NameKind::ordinary);
  EXPECT_EQ(kind_of_name(longest + "aa"), NameKind::not_a_name);
}

using List = std::vector<std::string>;

TEST(DnsNames, searches_as_resolv_conf_says) {
  EXPECT_EQ(search_list("db", {"one.test", "two.test."}, 1), (List{"db.one.test", "db.two.test", "db"}));
  EXPECT_EQ(search_list("db.east", {"one.test"}, 1), (List{"db.east", "db.east.one.test"}));
  EXPECT_EQ(search_list("db.east", {"one.test"}, 5), (List{"db.east.one.test", "db.east"}));
  EXPECT_EQ(search_list("db", {"one.test"}, 0), (List{"db", "db.one.test"}));
  EXPECT_EQ(search_list("db", {}, 1), (List{"db"}));
  EXPECT_EQ(search_list("db.", {"one.test"}, 5), (List{"db"}));
  EXPECT_EQ(search_list("db", {"", "."}, 1), (List{"db"}));
}

TEST(DnsNames, leaves_out_what_would_be_too_long_and_domains_beyond_sixteen) {
  EXPECT_EQ(search_list("db", {std::string(251, 'a')}, 1), (List{"db"}));
  EXPECT_EQ(search_list("db", List(100, "x.test"), 1).size(), 17u);
}

}  // namespace
}  // namespace trunkline::net
