#include "net/resolver.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/resolver_fixture.h"

namespace trunkline::net {
namespace resolver_trouble_test {

using namespace std::chrono_literals;
using namespace peers;

class ResolverTrouble : public ResolverTest {};

TEST_F(ResolverTrouble, says_which_name_failed_and_why) {
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

TEST_F(ResolverTrouble, fails_at_once_when_nothing_listens_where_the_name_server_should_be) {
  DnsSetup nobody = setup();
  nobody.servers = DnsServer().text();
  use_dns_for_tests(nobody);
  Loop loop;
  EXPECT_EQ(ask(loop, "a.test"),
            "cannot resolve \"a.test\": no name server gave an answer (all failed, refused or could not be reached)");
}

TEST_F(ResolverTrouble, says_that_it_was_for_want_of_a_descriptor_that_nobody_was_asked) {
  server.set("a.test", {"192.0.2.1"});
  Loop loop;
  EXPECT_EQ(ask(loop, "a.test"), "192.0.2.1:80");  // has read resolv.conf
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit none = before;
  none.rlim_cur = 3;  // all of them are in use
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const Answer answer = resolve_and_wait(loop, "b.test");
  ::setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::no_sockets);
  EXPECT_EQ(answer.error().message,
            "cannot resolve \"b.test\": no socket can be opened to ask a name server: Too many open files");
  server.set("b.test", {"192.0.2.2"});
  EXPECT_EQ(ask(loop, "b.test"), "192.0.2.2:80") << "that is not remembered";
}

TEST_F(ResolverTrouble, remembers_a_denial_as_long_as_the_zone_says) {
  DnsScript denial = with_code(3);
  denial.denial_ttl = 3600;
  server.set_both("no.test", denial);
  Loop loop;
  const std::uint64_t before = lookup_count();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(loop, "no.test"), "cannot resolve \"no.test\": there is no such name");
  EXPECT_EQ(lookup_count() - before, 1u);
}

TEST_F(ResolverTrouble, serves_the_old_answer_while_look_ups_fail_and_takes_the_new_one_when_it_comes) {
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

TEST_F(ResolverTrouble, serves_the_old_answer_when_no_reply_comes_within_a_second) {
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

TEST_F(ResolverTrouble, forgets_an_invalidated_name_and_does_not_wait_for_a_look_up_from_before) {
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
  ASSERT_TRUE(arrived(early));
  EXPECT_EQ(early.get(), "192.0.2.2:80");
  EXPECT_EQ(ask(loop, "a.test"), "192.0.2.3:80") << "the earlier look-up's answer is not kept";
}

TEST_F(ResolverTrouble, hands_a_look_up_over_when_its_loop_ends) {
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
  ASSERT_TRUE(arrived(future));
  EXPECT_EQ(future.get(), "192.0.2.1:80");
}

TEST_F(ResolverTrouble, drops_answers_for_a_loop_that_is_gone) {
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

#if !defined(__SANITIZE_THREAD__)  // it supports no threads in a forked child
TEST_F(ResolverTrouble, works_in_a_child_that_was_forked_during_a_look_up) {
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
  ASSERT_TRUE(arrived(future));
  EXPECT_EQ(future.get(), "192.0.2.1:80") << "the parent's look-up goes on";
}
#endif

}  // namespace resolver_trouble_test
}  // namespace trunkline::net
