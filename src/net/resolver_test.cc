#include "net/resolver.h"

#include <gtest/gtest.h>

#include <atomic>

#include "net/resolver_fixture.h"

namespace trunkline::net {
namespace resolver_test {

using namespace std::chrono_literals;
using namespace peers;

class Resolver : public ResolverTest {};

TEST_F(Resolver, asks_for_both_families_and_interleaves_them) {
  server.set("a.test", {"192.0.2.1", "192.0.2.2", "2001:db8::1"});
  Loop loop;
  EXPECT_EQ(text(resolve_and_wait(loop, "a.test", 443)), "[2001:db8::1]:443 192.0.2.1:443 192.0.2.2:443");
  EXPECT_EQ(server.asked("a.test", RecordType::a), 1);
  EXPECT_EQ(server.asked("a.test", RecordType::aaaa), 1);
}

TEST_F(Resolver, answers_from_memory_with_the_port_asked_for_and_the_next_address_first) {
  server.set("a.test", {"192.0.2.1", "192.0.2.2"});
  Loop loop;
  const std::uint64_t before = lookup_count();
  EXPECT_EQ(text(resolve_and_wait(loop, "a.test", 80)), "192.0.2.1:80 192.0.2.2:80");
  EXPECT_EQ(text(resolve_and_wait(loop, "a.test", 81)), "192.0.2.2:81 192.0.2.1:81");
  EXPECT_EQ(ask(loop, "A.Test"), "192.0.2.1:80 192.0.2.2:80");
  EXPECT_EQ(lookup_count() - before, 1u);
  EXPECT_EQ(server.asked("a.test", RecordType::a), 1);
}

TEST_F(Resolver, puts_an_address_that_failed_behind_the_others) {
  server.set("a.test", {"192.0.2.1", "192.0.2.2"});
  Loop loop;
  Address failed;
  ASSERT_TRUE(Address::parse("192.0.2.1", 80, failed));
  address_memory().failed(failed, Clock::now());
  EXPECT_EQ(ask(loop, "a.test"), "192.0.2.2:80 192.0.2.1:80");
}

TEST_F(Resolver, answers_a_literal_without_a_lookup_and_never_from_inside_the_call) {
  Loop loop;
  const std::uint64_t before = lookup_count();
  std::promise<std::string> promise;
  auto future = promise.get_future();
  on(loop, [&] {
    auto inside = std::make_shared<bool>(true);
    resolve(loop, "127.0.0.1", 80, [&promise, inside](Answer answer) {
      EXPECT_FALSE(*inside);
      promise.set_value(answer->at(0).text());
    });
    *inside = false;
  });
  ASSERT_TRUE(arrived(future));
  EXPECT_EQ(future.get(), "127.0.0.1:80");
  EXPECT_EQ(ask(loop, "fe80::1%lo"), "[fe80::1%lo]:80");
  EXPECT_EQ(lookup_count(), before);
}

TEST_F(Resolver, takes_localhost_for_loopback_whatever_others_say) {
  server.set("localhost", {"192.0.2.1"});
  server.set("app.localhost", {"192.0.2.1"});
  write("hosts", "192.0.2.1 localhost app.localhost\n");
  Loop loop;
  const std::uint64_t before = lookup_count();
  for (const char* name : {"localhost", "localhost.", "LOCALHOST", "app.localhost"}) {
    const std::string answer = ask(loop, name);
    EXPECT_TRUE(answer == "127.0.0.1:80" || answer == "[::1]:80 127.0.0.1:80") << answer;
  }
  EXPECT_EQ(lookup_count(), before);
}

TEST_F(Resolver, looks_a_name_up_once_however_many_ask_on_whichever_loop) {
  server.set("a.test", RecordType::aaaa, held({"2001:db8::1"}));
  server.set("a.test", RecordType::a, held({"192.0.2.1"}));
  Loop loops[3];
  const std::uint64_t before = lookup_count();
  constexpr int askers = 60;
  std::atomic<int> answered{0};
  std::promise<void> all;
  auto future = all.get_future();
  for (int i = 0; i < askers; ++i) {
    Loop& loop = loops[i % 3];
    resolve(loop, i % 2 ? "a.test" : "A.test", 80, [&](Answer answer) {
      EXPECT_TRUE(loop.on_this_thread());
      EXPECT_TRUE(answer);
      if (++answered == askers) all.set_value();
    });
  }
  ASSERT_TRUE(server.was_asked("a.test", RecordType::a) && server.was_asked("a.test", RecordType::aaaa));
  EXPECT_EQ(answered, 0);
  server.release("a.test", RecordType::a);
  server.release("a.test", RecordType::aaaa);
  ASSERT_TRUE(arrived(future));
  EXPECT_EQ(lookup_count() - before, 1u);
}

TEST_F(Resolver, waits_briefly_for_the_other_family_and_takes_it_in_later) {
  server.set("a.test", RecordType::aaaa, held({"2001:db8::1"}));
  DnsScript ipv4;
  ipv4.ips = {"192.0.2.1"};
  server.set("a.test", RecordType::a, ipv4);
  Loop loop;
  const TimePoint start = Clock::now();
  EXPECT_EQ(ask(loop, "a.test"), "192.0.2.1:80");
  EXPECT_GE(Clock::now() - start, 50ms);
  server.release("a.test", RecordType::aaaa);
  const std::uint64_t before = lookup_count();
  while (ask(loop, "a.test") != "[2001:db8::1]:80 192.0.2.1:80") ASSERT_LT(Clock::now() - start, 20s);
  EXPECT_EQ(lookup_count(), before) << "it was on its way";
}

TEST_F(Resolver, does_not_wait_for_a_family_that_does_not_exist) {
  server.set("a.test", RecordType::a, held({"192.0.2.1"}));
  server.set("a.test", RecordType::aaaa, with_code(2));  // broken servers answer so for IPv6
  Loop loop;
  std::promise<std::string> promise;
  auto future = promise.get_future();
  resolve(loop, "a.test", 80, [&](Answer answer) { promise.set_value(text(answer)); });
  ASSERT_TRUE(server.was_asked("a.test", RecordType::a));
  server.release("a.test", RecordType::a);
  ASSERT_TRUE(arrived(future));
  EXPECT_EQ(future.get(), "192.0.2.1:80");
}

TEST_F(Resolver, refuses_what_cannot_be_a_name_without_a_lookup) {
  Loop loop;
  const std::uint64_t before = lookup_count();
  for (const std::string& host :
       {std::string(), std::string(256, 'a'), std::string("a\0b", 3), std::string("2130706433")}) {
    const Answer answer = resolve_and_wait(loop, host);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::resolve_failed);
  }
  EXPECT_EQ(lookup_count(), before);
}

TEST_F(Resolver, asks_again_over_tcp_when_a_reply_does_not_fit) {
  DnsScript script;
  for (int i = 0; i < 60; ++i) script.ips.push_back("192.0.2." + std::to_string(i));
  script.truncated = true;
  server.set("big.test", RecordType::a, script);
  server.set("big.test", RecordType::aaaa, {});
  Loop loop;
  const Answer answer = resolve_and_wait(loop, "big.test");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->size(), 60u);
  EXPECT_EQ(server.asked_over_tcp(), 1);
}

