// Programs that end while the library is busy: they end at once and in order. exit_program.cc has the modes.
#include "support/http_test.h"

namespace trunkline::test {
namespace {

class ExitTest : public HttpTest, public ::testing::WithParamInterface<std::string> {
 protected:
  void TearDown() override {}  // the counters are the other program's
};

TEST_P(ExitTest, ends_at_once_and_in_order) {
  const std::string& mode = GetParam();
  for (int i = 0; i < 10; ++i) {
    Serve how;
    if (i % 2 == 1) how.certificate = &server_certificate();  // OpenSSL has exit handlers of its own
    Listener& server = serve(how);
    std::string url = server.url();
    if (mode == "requests_in_flight") url = server.scenario("hold");
    if (mode == "stream_open") url = server.scenario("big", "size=100000000");
    Process program({TRUNKLINE_EXIT_PROGRAM, mode, url});
    if (mode == "requests_in_flight") {
      ASSERT_EQ(program.read_line(), "ready");
      ASSERT_TRUE(server.wait_for("held", 1));
      program.write("\n");
    }
    const auto from = std::chrono::steady_clock::now();
    std::string output;
    EXPECT_EQ(program.wait(&output), 0) << mode << (server.secure() ? " with TLS: " : ": ") << output;
    EXPECT_LT(std::chrono::steady_clock::now() - from, seconds(20)) << mode;
    EXPECT_TRUE(server.wait_for_exactly("open", 0));
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, ExitTest,
                         ::testing::Values("never_used", "static_clients", "requests_in_flight", "stream_open",
                                           "exit_in_a_callback", "used_in_a_late_destructor", "exit_while_others_call"),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace trunkline::test
