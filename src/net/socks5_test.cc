#include "net/socks5.h"

#include <gtest/gtest.h>

namespace trunkline::net {
namespace socks5_test {

using namespace std::string_literals;
using Step = TunnelHandshake::Step;

const Socks5::Credentials nobody;
const Socks5::Credentials somebody{"user", "pass"};
const std::string accepted = "\5\0\0\1\x7f\0\0\1\x1f\x90"s;  // bound to 127.0.0.1:8080

// What is sent after the bytes; nothing of them may be left over.
std::string after(Socks5& socks, std::string_view bytes) {
  socks.take_output(socks.output().size());
  EXPECT_EQ(socks.feed(bytes), Step::need_more) << socks.failure();
  EXPECT_EQ(bytes, "");
  return std::string(socks.output());
}

Step feed(Socks5& socks, const std::string& bytes) {
  std::string_view input = bytes;
  return socks.feed(input);
}

TEST(Socks5, sends_a_name_as_a_name_and_an_address_as_an_address) {
  struct Row {
    const char* host;
    std::string address;
  };
  const Row rows[] = {
      {"far.example",
       "\3\x0b"
       "far.example"s},
      {"192.0.2.1", "\1\xc0\0\2\1"s},
      {"2001:db8::1", "\4\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"s},
  };
  for (const Row& row : rows) {
    Socks5 socks(row.host, 443, nobody);
    EXPECT_EQ(socks.output(), "\5\1\0"s);
    EXPECT_EQ(after(socks, "\5\0"s), "\5\1\0"s + row.address + "\1\xbb"s) << row.host;
    EXPECT_EQ(feed(socks, accepted), Step::done);
  }
}

TEST(Socks5, logs_in_only_when_asked_to) {
  Socks5 asked("far", 80, somebody);
  EXPECT_EQ(asked.output(), "\5\2\0\2"s);
  EXPECT_EQ(after(asked, "\5\2"s), "\1\4user\4pass"s);
  EXPECT_EQ(after(asked, "\1\0"s), "\5\1\0\3\3far\0\x50"s);
  Socks5 not_asked("far", 80, somebody);
  EXPECT_EQ(after(not_asked, "\5\0"s), "\5\1\0\3\3far\0\x50"s);
}

TEST(Socks5, reads_replies_with_any_address_in_any_pieces_and_not_a_byte_more) {
  const std::string address_kinds[] = {"\1\x7f\0\0\1"s, "\4\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"s, "\3\0"s,
                                       "\3\x05"
                                       "proxy"s,
                                       "\3\xff" + std::string(255, 'p')};
  for (const std::string& address : address_kinds) {
    const std::string answers = "\5\2\1\0\5\0\0"s + address + "\1\2"s;
    for (std::size_t split = 1; split <= answers.size(); ++split) {
      Socks5 socks("far", 80, somebody);
      const std::string with_more = answers + "\5\0hello"s;
      std::string_view first = std::string_view(with_more).substr(0, split);
      std::string_view rest = std::string_view(with_more).substr(split);
      EXPECT_EQ(socks.feed(first), split == answers.size() ? Step::done : Step::need_more);
      EXPECT_EQ(first, "");
      EXPECT_EQ(socks.feed(rest), Step::done);
      EXPECT_EQ(rest, "\5\0hello"s) << "split at " << split;
    }
  }
}

TEST(Socks5, refuses_what_it_cannot_say_and_sends_nothing) {
  const std::string longest(255, 'a'), too_long(256, 'a');
  const Socks5 good(longest, 80, {longest, longest});
  EXPECT_EQ(good.step(), Step::need_more);
  const Socks5 bad[] = {Socks5(too_long, 80, nobody),          Socks5("", 80, nobody),
                        Socks5("far", 80, {too_long, "pass"}), Socks5("far", 80, {"user", too_long}),
                        Socks5("far\r\nX", 80, nobody),        Socks5("far away", 80, nobody),
                        Socks5("127.0.0.1\0x"s, 80, nobody)};
  for (const Socks5& socks : bad) {
    EXPECT_EQ(socks.step(), Step::failed);
    EXPECT_EQ(socks.output(), "");
    EXPECT_EQ(socks.failure().find("pass"), socks.failure().find("password"));
  }
}

TEST(Socks5, says_why_it_was_refused) {
  struct Row {
    int reply;
    const char* says;
  };
  const Row rows[] = {{1, "general failure"}, {2, "rules"},     {3, "network"}, {4, "unreachable"},
                      {5, "refused"},         {6, "TTL"},       {7, "CONNECT"}, {8, "socks5h"},
                      {9, "code 9"},          {255, "code 255"}};
  for (const Row& row : rows) {
    // Some proxies close after the code, without the address.
    Socks5 socks("far", 80, nobody);
    EXPECT_EQ(feed(socks, "\5\0\5"s + static_cast<char>(row.reply)), Step::failed) << row.reply;
    EXPECT_EQ(socks.code(), ErrorCode::proxy_failed);
    EXPECT_NE(socks.failure().find(row.says), std::string::npos) << socks.failure();
    EXPECT_EQ(socks.output(), "") << "nothing may be sent any more";
  }
}

TEST(Socks5, tells_apart_credentials_missing_and_refused) {
  Socks5 missing("far", 80, nobody);
  EXPECT_EQ(feed(missing, "\5\xff"s), Step::failed);
  EXPECT_EQ(missing.code(), ErrorCode::proxy_auth);
  EXPECT_EQ(missing.failure(), "it wants credentials");
  Socks5 refused("far", 80, somebody);
  EXPECT_EQ(feed(refused, "\5\2\1\1"s), Step::failed);
  EXPECT_EQ(refused.code(), ErrorCode::proxy_auth);
  EXPECT_EQ(refused.failure(), "it refused the credentials");
  EXPECT_EQ(refused.output(), "") << "the request must not follow";
}

TEST(Socks5, refuses_answers_that_break_the_protocol) {
  struct Row {
    const char* what;
    Socks5::Credentials credentials;
    std::string answer;
    const char* says;
  };
  const Row rows[] = {
      {"another version", nobody, "\4"s, "not SOCKS5"},
      {"HTTP", nobody, "H"s, "it speaks HTTP"},
      {"a method that was not offered", nobody, "\5\2"s, "not offered"},
      {"GSSAPI", somebody, "\5\1"s, "not offered"},
      {"another version of the login", somebody, "\5\2\5\0"s, "RFC 1929"},
      {"another version in the reply", nobody, "\5\0\4"s, "not SOCKS5"},
      {"an unknown kind of address", nobody, "\5\0\5\0\0\2\0"s, "kind of address"},
  };
  for (const Row& row : rows) {
    Socks5 socks("far", 80, row.credentials);
    EXPECT_EQ(feed(socks, row.answer), Step::failed) << row.what;
    EXPECT_EQ(socks.code(), ErrorCode::proxy_failed) << row.what;
    EXPECT_NE(socks.failure().find(row.says), std::string::npos) << socks.failure();
    EXPECT_EQ(feed(socks, accepted), Step::failed) << "it stays failed";
  }
}

}  // namespace socks5_test
}  // namespace trunkline::net
