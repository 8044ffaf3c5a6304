// TRUNKLINE_SOCKETS, by which whoever runs a program bounds its sockets. It is read once, when the library is first
// used: it stands before main begins, and other values are tried in processes of their own.
#include <cstdlib>

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

}  // namespace
}  // namespace trunkline::test
