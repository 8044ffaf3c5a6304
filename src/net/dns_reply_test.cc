#include "net/dns_reply.h"

#include <gtest/gtest.h>

#include "net/dns_server.h"

namespace trunkline::net {
namespace {

using namespace std::chrono_literals;
using peers::dns_message;
using peers::DnsScript;

std::string ips(const DnsReply& reply) {
  std::string text;
  for (const Address& address : reply.addresses) text += (text.empty() ? "" : " ") + address.text();
  return text;
}

TEST(DnsReply, holds_the_addresses_of_the_type_asked_for) {
  DnsScript script;
  script.ips = {"192.0.2.1", "192.0.2.2", "192.0.2.1"};
  script.ttl = 300;
  const std::string v4 = dns_message(7, "a.test", RecordType::a, script);
  const DnsReply reply = read_dns_reply(v4, RecordType::a);
  EXPECT_EQ(reply.outcome, DnsOutcome::found);
  EXPECT_EQ(ips(reply), "192.0.2.1:0 192.0.2.2:0");
  EXPECT_EQ(reply.ttl, 300s);
  EXPECT_EQ(read_dns_reply(v4, RecordType::aaaa).outcome, DnsOutcome::no_address);

  script.ips = {"2001:db8::1"};
  EXPECT_EQ(ips(read_dns_reply(dns_message(7, "a.test", RecordType::aaaa, script), RecordType::aaaa)),
            "[2001:db8::1]:0");
}

TEST(DnsReply, lives_as_long_as_the_shortest_alias) {
  DnsScript script;
  script.ips = {"192.0.2.1"};
  script.alias = "b.test";
  script.ttl = 300;
  script.alias_ttl = 20;
  const DnsReply reply = read_dns_reply(dns_message(7, "a.test", RecordType::a, script), RecordType::a);
  EXPECT_EQ(ips(reply), "192.0.2.1:0");
  EXPECT_EQ(reply.ttl, 20s);
  script.ips.clear();  // an alias of a name without an address
  EXPECT_EQ(read_dns_reply(dns_message(7, "a.test", RecordType::a, script), RecordType::a).outcome,
            DnsOutcome::no_address);
}

TEST(DnsReply, takes_a_ttl_with_the_highest_bit_for_zero) {
  DnsScript script;
  script.ips = {"192.0.2.1"};
  script.ttl = 0x80000001;
  EXPECT_EQ(read_dns_reply(dns_message(7, "a.test", RecordType::a, script), RecordType::a).ttl, 0s);
}

TEST(DnsReply, says_how_long_a_denial_counts) {
  DnsScript script;
  script.rcode = 3;
  DnsReply reply = read_dns_reply(dns_message(7, "a.test", RecordType::a, script), RecordType::a);
  EXPECT_EQ(reply.outcome, DnsOutcome::no_name);
  EXPECT_FALSE(reply.ttl);
  script.denial_ttl = 5;
  EXPECT_EQ(read_dns_reply(dns_message(7, "a.test", RecordType::a, script), RecordType::a).ttl, 5s);
  script.denial_ttl = 7200;  // the SOA record itself lives for an hour only
  EXPECT_EQ(read_dns_reply(dns_message(7, "a.test", RecordType::a, script), RecordType::a).ttl, 3600s);
  script.rcode = 0;
  reply = read_dns_reply(dns_message(7, "a.test", RecordType::a, script), RecordType::a);
  EXPECT_EQ(reply.outcome, DnsOutcome::no_address);
  EXPECT_EQ(reply.ttl, 3600s);
}

TEST(DnsReply, names_the_code_of_a_refusal) {
  struct Row {
    unsigned int rcode;
    const char* why;
  };
  for (const Row& row : {Row{1, "the name server answered FORMERR"},
                         {2, "the name server answered SERVFAIL"},
                         {4, "the name server answered NOTIMP"},
                         {5, "the name server answered REFUSED"},
                         {9, "the name server answered code 9"}}) {
    DnsScript script;
    script.rcode = row.rcode;
    script.ips = {"192.0.2.1"};
    const DnsReply reply = read_dns_reply(dns_message(7, "a.test", RecordType::a, script), RecordType::a);
    EXPECT_EQ(reply.outcome, DnsOutcome::failed);
    EXPECT_EQ(reply.why, row.why);
    EXPECT_TRUE(reply.addresses.empty());
  }
}

TEST(DnsReply, is_a_failure_when_it_is_cut_off_anywhere) {
  DnsScript script;
  script.ips = {"192.0.2.1", "192.0.2.2"};
  script.alias = "b.test";
  const std::string whole = dns_message(7, "a.test", RecordType::a, script);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const DnsReply reply = read_dns_reply(std::string_view(whole).substr(0, size), RecordType::a);
    EXPECT_EQ(reply.outcome, DnsOutcome::failed) << size;
    EXPECT_TRUE(reply.addresses.empty()) << size;
    EXPECT_FALSE(reply.why.empty()) << size;
  }
}

TEST(DnsReply, is_a_failure_when_an_address_has_a_wrong_length) {
  DnsScript script;
  script.ips = {"192.0.2.1"};
  std::string bytes = dns_message(7, "a.test", RecordType::a, script);
  bytes[bytes.size() - 5] = 3;
  bytes.pop_back();
  EXPECT_EQ(read_dns_reply(bytes, RecordType::a).outcome, DnsOutcome::failed);
}

TEST(DnsReply, reads_compressed_names_and_refuses_unknown_kinds_of_label) {
  DnsScript script;
  std::string bytes = dns_message(7, "a.test", RecordType::a, script);
  bytes[7] = 1;  // one answer
  const std::string record = std::string("\0\1\0\1\0\0\0\x3c\0\4", 10) + std::string("\xC0\x00\x02\x01", 4);
  EXPECT_EQ(ips(read_dns_reply(bytes + "\xC0\x0C" + record, RecordType::a)), "192.0.2.1:0");
  EXPECT_EQ(ips(read_dns_reply(bytes + "\1x\xC0\x0C" + record, RecordType::a)), "192.0.2.1:0");
  EXPECT_EQ(read_dns_reply(bytes + "\x80\x0C" + record, RecordType::a).outcome, DnsOutcome::failed);
  std::string endless;
  for (int i = 0; i < 200; ++i) endless += "\1x";
  EXPECT_EQ(read_dns_reply(bytes + endless + '\0' + record, RecordType::a).outcome, DnsOutcome::failed);
}

TEST(DnsReply, takes_no_more_than_64_addresses) {
  DnsScript script;
  for (int i = 0; i < 200; ++i) script.ips.push_back("192.0.2." + std::to_string(i));
  EXPECT_EQ(read_dns_reply(dns_message(7, "a.test", RecordType::a, script), RecordType::a).addresses.size(), 64u);
}

}  // namespace
}  // namespace trunkline::net
