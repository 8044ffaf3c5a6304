#include "net/resolver.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "net/dns_server.h"
#include "net/peers.h"

namespace trunkline::net {
namespace {

using namespace std::chrono_literals;
using peers::DnsScript;

using Answer = Result<std::vector<Address>>;

Answer resolve_and_wait(Loop& loop, const std::string& host, std::uint16_t port = 80) {
  std::promise<Answer> promise;
  auto future = promise.get_future();
  resolve(loop, host, port, [&](Answer answer) {
    EXPECT_TRUE(loop.on_this_thread());
    promise.set_value(std::move(answer));
  });
  EXPECT_TRUE(peers::arrived(future));
  return future.get();
}

// "[2001:db8::1]:80 192.0.2.1:80", or the error's message.
std::string text(const Answer& answer) {
  if (!answer) return answer.error().message;
  std::string out;
  for (const Address& address : *answer) out += (out.empty() ? "" : " ") + address.text();
  return out;
}

std::string ask(Loop& loop, const std::string& host) { return text(resolve_and_wait(loop, host)); }

DnsScript with_code(unsigned int rcode) {
  DnsScript script;
  script.rcode = rcode;
  return script;
}

DnsScript held(std::vector<std::string> ips) {
  DnsScript script;
  script.ips = std::move(ips);
  script.held = true;
  return script;
}

// The machine's name server, its resolv.conf and its hosts file are the test's.
class Resolver : public ::testing::Test {
 protected:
  Resolver() {
    if (!::mkdtemp(folder_.data())) throw std::runtime_error("mkdtemp");
    write("resolv.conf", "");
    write("hosts", "");
    start();
  }
  ~Resolver() override {
    use_dns_for_tests({});
    std::filesystem::remove_all(folder_);
  }

  void start(const NameCacheLimits& limits = {}) { use_dns_for_tests(setup(), limits); }
  DnsSetup setup() const {
    DnsSetup setup;
    setup.servers = server.text();
    setup.resolv_conf = folder_ + "/resolv.conf";
    setup.hosts = folder_ + "/hosts";
    return setup;
  }
  void write(const std::string& file, const std::string& content) const {
    std::ofstream(folder_ + "/" + file) << content;
  }
  // Every answer is out of date at once, and serves on while look-ups fail.
  static NameCacheLimits nothing_fresh() {
    NameCacheLimits limits;
    limits.least = limits.most = 0s;
    return limits;
  }

  peers::DnsServer server;

