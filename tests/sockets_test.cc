// TRUNKLINE_SOCKETS, by which whoever runs a program bounds its sockets. It is read once, when the library is first
// used: it stands before main begins, and other values are tried in processes of their own.
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <system_error>

#include "support/h2_test.h"

namespace trunkline::test {
namespace {

// What a death test below has set, before it ran us again, stays.
const bool is_set = ::setenv("TRUNKLINE_SOCKETS", "3", 0) == 0;

class SocketsTest : public HttpTest {};

TEST_F(SocketsTest, no_more_are_open_than_whoever_runs_the_program_permits) {
  ASSERT_TRUE(is_set);
  Listener& one = serve();
  Listener& other = serve();
  const Client client = make_client();
  EXPECT_EQ(stats().sockets_limit, 3);
  std::vector<H2Call> calls;
  for (int i = 0; i < 8; ++i) calls.push_back(start(client, get((i % 2 == 0 ? one : other).scenario("hold"))));
  EXPECT_TRUE(eventually([&] { return one.log().requests.size() + other.log().requests.size() == 3; }));
  EXPECT_EQ(stats().sockets_open, 3);
  one.release();
  other.release();
  for (H2Call& call : calls) EXPECT_STATUS(call.reply.get(), 200);
  EXPECT_LE(stats().sockets_open, 3);
}

[[noreturn]] void exit_with(bool as_expected) { std::_Exit(as_expected ? 0 : 1); }

TEST(SocketsDeathTest, what_is_no_number_above_zero_is_ignored) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // a new process each, which reads the variable anew
  for (const char* const value : {"0", "-3", "many", ""}) {
    ASSERT_EQ(::setenv("TRUNKLINE_SOCKETS", value, 1), 0);
    EXPECT_EXIT(exit_with(Transport::create(Options())->stats().sockets_limit >= 64), ::testing::ExitedWithCode(0), "")
        << value;
  }
  ASSERT_EQ(::setenv("TRUNKLINE_SOCKETS", "7", 1), 0);
  EXPECT_EXIT(exit_with(Transport::create(Options())->stats().sockets_limit == 7), ::testing::ExitedWithCode(0), "");
  ASSERT_EQ(::setenv("TRUNKLINE_SOCKETS", "3", 1), 0);
}

// S4's own trouble, and before the library has a loop.
[[noreturn]] void begin_without_descriptors() {
  rlimit usual{};
  ::getrlimit(RLIMIT_NOFILE, &usual);
  const int next = ::dup(0);
  ::close(next);
  rlimit none = usual;
  none.rlim_cur = static_cast<rlim_t>(next);
  ::setrlimit(RLIMIT_NOFILE, &none);
  const Options options = test_options().derive([](Options& o) { o.timeouts.queue = milliseconds(100); });
  const auto transport = Transport::create(options);
  const std::string nowhere = "http://127.0.0.1:1/";
  const auto check = [](bool holds, const char* what) {
    if (holds) return;
    std::fputs(what, stderr);
    std::_Exit(1);
  };
  bool thrown = false;
  try {
    transport->start(get(nowhere), [](const Result<Response>&) {});
  } catch (const std::system_error&) {
    thrown = true;
  }
  check(thrown, "it began without a loop\n");
  std::atomic<int> out_of_sockets{0};
  on_threads(4, [&](int) {
    for (int i = 0; i < 5; ++i) {
      const Result<Response> reply = transport->send(get(nowhere));
      if (!reply && reply.error().code == ErrorCode::no_sockets) ++out_of_sockets;
    }
  });
  check(out_of_sockets > 0, "nobody was told why\n");
  check(transport->stats().requests.in_flight == 0, "a call was lost\n");
  check(transport->stats().broken_law().empty(), "the counters do not add up\n");
  ::setrlimit(RLIMIT_NOFILE, &usual);
  check(eventually([&] {
          const Result<Response> reply = transport->send(get(nowhere));
          return !reply && reply.error().code == ErrorCode::connect_failed;
        }),
        "it does not dial again\n");
  std::_Exit(0);
}

TEST(SocketsDeathTest, calls_survive_that_there_is_no_descriptor_for_the_first_loop) {
  if (sanitized()) GTEST_SKIP() << "they probe memory with descriptors of their own";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(begin_without_descriptors(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace trunkline::test
