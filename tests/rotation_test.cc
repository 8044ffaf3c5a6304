// F22: credentials that are renewed again and again, and the bounded cache of transports. In a program of its own,
// since it fills the process-wide pool with routes.
#include "support/http_test.h"

namespace trunkline::test {
namespace {

class RotationTest : public HttpTest {};

TEST_F(RotationTest, F22_a_certificate_that_rotates_a_thousand_times_leaves_a_bounded_number_of_sockets) {
  CountingServer& server = count({.certificate = &server_certificate(), .client_ca = authority().file()});
  const int rotations = scaled(1000, 300);
  const Certificate key = authority().issue({.common_name = "rotating", .names = "DNS:rotating"});
  std::atomic<std::int64_t> most{0};
  std::atomic<int> next{0};
  std::mutex issuing;
  on_threads(4, [&](int) {
    while (next++ < rotations) {
      Options options = tls_options();
      {
        std::lock_guard lock(issuing);
        options.tls.certificate_pem =
            authority().issue({.common_name = "rotating", .names = "DNS:rotating"}, key).certificate;
      }
      options.tls.key_pem = key.key;
      EXPECT_STATUS(Client(Transport::shared(options)).get(server.url()), 200);
      most = std::max(most.load(), server.open());
    }
  });
  EXPECT_GE(server.accepts(), rotations);
  do_not_compare(server);                                         // more routes than statistics list
  EXPECT_LE(most, 300) << "sockets pile up with every rotation";  // the cache holds 256 transports
  EXPECT_TRUE(eventually([&] { return server.open() <= 260; })) << server.open();
}

TEST_F(RotationTest, F22_transports_that_nobody_holds_are_forgotten_before_all_others) {
  Listener& server = serve();
  const Options mine = test_options().derive([](Options& o) { o.user_agent = "long-lived"; });
  const std::shared_ptr<Transport> held = Transport::shared(mine);
  ASSERT_STATUS(Client(held).get(server.url()), 200);
  for (int i = 0; i < 600; ++i) {
    Transport::shared(test_options().derive([&](Options& o) { o.user_agent = "passing " + std::to_string(i); }));
  }
  EXPECT_EQ(Transport::shared(mine), held);
  do_not_compare(server);  // more routes than statistics list
}

}  // namespace
}  // namespace trunkline::test