 private:
  std::string folder_ = std::filesystem::temp_directory_path() / "trunkline-dns-XXXXXX";
};

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
  peers::on(loop, [&] {
    auto inside = std::make_shared<bool>(true);
    resolve(loop, "127.0.0.1", 80, [&promise, inside](Answer answer) {
      EXPECT_FALSE(*inside);
      promise.set_value(answer->at(0).text());
    });
    *inside = false;
  });
  ASSERT_TRUE(peers::arrived(future));
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
  ASSERT_TRUE(peers::arrived(future));
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
  ASSERT_TRUE(peers::arrived(future));
  EXPECT_EQ(future.get(), "192.0.2.1:80");
}

TEST_F(Resolver, says_which_name_failed_and_why) {
  server.set("empty.test", {});
  server.set_both("broken.test", with_code(2));
  Loop loop;
  struct Row {
    const char* name;
    const char* why;
  };
  for (const Row& row :
       {Row{"unknown.test", "there is no such name"},
        {"x.invalid", "there is no such name"},
        {"empty.test", "it has no IP address"},
        {"broken.test", "no name server gave an answer (all failed, refused or could not be reached)"}}) {
    const Answer answer = resolve_and_wait(loop, row.name);
    ASSERT_FALSE(answer) << row.name;
    EXPECT_EQ(answer.error().code, ErrorCode::resolve_failed);
    EXPECT_EQ(answer.error().phase, Phase::resolve);
    EXPECT_EQ(answer.error().message, "cannot resolve \"" + std::string(row.name) + "\": " + row.why);
  }
  EXPECT_EQ(server.asked("x.invalid", RecordType::a), 0);
}

TEST_F(Resolver, fails_at_once_when_nothing_listens_where_the_name_server_should_be) {
  DnsSetup nobody = setup();
  nobody.servers = peers::DnsServer().text();
  use_dns_for_tests(nobody);
  Loop loop;
  EXPECT_EQ(ask(loop, "a.test"),
            "cannot resolve \"a.test\": no name server gave an answer (all failed, refused or could not be reached)");
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

TEST_F(Resolver, remembers_a_denial_as_long_as_the_zone_says) {
  DnsScript denial = with_code(3);
  denial.denial_ttl = 3600;
  server.set_both("no.test", denial);
  Loop loop;
  const std::uint64_t before = lookup_count();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(loop, "no.test"), "cannot resolve \"no.test\": there is no such name");
  EXPECT_EQ(lookup_count() - before, 1u);
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

TEST_F(Resolver, serves_the_old_answer_while_look_ups_fail_and_takes_the_new_one_when_it_comes) {
  NameCacheLimits limits = nothing_fresh();
  limits.failure = 0s;  // every hit tries again meanwhile
  start(limits);
  server.set("a.test", {"192.0.2.1"});
  Loop loop;
  EXPECT_EQ(ask(loop, "a.test"), "192.0.2.1:80");
  server.set_both("a.test", with_code(2));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(loop, "a.test"), "192.0.2.1:80");
  server.set("a.test", {"192.0.2.2"});
  const TimePoint begin = Clock::now();
  while (ask(loop, "a.test") != "192.0.2.2:80") ASSERT_LT(Clock::now() - begin, 20s);
  server.set_both("a.test", with_code(3));
  EXPECT_EQ(ask(loop, "a.test"), "cannot resolve \"a.test\": there is no such name") << "that is an answer";
}

TEST_F(Resolver, serves_the_old_answer_when_no_reply_comes_within_a_second) {
  start(nothing_fresh());
  server.set("a.test", {"192.0.2.1"});
  Loop loop;
  EXPECT_EQ(ask(loop, "a.test"), "192.0.2.1:80");
  server.set_both("a.test", held({"192.0.2.2"}));
  EXPECT_EQ(ask(loop, "a.test"), "192.0.2.1:80");
  const TimePoint begin = Clock::now();
  EXPECT_EQ(ask(loop, "a.test"), "192.0.2.1:80");
  EXPECT_LT(Clock::now() - begin, 900ms) << "the second does not wait";
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

TEST_F(Resolver, forgets_an_invalidated_name_and_does_not_wait_for_a_look_up_from_before) {
  server.set("a.test", {"192.0.2.1"}, 3600);
  Loop loop;
  EXPECT_EQ(ask(loop, "a.test"), "192.0.2.1:80");
  server.set("a.test", RecordType::a, held({"192.0.2.2"}));
  invalidate("A.TEST");
  std::promise<std::string> promise;
  auto early = promise.get_future();
  resolve(loop, "a.test", 80, [&](Answer answer) { promise.set_value(text(answer)); });
  ASSERT_TRUE(server.was_asked("a.test", RecordType::a, 2));
  invalidate("a.test");
  server.set("a.test", {"192.0.2.3"}, 3600);
  EXPECT_EQ(ask(loop, "a.test"), "192.0.2.3:80");
  server.set("a.test", RecordType::a, held({"192.0.2.2"}));
  server.release("a.test", RecordType::a);
  ASSERT_TRUE(peers::arrived(early));
  EXPECT_EQ(early.get(), "192.0.2.2:80");
  EXPECT_EQ(ask(loop, "a.test"), "192.0.2.3:80") << "the earlier look-up's answer is not kept";
}

TEST_F(Resolver, hands_a_look_up_over_when_its_loop_ends) {
  server.set_both("a.test", held({}));
  server.set("a.test", RecordType::a, held({"192.0.2.1"}));
  auto first = std::make_unique<Loop>();
  Loop second;
  resolve(*first, "a.test", 80, [](Answer) { ADD_FAILURE() << "its loop is gone"; });
  ASSERT_TRUE(server.was_asked("a.test", RecordType::a));
  std::promise<std::string> promise;
  auto future = promise.get_future();
  resolve(second, "a.test", 80, [&](Answer answer) { promise.set_value(text(answer)); });
  first.reset();
  ASSERT_TRUE(server.was_asked("a.test", RecordType::a, 2));
  server.release("a.test", RecordType::a);
  server.release("a.test", RecordType::aaaa);
  ASSERT_TRUE(peers::arrived(future));
  EXPECT_EQ(future.get(), "192.0.2.1:80");
}

TEST_F(Resolver, drops_answers_for_a_loop_that_is_gone) {
  server.set_both("a.test", held({"192.0.2.1"}));
  for (int i = 0; i < 3; ++i) {
    Loop loop;
    resolve(loop, "a.test", 80, [](Answer) {});
    if (i == 2) break;  // and once before it has asked
    ASSERT_TRUE(server.was_asked("a.test", RecordType::a, i + 1));
  }
  server.set("a.test", {"192.0.2.2"});
  Loop loop;
  EXPECT_EQ(ask(loop, "a.test"), "192.0.2.2:80") << "nothing is left of them";
}

TEST_F(Resolver, works_in_a_child_that_was_forked_during_a_look_up) {
  server.set_both("a.test", held({"192.0.2.1"}));
  server.set("b.test", {"192.0.2.2"});
  Loop loop;
  std::promise<std::string> promise;
  auto future = promise.get_future();
  resolve(loop, "a.test", 80, [&](Answer answer) { promise.set_value(text(answer)); });
  ASSERT_TRUE(server.was_asked("a.test", RecordType::a) && server.was_asked("a.test", RecordType::aaaa));
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    use_dns_for_tests(setup());
    Loop own;
    ::_exit(ask(own, "b.test") == "192.0.2.2:80" ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  server.set("a.test", RecordType::aaaa, held({}));
  server.release("a.test", RecordType::aaaa);
  server.release("a.test", RecordType::a);
  ASSERT_TRUE(peers::arrived(future));
  EXPECT_EQ(future.get(), "192.0.2.1:80") << "the parent's look-up goes on";
}

}  // namespace
}  // namespace trunkline::net