TEST_F(Resolver, searches_as_resolv_conf_says_and_never_mixes_two_hosts) {
  write("resolv.conf", "search one.test two.test\n");
  start();
  server.set("db.one.test", {"192.0.2.1"});  // no IPv6 here
  server.set("db.two.test", {"192.0.2.2", "2001:db8::2"});
  server.set("only.two.test", {"192.0.2.3"});
  server.set_both("web.one.test", with_code(2));
  server.set("web.two.test", {"192.0.2.4"});
  Loop loop;
  EXPECT_EQ(ask(loop, "db"), "192.0.2.1:80");
  EXPECT_EQ(ask(loop, "only"), "192.0.2.3:80");
  EXPECT_EQ(ask(loop, "only.two.test"), "192.0.2.3:80");
  EXPECT_EQ(ask(loop, "db."), "cannot resolve \"db.\": there is no such name");
  EXPECT_TRUE(ask(loop, "web").starts_with("cannot resolve \"web\": no name server")) << "it might be web.one.test";
}

TEST_F(Resolver, sees_that_resolv_conf_has_changed) {
  write("resolv.conf", "search one.test\n");
  start();
  server.set("db.one.test", {"192.0.2.1"});
  server.set("db.another.test", {"192.0.2.2"});
  Loop loop;
  EXPECT_EQ(ask(loop, "db"), "192.0.2.1:80");
  write("resolv.conf", "search another.test\n");
  invalidate("db");
  EXPECT_EQ(ask(loop, "db"), "192.0.2.2:80");
}

TEST_F(Resolver, believes_the_hosts_file_before_name_servers) {
  write("hosts", "192.0.2.7 pinned.test\n2001:db8::7 pinned.test\n");
  server.set("pinned.test", {"192.0.2.1"});
  Loop loop;
  EXPECT_EQ(ask(loop, "pinned.test"), "[2001:db8::7]:80 192.0.2.7:80");
  EXPECT_EQ(server.asked("pinned.test", RecordType::a), 0);
}

}  // namespace resolver_test
}  // namespace trunkline::net
