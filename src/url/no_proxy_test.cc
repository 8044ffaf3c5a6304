#include "url/no_proxy.h"

#include <gtest/gtest.h>

namespace trunkline {
namespace {

bool covers(const std::string& list, const std::string& url) {
  const Result<Url> parsed = Url::parse(url);
  EXPECT_TRUE(parsed) << url;
  return NoProxy(list).covers(*parsed);
}

struct Row {
  const char* list;
  const char* url;
  bool covered;
};

void expect(std::initializer_list<Row> rows) {
  for (const Row& row : rows) {
    EXPECT_EQ(covers(row.list, row.url), row.covered) << row.list << " and " << row.url;
    EXPECT_EQ(NoProxy(row.list).mistake(), "");
  }
}

TEST(NoProxy, covers_a_name_and_what_is_below_it_by_whole_labels) {
  expect({{"a.example", "http://a.example/", true},
          {"a.example", "http://b.a.example/", true},
          {"a.example", "http://c.b.a.example/", true},
          {"a.example", "http://ba.example/", false},
          {"a.example", "http://example/", false},
          {"a.example", "http://a.example.evil/", false},
          {".a.example", "http://a.example/", true},
          {".a.example", "http://b.a.example/", true},
          {".a.example", "http://ba.example/", false},
          {"*.a.example", "http://b.a.example/", true},
          {"*.a.example", "http://ba.example/", false},
          {"a.EXAMPLE", "http://A.Example/", true},
          {"a.example.", "http://a.example/", true},
          {"a.example", "http://a.example./", true},
          {"localhost", "http://localhost:1/", true}});
}

TEST(NoProxy, reads_lists_with_commas_and_blanks) {
  expect({{"x, a.example ,y", "http://a.example/", true},
          {"x a.example", "http://a.example/", true},
          {",,\ta.example,", "http://a.example/", true},
          {"", "http://a.example/", false},
          {" , ,", "http://a.example/", false},
          {"x,*", "http://a.example/", true},
          {"*", "http://10.0.0.1/", true},
          {"*", "http://[::1]/", true}});
}

TEST(NoProxy, keeps_to_the_port_when_there_is_one) {
  expect({{"a.example:81", "http://a.example:81/", true},
          {"a.example:81", "http://b.a.example:81/", true},
          {"a.example:81", "http://a.example/", false},
          {"a.example:80", "http://a.example/", true},
          {"a.example:443", "https://a.example/", true},
          {".a.example:443", "https://b.a.example/", true},
          {"10.0.0.1:81", "http://10.0.0.1:81/", true},
          {"10.0.0.1:81", "http://10.0.0.1/", false},
          {"[::1]:80", "http://[::1]/", true},
          {"[::1]:80", "http://[::1]:81/", false}});
}

TEST(NoProxy, covers_addresses_and_networks) {
  expect({{"10.0.0.1", "http://10.0.0.1/", true},
          {"10.0.0.1", "http://10.0.0.11/", false},
          {"10.0.0.0/8", "http://10.255.0.1/", true},
          {"10.0.0.0/8", "http://11.0.0.1/", false},
          {"10.1.2.3/8", "http://10.255.0.1/", true},
          {"192.0.2.128/25", "http://192.0.2.127/", false},
          {"192.0.2.128/25", "http://192.0.2.129/", true},
          {"192.0.2.1/32", "http://192.0.2.1/", true},
          {"192.0.2.1/32", "http://192.0.2.0/", false},
          {"0.0.0.0/0", "http://203.0.113.9/", true},
          {"0.0.0.0/0", "http://[2001:db8::1]/", false},
          {"::1", "http://[::1]/", true},
          {"[::1]", "http://[::1]/", true},
          {"0:0::0:1", "http://[::1]/", true},
          {"::1", "http://[::2]/", false},
          {"2001:db8::/32", "http://[2001:db8:ffff::1]/", true},
          {"2001:db8::/32", "http://[2001:db9::1]/", false},
          {"fc00::/7", "http://[fdff::1]/", true},
          {"fc00::/7", "http://[fe00::1]/", false},
          {"::/0", "http://[2001:db8::1]/", true},
          {"10.0.0.0/8", "http://[::ffff:10.0.0.1]/", true},
          {"::ffff:10.0.0.1", "http://10.0.0.1/", true}});
}

TEST(NoProxy, never_mixes_names_and_addresses) {
  expect({{"0.0.1", "http://127.0.0.1/", false},
          {".1", "http://127.0.0.1/", false},
          {"10.0.0.0/8", "http://10.0.0.1.example/", false},
          {"127.0.0.1", "http://localhost/", false},
          {"1", "http://[::1]/", false}});
}

// Go's CVE-2025-22870: a zone that ends like a name.
TEST(NoProxy, takes_no_zone_for_a_name) {
  expect({{".example.com", "http://[::1%25.example.com]/", false},
          {"example.com", "http://[fe80::1%25example.com]:80/", false},
          {"fe80::1", "http://[fe80::1%25eth0]/", true},
          {"fe80::/10", "http://[fe80::1%25eth0]/", true}});
}

TEST(NoProxy, covers_nothing_by_what_it_cannot_read_and_says_so) {
  for (const char* list : {".",
                           ":80",
                           "a:",
                           "a:0",
                           "a:65536",
                           "a:80x",
                           "10.0.0.0/33",
                           "10.0.0.0/",
                           "10.0.0.0/-1",
                           "10.0.0.0/8:80",
                           "::/129",
                           "a/8",
                           "[::1",
                           "::1]",
                           "[10.0.0.1]",
                           "[a]",
                           "fe80::1%eth0",
                           "http://a",
                           "a..",
                           "**",
                           "a*",
                           "*a"}) {
    const NoProxy no_proxy(std::string(list) + ",good");
    EXPECT_NE(no_proxy.mistake().find(list), std::string::npos) << list << ": " << no_proxy.mistake();
    for (const char* url : {"http://a/", "http://10.0.0.1/", "http://[::1]/"}) {
      EXPECT_FALSE(no_proxy.covers(*Url::parse(url))) << list << " and " << url;
    }
    EXPECT_TRUE(no_proxy.covers(*Url::parse("http://good/"))) << list;
  }
}

}  // namespace
}  // namespace trunkline
